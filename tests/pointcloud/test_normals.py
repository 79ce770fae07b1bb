# SPDX-License-Identifier: Apache-2.0
"""Normals of bare clouds: direction and side."""

import numpy as np
import pytest

from partdistill_ros.pointcloud.normals import estimate_normals
from partdistill_ros.pointcloud.scan import sample_mesh
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, box, cylinder, transform


def solid(*parts):
    builder = MeshBuilder(("a",))
    for part in parts:
        builder.add("a", part)
    return sample_mesh(builder.build(), 6000)[:2]


def test_a_cylinder_has_outward_normals():
    points, truth = solid(cylinder(0.4, 1.2, 64))
    cosine = (estimate_normals(points) * truth).sum(1)
    assert (cosine > 0.9).mean() > 0.85 and (cosine > 0).mean() > 0.97


def test_two_separate_pieces_are_each_turned_outward():
    points, truth = solid(box((1, 1, 1)), transform(box((0.5, 0.5, 2)), move=(3, 0, 0)))
    assert ((estimate_normals(points) * truth).sum(1) > 0).mean() > 0.97


def test_normals_face_the_viewpoint():
    rng = np.random.default_rng(0)
    wall = np.column_stack([rng.uniform(-1, 1, (500, 2)), np.full(500, 2.0)]).astype(np.float32)
    np.testing.assert_allclose(estimate_normals(wall, viewpoint=(0, 0, 0)), [[0, 0, -1]] * 500, atol=1e-4)
    np.testing.assert_allclose(estimate_normals(wall, viewpoint=(0, 0, 9)), [[0, 0, 1]] * 500, atol=1e-4)


def test_missing_points_have_no_normal_and_others_are_unaffected():
    points, _ = solid(cylinder(0.4, 1.2, 64))
    holes = np.insert(points, [0, 100, 6000], np.nan, axis=0)
    normals = estimate_normals(holes)
    missing = np.isnan(holes[:, 0])
    assert (normals[missing] == 0).all()
    np.testing.assert_allclose(normals[~missing], estimate_normals(points), atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(normals[~missing], axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_small_clouds_do_not_break(count):
    normals = estimate_normals(np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32))
    length = np.linalg.norm(normals, axis=1)
    np.testing.assert_allclose(length, np.full(count, 0.0 if count < 3 else 1.0), atol=1e-6)


def test_identical_points_do_not_break():
    length = np.linalg.norm(estimate_normals(np.ones((40, 3), np.float32)), axis=1)
    np.testing.assert_allclose(length, 1, atol=1e-6)
