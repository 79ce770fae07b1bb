# SPDX-License-Identifier: Apache-2.0
"""`patch_transformer`: patches of three sizes around sampled centers, a transformer over them, and a
text-aligned head at every point.

Only MatMul, TopK, Gather and the usual layers are used, in the same code for training and export:
no custom point operators, and the sampling of the centers stays outside of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

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
        left = torch.cat([-2 * a, a.square().sum(-1, keepdim=True), torch.ones_like(a[..., :1])], -1)
        right = torch.cat([b, torch.ones_like(b[..., :1]), b.square().sum(-1, keepdim=True)], -1)
        return left @ right.transpose(1, 2)


def gather(values: Tensor, index: Tensor) -> Tensor:
    """Rows of `values [B, N, C]` at `index [B, ...]`, giving `[B, ..., C]`."""
    batch, count, channels = values.shape
    first = torch.arange(batch, device=values.device) * count
    # rows of one long table: torch.gather would need the index expanded to every channel, 1.7 ms in all, and the
    # gradient of plain indexing takes twice as long
    return F.embedding(index + first.reshape(-1, *[1] * (index.ndim - 1)), values.reshape(batch * count, channels))


def radial_direction(positions: Tensor, center: Tensor) -> Tensor:
    """The horizontal unit direction `[B, G, 2]` from the vertical axis through `center [B, 1, 3]` to each of
    `positions [B, G, 3]`."""
    radial = positions[..., :2] - center[..., :2]
    return radial / (radial.square().sum(-1, keepdim=True) + 1e-8).sqrt()


def in_radial_frame(offset: Tensor, radial: Tensor) -> Tensor:
    """Offsets `[..., 3]` as radial, tangential and vertical components, given the radial direction `[..., 2]` of where
    they start: what no yaw of the object changes."""
    x, y, z = offset.split(1, -1)
    cos, sin = radial.split(1, -1)
    return torch.cat([x * cos + y * sin, y * cos - x * sin, z], -1)


def position_features(points: Tensor, center: Tensor) -> Tensor:
    """Where a point is, `[B, N, 5]`: x, y, z, and what no yaw changes, its distance from the vertical axis through
    `center [B, 1, 3]` and from `center` itself."""
    offset = points - center
    horizontal = (offset[..., :2].square().sum(-1, keepdim=True) + 1e-8).sqrt()
    return torch.cat([points, horizontal, (offset.square().sum(-1, keepdim=True) + 1e-8).sqrt()], -1)


def principal_variances(offset: Tensor) -> Tensor:
    """Fractions `[B, G, 3]` of the three principal axes in the variance of `offset [B, G, K, 3]`, largest
    first: a rod is (1, 0, 0), a plate (1/2, 1/2, 0). Closed form for symmetric 3 x 3 matrices
    (Smith 1961), so that it exports."""
    mean = offset.mean(2, keepdim=True)
    with torch.autocast(offset.device.type, enabled=False):
        covariance = offset.transpose(2, 3) @ offset - offset.shape[2] * mean.transpose(2, 3) * mean
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


def rowwise(network: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """`network` over the last axis of `values [..., C]`, which it sees as a matrix: ONNX Runtime then adds biases and
    takes ReLUs within the matrix product."""
    rows = network(values.reshape(-1, values.shape[-1]))
    return rows.reshape(*values.shape[:-1], rows.shape[-1])


def patch_offsets(points: Tensor, centers: Tensor, radial: Tensor, neighbors: int) -> Tensor:
    """From each of `centers [B, G, 3]` to the nearest of `points [B, M, 3]`, in its radial frame, `[B, G, K, 3]`."""
    index = squared_distances(centers, points).topk(neighbors, dim=-1, largest=False, sorted=False).indices
    return in_radial_frame(gather(points, index) - centers[:, :, None], radial[:, :, None])


def patch_geometry(offset: Tensor) -> tuple[Tensor, Tensor]:
    """Of patches, `offset [B, G, K, 3]`: each neighbor in units of the patch's radius with its distance,
    `[B, G, K, 4]`; of the whole their mean, principal variances and the radius's logarithm, `[B, G, 7]`: geometry that
    a small network would need long to find by itself."""
    distance = offset.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
    radius = distance.amax(2, keepdim=True) + 1e-6
    offset = offset / radius
    whole = torch.cat([offset.mean(2), principal_variances(offset), torch.log(radius[:, :, 0])], -1)
    return torch.cat([offset, distance / radius], -1), whole


class _Pool(torch.autograd.Function):
    """Largest and mean of `features [B, G, K, C]` over K, `[B, G, C]` each, with a gradient of its own, for training:
    comparisons, and sums along K in half precision, take a CPU several times as long as products and thresholds do.
    Those that are largest alike share the gradient evenly, as `amax` has it."""

    @staticmethod
    def forward(context: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        largest = features.float().amax(2).to(features.dtype)
        context.save_for_backward(features, largest)
        return largest, _summed(features) / features.shape[2]

    @staticmethod
    def backward(context: Any, of_largest: Tensor, of_mean: Tensor) -> Tensor:
        features, largest = context.saved_tensors
        ones = torch.ones_like(features)
        is_largest = torch.ops.aten.threshold_backward(ones, features - largest[:, :, None], -1e-30)
        each = of_largest / _summed(is_largest)
        return torch.addcmul(of_mean[:, :, None] / features.shape[2], is_largest, each[:, :, None])


def _summed(features: Tensor) -> Tensor:
    """`[B, G, C]` of `features [B, G, K, C]`, as a product."""
    return (features.new_ones(1, features.shape[2]) @ features)[:, :, 0]


class PatchEncoder(nn.Module):
    """A PointNet (Qi et al. 2017) over the neighbors of each center, beside the geometry of the whole patch."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 48), nn.ReLU(), nn.Linear(48, 96), nn.ReLU())
        self.outer = nn.Sequential(nn.Linear(192 + 7, width), nn.ReLU(), nn.Linear(width, width))

    def forward(self, neighbors: Tensor, whole: Tensor) -> Tensor:
        """Features `[B, G, width]` of `neighbors [B, G, K, 4]` and `whole [B, G, 7]`, see `patch_geometry`."""
        features = rowwise(self.inner, neighbors)
        pooled = _Pool.apply(features) if self.training else (features.amax(2), features.mean(2))
        return rowwise(self.outer, torch.cat([*pooled, whole], -1))


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
        split = rowwise(self.qkv, self.norm1(tokens)).reshape(batch, count, 3 * self.heads, width // self.heads)
        query, key, value = split.transpose(1, 2).chunk(3, dim=1)
        # written out: the fused kernel's backward takes five times as long in half precision on a CPU
        mixed = ((query * (width // self.heads) ** -0.5) @ key.transpose(2, 3)).softmax(-1) @ value
        tokens = tokens + rowwise(self.merge, mixed.transpose(1, 2).reshape(batch, count, width))
        return tokens + rowwise(self.mlp, self.norm2(tokens))


class PatchTransformer(Student):
    """Clouds in the unit sphere, up = +z, to text-aligned points. Attribute names are the keys of weights on disk."""

    name: ClassVar[str] = "patch_transformer"
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

    def embed(self, points: Tensor, centers: Tensor, num_points: int | None = None) -> Tensor:
        """See `Student.embed`; with a quarter of the points, training is a third faster."""
        sampled = gather(points, centers)
        patch_centers = sampled[:, : self.config.patches]
        center = sampled.mean(1, keepdim=True)
        radial = radial_direction(patch_centers, center)
        tokens = self.encode((points, sampled, patch_centers), patch_centers, radial, center)
        features = self._interpolate(points[:, :num_points], patch_centers, radial, center, tokens)
        embedded = rowwise(self.head, features)
        return embedded * (embedded.square().sum(-1, keepdim=True) + 1e-24).rsqrt()

    def encode(self, scales: Sequence[Tensor], patch_centers: Tensor, radial: Tensor, center: Tensor) -> Tensor:
        """Tokens `[B, G, width]` of the patches around `patch_centers [B, G, 3]`, whose neighbors are looked for among
        the points of each of three `scales`, `[B, M, 3]` each."""
        tokens = rowwise(self.position, position_features(patch_centers, center))
        # the geometry of all scales at once: a third of the steps, which cost more than their numbers
        offsets = [patch_offsets(points, patch_centers, radial, self.config.neighbors) for points in scales]
        near, whole = (one.chunk(len(scales), dim=1) for one in patch_geometry(torch.cat(offsets, 1)))
        for encoder, neighbors, geometry in zip(self.patches, near, whole, strict=True):
            tokens = tokens + encoder(neighbors, geometry)
        for block in self.blocks:
            tokens = block(tokens)
        normed: Tensor = self.norm(tokens)
        return normed

    def _interpolate(
        self, points: Tensor, patch_centers: Tensor, radial: Tensor, center: Tensor, tokens: Tensor
    ) -> Tensor:
        """Point features `[B, N, inner]`: the three nearest patches, each seen from the point, weighted by inverse
        squared distance (PointNet++'s interpolation, Qi et al. 2017, with the offset as a feature)."""
        distance, index = squared_distances(points, patch_centers).topk(3, dim=-1, largest=False)
        weight = 1 / (distance.clamp(min=0) + 1e-4)
        weight = weight / weight.sum(-1, keepdim=True)
        # One linear layer over [offset, position]. An offset is the point less the patch's center, both in the patch's
        # frame: the center's half is known once a patch, the point's and the position's are one product.
        of_offset, of_position = self.from_place.weight.split([3, 5], dim=1)
        place, by_place = position_features(points, center), torch.cat([of_offset * 4, of_position], 1).T
        features = []
        patches = self.from_patch(tokens) + self.from_place.bias
        with torch.autocast(points.device.type, enabled=False):  # in half precision their difference would be lost
            patches = patches.float() - F.linear(in_radial_frame(patch_centers, radial) * 4, of_offset)
            for near, share in zip(index.unbind(-1), weight.split(1, -1), strict=True):  # all at once leave the cache
                seen = torch.cat([in_radial_frame(points, gather(radial, near)), place], -1)
                summed = F.relu(torch.addmm(gather(patches, near).flatten(0, 1), seen.flatten(0, 1), by_place))
                features.append(summed.reshape(*points.shape[:2], -1) * share)
        return features[0] + features[1] + features[2]
