# SPDX-License-Identifier: Apache-2.0
"""Procedural clouds hold the outer surface only."""

from __future__ import annotations

import numpy as np

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, ellipsoid
from partdistill_ros.synthetic.procedural import outer_cloud, procedural_clouds


def test_what_lies_inside_is_left_out() -> None:
    builder = MeshBuilder(("shell", "core"))
    builder.add("shell", ellipsoid((1, 1, 1), 48, 32))
    builder.add("core", ellipsoid((0.5, 0.5, 0.5), 48, 32))
    mesh = builder.build()
    cloud = outer_cloud(Scan(points=mesh.vertices, mesh=mesh, parts=builder.parts), 4000)
    assert cloud.point_labels is not None
    assert len(cloud.points) == 4000
    assert (cloud.point_labels == 1).mean() < 0.01


def test_clouds_are_unit_sized_and_repeatable() -> None:
    first, second = (list(procedural_clouds(["mug"], 2, 7, 600)) for _ in range(2))
    assert [cloud.category for cloud in first] == ["mug", "mug"]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
        assert np.linalg.norm(a.points, axis=1).max() <= 1.0 + 1e-5
