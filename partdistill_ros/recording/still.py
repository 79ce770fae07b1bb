# SPDX-License-Identifier: Apache-2.0
"""Whether anything changed between two clouds of the same sensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Stillness:
    """tolerance: meters by which a point may be off and count as unchanged, at up to 1 m from the sensor; it grows
        with the square of the range, as the noise of depth cameras does.
    changed: share of the points that must be off more than that, in either cloud, for the scene to count as new;
        outlines flicker.
    thinned: points compared.
    """

    tolerance: float = 0.006
    changed: float = 0.05
    thinned: int = 2000


def is_still(before: NDArray[np.float32], after: NDArray[np.float32], stillness: Stillness | None = None) -> bool:
    """Whether two finite clouds `[N, 3]` and `[M, 3]` in the sensor's frame show the same, but for noise."""
    stillness = stillness or Stillness()
    if not len(before) or not len(after):
        return len(before) == len(after)
    return max(_changed(before, after, stillness), _changed(after, before, stillness)) < stillness.changed


def _changed(points: NDArray[np.float32], others: NDArray[np.float32], stillness: Stillness) -> float:
    """The share of the points that have no other point near."""
    some = points[:: max(1, len(points) // stillness.thinned)]
    distance = cKDTree(others).query(some)[0]
    near = stillness.tolerance * np.maximum(1.0, np.square(some).sum(1))
    return float((distance > near).mean())
