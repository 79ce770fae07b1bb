# SPDX-License-Identifier: Apache-2.0
"""Pre-training of `point_m2ae`: multi-scale masking as published (Point-M2AE, Zhang et al. 2022).

80 % of the coarsest tokens are hidden. Below, a token is visible where a visible one above is made of it, so
the encoder sees the same regions at every level, and no hidden token even enters its batch statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from partdistill_ros.students.masked import MaskedAutoencoder, among, chamfer, reach
from partdistill_ros.students.patch_transformer import gather
from partdistill_ros.students.point_m2ae import (
    Blocks,
    Level,
    PointM2AE,
    interpolated,
    levels_of,
    position_embedding,
    published_weights,
)

SHARE = 0.8  # of the coarsest tokens are hidden


@dataclass(frozen=True)
class Packed:
    """Visible tokens of a level put first, as many as the fullest cloud has. visible `[B, G]` of all its tokens;
    place `[B, G]`: where a visible token went."""

    level: Level
    visible: Tensor
    place: Tensor

    def unpacked(self, features: Tensor, instead: Tensor) -> Tensor:
        """`[B, G, C]`: the visible tokens' `features [B, V, C]` at their places, `instead [C]` at the others'."""
        return torch.where(self.visible[..., None], gather(features, self.place), instead)


def visible_tokens(levels: Sequence[Level], kept: Tensor) -> list[Tensor]:
    """Which tokens `[B, G]` of each level are visible when `kept [B, K]` of the coarsest are."""
    masks = [among(kept, levels[-1].centers.shape[1])]
    for above, below in zip(levels[:0:-1], levels[-2::-1], strict=True):
        used = masks[0][..., None].expand_as(above.index)
        parts = torch.zeros(below.centers.shape[:2], device=kept.device)
        masks.insert(0, parts.scatter_add(1, above.index.flatten(1), used.flatten(1).to(parts)) > 0)
    return masks


def pack(levels: Sequence[Level], masks: Sequence[Tensor]) -> list[Packed]:
    """The hierarchy of visible tokens alone."""
    packed: list[Packed] = []
    for level, visible in zip(levels, masks, strict=True):
        order = visible.long().argsort(dim=1, descending=True, stable=True)
        chosen = order[:, : int(visible.sum(1).max())]
        index = gather(level.index, chosen)
        if packed:
            index = gather(packed[-1].place[..., None], index)[..., 0]
        slim = Level(gather(level.centers, chosen), index, visible.gather(1, chosen))
        # places of hidden tokens are never read, but must exist
        packed.append(Packed(slim, visible, order.argsort(1).clamp(max=chosen.shape[1] - 1)))
    return packed


class MaskedPointM2AE(MaskedAutoencoder):
    """Draws the members of each hidden token of the second level."""

    def __init__(self, student: PointM2AE) -> None:
        super().__init__()
        config = student.config
        self.student: PointM2AE = student
        self.patches = config.patches
        self.kept = config.patches - int(SHARE * config.patches)
        self.unit = reach(config.neighbors[1], config.groups[0])
        _, middle, wide = config.widths
        self.mask_token = nn.Parameter(torch.randn(wide) * 0.02)
        self.positions = nn.ModuleList([position_embedding(wide), position_embedding(middle)])
        self.blocks = nn.ModuleList(Blocks(width, config.heads, [0.0]) for width in (wide, middle))
        self.fuse = nn.Sequential(nn.Linear(wide + middle, middle), nn.LayerNorm(middle), nn.GELU())
        self.norm, self.out = nn.LayerNorm(middle), nn.Linear(middle, 3 * config.neighbors[1])
        for part in (self.positions, self.blocks, self.fuse, self.out):
            part.apply(published_weights)

    def forward(self, points: Tensor, centers: Tensor, kept: Tensor) -> Tensor:
        levels = levels_of(self.student.config, points, centers)
        packed = pack(levels, visible_tokens(levels, kept))
        features = self.student.h_encoder(points, [one.level for one in packed])
        _, middle, coarse = levels
        hidden = ~packed[1].visible
        drawn = self._decode(packed, features, middle.centers, coarse.centers)[hidden]
        true = (gather(levels[0].centers, middle.index) - middle.centers[:, :, None])[hidden]
        return chamfer(self.out(drawn).unflatten(-1, (-1, 3)), true / self.unit)

    def _decode(self, packed: Sequence[Packed], features: Sequence[Tensor], middle: Tensor, coarse: Tensor) -> Tensor:
        """Features `[B, G, width]` of every token of the second level, at `middle [B, G, 3]`."""
        top = packed[2].unpacked(features[2], self.mask_token)
        top = self.blocks[0](top, self.positions[0](coarse))
        own = packed[1].unpacked(features[1], features[1].new_zeros(1))
        mixed = self.fuse(torch.cat([own, interpolated(middle, coarse, top)], -1))
        decoded: Tensor = self.norm(self.blocks[1](mixed, self.positions[1](middle)))
        return decoded
