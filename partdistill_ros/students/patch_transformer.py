# SPDX-License-Identifier: Apache-2.0
"""`patch_transformer`: patches of three sizes around sampled centers, a transformer over them, and a
text-aligned head at every point.

Only MatMul, TopK, Gather and the usual layers are used, in the same code for training and export:
no custom point operators, and the sampling of the centers stays outside of the graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partdistill_ros.students.student import Student


@dataclass(frozen=True)
class PatchTransformerConfig:
    """points: input size N.  centers: farthest-point samples that come with the points, in sampling
    order; the first `patches` of them are the patch centers.
    neighbors: points a patch holds at each of three scales. Among the 2,048 points, the 512 centers
    and the 128 patch centers, 24 neighbors span about 1, 5 and 19 % of the surface.
    """

    points: int = 2048
    centers: int = 512
    patches: int = 128
    neighbors: int = 24
    width: int = 160
    layers: int = 5
    heads: int = 5
    point_width: int = 128
    dim: int = 64


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """`[B, N, M]` between `a [B, N, 3]` and `b [B, M, 3]` as one MatMul (exports well, unlike cdist)."""
    with torch.autocast(a.device.type, enabled=False):  # rounded to half precision, neighbors come out wrong
        return a.square().sum(-1, keepdim=True) - 2 * a @ b.transpose(1, 2) + b.square().sum(-1)[:, None]


def gather(values: Tensor, index: Tensor) -> Tensor:
    """Rows of `values [B, N, C]` at `index [B, ...]`, giving `[B, ..., C]`."""
    batch, count, channels = values.shape
    first = torch.arange(batch, device=values.device) * count
    # rows of one long table: torch.gather would need the index expanded to every channel, 1.7 ms in all
    return values.reshape(batch * count, channels)[index + first.reshape(-1, *[1] * (index.ndim - 1))]


def outward(spots: Tensor, middle: Tensor) -> Tensor:
    """The level unit direction `[B, G, 2]` from the vertical through `middle [B, 1, 3]` to each of
    `spots [B, G, 3]`."""
    away = spots[..., :2] - middle[..., :2]
    return away / (away.square().sum(-1, keepdim=True) + 1e-8).sqrt()


def turned(offset: Tensor, away: Tensor) -> Tensor:
    """Offsets `[..., 3]` told as outward, sideways, up by their spot's `away [..., 2]`: what no turn of
    the object about the vertical changes."""
    x, y, z = offset.split(1, -1)
    cos, sin = away.split(1, -1)
    return torch.cat([x * cos + y * sin, y * cos - x * sin, z], -1)


def place(points: Tensor, middle: Tensor) -> Tensor:
    """Where a point is, `[B, N, 5]`: x, y, z, and what no turn about the vertical changes, its distance
    from the vertical through `middle` and from `middle` itself."""
    offset = points - middle
    level = (offset[..., :2].square().sum(-1, keepdim=True) + 1e-8).sqrt()
    return torch.cat([points, level, (offset.square().sum(-1, keepdim=True) + 1e-8).sqrt()], -1)


def principal_spread(offset: Tensor) -> Tensor:
    """Shares `[B, G, 3]` of the three principal axes in the variance of `offset [B, G, K, 3]`, largest
    first: a rod is (1, 0, 0), a plate (1/2, 1/2, 0). Closed form for symmetric 3 x 3 matrices
    (Smith 1961), so that it exports."""
    centered = offset - offset.mean(2, keepdim=True)
    with torch.autocast(offset.device.type, enabled=False):
        covariance = centered.transpose(2, 3) @ centered
    diagonal = torch.stack([covariance[..., i, i] for i in range(3)], -1)
    mean = diagonal.mean(-1, keepdim=True)
    beside = covariance[..., 0, 1].square() + covariance[..., 0, 2].square() + covariance[..., 1, 2].square()
    p = (((diagonal - mean).square().sum(-1) + 2 * beside) / 6 + 1e-12 * mean[..., 0].square() + 1e-20).sqrt()[
        ..., None
    ]
    a, b, c = ((diagonal - mean) / p).unbind(-1)
    d, e, f = (covariance[..., 0, 1] / p[..., 0], covariance[..., 1, 2] / p[..., 0], covariance[..., 0, 2] / p[..., 0])
    half = (a * b * c + 2 * d * e * f - a * e.square() - b * f.square() - c * d.square()) / 2
    angle = torch.acos(half.clamp(-0.9999, 0.9999)) / 3
    third = 2 * torch.pi / 3
    waves = torch.stack([torch.cos(angle), torch.cos(angle - third), torch.cos(angle + third)], -1)
    return (mean + 2 * p * waves) / (3 * mean + 1e-12)


class PatchEncoder(nn.Module):
    """A PointNet (Qi et al. 2017) over the neighbors of each center, told outward, sideways and up,
    with how they spread: geometry that a small network would need long to find by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 96))
        self.outer = nn.Sequential(nn.Linear(192 + 7, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, points: Tensor, centers: Tensor, away: Tensor, neighbors: int) -> Tensor:
        """Features `[B, G, width]` of the patches of `points [B, M, 3]` around `centers [B, G, 3]`."""
        index = squared_distances(centers, points).topk(neighbors, dim=-1, largest=False, sorted=False).indices
        offset = turned(gather(points, index) - centers[:, :, None], away[:, :, None])
        distance = (offset.square().sum(-1, keepdim=True) + 1e-12).sqrt()
        reach = distance.amax(2, keepdim=True) + 1e-6
        offset = offset / reach
        features = F.relu(self.inner(torch.cat([offset, distance / reach], -1)))
        told = [features.amax(2), features.mean(2), offset.mean(2), principal_spread(offset), torch.log(reach[:, :, 0])]
        return self.outer(torch.cat(told, -1))


class Block(nn.Module):
    """Pre-norm transformer block."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 3 * width), nn.GELU(), nn.Linear(3 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        batch, count, width = tokens.shape
        split = self.qkv(self.norm1(tokens)).reshape(batch, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        # written out: the fused kernel's backward takes five times as long in half precision on a CPU
        mixed = ((query * (width // self.heads) ** -0.5) @ key.transpose(2, 3)).softmax(-1) @ value
        tokens = tokens + self.merge(mixed.transpose(1, 2).reshape(batch, count, width))
        return tokens + self.mlp(self.norm2(tokens))


class PatchTransformer(Student):
    """Clouds in the unit sphere, up = +z, to text-aligned points."""

    encoder_parts: ClassVar[tuple[str, ...]] = ("patches", "position", "blocks", "norm")
    config: PatchTransformerConfig

    def __init__(self, config: PatchTransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, inner = config.width, config.point_width
        self.patches = nn.ModuleList(PatchEncoder(width) for _ in range(3))
        self.position = nn.Sequential(nn.Linear(5, 96), nn.GELU(), nn.Linear(96, width))
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.from_patch = nn.Linear(width, inner)
        self.from_place = nn.Linear(8, inner)
        self.head = nn.Sequential(nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, config.dim))
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def embed(self, points: Tensor, centers: Tensor, asked: int | None = None) -> Tensor:
        """Unit embeddings `[B, N, D]` of `points [B, N, 3]`; `centers [B, G]` are indices into them.
        asked: only of the first so many points (training needs no more, and is a third faster)."""
        coarse = gather(points, centers)
        spots = coarse[:, : self.config.patches]
        middle = coarse.mean(1, keepdim=True)
        away = outward(spots, middle)
        tokens = self.encode((points, coarse, spots), spots, away, middle)
        inner = self._spread(points[:, :asked], spots, away, middle, tokens)
        return F.normalize(self.head(inner), dim=-1)

    def encode(self, scales: Sequence[Tensor], spots: Tensor, away: Tensor, middle: Tensor) -> Tensor:
        """Tokens `[B, G, width]` of the patches around `spots [B, G, 3]`, whose neighbors are looked for among
        the points of each of three `scales`, `[B, M, 3]` each."""
        tokens = self.position(place(spots, middle))
        for encoder, candidates in zip(self.patches, scales, strict=True):
            tokens = tokens + encoder(candidates, spots, away, self.config.neighbors)
        for block in self.blocks:
            tokens = block(tokens)
        normed: Tensor = self.norm(tokens)
        return normed

    def _spread(self, points: Tensor, spots: Tensor, away: Tensor, middle: Tensor, tokens: Tensor) -> Tensor:
        """Point features `[B, N, inner]`: the three nearest patches, each seen from the point, weighted
        by inverse squared distance (PointNet++'s interpolation with the offset told)."""
        distance, index = squared_distances(points, spots).topk(3, dim=-1, largest=False)
        weight = 1 / (distance.clamp(min=0) + 1e-4)
        weight = weight / weight.sum(-1, keepdim=True)
        offset = turned(points[:, :, None] - gather(spots, index), gather(away, index))
        near, far = self.from_place.weight.split([3, 5], dim=1)
        where = F.linear(place(points, middle), far, self.from_place.bias)[:, :, None] + F.linear(offset * 4, near)
        seen = F.relu(gather(self.from_patch(tokens), index) + where)
        return (seen * weight[..., None]).sum(2)
