# SPDX-License-Identifier: Apache-2.0
"""A distilled student, as it runs on the robot: the category's part names are its query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.evaluation.shapes import Question
from partdistill_ros.inference.segmenter import Segmenter

BATCH = 8  # shapes handed over at once; a shape of unknown up counts several times in the network's batch


class BundleMethod:
    """segmenter: the loaded student.  votes: turns about the vertical that are averaged."""

    def __init__(self, segmenter: Segmenter, votes: int = 1) -> None:
        self._segmenter, self._votes = segmenter, votes
        self.name = segmenter.bundle.name
        self.setting = str(segmenter.bundle.training.get("mode", "pre"))

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """The student's labels; a cloud whose up is unknown is turned by the segmenter's own search."""
        for (category, parts), group in groupby(questions, key=lambda question: (question.category, question.parts)):
            query = self._segmenter.query(f"{category}: {', '.join(parts)}")
            while batch := list(islice(group, BATCH)):
                clouds = [question.cloud.points for question in batch]
                ups = [question.cloud.up for question in batch]
                for answer in self._segmenter.segment(clouds, query, ups, votes=self._votes):
                    yield answer.labels
