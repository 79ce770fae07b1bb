# SPDX-License-Identifier: Apache-2.0
"""Pre-training of `patch_transformer`: 60 % of the patches are hidden (Point-MAE, Pang et al. 2022).

A patch here looks for its neighbors at three scales, far beyond its own center, so hiding tokens is not
enough: every point belongs to the nearest patch center, and the points of hidden patches are taken out of
reach before any neighbor is looked for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from partdistill_ros.students.masked import MaskedAutoencoder, among, chamfer, reach
from partdistill_ros.students.patch_transformer import (
    Block,
    PatchTransformer,
    gather,
    outward,
    place,
    squared_distances,
    turned,
)

SHARE = 0.6  # of the patches are hidden
FAR = 1e3  # where hidden points go: no neighbor search finds them there, the clouds have radius 1
DECODER = 2  # blocks


class MaskedPatchTransformer(MaskedAutoencoder):
    """Draws the hidden points around each hidden patch center, told outward, sideways and up."""

    def __init__(self, student: PatchTransformer) -> None:
        super().__init__()
        config = student.config
        self.student: PatchTransformer = student
        self.patches = config.patches
        # the third scale looks for neighbors among the visible centers themselves
        self.kept = max(config.patches - int(SHARE * config.patches), config.neighbors)
        self.unit = reach(config.neighbors, int(SHARE * config.points))
        width = config.width
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Sequential(nn.Linear(5, 96), nn.GELU(), nn.Linear(96, width))
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(DECODER))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * config.neighbors)

    def forward(self, points: Tensor, centers: Tensor, kept: Tensor) -> Tensor:
        visible, shown = self.visible(points, centers, kept)
        tokens, middle = self.encode(points, centers, kept, visible)
        hidden = (~shown).nonzero()[:, 1].reshape(len(points), -1)
        spots = gather(points, gather(centers[..., None], hidden)[..., 0])
        drawn = self._decode(tokens, gather(points, gather(centers[..., None], kept)[..., 0]), spots, middle)
        near = points.masked_fill(visible[..., None], FAR)
        index = squared_distances(spots, near).topk(self.student.config.neighbors, -1, largest=False).indices
        offset = gather(points, index) - spots[:, :, None]
        true = turned(offset, outward(spots, middle)[:, :, None]) / self.unit
        return chamfer(drawn.flatten(0, 1), true.flatten(0, 1))

    def visible(self, points: Tensor, centers: Tensor, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Which points `[B, N]` and which patches `[B, G]` are visible when the patches `kept [B, K]` are."""
        shown = among(kept, self.patches)
        spots = centers[:, : self.patches]
        nearest = squared_distances(points, gather(points, spots)).argmin(-1)
        # a center belongs to its own patch even where another one lies at the same place
        return shown.gather(1, nearest).scatter(1, spots, shown), shown

    def encode(self, points: Tensor, centers: Tensor, kept: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens `[B, K, width]` of the patches `kept [B, K]` and the middle `[B, 1, 3]` of what is visible;
        nothing of the other points is used."""
        seen = visible.gather(1, centers)
        coarse = gather(points, centers)
        middle = (coarse * seen[..., None]).sum(1, keepdim=True) / seen.sum(1)[:, None, None]
        spots = gather(coarse, kept)
        scales = (points.masked_fill(~visible[..., None], FAR), coarse.masked_fill(~seen[..., None], FAR), spots)
        return self.student.encode(scales, spots, outward(spots, middle), middle), middle

    def _decode(self, tokens: Tensor, seen: Tensor, spots: Tensor, middle: Tensor) -> Tensor:
        """Points `[B, H, K, 3]` drawn around the hidden `spots [B, H, 3]` from the tokens at `seen [B, V, 3]`."""
        masked = self.mask_token.expand(*spots.shape[:2], -1)
        mixed = torch.cat([tokens, masked], 1) + self.position(place(torch.cat([seen, spots], 1), middle))
        for block in self.blocks:
            mixed = block(mixed)
        drawn: Tensor = self.out(self.norm(mixed[:, tokens.shape[1] :])).unflatten(-1, (-1, 3))
        return drawn
