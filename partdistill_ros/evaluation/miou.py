# SPDX-License-Identifier: Apache-2.0
"""Part mIoU as ShapeNetPart measures it, and the same over the parts that are really there.

Per shape the mean IoU over the parts of its category, then the mean over the shapes of a category,
then the mean over categories (`overall`); `instance` is the plain mean over shapes. ShapeNetPart
counts a part that neither the answer nor the truth holds as 1, which gives points for free, so
`present` takes the mean over the parts present in the truth only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError

PROTOCOL = "shapenetpart"


@dataclass(frozen=True)
class ShapeScore:
    """One shape's result: `iou [P]` in 0..1, NaN for a part absent from both answer and truth;
    `in_truth [P]` marks the parts that the truth holds."""

    name: str
    category: str
    parts: tuple[str, ...]
    iou: NDArray[np.float64]
    in_truth: NDArray[np.bool_]

    @property
    def miou(self) -> float:
        """Mean over the category's parts, a part absent from both counting 1."""
        return float(np.where(np.isnan(self.iou), 1.0, self.iou).mean())

    @property
    def present(self) -> float:
        """Mean over the parts present in the truth."""
        return float(self.iou[self.in_truth].mean())


@dataclass(frozen=True)
class Summary:
    """The scores of many shapes, in per cent.

    overall: mean over categories of `categories`.  instance: mean over shapes.
    present: mean over categories of `present_categories`.
    part_iou: per category and part, the mean IoU over the shapes whose truth holds the part.
    """

    overall: float
    instance: float
    present: float
    categories: dict[str, float]
    present_categories: dict[str, float]
    part_iou: dict[str, dict[str, float]]
    shapes: int


def part_iou(answer: NDArray[np.integer], truth: NDArray[np.integer], parts: int) -> NDArray[np.float64]:
    """IoU `[parts]` of labels `answer [N]` against `truth [N]`; NaN where a part is in neither.

    Points without a true label (-1) are left out; a point without an answer (-1) is a miss.
    Raises PartDistillError for different lengths or a truth without any label.
    """
    if answer.shape != truth.shape:
        raise PartDistillError(f"{answer.shape[0]} answers for {truth.shape[0]} points: they must be the same points")
    known = truth >= 0
    if not known.any():
        raise PartDistillError("the shape has no labeled points to compare with")
    part = np.arange(parts)[:, None]
    answered, true = answer[known] == part, truth[known] == part
    union = (answered | true).sum(1)
    with np.errstate(invalid="ignore"):
        return np.where(union > 0, (answered & true).sum(1) / union, np.nan)


def score_shape(
    name: str, category: str, parts: Sequence[str], answer: NDArray[np.integer], truth: NDArray[np.integer]
) -> ShapeScore:
    """Compare `answer [N]` with `truth [N]`, both indices into `parts`.

    Raises PartDistillError as `part_iou` does, with the shape's name in front.
    """
    try:
        iou = part_iou(answer, truth, len(parts))
    except PartDistillError as error:
        raise PartDistillError(f"{name}: {error}") from error
    return ShapeScore(name, category, tuple(parts), iou, np.isin(np.arange(len(parts)), truth))


def summarize(scores: Sequence[ShapeScore]) -> Summary:
    """Means over shapes, categories and parts, in per cent; raises PartDistillError for no shapes."""
    if not scores:
        raise PartDistillError("no shapes were evaluated")
    groups: dict[str, list[ShapeScore]] = {}
    for score in scores:
        groups.setdefault(score.category, []).append(score)
    categories = {name: _percent([s.miou for s in group]) for name, group in sorted(groups.items())}
    present = {name: _percent([s.present for s in group]) for name, group in sorted(groups.items())}
    return Summary(
        overall=float(np.mean(list(categories.values()))),
        instance=_percent([score.miou for score in scores]),
        present=float(np.mean(list(present.values()))),
        categories=categories,
        present_categories=present,
        part_iou={name: _part_means(group) for name, group in sorted(groups.items())},
        shapes=len(scores),
    )


def _percent(values: Sequence[float]) -> float:
    return 100 * float(np.mean(values))


def _part_means(group: Sequence[ShapeScore]) -> dict[str, float]:
    means = {}
    for index, part in enumerate(group[0].parts):
        values = [float(score.iou[index]) for score in group if score.in_truth[index]]
        if values:
            means[part] = _percent(values)
    return means
