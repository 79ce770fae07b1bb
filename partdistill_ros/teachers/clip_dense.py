# SPDX-License-Identifier: Apache-2.0
"""A feature in CLIP's text space for every patch of a picture, without training.

CLIP is trained on one feature a picture. Its patches are read in the same space by changing how the
last transformer block (or, in a ResNet, the attention pool) mixes them; h are its normalized inputs:

    maskclip   attention is the identity: every patch keeps its own value        (Zhou et al. 2022)
    sclip      attention is softmax(q q') + softmax(k k')                        (Wang et al. 2024)
    clearclip  attention is softmax(q q'), without residual and feed-forward     (Lan et al. 2024)
    plain      the block as it was trained

A ResNet's attention pool (without its positions, as MaskCLIP has it) and SigLIP's attention head are
read with all weight on one patch after the other; for a ResNet the methods are therefore one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from partdistill_ros.errors import PartDistillError


@dataclass(frozen=True)
class Dense:
    """patches: `[B, D, g, g]`, pooled: `[B, D]`, both in the text space, of any length."""

    patches: Tensor
    pooled: Tensor


def patch_size(visual: Any) -> int:
    """Side of a patch in pixels. Raises PartDistillError for a kind of network that is not read here."""
    name = type(visual).__name__
    if name == "VisionTransformer" and visual.attn_pool is None:
        return int(visual.patch_size[0])
    if name == "ModifiedResNet":
        return 32
    if name == "TimmModel" and type(visual.trunk).__name__ == "VisionTransformer":
        return int(visual.trunk.patch_embed.patch_size[0])
    kind = type(visual.trunk).__name__ if name == "TimmModel" else name
    raise PartDistillError(
        f"the picture network {kind} of this CLIP has no patches that can be read: choose a ViT, a ResNet or a SigLIP"
    )


def picture_size(visual: Any) -> int:
    """Side in pixels of the square pictures that the network takes."""
    size: Any = visual.image_size
    return int(size if isinstance(size, int) else size[0])


def dense_features(visual: Any, pictures: Tensor, method: str) -> Dense:
    """Features of normalized pictures `[B, 3, S, S]`; visual: the picture network of an open_clip model.

    `pooled` is open_clip's own answer where the method is `plain`.
    """
    name = type(visual).__name__
    if name == "ModifiedResNet":
        return _resnet(visual, pictures)
    read = _open_clip_vit if name == "VisionTransformer" else _timm_vit
    return read(visual, pictures, method)


def _open_clip_vit(visual: Any, pictures: Tensor, method: str) -> Dense:
    tokens = visual._embeds(pictures)
    *blocks, last = visual.transformer.resblocks
    for block in blocks:
        tokens = block(tokens)
    tokens = _last_block(tokens, last, method)
    pooled, _ = visual._pool(tokens)
    every = visual.ln_post(tokens)
    if visual.proj is not None:
        pooled, every = pooled @ visual.proj, every @ visual.proj
    return Dense(_grid(every[:, 1:]), pooled)


def _timm_vit(visual: Any, pictures: Tensor, method: str) -> Dense:
    trunk = visual.trunk
    tokens = trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(pictures))))
    *blocks, last = trunk.blocks
    for block in blocks:
        tokens = block(tokens)
    tokens = trunk.norm(_last_block(tokens, last, method))
    patches = tokens[:, trunk.num_prefix_tokens :]
    alone = patches if trunk.attn_pool is None else _alone_in_latent_pool(trunk.attn_pool, patches)
    alone = visual.head(trunk.head(trunk.fc_norm(alone)))
    return Dense(_grid(alone), visual.head(trunk.forward_head(tokens)))


def _resnet(visual: Any, pictures: Tensor) -> Dense:
    features = visual.stem(pictures)
    for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
        features = layer(features)
    pool = visual.attnpool
    values = pool.c_proj(pool.v_proj(features.flatten(2).transpose(1, 2)))
    return Dense(_grid(values), pool(features))


def _last_block(tokens: Tensor, block: Any, method: str) -> Tensor:
    """Tokens `[B, T, W]` after the block, its attention replaced."""
    mix = Block.of(block)
    mixed = mix.project(_attend(*mix.heads(tokens), method))
    if method == "clearclip":
        return mixed
    return mix.feed_forward(tokens + mix.scale(mixed))


def _attend(queries: Tensor, keys: Tensor, values: Tensor, method: str) -> Tensor:
    """Mixed values `[B, h, T, d]`."""
    if method == "maskclip":
        return values
    if method == "sclip":
        return _weights(queries, queries) @ values + _weights(keys, keys) @ values
    return _weights(queries, queries if method == "clearclip" else keys) @ values


def _weights(queries: Tensor, keys: Tensor) -> Tensor:
    return (queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5).softmax(-1)


@dataclass(frozen=True)
class Block:
    """The pieces of a pre-norm transformer block, of open_clip's or timm's making."""

    block: Any
    timm: bool

    @classmethod
    def of(cls, block: Any) -> Block:
        attention = type(block.attn).__name__
        if attention == "MultiheadAttention" and hasattr(block, "ln_1"):
            return cls(block, timm=False)
        if attention == "Attention" and hasattr(block.attn, "qkv") and getattr(block.attn, "gate", None) is None:
            return cls(block, timm=True)
        raise PartDistillError(
            f"this CLIP has an attention of the kind {type(block.attn).__module__}.{attention}, which cannot be read: "
            "choose another model"
        )

    def heads(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values `[B, h, T, d]`."""
        attention = self.block.attn
        if self.timm:
            joint = attention.qkv(self.block.norm1(tokens))
        else:
            joint = F.linear(self.block.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias)
        split = joint.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = split.unbind(0)
        if self.timm:
            queries, keys = attention.q_norm(queries), attention.k_norm(keys)
        return queries, keys, values

    def project(self, mixed: Tensor) -> Tensor:
        """Tokens `[B, T, W]` of the heads."""
        joined = mixed.transpose(1, 2).flatten(2)
        if self.timm:
            projected: Tensor = self.block.attn.proj(self.block.attn.norm(joined))
        else:
            projected = self.block.attn.out_proj(joined)
        return projected

    def scale(self, mixed: Tensor) -> Tensor:
        """The block's layer scale."""
        scaled: Tensor = self.block.ls1(mixed) if self.timm else self.block.ls_1(mixed)
        return scaled

    def feed_forward(self, tokens: Tensor) -> Tensor:
        """The block's second half."""
        block = self.block
        if self.timm:
            return tokens + block.ls2(block.mlp(block.norm2(tokens)))
        return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))


def _alone_in_latent_pool(pool: Any, patches: Tensor) -> Tensor:
    """What timm's AttentionPoolLatent gives for each of `patches [B, T, W]` if it looked at that one only."""
    if pool.pos_embed is not None:
        patches = patches + pool.pos_embed
    values = pool.kv(patches).chunk(2, dim=-1)[1]
    alone = pool.proj(values)
    return alone if pool.mlp is None else alone + pool.mlp(pool.norm(alone))


def _grid(tokens: Tensor) -> Tensor:
    """Tokens `[B, g * g, D]` as a map `[B, D, g, g]`."""
    side = round(tokens.shape[1] ** 0.5)
    return tokens.transpose(1, 2).unflatten(2, (side, side))
