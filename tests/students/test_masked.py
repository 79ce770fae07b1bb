# SPDX-License-Identifier: Apache-2.0
"""What is hidden in pre-training reaches the encoder in no way."""

from __future__ import annotations

import pytest
import torch

from partdistill_ros.students.masked import (
    MaskedAutoencoder,
    MaskedPatchTransformer,
    MaskedPointM2AE,
    chamfer,
    index_mask,
    pack,
    visible_tokens,
)
from partdistill_ros.students.patch_transformer import PatchTransformer, PatchTransformerConfig, gather
from partdistill_ros.students.point_m2ae import PointM2AE, PointM2AEConfig, levels_of
from tests.students.conftest import M2AE, PATCHES, clouds


def disturbed(points: torch.Tensor, visible: torch.Tensor, seed: int = 0) -> torch.Tensor:
    """Hidden points somewhere else altogether, in the ball and far outside of it."""
    generator = torch.Generator().manual_seed(seed)
    elsewhere = torch.randn(points.shape, generator=generator) * 2
    return torch.where(visible[..., None], points, elsewhere)


def visible_patches(model: MaskedAutoencoder, count: int, seed: int = 0) -> torch.Tensor:
    return model.sample_visible(count, torch.Generator().manual_seed(seed))


def test_chamfer_is_its_definition() -> None:
    drawn, true = torch.randn(4, 5, 3), torch.randn(4, 7, 3)
    distance = torch.cdist(drawn, true).square()
    expected = distance.min(2).values.mean() + distance.min(1).values.mean()
    torch.testing.assert_close(chamfer(drawn, true), expected)
    assert chamfer(drawn, drawn) < 1e-5


def test_drawing_keeps_the_stated_fraction_and_depends_on_the_generator_alone() -> None:
    model = MaskedPatchTransformer(PatchTransformer(PatchTransformerConfig()))
    assert (model.patches, model.num_visible) == (128, 52)
    shown = visible_patches(model, 3)
    assert all(len(set(one.tolist())) == 52 for one in shown)
    torch.manual_seed(5)
    assert torch.equal(shown, visible_patches(model, 3)) and not torch.equal(shown, visible_patches(model, 3, seed=1))
    published = MaskedPointM2AE(PointM2AE(PointM2AEConfig()))
    assert (published.patches, published.num_visible) == (64, 13)


def test_visible_points_are_those_of_visible_patches(patches: PatchTransformer) -> None:
    model, (points, centers) = MaskedPatchTransformer(patches), clouds(2)
    shown = visible_patches(model, 2)
    visible, patch_visible = model.visibility(points, centers, shown)
    nearest = torch.cdist(points, gather(points, centers[:, : PATCHES.patches])).argmin(-1)
    assert torch.equal(visible, patch_visible.gather(1, nearest)) and torch.equal(
        patch_visible, index_mask(shown, PATCHES.patches)
    )
    assert 0.2 < visible.float().mean() < 0.6


def test_hidden_points_cannot_influence_the_patch_encoder(patches: PatchTransformer) -> None:
    model, (points, centers) = MaskedPatchTransformer(patches), clouds(3)
    shown = visible_patches(model, 3)
    visible, _ = model.visibility(points, centers, shown)
    tokens, center = model.encode(points, centers, shown, visible)
    for seed in range(3):
        other = disturbed(points, visible, seed)
        moved, moved_center = model.encode(other, centers, shown, visible)
        assert torch.equal(moved, tokens) and torch.equal(moved_center, center)
    # the test sees a difference where there is one: without the mask the same disturbance shows
    everything = torch.ones_like(visible)
    unmasked = model.encode(points, centers, shown, everything)[0]
    assert not torch.allclose(unmasked, model.encode(other, centers, shown, everything)[0], atol=1e-2)


@pytest.mark.parametrize("scale", [0, 1, 2])
def test_visible_points_do_influence_it_at_every_scale(patches: PatchTransformer, scale: int) -> None:
    for number, encoder in enumerate(patches.patches):
        if number != scale:
            for parameter in encoder.parameters():
                torch.nn.init.zeros_(parameter)
    torch.nn.init.zeros_(patches.position[2].weight)
    model, (points, centers) = MaskedPatchTransformer(patches), clouds(1)
    shown = visible_patches(model, 1)
    visible, _ = model.visibility(points, centers, shown)
    shifted = torch.where(visible[..., None], points * torch.tensor([1.0, 1.0, 0.5]), points)
    before, after = model.encode(points, centers, shown, visible)[0], model.encode(shifted, centers, shown, visible)[0]
    assert not torch.allclose(before, after, atol=1e-3)


def test_masks_of_the_levels_belong_together() -> None:
    points, centers = clouds(3)
    levels = levels_of(M2AE, points, centers)
    shown = torch.stack([torch.randperm(16, generator=torch.Generator().manual_seed(i))[:4] for i in range(3)])
    masks = visible_tokens(levels, shown)
    for above, below, level in ((masks[2], masks[1], levels[2]), (masks[1], masks[0], levels[1])):
        for cloud in range(3):
            assert set(level.index[cloud, above[cloud]].flatten().tolist()) == set(
                below[cloud].nonzero()[:, 0].tolist()
            )
    for level, packed, below in zip(levels[1:], pack(levels, masks)[1:], pack(levels, masks), strict=False):
        slim = packed.level
        members = gather(below.level.centers, slim.index)
        for cloud in range(3):
            expected = gather(levels_below(levels, level), level.index)[cloud, packed.visible[cloud]]
            assert torch.equal(members[cloud, slim.valid[cloud]], expected)


def levels_below(levels: list, level: object) -> torch.Tensor:
    return levels[next(i for i, one in enumerate(levels) if one is level) - 1].centers


@pytest.mark.parametrize("training", [False, True])
def test_hidden_points_cannot_influence_the_m2ae_encoder(m2ae: PointM2AE, training: bool) -> None:
    """In training too, where the batch's statistics would tell of hidden groups."""
    model, (points, centers) = MaskedPointM2AE(m2ae).train(training), clouds(3)
    for level in m2ae.h_encoder.encoder_blocks:
        level.eval()  # nothing left out at random
    levels = levels_of(m2ae.config, points, centers)
    shown = visible_patches(model, 3)
    packed = pack(levels, visible_tokens(levels, shown))
    visible = torch.zeros(points.shape[:2], dtype=torch.bool)
    for cloud in range(3):
        visible[cloud, levels[0].index[cloud, packed[0].visible[cloud]].flatten()] = True
    assert 0.2 < visible.float().mean() < 0.8

    def features(cloud: torch.Tensor) -> list[torch.Tensor]:
        encoded = m2ae.h_encoder(cloud, [one.level for one in packed])
        return [one[two.level.valid] for one, two in zip(encoded, packed, strict=True)]

    for before, after in zip(features(points), features(disturbed(points, visible)), strict=True):
        assert torch.equal(before, after)
    whole = m2ae.h_encoder(points, levels)[2], m2ae.h_encoder(disturbed(points, visible), levels)[2]
    assert not torch.allclose(*whole, atol=1e-3), "the same disturbance shows where nothing is masked"


def test_m2ae_hidden_points_moved_away_leave_the_neighbor_search_alone(m2ae: PointM2AE) -> None:
    """From the points on: searching, masking and packing again gives the same visible tokens."""
    model, (points, centers) = MaskedPointM2AE(m2ae), clouds(2)
    shown = visible_patches(model, 2)

    def encode(cloud: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        levels = levels_of(m2ae.config, cloud, centers)
        packed = pack(levels, visible_tokens(levels, shown))
        encoded = m2ae.h_encoder(cloud, [one.level for one in packed])
        seen = torch.zeros(cloud.shape[:2], dtype=torch.bool)
        for i in range(len(cloud)):
            seen[i, levels[0].index[i, packed[0].visible[i]].flatten()] = True
        return [one[two.level.valid] for one, two in zip(encoded, packed, strict=True)], seen

    features, seen = encode(points)
    away = torch.where(seen[..., None], points, points * 1.0 + 50 * torch.sign(points))
    moved, seen_again = encode(away)
    assert torch.equal(seen, seen_again)
    for before, after in zip(features, moved, strict=True):
        torch.testing.assert_close(before, after, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["patches", "m2ae"])
def test_the_loss_reaches_all_of_the_encoder_and_none_of_the_head(request: pytest.FixtureRequest, name: str) -> None:
    student = request.getfixturevalue(name)
    model = (MaskedPatchTransformer if name == "patches" else MaskedPointM2AE)(student)
    points, centers = clouds(2)
    model(points, centers, visible_patches(model, 2)).backward()
    unused = {"h_encoder.encoder_norms.0.weight", "h_encoder.encoder_norms.0.bias"}  # as published
    for key, parameter in student.named_parameters():
        reached = parameter.grad is not None and bool(parameter.grad.abs().sum() > 0)
        assert reached == (key.split(".")[0] in student.encoder_parts and key not in unused), key
