# SPDX-License-Identifier: Apache-2.0
"""Puts right what cutting got wrong: a piece that is the missing part of its neighbor, as a handle is, joins it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.segmenter import Prediction, Segmenter
from partdistill_ros.inference.sizes import too_large

REACH = 0.015  # meters that a piece may lie off its neighbor
LARGEST = 0.5  # of the neighbor's points that a piece may have
MINE, THERE = 0.5, 0.15  # share of one part in the piece at least, and in the neighbor at most: there it is missing
LOSS = 0.05  # by which the category's score may fall; it falls by 0.16 where a box becomes the handle of a mug

Index = NDArray[np.intp]


def join_missing_parts(
    segmenter: Segmenter,
    query: PartQuery,
    points: NDArray[np.floating],
    objects: Sequence[Index],
    up: NDArray[np.floating],
) -> list[Index]:
    """The objects, rows of the cloud `points [N, 3]`, after pieces joined the neighbor whose missing part they are.

    The student is asked about neighbors alone and together with the piece; together they must be of a category that is
    asked for, as sure as before, and the piece mostly one part that the neighbor lacks. The largest comes first.
    """
    pairs = [pair for pair in _neighbors(points, objects) if not _too_large(query, points[_union(objects, pair)])]
    if not pairs:
        return list(objects)
    clouds = [points[objects[whole]] for _, whole in pairs] + [points[_union(objects, pair)] for pair in pairs]
    answers = segmenter.predict(clouds, query, [up] * len(clouds))
    gains = {}
    for pair, cloud, alone, together in zip(pairs, clouds[len(pairs) :], answers, answers[len(pairs) :], strict=False):
        gain = _gain(segmenter, query, cloud, len(objects[pair[0]]), alone, together)
        if gain is not None:
            gains[pair] = gain
    result: list[Index | None] = list(objects)
    for piece, whole in sorted(gains, key=lambda pair: -gains[pair]):
        one, other = result[piece], result[whole]
        if one is not None and other is not None and len(other) == len(objects[whole]):
            result[whole], result[piece] = np.sort(np.concatenate([one, other])), None
    return sorted((index for index in result if index is not None), key=len, reverse=True)


def _union(objects: Sequence[Index], pair: tuple[int, int]) -> Index:
    return np.concatenate([objects[pair[0]], objects[pair[1]]])


def _neighbors(points: NDArray[np.floating], objects: Sequence[Index]) -> list[tuple[int, int]]:
    """Pairs of a small object and a larger one near it."""
    found = []
    for piece, index in enumerate(objects):
        mine = points[index]
        low, high = mine.min(0) - REACH, mine.max(0) + REACH
        for whole, others in enumerate(objects):
            if len(index) > LARGEST * len(others):
                continue
            near = points[others]
            near = near[((near > low) & (near < high)).all(1)]
            if len(near) and cKDTree(near).query(mine[::3])[0].min() < REACH:
                found.append((piece, whole))
    return found


def _too_large(query: PartQuery, cloud: NDArray[np.floating]) -> bool:
    return all(too_large(group.category, cloud) for group in query.groups)


def _gain(
    segmenter: Segmenter,
    query: PartQuery,
    cloud: NDArray[np.floating],
    size: int,
    alone: Prediction | None,
    together: Prediction | None,
) -> float | None:
    """The rise of the neighbor's score with the first `size` points of `cloud [M, 3]`; None for no missing part."""
    if alone is None or together is None:
        return None
    group = int(together.scores.argmax())
    gain = float(together.scores[group] - alone.scores[group])
    if group >= len(query.groups) or gain < -LOSS:
        return None
    labels = segmenter.assign_labels(cloud, together, query).labels
    parts = np.bincount(labels[:size][labels[:size] >= 0], minlength=len(query.names))
    part = int(parts.argmax())
    if parts[part] < MINE * size or (labels[size:] == part).mean() > THERE:
        return None
    return gain
