# SPDX-License-Identifier: Apache-2.0
"""Which way is up, and the frame a student sees: up along +z, centered, inside the unit ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError

AXES = {"x": (1, 0, 0), "-x": (-1, 0, 0), "y": (0, 1, 0), "-y": (0, -1, 0), "z": (0, 0, 1), "-z": (0, 0, -1)}
"""The directions that have a name."""

SAME_PLANE = np.cos(np.radians(8))  # faces of the hull that lean less against each other carry an object together
SAME_DIRECTION = np.cos(np.radians(15))  # candidate directions closer than this are tried once


def unit_vector(values: ArrayLike, owner: str) -> NDArray[np.float32] | None:
    """A direction `[3] f4` of length one; None where it is not finite.

    Raises PartDistillError (naming `owner`) for another shape or no length.
    """
    try:
        vector = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        vector = np.empty(0)
    if vector.shape != (3,) or not np.linalg.norm(vector) > 0 and not np.isnan(vector).any():
        raise PartDistillError(f"{owner} must be three numbers, not all zero, e.g. 0 0 1; it is {values!r}")
    if not np.isfinite(vector).all():
        return None
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def parse_up(up: ArrayLike | str) -> NDArray[np.float32]:
    """A unit vector `[3]` from three numbers or the name of an axis (`z`, `-y`).

    Raises PartDistillError for anything else.
    """
    if isinstance(up, str):
        axis = up.strip().lower().removeprefix("+")
        if axis not in AXES:
            raise PartDistillError(f"up must be one of {', '.join(AXES)}, or three numbers; it is {up!r}")
        return np.array(AXES[axis], np.float32)
    direction = unit_vector(up, "up")
    if direction is None:
        raise PartDistillError(f"up must be three finite numbers, e.g. (0, 0, 1); it is {up!r}")
    return direction


def center_max_radius(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """`points [N, 3]` minus the center of their bounding box, divided by the largest radius left.

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


def stable_pose(points: NDArray[np.floating]) -> NDArray[np.float32]:
    """The up direction `[3]` of the steadiest resting pose of finite `points [N, 3]`.

    Of the planes that the convex hull can stand on, the one with the largest part of the hull's surface over
    the height of the center of mass: wide and low is hard to tip over. Flat things lie on a broad side. +z
    for points without a volume.
    """
    from scipy.spatial import ConvexHull, QhullError  # not above: 60 ms that `partdistill --help` need not wait for

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
