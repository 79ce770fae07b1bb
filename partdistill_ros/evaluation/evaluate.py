# SPDX-License-Identifier: Apache-2.0
"""One method on many shapes: ask, compare, summarise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.evaluation.methods.method import Method
from partdistill_ros.evaluation.miou import ShapeScore, Summary, score_shape, summarize
from partdistill_ros.evaluation.shapes import Question, Shape

Progress = Callable[[Iterable[Shape]], Iterable[Shape]]


@dataclass(frozen=True)
class Evaluation:
    """sampled: the protocol's numbers, over its samples.  every: the same answer spread to all points
    of each shape by the nearest sample.  scores: one per shape, of the samples."""

    method: str
    setting: str
    sampled: Summary
    every: Summary
    scores: tuple[ShapeScore, ...]


def evaluate(shapes: Sequence[Shape], method: Method, progress: Progress = iter) -> Evaluation:
    """Ask `method` about the shapes and compare. Raises PartDistillError where a method cannot answer."""
    questions: list[Question] = [shape.question for shape in shapes]
    answers = method.answer(questions)
    scores, spread = [], []
    for shape in progress(shapes):
        answer, asked = next(answers), shape.question
        about = (asked.name, asked.category, asked.parts)
        scores.append(score_shape(*about, answer, shape.truth))
        _, nearest = cKDTree(asked.cloud.points).query(shape.every_point)
        spread.append(score_shape(*about, np.asarray(answer)[nearest], shape.every_truth))
    return Evaluation(method.name, method.setting, summarize(scores), summarize(spread), tuple(scores))
