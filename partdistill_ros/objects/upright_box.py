# SPDX-License-Identifier: Apache-2.0
"""Upright boxes around parts, for markers."""

from __future__ import annotations

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
    if len(points) < 4:
        return None
    points = points[:: 1 + len(points) // MOST_POINTS]
    rotation = _axes(points, np.array([0.0, 0.0, 1.0]) if up is None else np.asarray(up, np.float64))
    along = points.astype(np.float64) @ rotation
    low, high = np.percentile(along, [TRIM_PERCENT, 100 - TRIM_PERCENT], axis=0)
    return Box(rotation @ ((low + high) / 2), np.maximum(high - low, 1e-3), rotation)


def _axes(points: NDArray[np.float32], up: NDArray[np.float64]) -> NDArray[np.float64]:
    up = up / np.linalg.norm(up)
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
