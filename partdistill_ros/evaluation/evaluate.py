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

ProgressBar = Callable[[Iterable[Shape]], Iterable[Shape]]


@dataclass(frozen=True)
class Evaluation:
    """sampled: the protocol's numbers, over its samples.  every: the same answer interpolated to all points
    of each shape by the nearest sample.  scores: one per shape, of the samples.  answers: the labels
    `[POINTS]` of each shape's samples, in the order of the shapes.  curves: of the trainings behind the
    answers."""

    method: str
    setting: str
    sampled: Summary
    every: Summary
    scores: tuple[ShapeScore, ...]
    answers: tuple[NDArray[np.int16], ...] = ()
    curves: tuple[LossCurve, ...] = ()


def evaluate(shapes: Sequence[Shape], method: Method, progress: ProgressBar = iter) -> Evaluation:
    """Ask `method` about the shapes and compare.

    Raises PartDistillError where a method cannot answer.
    """
    questions: list[Question] = [shape.question for shape in shapes]
    answers = method.answer(questions)
    scores, every, kept = [], [], []
    for shape in progress(shapes):
        answer, question = np.asarray(next(answers), np.int16), shape.question
        kept.append(answer)
        about = (question.name, question.category, question.parts)
        scores.append(score_shape(*about, answer, shape.truth))
        _, nearest = cKDTree(question.cloud.points).query(shape.every_point)
        every.append(score_shape(*about, answer[nearest], shape.every_truth))
    return Evaluation(
        method.name,
        method.setting,
        summarize(scores),
        summarize(every),
        tuple(scores),
        tuple(kept),
        tuple(getattr(method, "curves", ())),
    )
