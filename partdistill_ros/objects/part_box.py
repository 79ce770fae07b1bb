# SPDX-License-Identifier: Apache-2.0
"""Boxes around parts and objects: upright ones, and those along the principal axes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TRIM_PERCENT = 1.0
"""Left outside at both ends of each axis: a few stray points would blow the box up."""
MOST_POINTS = 2000
"""A box is found on so many points of the part; 30,000 take ten times as long for the same box."""


@dataclass(frozen=True)
class Box:
    """`center [3]` and `size [3]` in the units of the cloud, `rotation [3, 3]` with the axes in its columns."""

    center: NDArray[np.float64]
    size: NDArray[np.float64]
    rotation: NDArray[np.float64]

    def quaternion(self) -> tuple[float, float, float, float]:
        """The rotation as x, y, z, w."""
        from scipy.spatial.transform import Rotation

        x, y, z, w = Rotation.from_matrix(self.rotation).as_quat()
        return float(x), float(y), float(z), float(w)


def part_box(points: NDArray[np.float32], up: NDArray[np.floating] | None) -> Box | None:
    """The box of finite points `[N, 3]` that stands along `up [3]` (z where unknown) and is turned
    about it to the points' greatest spread; None below 4 points."""
    return _box(points, lambda few: _axes(few, _unit(up)))


def principal_box(points: NDArray[np.float32], up: NDArray[np.floating] | None) -> Box | None:
    """The box of finite points `[N, 3]` along their principal axes; None below 4 points.

    x is where it is longest, not downwards by `up [3]` (z where unknown), z where it is thinnest, not away from the
    origin, where most sensors stand. A gripper closes along z.
    """
    return _box(points, lambda few: _principal_axes(few, _unit(up)))


def _box(points: NDArray[np.float32], axes: Callable[[NDArray[np.float32]], NDArray[np.float64]]) -> Box | None:
    if len(points) < 4:
        return None
    points = points[:: 1 + len(points) // MOST_POINTS]
    rotation = axes(points)
    low, high = _ends(points, rotation)
    return Box(rotation @ ((low + high) / 2), np.maximum(high - low, 1e-3), rotation)


def _ends(points: NDArray[np.float32], rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where the points begin and end along the columns of `rotation`: `[2, 3]`."""
    along = points.astype(np.float64) @ rotation
    return np.percentile(along, [TRIM_PERCENT, 100 - TRIM_PERCENT], axis=0)


def _unit(up: NDArray[np.floating] | None) -> NDArray[np.float64]:
    return np.array([0.0, 0.0, 1.0]) if up is None else np.asarray(up, np.float64) / np.linalg.norm(up)


def _principal_axes(points: NDArray[np.float32], up: NDArray[np.float64]) -> NDArray[np.float64]:
    center = points.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(np.cov((points - center).T))
    low, high = _ends(points, vectors)
    thinnest, _, longest = np.argsort(high - low)  # by length, which variance need not follow
    x, z = vectors[:, longest], vectors[:, thinnest]
    x = x if x @ up >= 0 else -x
    z = z if z @ center <= 0 else -z
    return np.stack([x, np.cross(z, x), z], axis=1)


def _axes(points: NDArray[np.float32], up: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = points - points.mean(axis=0, dtype=np.float64)
    flat = flat - np.outer(flat @ up, up)
    _, vectors = np.linalg.eigh(flat.T @ flat)
    first = vectors[:, 2] - (vectors[:, 2] @ up) * up
    length = np.linalg.norm(first)
    if length < 1e-6:
        # All the points lie on one line along `up`: any horizontal direction will do.
        first = np.cross(up, np.eye(3)[np.argmin(np.abs(up))])
        length = np.linalg.norm(first)
    first = first / length
    return np.stack([first, np.cross(up, first), up], axis=1)
