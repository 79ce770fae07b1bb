# SPDX-License-Identifier: Apache-2.0
"""One method on many shapes: ask, compare, summarize."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.evaluation.methods.protocol import Method
from partdistill_ros.evaluation.miou import ShapeScore, Summary, score_shape, summarize
from partdistill_ros.evaluation.shapes import Question, Shape
from partdistill_ros.visualization.loss_chart import LossCurve

Progress = Callable[[Iterable[Shape]], Iterable[Shape]]


@dataclass(frozen=True)
class Evaluation:
    """sampled: the protocol's numbers, over its samples.  every: the same answer spread to all points
    of each shape by the nearest sample.  scores: one per shape, of the samples.  answers: the labels
    `[POINTS]` of each shape's samples, in the order of the shapes.  curves: of the trainings behind the
    answers.  unseen, unseen_scores: the numbers over the samples that no view shows."""

    method: str
    setting: str
    sampled: Summary
    every: Summary
    scores: tuple[ShapeScore, ...]
    answers: tuple[NDArray[np.int16], ...] = ()
    curves: tuple[LossCurve, ...] = ()
    unseen: Summary | None = None
    unseen_scores: tuple[ShapeScore, ...] = ()


LEAST_HIDDEN = 16  # hidden samples of a shape below which their mIoU says nothing


def evaluate(
    shapes: Sequence[Shape],
    method: Method,
    progress: Progress = iter,
    hidden: Sequence[NDArray[np.bool_]] | None = None,
) -> Evaluation:
    """Ask `method` about the shapes and compare.

    hidden: per shape which samples no view shows, as `hidden.hidden_samples` finds them; None: not measured.
    Raises PartDistillError where a method cannot answer.
    """
    questions: list[Question] = [shape.question for shape in shapes]
    answers = method.answer(questions)
    scores, spread, unseen, kept = [], [], [], []
    for number, shape in enumerate(progress(shapes)):
        answer, asked = np.asarray(next(answers), np.int16), shape.question
        kept.append(answer)
        about = (asked.name, asked.category, asked.parts)
        scores.append(score_shape(*about, answer, shape.truth))
        _, nearest = cKDTree(asked.cloud.points).query(shape.every_point)
        spread.append(score_shape(*about, answer[nearest], shape.every_truth))
        if hidden is not None and (shape.truth[hidden[number]] >= 0).sum() >= LEAST_HIDDEN:
            unseen.append(score_shape(*about, answer[hidden[number]], shape.truth[hidden[number]]))
    return Evaluation(
        method.name,
        method.setting,
        summarize(scores),
        summarize(spread),
        tuple(scores),
        tuple(kept),
        tuple(getattr(method, "curves", ())),
        summarize(unseen) if unseen else None,
        tuple(unseen),
    )
