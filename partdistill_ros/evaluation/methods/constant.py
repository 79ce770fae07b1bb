# SPDX-License-Identifier: Apache-2.0
"""The answer to beat: the category's most frequent part everywhere. It is the only method that knows the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.evaluation.shapes import Question, Shape


@dataclass(frozen=True)
class Constant:
    """most_frequent: per category the index of its most frequent part."""

    most_frequent: dict[str, int]
    name: str = "constant"
    setting: str = "reference"

    @classmethod
    def of(cls, shapes: Sequence[Shape]) -> Constant:
        """Count the labels of `shapes`, over all points of a category."""
        counts: dict[str, NDArray[np.int64]] = {}
        for shape in shapes:
            question, truth = shape.question, shape.truth
            found = np.bincount(truth[truth >= 0], minlength=len(question.parts))
            counts[question.category] = counts.get(question.category, np.zeros_like(found)) + found
        return cls({category: int(count.argmax()) for category, count in counts.items()})

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """The same label for every point."""
        for question in questions:
            yield np.full(len(question.cloud.points), self.most_frequent[question.category], np.int16)
