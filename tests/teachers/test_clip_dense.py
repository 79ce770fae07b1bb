# SPDX-License-Identifier: Apache-2.0
"""The dense path of random CLIPs against open_clip's own forward and against formulas written out."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
import torch.nn.functional as F  # noqa: E402

from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.teachers.clip_dense import dense_features, patch_size, picture_size  # noqa: E402
from partdistill_ros.teachers.clip_model import load_clip  # noqa: E402

TRANSFORMERS = ["vit", "quickgelu", "average", "siglip"]


@pytest.fixture
def network(clip_folder):
    return lambda kind: load_clip("", str(clip_folder(kind))).network


def pictures(visual, count=2, seed=0):
    side = picture_size(visual)
    return torch.randn(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", [*TRANSFORMERS, "resnet"])
@torch.no_grad()
def test_the_pooled_output_is_open_clips_own(network, kind):
    clip = network(kind)
    seen = pictures(clip.visual)
    dense = dense_features(clip.visual, seen, "plain")
    torch.testing.assert_close(dense.pooled, clip.encode_image(seen), atol=1e-4, rtol=0)
    cells = picture_size(clip.visual) // patch_size(clip.visual)
    assert dense.patches.shape == (2, clip.encode_image(seen).shape[1], cells, cells)


@torch.no_grad()
def test_plain_patches_are_the_tokens_that_open_clip_returns(network):
    visual = network("vit").visual
    seen = pictures(visual)
    visual.output_tokens = True
    try:
        tokens = visual(seen)[1] @ visual.proj
    finally:
        visual.output_tokens = False
    patches = dense_features(visual, seen, "plain").patches
    torch.testing.assert_close(patches.flatten(2).transpose(1, 2), tokens, atol=1e-4, rtol=0)


def written_out(block, tokens, method):
    """The last block of an open_clip ViT, head by head and query by query."""
    width, heads = tokens.shape[-1], block.attn.num_heads
    size = width // heads
    inputs = block.ln_1(tokens)
    q, k, v = (
        inputs @ block.attn.in_proj_weight[i * width : (i + 1) * width].T
        + block.attn.in_proj_bias[i * width : (i + 1) * width]
        for i in range(3)
    )
    mixed = torch.zeros_like(v)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for row in range(tokens.shape[1]):

            def weights(a, b, row=row, part=part):
                return F.softmax((b[:, :, part] * a[:, row, None, part]).sum(-1) / size**0.5, dim=-1)

            if method == "maskclip":
                mixed[:, row, part] = v[:, row, part]
                continue
            rows = {"sclip": weights(q, q) + weights(k, k), "clearclip": weights(q, q), "plain": weights(q, k)}[method]
            mixed[:, row, part] = (rows[..., None] * v[:, :, part]).sum(1)
    out = mixed @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
    if method == "clearclip":
        return out
    tokens = tokens + out
    return tokens + block.mlp(block.ln_2(tokens))


@pytest.mark.parametrize("method", ["plain", "maskclip", "sclip", "clearclip"])
@torch.no_grad()
def test_vit_patches_follow_the_formula(network, method):
    visual = network("vit").visual
    seen = pictures(visual)
    kept = []
    hook = visual.transformer.resblocks[-1].register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    visual(seen)
    hook.remove()
    last = written_out(visual.transformer.resblocks[-1], kept[0], method)
    wanted = (visual.ln_post(last) @ visual.proj)[:, 1:]
    patches = dense_features(visual, seen, method).patches
    torch.testing.assert_close(patches.flatten(2).transpose(1, 2), wanted, atol=1e-4, rtol=0)
    assert patches[0, :, 1, 2].allclose(wanted[0, 1 * 4 + 2], atol=1e-4)  # rows first


@torch.no_grad()
def test_a_pool_that_sees_one_patch_only_gives_its_feature(network):
    """SigLIP's and ResNet's pools, run by their own forward on a single patch."""
    visual = network("siglip").visual
    seen = pictures(visual, 1)
    kept = []
    hook = visual.trunk.attn_pool.register_forward_pre_hook(lambda _, inputs: kept.append(inputs[0]))
    visual(seen)
    hook.remove()
    wanted = torch.stack([visual.trunk.attn_pool(kept[0][:, i : i + 1])[0] for i in (0, 17, 195)])
    found = dense_features(visual, seen, "plain").patches.flatten(2)[0].T[[0, 17, 195]]
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=0)

    visual = network("resnet").visual
    seen = pictures(visual, 1)
    features = visual.layer4(visual.layer3(visual.layer2(visual.layer1(visual.stem(seen)))))
    pool = visual.attnpool
    pool.positional_embedding.data.zero_()
    alone = [
        pool(features[:, :, row : row + 1, column : column + 1].expand(-1, -1, 2, 2))
        for row, column in ((0, 1), (1, 0))
    ]
    found = dense_features(visual, seen, "maskclip").patches
    torch.testing.assert_close(found[:, :, 0, 1], alone[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(found[:, :, 1, 0], alone[1], atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", TRANSFORMERS)
@torch.no_grad()
def test_the_methods_differ(network, kind):
    visual = network(kind).visual
    seen = pictures(visual, 1)
    found = [dense_features(visual, seen, method).patches for method in ("plain", "maskclip", "sclip", "clearclip")]
    assert all((a - b).abs().max() > 1e-3 for i, a in enumerate(found) for b in found[:i])


def test_networks_without_patches_are_refused():
    class TimmModel(torch.nn.Module):
        trunk = torch.nn.Identity()

    with pytest.raises(PartDistillError, match="Identity of this CLIP"):
        patch_size(TimmModel())
