# SPDX-License-Identifier: Apache-2.0
"""`point_m2ae`: the hierarchical encoder of Point-M2AE (Zhang et al., NeurIPS 2022) with a text-aligned head at
every point, as PartDistill has it with fixed parts.

Names and shapes of the encoder's parameters are those of the public checkpoint. Its CUDA operators are
MatMul + TopK here, and farthest-point sampling stays outside of the graph: of farthest-point samples in
sampling order, the first 256 and the first 64 are what sampling again would give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.patch_transformer import gather, squared_distances
from partdistill_ros.students.student import Student

HEADS = ("text", "mlp4")
UP_AXES = ("z", "y")


@dataclass(frozen=True)
class PointM2AEConfig:
    """points: input size N.  groups, neighbors, widths, depths, radii: of the three levels, as published;
    tokens attend to those nearer than the radius (of clouds in the unit sphere).
    head: `text`, two layers of `head_width` at each point, or `mlp4`, the paper's four layers of the features'
    own width. Both end in a text embedding, where the paper has one logit for each of a fixed set of parts.
    up: the axis that the network has up; clouds come with +z up and are turned to it first.
    drop_path: of the deepest block in training, growing from none.  freeze_encoder: only the head learns
    and the encoder stays in evaluation mode, as in the paper.
    """

    points: int = 2048
    groups: tuple[int, ...] = (512, 256, 64)
    neighbors: tuple[int, ...] = (16, 8, 8)
    widths: tuple[int, ...] = (96, 192, 384)
    depths: tuple[int, ...] = (5, 5, 5)
    radii: tuple[float, ...] = (0.32, 0.64, 1.28)
    heads: int = 6
    dim: int = 64
    head: str = "text"
    head_width: int = 256
    up: str = "z"
    drop_path: float = 0.1
    freeze_encoder: bool = False

    def __post_init__(self) -> None:
        if self.head not in HEADS:
            raise PartDistillError(f"point_m2ae: head '{self.head}' is not one of {', '.join(HEADS)}")
        if self.up not in UP_AXES:
            raise PartDistillError(f"point_m2ae: up '{self.up}' is not one of {', '.join(UP_AXES)}")

    @property
    def centers(self) -> int:
        """Farthest-point samples that come with the points."""
        return self.groups[0]

    @property
    def patches(self) -> int:
        """Tokens of the coarsest level."""
        return self.groups[-1]

    @property
    def features(self) -> int:
        """Of a point: the levels' features, each with the point itself."""
        return sum(self.widths) + 3 * len(self.widths)


@dataclass(frozen=True)
class Level:
    """One level of the hierarchy: centers `[B, G, 3]`, their neighbors' indices `[B, G, K]` among the tokens of
    the level below (among the points, at the first). valid `[B, G]`: where clouds hold fewer tokens than
    G, which are tokens at all (None: all)."""

    centers: Tensor
    index: Tensor
    valid: Tensor | None = None


def to_network_frame(config: PointM2AEConfig, points: Tensor) -> Tensor:
    """`points [..., 3]` with +z up, turned (not mirrored) to what the network has up."""
    if config.up == "z":
        return points
    x, y, z = points.unbind(-1)
    return torch.stack([x, z, -y], -1)


def levels_of(config: PointM2AEConfig, points: Tensor, centers: Tensor) -> list[Level]:
    """The hierarchy over `points [B, N, 3]` from farthest-point samples `centers [B, G]`."""
    levels, below, sampled = [], points, gather(points, centers)
    for count, neighbors in zip(config.groups, config.neighbors, strict=True):
        level_centers = sampled[:, :count]
        index = squared_distances(level_centers, below).topk(neighbors, dim=-1, largest=False, sorted=False).indices
        levels.append(Level(level_centers, index))
        below = level_centers
    return levels


class PointLinear(nn.Module):
    """A linear layer whose weight has the shape of a convolution of size 1, `[out, in, 1]`: cuDNN would look for
    an algorithm for every shape of a convolution."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outer, inner, 1))
        self.bias = nn.Parameter(torch.zeros(outer))

    def forward(self, rows: Tensor) -> Tensor:
        return F.linear(rows, self.weight[..., 0], self.bias)


class TokenEmbed(nn.Module):
    """Two small PointNets over the members of each group; the second one also sees the first one's maximum."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        one, two, three = (128, 256, 512) if inner == 3 else (inner, inner, outer)
        self.first_conv = nn.Sequential(PointLinear(inner, one), nn.BatchNorm1d(one), nn.ReLU(), PointLinear(one, two))
        self.second_conv = nn.Sequential(
            PointLinear(2 * two, three), nn.BatchNorm1d(three), nn.ReLU(), PointLinear(three, outer)
        )

    def forward(self, groups: Tensor) -> Tensor:
        """Tokens `[M, outer]` of `groups [M, K, inner]`."""
        count, size, _ = groups.shape
        member = self.first_conv(groups.flatten(0, 1)).unflatten(0, (count, size))
        whole = member.amax(1, keepdim=True)
        mix, norm, act, out = self.second_conv
        # the layer over [whole, member] in two halves: the first one once a group, not once a member
        assert isinstance(mix, PointLinear)
        of_whole, of_member = mix.weight[..., 0].chunk(2, dim=1)
        mixed = F.linear(whole, of_whole, mix.bias) + F.linear(member, of_member)
        tokens: Tensor = out(act(norm(mixed.flatten(0, 1)))).unflatten(0, (count, size)).amax(1)
        return tokens


class Attention(nn.Module):
    """Self-attention without biases of query, key and value."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        batch, count, width = tokens.shape
        split = self.qkv(tokens).reshape(batch, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        projected: Tensor = self.proj(mixed.transpose(1, 2).reshape(batch, count, width))
        return projected


class Mlp(nn.Module):
    """The feed-forward half of a block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        out: Tensor = self.fc2(F.gelu(self.fc1(tokens)))
        return out


class Block(nn.Module):
    """Pre-norm transformer block with stochastic depth in training."""

    def __init__(self, width: int, heads: int, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width)

    def forward(self, tokens: Tensor, bias: Tensor | None) -> Tensor:
        tokens = tokens + self._drop(self.attn(self.norm1(tokens), bias))
        return tokens + self._drop(self.mlp(self.norm2(tokens)))

    def _drop(self, change: Tensor) -> Tensor:
        if not self.training or self.drop == 0:
            return change
        # drawn on the CPU: the same clouds skip the same blocks on every device
        keep = (torch.rand(len(change), 1, 1) >= self.drop).to(change)
        return change * keep / (1 - self.drop)


class Blocks(nn.Module):
    """The blocks of one level; the position is added before each of them again."""

    def __init__(self, width: int, heads: int, drops: list[float]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, drop) for drop in drops)

    def forward(self, tokens: Tensor, position: Tensor, bias: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            tokens = block(tokens + position, bias)
        return tokens


def position_embedding(width: int) -> nn.Sequential:
    """Where a token is, `[..., 3]`, in its `width` features."""
    return nn.Sequential(nn.Linear(3, width), nn.GELU(), nn.Linear(width, width))


class HierarchicalEncoder(nn.Module):
    """Tokens of the groups, merged twice into fewer and wider ones."""

    def __init__(self, config: PointM2AEConfig) -> None:
        super().__init__()
        self.radii = config.radii
        widths = config.widths
        self.token_embed = nn.ModuleList(map(TokenEmbed, (3, *widths), widths))
        self.encoder_pos_embeds = nn.ModuleList(map(position_embedding, widths))
        drops = torch.linspace(0, config.drop_path, sum(config.depths)).tolist()
        self.encoder_blocks = nn.ModuleList()
        for width, depth in zip(widths, config.depths, strict=True):
            self.encoder_blocks.append(Blocks(width, config.heads, drops[:depth]))
            drops = drops[depth:]
        self.encoder_norms = nn.ModuleList(map(nn.LayerNorm, widths))
        self.apply(init_as_published)

    def forward(self, points: Tensor, levels: list[Level]) -> list[Tensor]:
        """Features `[B, G, width]` of each level over `points [B, N, 3]`.

        Where a level says which of its tokens are valid (in pre-training, the visible ones), the others
        are never looked at and what comes out for them means nothing.
        """
        tokens, features = points, []
        for i, level in enumerate(levels):
            groups = gather(tokens, level.index)
            if i == 0:
                groups = groups - level.centers[:, :, None]
            tokens = self._merge(self.token_embed[i], groups, level.valid)
            position = self.encoder_pos_embeds[i](level.centers)
            tokens = self.encoder_blocks[i](tokens, position, attention_bias(level, self.radii[i]))
            features.append(self.encoder_norms[i](tokens))
        return features

    @staticmethod
    def _merge(embed: nn.Module, groups: Tensor, valid: Tensor | None) -> Tensor:
        if valid is None:
            tokens: Tensor = embed(groups.flatten(0, 1)).unflatten(0, groups.shape[:2])
            return tokens
        # only valid groups: the others must not enter the batch's statistics either
        real = embed(groups[valid])
        return real.new_zeros(*valid.shape, real.shape[-1]).masked_scatter(valid[..., None], real)


def attention_bias(level: Level, radius: float) -> Tensor:
    """What is added to the attention between the tokens of a level, `[B, 1, G, G]`: 0 or -100,000.

    Without `valid`, tokens see those nearer than `radius`. With it they see every valid one: published
    pre-training has no radius.
    """
    if level.valid is not None:
        return ((~level.valid) * -1e5)[:, None, None]
    # by coordinates, not by MatMul: what is nearer than the radius must be the same in every runtime
    x, y, z = (level.centers[:, :, None] - level.centers[:, None]).unbind(-1)
    return ((x * x + y * y + z * z >= radius * radius) * -1e5)[:, None]


def interpolate(points: Tensor, centers: Tensor, features: Tensor) -> Tensor:
    """Features `[B, N, C]` at `points [B, N, 3]` from those of the three nearest of `centers [B, G, 3]`, weighted
    by inverse squared distance (PointNet++, Qi et al. 2017)."""
    distance, index = squared_distances(points, centers).topk(3, dim=-1, largest=False)
    weight = 1 / (distance.clamp(min=0) + 1e-8)
    weight = weight / weight.sum(-1, keepdim=True)
    return (gather(features, index) * weight[..., None]).sum(2)


def init_as_published(module: nn.Module) -> None:
    """First weights as published: normal with sigma 0.02, biases 0."""
    if isinstance(module, nn.Linear | PointLinear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class PointM2AE(Student):
    """Clouds in the unit sphere to text-aligned points; nothing in its layers knows about up or yaw, but weights that
    were learned on upright shapes do, so clouds are turned to the up of those (`config.up`)."""

    name: ClassVar[str] = "point_m2ae"
    encoder_parts: ClassVar[tuple[str, ...]] = ("h_encoder",)
    config: PointM2AEConfig

    def __init__(self, config: PointM2AEConfig) -> None:
        super().__init__()
        self.config = config
        self.h_encoder = HierarchicalEncoder(config)
        self.head = point_head(config)
        self.log_scale = nn.Parameter(torch.tensor(2.5))
        self.set_frozen(config.freeze_encoder)

    def set_frozen(self, frozen: bool) -> None:
        """Whether only the head learns."""
        self.config = replace(self.config, freeze_encoder=frozen)
        self.h_encoder.requires_grad_(not frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> PointM2AE:
        """A frozen encoder stays as it is: no new batch statistics, no block left out."""
        super().train(mode)
        if self.config.freeze_encoder:
            self.h_encoder.eval()
        return self

    def features(self, points: Tensor, centers: Tensor, num_points: int | None = None) -> Tensor:
        """What the head sees, `[B, N, 681]`: for each level, the point and the features around it."""
        points = to_network_frame(self.config, points)
        levels = levels_of(self.config, points, centers)
        queries, parts = points[:, :num_points], []
        for level, features in zip(levels, self.h_encoder(points, levels), strict=True):
            parts += [queries, interpolate(queries, level.centers, features)]
        return torch.cat(parts, -1)

    def embed(self, points: Tensor, centers: Tensor, num_points: int | None = None) -> Tensor:
        """See `Student.embed`."""
        return F.normalize(self.head(self.features(points, centers, num_points)), dim=-1)


def point_head(config: PointM2AEConfig) -> nn.Sequential:
    """From a point's features to its text embedding."""
    wide, dim = config.features, config.dim
    if config.head == "text":
        return nn.Sequential(nn.Linear(wide, config.head_width), nn.GELU(), nn.Linear(config.head_width, dim))
    hidden = [layer for _ in range(3) for layer in (nn.Linear(wide, wide), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(wide, dim))
