# SPDX-License-Identifier: Apache-2.0
"""The z-buffer against brute force, and its promises: nearest wins, order and batch do not matter."""

import numpy as np
import pytest
import torch

from partdistill_ros.rendering.zbuffer import disc_radius, paint, project, shade, zbuffer_faces, zbuffer_points

SIZE = 20


def random_points(batch=3, count=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    uv = torch.rand((batch, count, 2), generator=generator) * (SIZE + 8) - 4
    return uv, torch.rand((batch, count), generator=generator) + 0.5


def brute_force(uv, depth, radius):
    """index [B, S, S] by testing every pixel against every point; radius [B, N]."""
    centers = torch.stack(torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="xy"), -1)
    origin = uv.floor() + 0.5
    squared = ((centers[None, :, :, None] - origin[:, None, None]) ** 2).sum(-1)
    z = torch.where(squared <= (radius**2)[:, None, None], depth[:, None, None], torch.inf)
    nearest, index = z.min(-1)
    return torch.where(torch.isfinite(nearest), index, -1), nearest


@pytest.mark.parametrize("radius", [0.8, 1.0, 1.5, 2.9])
def test_points_match_brute_force(radius):
    uv, depth = random_points()
    index, front = zbuffer_points(uv, depth, SIZE, radius)
    wanted, nearest = brute_force(uv, depth, torch.full(depth.shape, radius))
    assert torch.equal(index, wanted)
    assert torch.equal(front, nearest)


def test_every_point_has_its_own_radius():
    uv, depth = random_points()
    radius = torch.tensor([1.02, 2.05, 2.9])[torch.arange(depth.numel()).view(depth.shape) % 3]
    index, _ = zbuffer_points(uv, depth, SIZE, radius)
    assert torch.equal(index, brute_force(uv, depth, radius)[0])


def test_a_cloud_does_not_depend_on_its_batch():
    uv, depth = random_points(batch=4)
    radius = torch.tensor([1.0, 2.3, 3.7, 6.0])
    together, _ = zbuffer_points(uv, depth, SIZE, radius)
    for row in range(4):
        alone, _ = zbuffer_points(uv[row : row + 1], depth[row : row + 1], SIZE, radius[row])
        assert torch.equal(together[row], alone[0])


def test_small_discs_still_show_on_their_pixel():
    index, _ = zbuffer_points(torch.tensor([[[3.01, 7.99]]]), torch.ones(1, 1), SIZE, 0.1)
    assert index[0, 7, 3] == 0 and (index >= 0).sum() == 1


def test_the_lower_index_wins_a_tie():
    uv = torch.tensor([[[5.5, 5.5]] * 3])
    assert zbuffer_points(uv, torch.tensor([[2.0, 1.0, 1.0]]), SIZE, 0.8)[0][0, 5, 5] == 1


def test_points_that_cannot_be_seen_are_left_out():
    uv = torch.tensor([[[5.5, 5.5], [torch.nan, 5], [5.5, 5.5], [5.5, 5.5], [torch.inf, -torch.inf], [1e30, 5]]])
    depth = torch.tensor([[-1.0, 1.0, torch.nan, 3.0, 1.0, 1.0]])
    index, front = zbuffer_points(uv, depth, SIZE, 1.0)
    assert set(index.unique().tolist()) == {-1, 3}
    assert front[0, 5, 5] == 3 and torch.isinf(front[0, 0, 0])


@pytest.mark.parametrize("orthographic", [False, True])
def test_faces_match_brute_force(orthographic):
    generator = torch.Generator().manual_seed(1)
    uv = torch.rand((2, 30, 3, 2), generator=generator) * (SIZE + 10) - 5
    depth = torch.rand((2, 30, 3), generator=generator) + 0.5
    index, front = zbuffer_faces(uv, depth, SIZE, orthographic)
    center = torch.stack(torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="xy"), -1)
    matrix = torch.cat([uv, torch.ones(2, 30, 3, 1)], -1).double()
    target = torch.cat([center, torch.ones(SIZE, SIZE, 1)], -1).double()
    weight = torch.einsum("hwd,vfdk->vhwfk", target, torch.linalg.inv(matrix))
    z = (weight * depth[:, None, None]).sum(-1) if orthographic else 1 / (weight / depth[:, None, None]).sum(-1)
    nearest, wanted = torch.where((weight >= 0).all(-1), z, torch.inf).min(-1)
    assert torch.equal(index, torch.where(torch.isfinite(nearest), wanted, -1))
    np.testing.assert_allclose(front.numpy(), nearest.numpy(), rtol=1e-5)


def test_faces_are_the_same_in_chunks(monkeypatch):
    generator = torch.Generator().manual_seed(1)
    uv, depth = torch.rand((2, 30, 3, 2), generator=generator) * SIZE, torch.rand((2, 30, 3), generator=generator) + 0.5
    whole = zbuffer_faces(uv, depth, SIZE)[0]
    monkeypatch.setattr("partdistill_ros.rendering.zbuffer.CANDIDATES", 50)
    assert torch.equal(zbuffer_faces(uv, depth, SIZE)[0], whole)


def test_degenerate_faces_and_faces_behind_are_left_out():
    uv = torch.tensor([[[[2.0, 2], [2, 2], [2, 2]], [[0, 0], [19, 0], [0, 19]], [[torch.nan, 0], [19, 0], [0, 19]]]])
    depth = torch.tensor([[[1.0, 1, 1], [1, -1, 1], [1, 1, 1]]])
    assert (zbuffer_faces(uv, depth, SIZE)[0] == -1).all()


def test_projection_of_a_known_point():
    rotation, position = torch.eye(3)[None], torch.tensor([[0.0, 0, -2]])
    uv, depth = project(torch.tensor([[[1.0, -0.5, 0]]]), rotation, position, 1.0, 100)
    assert uv[0, 0].tolist() == [75.0, 37.5] and depth[0, 0] == 2
    uv, _ = project(torch.tensor([[[0.5, 0, 7]]]), rotation, position, 1.0, 100, orthographic=True)
    assert uv[0, 0].tolist() == [75.0, 50.0]


def test_shading_ignores_the_sign_of_normals_and_knows_the_light():
    points, rotation, position = torch.zeros(1, 3, 3), torch.eye(3)[None], torch.tensor([[0.0, 0, -2]])
    normals = torch.tensor([[[0.0, 0, 1], [0, 0, -1], [1, 0, 0]]])
    assert shade(points, normals, rotation, position, 0.2)[0].tolist() == pytest.approx([1, 1, 0.2])
    from_behind = shade(points, normals, rotation, position, 0.2, torch.tensor([[0.0, 0, 1]]))
    assert from_behind[0].tolist() == pytest.approx([0.2, 0.2, 0.2])
    assert shade(points, torch.zeros(1, 3, 3), rotation, position).min() == 1


def test_different_clouds_are_painted_with_their_own_colors():
    points = torch.zeros(2, 1, 3)
    colors = torch.tensor([[[255.0, 0, 0]], [[0, 0, 255.0]]])
    rotation, position = torch.eye(3).expand(2, 3, 3), torch.tensor([[0.0, 0, -2]]).expand(2, 3)
    index, depth = zbuffer_points(*project(points, rotation, position, 1.0, 8), 8, 1.0)
    picture = paint(colors, index)
    assert picture[0, 4, 4].tolist() == [255, 0, 0] and picture[1, 4, 4].tolist() == [0, 0, 255]
    assert picture[0, 0, 0].tolist() == [255, 255, 255]
    assert depth[0, 4, 4] == 2 and index[0, 0, 0] == -1


def test_spacing_makes_near_discs_larger():
    radius = disc_radius(torch.tensor([0.1, 0.2]), torch.tensor([[1.0, 2.0], [1.0, 4.0]]), 2.0, 100)
    np.testing.assert_allclose(radius.numpy(), [[12, 6], [24, 6]], rtol=1e-5)
