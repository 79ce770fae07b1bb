# SPDX-License-Identifier: Apache-2.0
"""The frame a student sees: up along +z, centered, inside the unit ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError

SAME_DIRECTION = np.cos(np.radians(15))  # candidate directions closer than this are tried once


def center_max_radius(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """`points [N, 3]` minus the middle of their bounding box, divided by the largest radius left.

    A cloud without extent becomes all zeros.
    """
    points = np.asarray(points, np.float64)
    centered = points - (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(centered, axis=1).max()
    return (centered / (radius if radius > 0 else 1.0)).astype(np.float32)


def rotation_to_z(up: ArrayLike) -> NDArray[np.float64]:
    """The least rotation `[3, 3]` that turns the direction `up [3]` to +z.

    Raises PartDistillError for a vector that is not finite or has no length.
    """
    vector = np.asarray(up, np.float64)
    length = np.linalg.norm(vector) if vector.shape == (3,) else np.nan
    if not np.isfinite(length) or length < 1e-12:
        raise PartDistillError(
            f"up must be three finite numbers, not all zero, got {vector.tolist()}: give None where it is unknown"
        )
    x, y, z = vector / length
    if z < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0, 0, -x], [0, 0, -y], [x, y, 0]])
    return np.eye(3) + cross + cross @ cross / (1 + z)


def turn_about_z(angle: float) -> NDArray[np.float64]:
    """Rotation `[3, 3]` about +z by `angle` radians."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])


def candidate_ups(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Directions `[C, 3]`, 6 to 8, worth trying as up for a finite cloud `points [N, 3]`.

    Both ways along z, y, x, and along the axis of least extent (flat things lie on their broad side)
    unless that is within 15 degrees of one of them.
    """
    axes = [np.eye(3)[axis] for axis in (2, 1, 0)]
    centered = np.asarray(points, np.float64) - np.mean(points, axis=0, dtype=np.float64)
    least = np.linalg.eigh(centered.T @ centered)[1][:, 0]
    if max(abs(least @ axis) for axis in axes) < SAME_DIRECTION:
        axes.append(least)
    return np.array([sign * axis for axis in axes for sign in (1.0, -1.0)])
