# SPDX-License-Identifier: Apache-2.0
"""Directions, and the frame a student sees: up along +z, centered, inside the unit ball."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError

AXES = {"x": (1, 0, 0), "-x": (-1, 0, 0), "y": (0, 1, 0), "-y": (0, -1, 0), "z": (0, 0, 1), "-z": (0, 0, -1)}
"""The directions that have a name."""


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

    Raises PartDistillError for what is no vector, is not finite or has no length.
    """
    try:
        vector = np.asarray(up, np.float64)
    except (TypeError, ValueError):
        raise PartDistillError(f"up must be three finite numbers, got {up!r}: give None where it is unknown") from None
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
