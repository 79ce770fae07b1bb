# SPDX-License-Identifier: Apache-2.0
"""Non-maximum suppression: of boxes of one part that overlap, the surest stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def suppress(
    boxes: NDArray[np.float32], part: NDArray[np.int16], score: NDArray[np.float32], threshold: float
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, surest first.

    boxes: `[K, 4]` (left, top, right, bottom).  part, score: `[K]`.  threshold: two boxes of the same
    part whose intersection over union exceeds it are one.
    """
    order = np.argsort(-score, kind="stable")
    kept: list[int] = []
    for candidate in order:
        rivals = [index for index in kept if part[index] == part[candidate]]
        if not len(rivals) or overlap(boxes[candidate], boxes[rivals]).max() <= threshold:
            kept.append(int(candidate))
    return np.array(kept, np.intp)


def overlap(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union `[K]` of `box [4]` with each of `others [K, 4]`; 0 for boxes without area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(np.maximum(others[:, 2:] - others[:, :2], 0), axis=1)
    union = np.prod(np.maximum(box[2:] - box[:2], 0)) + areas - common
    return np.where(union > 0, common / np.maximum(union, 1e-12), 0).astype(np.float32)
