# SPDX-License-Identifier: Apache-2.0
"""Self-supervised pre-training of the students as masked autoencoders of points (Point-MAE, Pang et al. 2022;
Point-M2AE, Zhang et al. 2022): the encoder sees some of the patches, a decoder predicts the points of the others."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from partdistill_ros.students import patch_transformer, point_m2ae
from partdistill_ros.students.patch_transformer import (
    PatchTransformer,
    gather,
    in_radial_frame,
    position_features,
    radial_direction,
    squared_distances,
)
from partdistill_ros.students.point_m2ae import (
    Level,
    PointM2AE,
    init_as_published,
    interpolate,
    levels_of,
    position_embedding,
    to_network_frame,
)
from partdistill_ros.students.student import Student

PATCH_MASK_RATIO = 0.6  # of the patches of `patch_transformer` are hidden (Point-MAE)
M2AE_MASK_RATIO = 0.8  # of the coarsest tokens of `point_m2ae` are hidden (Point-M2AE)
FAR = 1e3  # where hidden points go: no neighbor search finds them there, the clouds have radius 1
DECODER_BLOCKS = 2  # of `patch_transformer`


class MaskedAutoencoder(nn.Module):
    """A student's encoder with a decoder, which ends with the training; the student keeps what its encoder learned.

    patches: of which some are hidden.  num_visible: of them that are not.
    """

    student: Student
    patches: int
    num_visible: int

    @abstractmethod
    def forward(self, points: Tensor, centers: Tensor, visible: Tensor) -> Tensor:
        """The loss over the hidden patches of `points [B, N, 3]`; `visible [B, K]` are the other patches and
        `centers [B, G]` the farthest-point samples."""

    def sample_visible(self, clouds: int, generator: torch.Generator) -> Tensor:
        """Patches `[B, K]` of each cloud that stay visible, on the CPU so that every device draws the same."""
        return torch.rand(clouds, self.patches, generator=generator).argsort(1)[:, : self.num_visible]


def masked_autoencoder(student: Student) -> MaskedAutoencoder:
    """`student` with the decoder that its self-supervised training needs, of random weights."""
    if isinstance(student, PointM2AE):
        return MaskedPointM2AE(student)
    assert isinstance(student, PatchTransformer)
    return MaskedPatchTransformer(student)


def chamfer(predicted: Tensor, true: Tensor) -> Tensor:
    """Mean squared distance from each point of `predicted [M, K, 3]` to the nearest of `true [M, L, 3]` and back."""
    distance = squared_distances(predicted, true).clamp(min=0)
    return distance.amin(2).mean() + distance.amin(1).mean()


def patch_radius(neighbors: int, points: int) -> float:
    """How far the nearest `neighbors` of `points` on a surface in the unit ball are (root of the mean square), the unit
    of the decoders' offsets: 0.66 to 0.76 times the root of the fraction, measured on procedural shapes."""
    return 0.7 * float(neighbors / points) ** 0.5


def index_mask(index: Tensor, count: int) -> Tensor:
    """Which of `count` are in `index [B, K]`, as booleans `[B, count]`."""
    return torch.zeros(len(index), count, dtype=torch.bool, device=index.device).scatter(1, index, True)


class MaskedPatchTransformer(MaskedAutoencoder):
    """Predicts the hidden points around each hidden patch center, in the center's radial frame.

    A patch here looks for its neighbors at three scales, far beyond its own center, so hiding tokens is not enough:
    every point belongs to the nearest patch center, and the points of hidden patches are moved away before any
    neighbor is looked for.
    """

    def __init__(self, student: PatchTransformer) -> None:
        super().__init__()
        config = student.config
        self.student: PatchTransformer = student
        self.patches = config.patches
        # the third scale looks for neighbors among the visible centers themselves
        self.num_visible = max(config.patches - int(PATCH_MASK_RATIO * config.patches), config.neighbors)
        self.unit = patch_radius(config.neighbors, int(PATCH_MASK_RATIO * config.points))
        width = config.width
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.position = nn.Sequential(nn.Linear(5, 96), nn.GELU(), nn.Linear(96, width))
        self.blocks = nn.ModuleList(patch_transformer.Block(width, config.heads) for _ in range(DECODER_BLOCKS))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 3 * config.neighbors)

    def forward(self, points: Tensor, centers: Tensor, visible: Tensor) -> Tensor:
        point_visible, patch_visible = self.visibility(points, centers, visible)
        tokens, center = self.encode(points, centers, visible, point_visible)
        hidden = (~patch_visible).nonzero()[:, 1].reshape(len(points), -1)
        hidden_centers = gather(points, gather(centers[..., None], hidden)[..., 0])
        visible_centers = gather(points, gather(centers[..., None], visible)[..., 0])
        predicted = self._decode(tokens, visible_centers, hidden_centers, center)
        candidates = points.masked_fill(point_visible[..., None], FAR)
        neighbors = self.student.config.neighbors
        index = squared_distances(hidden_centers, candidates).topk(neighbors, -1, largest=False).indices
        offset = gather(points, index) - hidden_centers[:, :, None]
        true = in_radial_frame(offset, radial_direction(hidden_centers, center)[:, :, None]) / self.unit
        return chamfer(predicted.flatten(0, 1), true.flatten(0, 1))

    def visibility(self, points: Tensor, centers: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
        """Which points `[B, N]` and which patches `[B, G]` are visible when the patches `visible [B, K]` are."""
        patch_visible = index_mask(visible, self.patches)
        patch_centers = centers[:, : self.patches]
        nearest = squared_distances(points, gather(points, patch_centers)).argmin(-1)
        # a center belongs to its own patch even where another one lies at the same position
        return patch_visible.gather(1, nearest).scatter(1, patch_centers, patch_visible), patch_visible

    def encode(self, points: Tensor, centers: Tensor, visible: Tensor, point_visible: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens `[B, K, width]` of the patches `visible [B, K]` and the center `[B, 1, 3]` of what is visible;
        nothing of the other points is used."""
        center_visible = point_visible.gather(1, centers)
        sampled = gather(points, centers)
        center = (sampled * center_visible[..., None]).sum(1, keepdim=True) / center_visible.sum(1)[:, None, None]
        patch_centers = gather(sampled, visible)
        scales = (
            points.masked_fill(~point_visible[..., None], FAR),
            sampled.masked_fill(~center_visible[..., None], FAR),
            patch_centers,
        )
        return self.student.encode(scales, patch_centers, radial_direction(patch_centers, center), center), center

    def _decode(self, tokens: Tensor, visible_centers: Tensor, hidden_centers: Tensor, center: Tensor) -> Tensor:
        """Points `[B, H, K, 3]` predicted around `hidden_centers [B, H, 3]` from tokens at `visible_centers`."""
        masked = self.mask_token.expand(*hidden_centers.shape[:2], -1)
        position = position_features(torch.cat([visible_centers, hidden_centers], 1), center)
        mixed = torch.cat([tokens, masked], 1) + self.position(position)
        for block in self.blocks:
            mixed = block(mixed)
        predicted: Tensor = self.out(self.norm(mixed[:, tokens.shape[1] :])).unflatten(-1, (-1, 3))
        return predicted


@dataclass(frozen=True)
class Packed:
    """Visible tokens of a level put first, as many as the fullest cloud has. visible `[B, G]` of all its tokens;
    slot `[B, G]`: where a visible token went."""

    level: Level
    visible: Tensor
    slot: Tensor

    def unpacked(self, features: Tensor, fill: Tensor) -> Tensor:
        """`[B, G, C]`: the visible tokens' `features [B, V, C]` where they were, `fill [C]` at the others."""
        return torch.where(self.visible[..., None], gather(features, self.slot), fill)


def visible_tokens(levels: Sequence[Level], visible: Tensor) -> list[Tensor]:
    """Which tokens `[B, G]` of each level are visible when `visible [B, K]` of the coarsest are: below, a token is
    visible where a visible one above is made of it, so the encoder sees the same regions at every level."""
    masks = [index_mask(visible, levels[-1].centers.shape[1])]
    for above, below in zip(levels[:0:-1], levels[-2::-1], strict=True):
        used = masks[0][..., None].expand_as(above.index)
        parts = torch.zeros(below.centers.shape[:2], device=visible.device)
        masks.insert(0, parts.scatter_add(1, above.index.flatten(1), used.flatten(1).to(parts)) > 0)
    return masks


def pack(levels: Sequence[Level], masks: Sequence[Tensor]) -> list[Packed]:
    """The hierarchy of visible tokens alone, so that no hidden token enters the batch statistics."""
    packed: list[Packed] = []
    for level, visible in zip(levels, masks, strict=True):
        order = visible.long().argsort(dim=1, descending=True, stable=True)
        chosen = order[:, : int(visible.sum(1).max())]
        index = gather(level.index, chosen)
        if packed:
            index = gather(packed[-1].slot[..., None], index)[..., 0]
        slim = Level(gather(level.centers, chosen), index, visible.gather(1, chosen))
        # slots of hidden tokens are never read, but must exist
        packed.append(Packed(slim, visible, order.argsort(1).clamp(max=chosen.shape[1] - 1)))
    return packed


class MaskedPointM2AE(MaskedAutoencoder):
    """Multi-scale masking as published: predicts the members of each hidden token of the second level."""

    def __init__(self, student: PointM2AE) -> None:
        super().__init__()
        config = student.config
        self.student: PointM2AE = student
        self.patches = config.patches
        self.num_visible = config.patches - int(M2AE_MASK_RATIO * config.patches)
        self.unit = patch_radius(config.neighbors[1], config.groups[0])
        _, middle, wide = config.widths
        self.mask_token = nn.Parameter(torch.randn(wide) * 0.02)
        self.positions = nn.ModuleList([position_embedding(wide), position_embedding(middle)])
        self.blocks = nn.ModuleList(point_m2ae.Blocks(width, config.heads, [0.0]) for width in (wide, middle))
        self.fuse = nn.Sequential(nn.Linear(wide + middle, middle), nn.LayerNorm(middle), nn.GELU())
        self.norm, self.out = nn.LayerNorm(middle), nn.Linear(middle, 3 * config.neighbors[1])
        for part in (self.positions, self.blocks, self.fuse, self.out):
            part.apply(init_as_published)

    def forward(self, points: Tensor, centers: Tensor, visible: Tensor) -> Tensor:
        points = to_network_frame(self.student.config, points)
        levels = levels_of(self.student.config, points, centers)
        packed = pack(levels, visible_tokens(levels, visible))
        features = self.student.h_encoder(points, [one.level for one in packed])
        fine, middle, coarse = levels
        hidden = ~packed[1].visible
        decoded = self._decode(packed, features, middle.centers, coarse.centers)[hidden]
        true = (gather(fine.centers, middle.index) - middle.centers[:, :, None])[hidden]
        return chamfer(self.out(decoded).unflatten(-1, (-1, 3)), true / self.unit)

    def _decode(self, packed: Sequence[Packed], features: Sequence[Tensor], middle: Tensor, coarse: Tensor) -> Tensor:
        """Features `[B, G, width]` of every token of the second level, whose centers are `middle [B, G, 3]`; those of
        the third are `coarse`."""
        top = packed[2].unpacked(features[2], self.mask_token)
        top = self.blocks[0](top, self.positions[0](coarse))
        own = packed[1].unpacked(features[1], features[1].new_zeros(1))
        mixed = self.fuse(torch.cat([own, interpolate(middle, coarse, top)], -1))
        decoded: Tensor = self.norm(self.blocks[1](mixed, self.positions[1](middle)))
        return decoded
