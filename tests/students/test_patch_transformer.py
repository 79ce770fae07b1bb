# SPDX-License-Identifier: Apache-2.0
"""The student: what it must not depend on, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.students.patch_transformer import (
    PatchEncoder,
    PatchTransformer,
    PatchTransformerConfig,
    gather,
    in_radial_frame,
    patch_geometry,
    position_features,
    principal_variances,
    radial_direction,
    squared_distances,
)

SMALL = PatchTransformerConfig(points=256, centers=64, patches=16, neighbors=8, width=40, layers=1, heads=2, dim=16)


def cloud(seed: int, config: PatchTransformerConfig = SMALL) -> tuple[torch.Tensor, torch.Tensor]:
    points = np.random.default_rng(seed).normal(size=(config.points, 3)).astype(np.float32) * 0.4
    return torch.from_numpy(points)[None], torch.from_numpy(farthest_points(points, config.centers))[None]


@pytest.fixture
def student() -> PatchTransformer:
    torch.manual_seed(0)
    return PatchTransformer(SMALL).eval()


def test_squared_distances_are_those_of_the_definition() -> None:
    a, b = torch.randn(2, 5, 3), torch.randn(2, 7, 3)
    expected = (a[:, :, None] - b[:, None]).square().sum(-1)
    torch.testing.assert_close(squared_distances(a, b), expected, atol=1e-4, rtol=1e-4)


def test_gather_takes_rows_of_each_cloud() -> None:
    values, index = torch.randn(2, 6, 3), torch.tensor([[[0, 5]], [[2, 2]]])
    taken = gather(values, index)
    assert taken.shape == (2, 1, 2, 3)
    assert torch.equal(taken[1, 0, 1], values[1, 2]) and torch.equal(taken[0, 0, 1], values[0, 5])


def test_principal_variances_is_that_of_the_eigenvalues() -> None:
    torch.manual_seed(0)
    offset = torch.randn(2, 5, 24, 3) * torch.rand(2, 5, 1, 3)
    centered = offset - offset.mean(2, keepdim=True)
    values = torch.linalg.eigvalsh((centered.transpose(2, 3) @ centered).double()).flip(-1)
    torch.testing.assert_close(
        principal_variances(offset).double(), values / values.sum(-1, keepdim=True), atol=2e-3, rtol=0
    )


def test_principal_variances_of_rods_plates_and_points() -> None:
    line = torch.linspace(-1, 1, 24)
    rod = torch.stack([line, 2 * line, 0 * line], -1)
    angle = torch.arange(24) * 2 * torch.pi / 24
    plate = torch.stack([torch.cos(angle), torch.sin(angle), 0 * angle], -1)
    spread = principal_variances(torch.stack([rod, plate, torch.zeros(24, 3)])[None])[0]
    torch.testing.assert_close(spread[0], torch.tensor([1.0, 0, 0]), atol=1e-2, rtol=0)
    torch.testing.assert_close(spread[1], torch.tensor([0.5, 0.5, 0]), atol=1e-2, rtol=0)
    assert spread[2].isfinite().all()


def test_yaw_changes_nothing_in_the_radial_frame() -> None:
    points, center = torch.randn(1, 30, 3), torch.tensor([[[0.2, -0.1, 0.0]]])
    cos, sin = torch.cos(torch.tensor(0.7)), torch.sin(torch.tensor(0.7))
    yaw = torch.tensor([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T
    offset = torch.randn(1, 30, 3)
    before = in_radial_frame(offset, radial_direction(points, center))
    after = in_radial_frame(offset @ yaw, radial_direction(points @ yaw, center @ yaw))
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)
    position, turned = position_features(points, center), position_features(points @ yaw, center @ yaw)
    torch.testing.assert_close(position[..., 2:], turned[..., 2:], atol=1e-5, rtol=0)


def test_embeddings_have_unit_length(student: PatchTransformer) -> None:
    embeddings = student.embed(*cloud(0))
    assert embeddings.shape == (1, SMALL.points, SMALL.dim)
    torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(1, SMALL.points))


def test_the_order_of_the_points_does_not_matter(student: PatchTransformer) -> None:
    points, centers = cloud(1)
    order = torch.randperm(SMALL.points)
    place = torch.argsort(order)
    text = torch.randn(3, SMALL.dim)
    shuffled = student(points[:, order], place[centers[0]][None], text)
    torch.testing.assert_close(shuffled, student(points, centers, text)[:, order], atol=1e-4, rtol=1e-4)


def test_the_first_points_get_what_all_points_get(student: PatchTransformer) -> None:
    points, centers = cloud(2)
    torch.testing.assert_close(student.embed(points, centers, 50), student.embed(points, centers)[:, :50])


def test_clouds_of_a_batch_do_not_mix(student: PatchTransformer) -> None:
    first, second = cloud(3), cloud(4)
    text = torch.randn(2, SMALL.dim)
    both = student(torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]]), text)
    torch.testing.assert_close(both[1:], student(*second, text), atol=1e-4, rtol=1e-4)


def test_it_learns_top_from_bottom() -> None:
    torch.manual_seed(0)
    student, text = PatchTransformer(SMALL), torch.nn.functional.normalize(torch.randn(2, SMALL.dim), dim=-1)
    optimizer = torch.optim.AdamW(student.parameters(), lr=2e-3)
    for step in range(100):
        points, centers = cloud(step)
        loss = torch.nn.functional.cross_entropy(student(points, centers, text)[0], (points[0, :, 2] > 0).long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    points, centers = cloud(1000)
    right = (student(points, centers, text)[0].argmax(1) == (points[0, :, 2] > 0)).float().mean()
    assert right > 0.85


def test_pooling_has_the_gradient_of_its_definition(student: PatchTransformer) -> None:
    """As autograd has it for the largest and the mean, where several neighbors are largest alike too."""
    encoder = student.patches[0].train()
    offsets = torch.randn(2, 3, 8, 3, generator=torch.Generator().manual_seed(0))
    offsets[:, :, 5] = offsets[:, :, 2]
    near, whole = patch_geometry(offsets)
    gradients = []
    for features in (encoder(near, whole), reference(encoder, near, whole)):
        encoder.zero_grad()
        features.square().sum().backward()
        gradients.append([one.grad.clone() for one in encoder.parameters()])
        torch.testing.assert_close(features, encoder.eval()(near, whole))
    for found, wanted in zip(*gradients, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def reference(encoder: PatchEncoder, near: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    features = encoder.inner(near)
    return encoder.outer(torch.cat([features.amax(2), features.mean(2), whole], -1))
