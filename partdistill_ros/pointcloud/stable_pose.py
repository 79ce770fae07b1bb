# SPDX-License-Identifier: Apache-2.0
"""Which way is up for an object that nobody told about: the pose in which it would rest on a table."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

SAME_PLANE = np.cos(np.radians(8))  # faces of the hull that lean less against each other carry it together


def resting_up(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """The up direction `[3]` of the steadiest resting pose of finite `points [N, 3]`.

    Of the planes that the convex hull can stand on, the one with the largest share of the hull's surface over
    the height of the center of mass: wide and low is hard to tip over. Flat things lie on a broad side. +z
    for points without a volume.
    """
    try:
        hull = ConvexHull(np.asarray(points, np.float64))
    except (QhullError, ValueError):
        return np.array([0, 0, 1], np.float32)
    normals, offsets = hull.equations[:, :3], hull.equations[:, 3]
    corners = hull.points[hull.simplices]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    together = normals @ normals.T > SAME_PLANE
    height = -(np.mean(points, axis=0) @ normals.T + offsets)
    steadiness = (together @ area) / np.maximum(height, 1e-9 + 0.02 * height.max())
    best = int(steadiness.argmax())
    down = area[together[best]] @ normals[together[best]]
    return (-down / np.linalg.norm(down)).astype(np.float32)
