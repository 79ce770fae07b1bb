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
    some = points[:: max(1, len(points) // 2000)]
    # a few stray points behind an outline do not make a thing large
    away = np.linalg.norm(some - np.median(some, axis=0), axis=1)
    far = some[np.argsort(away)[int(0.96 * (len(some) - 1))]]
    return bool(np.percentile(np.linalg.norm(some - far, axis=1), 96) > limit)
