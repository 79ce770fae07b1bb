# SPDX-License-Identifier: Apache-2.0
"""`patch_transformer`: patches of three sizes around sampled centres, a transformer over them, and a
text-aligned head at every point.

Only MatMul, TopK, Gather and the usual layers are used, in the same code for training and export:
no custom point operators, and the sampling of the centres stays outside of the graph.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class PatchTransformerConfig:
    """points: input size N.  centers: farthest-point samples that come with the points, in sampling
    order; the first `patches` of them are the patch centres.
    neighbours: points a patch holds at each of three scales. Among the 2,048 points, the 512 centres
    and the 128 patch centres, 24 neighbours span about 1, 5 and 19 % of the surface.
    """

    points: int = 2048
    centers: int = 512
    patches: int = 128
    neighbours: int = 24
    width: int = 160
    layers: int = 5
    heads: int = 5
    point_width: int = 128
    dim: int = 64

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """`[B, N, M]` between `a [B, N, 3]` and `b [B, M, 3]` as one MatMul (exports well, unlike cdist)."""
    return a.square().sum(-1, keepdim=True) - 2 * a @ b.transpose(1, 2) + b.square().sum(-1)[:, None]


def gather(values: Tensor, index: Tensor) -> Tensor:
    """Rows of `values [B, N, C]` at `index [B, ...]`, giving `[B, ..., C]`."""
    batch, channels = values.shape[0], values.shape[2]
    flat = index.reshape(batch, -1, 1).expand(-1, -1, channels)
    return values.gather(1, flat).reshape(*index.shape, channels)


class PatchEncoder(nn.Module):
    """A PointNet over the neighbours of each centre (Qi et al. 2017)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 96))
        self.outer = nn.Sequential(nn.ReLU(), nn.Linear(192, width))

    def forward(self, points: Tensor, centers: Tensor, neighbours: int) -> Tensor:
        """Features `[B, G, width]` of the patches of `points [B, M, 3]` around `centers [B, G, 3]`."""
        index = squared_distances(centers, points).topk(neighbours, dim=-1, largest=False, sorted=False).indices
        offset = gather(points, index) - centers[:, :, None]
        distance = (offset.square().sum(-1, keepdim=True) + 1e-12).sqrt()
        reach = distance.amax(2, keepdim=True) + 1e-6
        features = self.inner(torch.cat([offset / reach, distance / reach], -1))
        return self.outer(torch.cat([features.amax(2), features.mean(2)], -1)) + torch.log(reach[:, :, 0])


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
        mixed = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.merge(mixed.transpose(1, 2).reshape(batch, count, width))
        return tokens + self.mlp(self.norm2(tokens))


class PatchTransformer(nn.Module):
    """Clouds in the unit sphere, up = +z, to text-aligned points."""

    def __init__(self, config: PatchTransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, inner = config.width, config.point_width
        self.patches = nn.ModuleList(PatchEncoder(width) for _ in range(3))
        self.position = nn.Sequential(nn.Linear(3, 96), nn.GELU(), nn.Linear(96, width))
        self.blocks = nn.ModuleList(Block(width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(width)
        self.from_patch = nn.Linear(width, inner)
        self.from_place = nn.Linear(6, inner)
        self.head = nn.Sequential(nn.Linear(inner, inner), nn.GELU(), nn.Linear(inner, config.dim))
        self.log_scale = nn.Parameter(torch.tensor(2.5))

    def embed(self, points: Tensor, centers: Tensor, asked: int | None = None) -> Tensor:
        """Unit embeddings `[B, N, D]` of `points [B, N, 3]`; `centers [B, G]` are indices into them.
        asked: only of the first so many points (training needs no more, and is a third faster)."""
        coarse = gather(points, centers)
        spots = coarse[:, : self.config.patches]
        tokens = self.position(spots)
        for encoder, candidates in zip(self.patches, (points, coarse, spots), strict=True):
            tokens = tokens + encoder(candidates, spots, self.config.neighbours)
        for block in self.blocks:
            tokens = block(tokens)
        return F.normalize(self.head(self._spread(points[:, :asked], spots, self.norm(tokens))), dim=-1)

    def _spread(self, points: Tensor, spots: Tensor, tokens: Tensor) -> Tensor:
        """Point features `[B, N, inner]`: the three nearest patches, each seen from the point, weighted
        by inverse squared distance (PointNet++'s interpolation with the offset told)."""
        distance, index = squared_distances(points, spots).topk(3, dim=-1, largest=False)
        weight = 1 / (distance.clamp(min=0) + 1e-4)
        weight = weight / weight.sum(-1, keepdim=True)
        offset = points[:, :, None] - gather(spots, index)
        place = torch.cat([offset * 4, points[:, :, None].expand(-1, -1, 3, -1)], -1)
        seen = F.relu(gather(self.from_patch(tokens), index) + self.from_place(place))
        return (seen * weight[..., None]).sum(2)

    def forward(self, points: Tensor, centers: Tensor, text: Tensor) -> Tensor:
        """Logits `[B, N, P]` for `text [P, D]`."""
        return self.log_scale.exp() * self.embed(points, centers) @ text.T
