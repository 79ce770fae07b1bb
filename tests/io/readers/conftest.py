# SPDX-License-Identifier: Apache-2.0
"""A small mesh that the reader tests write in every format."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.pointcloud.scan import Mesh, Scan


@pytest.fixture
def shape() -> Scan:
    """A labeled, colored tetrahedron."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    mesh = Mesh(vertices, faces, np.array([0, 1, -1, 1], np.int16), colors)
    return Scan(points=vertices, parts=("top", "leg"), category="table", mesh=mesh, name="shape")
