# SPDX-License-Identifier: Apache-2.0
"""Knowledge units (PartDistill, CVPR 2024): a part name, a confidence and the points they are about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from partdistill_ros.distillation.config import BoxConfig
from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering, point_pixels
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer

NEIGHBORS = np.ones((3, 3), bool)  # regions are connected over corners


@dataclass(frozen=True)
class KnowledgeUnits:
    """K units about the `n_points` points of one scan, with samples in compressed rows.

    part: `[K] i2` index into `parts`.  score: `[K] f4` confidence 0-1.  view: `[K] i2`.
    indptr: `[K + 1] i8`; the points of unit k are `indices[indptr[k]:indptr[k + 1]]`, `i4`.
    """

    part: NDArray[np.int16]
    score: NDArray[np.float32]
    view: NDArray[np.int16]
    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    n_points: int
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        count = len(self.part)
        samples = self.indices
        if not (
            self.score.shape == self.view.shape == (count,)
            and self.indptr.shape == (count + 1,)
            and self.indptr[0] == 0
            and self.indptr[-1] == len(samples)
            and (np.diff(self.indptr) >= 0).all()
            and (not len(samples) or (samples.min() >= 0 and samples.max() < self.n_points))
            and (not count or (self.part.min() >= 0 and self.part.max() < len(self.parts)))
        ):
            raise PartDistillError("the arrays of these knowledge units do not fit together: query the teacher again")

    def __len__(self) -> int:
        return len(self.part)

    def points_of(self, unit: int) -> NDArray[np.int32]:
        """Points of one unit."""
        return self.indices[self.indptr[unit] : self.indptr[unit + 1]]

    def sizes(self) -> NDArray[np.int64]:
        """Number of points of each unit `[K]`."""
        return np.diff(self.indptr)

    def owner(self) -> NDArray[np.int64]:
        """The unit that each entry of `indices` belongs to."""
        return np.repeat(np.arange(len(self)), self.sizes())

    def with_scores(self, score: NDArray[np.float32]) -> KnowledgeUnits:
        """The same units with other scores."""
        return replace(self, score=np.asarray(score, np.float32))

    def votes(self, weight: NDArray[np.floating]) -> NDArray[np.float32]:
        """Sum `[N, P]` of what the units give to their part in each point: `weight` of each entry of `indices`."""
        flat = self.indices.astype(np.int64) * len(self.parts) + self.part[self.owner()]
        total = np.bincount(flat, weight, self.n_points * len(self.parts))
        return total.reshape(self.n_points, len(self.parts)).astype(np.float32)

    def coverage(self) -> NDArray[np.int64]:
        """Number of units that each point is in, `[N]`."""
        return np.bincount(self.indices, minlength=self.n_points)


def units_from_answer(
    answer: PixelAnswer | BoxAnswer, rendering: Rendering, n_points: int, parts: Sequence[str]
) -> KnowledgeUnits:
    """Units of whichever kind of answer a teacher gives."""
    if isinstance(answer, PixelAnswer):
        return units_from_pixels(answer, rendering, n_points, parts)
    return units_from_boxes(answer, rendering, n_points, parts)


def units_from_pixels(answer: PixelAnswer, rendering: Rendering, n_points: int, parts: Sequence[str]) -> KnowledgeUnits:
    """One unit per connected region of one part name in one view that shows a point; its score is the region's mean
    probability of that part."""
    views, names, height, width = answer.scores.shape
    if (views, names) != (len(rendering), len(parts)):
        raise PartDistillError(
            f"the teacher answered for {views} views and {names} parts, asked were {len(rendering)} and {len(parts)}"
        )
    point_pixel = point_pixels(rendering, n_points, height, width)
    rows = []
    for view in range(views):
        scores = answer.scores[view]
        best = np.where(scores.max(0) > 0, scores.argmax(0), -1)
        visible = np.flatnonzero(point_pixel[view] >= 0)
        at = point_pixel[view, visible]
        for part in range(names):
            region, count = ndimage.label(best == part, NEIGHBORS)
            if count:
                flat = region.ravel()
                mean = np.bincount(flat, scores[part].ravel()) / np.maximum(np.bincount(flat), 1)
                rows += _region_rows(part, view, mean, flat[at], visible)
    return _units_of_rows(rows, n_points, parts)


def units_from_boxes(answer: BoxAnswer, rendering: Rendering, n_points: int, parts: Sequence[str]) -> KnowledgeUnits:
    """One unit per box: the visible points whose pixel lies inside. Boxes with at least the fraction
    `BoxConfig.whole_object` of the view's visible points say nothing about a part: they are dropped, as are those
    without a point."""
    height, width = rendering.size
    point_pixel = point_pixels(rendering, n_points, height, width)
    rows = []
    for box, part, score, view in zip(answer.boxes, answer.part, answer.confidence, answer.view, strict=True):
        visible = np.flatnonzero(point_pixel[view] >= 0)
        row, column = np.divmod(point_pixel[view, visible], width)
        left, top, right, bottom = box
        inside = (column + 0.5 >= left) & (column + 0.5 <= right) & (row + 0.5 >= top) & (row + 0.5 <= bottom)
        if 0 < inside.sum() < BoxConfig.whole_object * len(visible):
            rows.append((int(part), float(score), int(view), visible[inside]))
    return _units_of_rows(rows, n_points, parts)


def covered_counts(units: KnowledgeUnits) -> NDArray[np.int64]:
    """Number of points that units of each part cover, `[P]` (a point counts once per part)."""
    count = len(units.parts)
    pairs = np.unique(units.indices.astype(np.int64) * count + units.part[units.owner()])
    return np.bincount(pairs % count, minlength=count) if count else np.zeros(0, np.int64)


def class_weights(
    units: KnowledgeUnits | Iterable[KnowledgeUnits], n_parts: int, published: bool = False
) -> NDArray[np.float32]:
    """w(c) = clip(1 + log4(N_total / (P * N_c)), 1, 4), `[P]`: N_c counts the points that units of part c cover, in one
    scan or over a collection, each once (`published`: once a unit); N_total is their sum. 4 for a part never seen."""
    counts = np.zeros(n_parts, np.float64)
    for one in [units] if isinstance(units, KnowledgeUnits) else units:
        counts += np.bincount(one.part, one.sizes(), n_parts) if published else covered_counts(one)
    ratio = counts.sum() / (n_parts * np.maximum(counts, 1e-9))
    with np.errstate(divide="ignore"):
        return np.clip(1 + np.log(ratio) / np.log(4), 1, 4).astype(np.float32)


def soft_labels(units: KnowledgeUnits, class_weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight `[N, P] f4` of each part in the forward loss of each point:

    weight[p, c] = sum over units k of part c with p in M_k of w(c) * s_k / max(1, units that cover p)

    so that the loss of point p is `sum_c weight[p, c] * CE(z(p), c)`; rows of points in no unit are 0.
    """
    weight = units.votes((class_weight[units.part] * units.score)[units.owner()])
    return (weight / np.maximum(units.coverage(), 1)[:, None]).astype(np.float32)


Row = tuple[int, float, int, NDArray[np.intp]]


def _region_rows(
    part: int,
    view: int,
    mean: NDArray[np.float64],
    region: NDArray[np.int32],
    visible: NDArray[np.intp],
) -> list[Row]:
    """A row for each region number above 0 that points fall in."""
    order = np.argsort(region, kind="stable")
    numbers, start, count = np.unique(region[order], return_index=True, return_counts=True)
    return [
        (part, float(mean[number]), view, visible[order[first : first + size]])
        for number, first, size in zip(numbers, start, count, strict=True)
        if number > 0
    ]


def _units_of_rows(rows: Sequence[Row], n_points: int, parts: Sequence[str]) -> KnowledgeUnits:
    sizes = [len(points) for _, _, _, points in rows]
    indices = np.concatenate([points for _, _, _, points in rows]) if rows else np.zeros(0)
    return KnowledgeUnits(
        np.array([part for part, _, _, _ in rows], np.int16),
        np.array([score for _, score, _, _ in rows], np.float32),
        np.array([view for _, _, view, _ in rows], np.int16),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        indices.astype(np.int32),
        n_points,
        tuple(parts),
    )
