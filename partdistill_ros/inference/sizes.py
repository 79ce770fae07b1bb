# SPDX-License-Identifier: Apache-2.0
"""How large everyday things are: a student sees shapes without their size, so that a pot is a mug to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LARGEST = {
    "bottle": 0.45,
    "cap": 0.40,
    "eyeglasses": 0.25,
    "hammer": 0.50,
    "kettle": 0.45,
    "knife": 0.45,
    "laptop": 0.70,
    "mug": 0.16,
    "pliers": 0.40,
    "vase": 0.65,
}
"""How far a thing reaches in meters, a few hundredths of its points left aside: a mug 11 cm high and 12 cm wide with
its handle reaches 16 cm."""


def too_large(category: str | None, points: NDArray[np.floating]) -> bool:
    """Whether the points `[N, 3]`, in meters, reach farther than a thing of this category does; no for those without
    a known size."""
    limit = LARGEST.get(category or "")
    if limit is None or not len(points):
        return False
    columns = np.ascontiguousarray(points[:: max(1, len(points) // 1000)].T)
    most = int(0.96 * (columns.shape[1] - 1))  # a few stray points behind an outline do not make a thing large
    away = _squared_distances(columns, np.median(columns, axis=1))
    far = columns[:, np.argpartition(away, most)[most]]
    return bool(np.partition(_squared_distances(columns, far), most)[most] > limit**2)


def _squared_distances(columns: NDArray[np.floating], place: NDArray[np.floating]) -> NDArray[np.floating]:
    """From each point of `columns [3, N]` to a place `[3]`."""
    away = columns - place[:, None]
    away *= away
    return np.asarray(away.sum(axis=0))
