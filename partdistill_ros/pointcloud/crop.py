# SPDX-License-Identifier: Apache-2.0
"""A box in some frame, and the points of a cloud inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError


@dataclass(frozen=True)
class CropBox:
    """An axis-aligned box.

    low, high: its corners `(x, y, z)` in meters.
    pose: `[4, 4]` from the cloud's frame to that of the box; None where they are one.
    """

    low: tuple[float, float, float] = (-0.5, -0.5, 0.0)
    high: tuple[float, float, float] = (0.5, 0.5, 2.0)
    pose: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        for axis, least, greatest in zip("xyz", self.low, self.high, strict=True):
            if not least < greatest:
                raise PartDistillError(
                    f"crop box: min_{axis} is {least}, max_{axis} is {greatest}: min_{axis} must be the smaller"
                )

    @property
    def up(self) -> NDArray[np.float64] | None:
        """+z of the box's frame as a direction `[3]` in the cloud's; None where they are one frame, which may be
        a camera's."""
        return None if self.pose is None else self.pose[2, :3]

    def inside(self, points: NDArray[np.floating]) -> NDArray[np.intp]:
        """Indices of the points of `points [N, 3]` in the box, ascending; NaN is nowhere."""
        kept = np.ones(len(points), bool)
        with np.errstate(invalid="ignore", over="ignore"):
            for axis in range(3):
                place = points[:, axis]
                if self.pose is not None:
                    place = points @ self.pose[axis, :3].astype(points.dtype) + self.pose[axis, 3]
                kept &= (place >= self.low[axis]) & (place <= self.high[axis])
        return np.flatnonzero(kept)
