# SPDX-License-Identifier: Apache-2.0
"""The teacher alone: what it says of each view, voted onto the points.

A pixel teacher's probabilities are averaged over the views that see a point, a box teacher's
confidences are added up over the boxes around it. A point that no view sees, or that nothing was
said about, takes the label of the nearest point that has one. A shape stands as the students see
it: a pose chosen by the teacher's own confidence would be an advantage that no student has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.distillation.posing import FILE, views_of_file
from partdistill_ros.distillation.units import units_from_boxes
from partdistill_ros.evaluation.datasets.prepared import prepared_units
from partdistill_ros.evaluation.shapes import Question
from partdistill_ros.evaluation.training_samples import posed
from partdistill_ros.rendering.cameras import Views, views_for
from partdistill_ros.rendering.rasterize import Rendering, locate_points, render_scan
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, Teacher


@dataclass(frozen=True)
class TeacherVotes:
    """What a teacher said of a question's `views`: its `answer` about the `rendering`, whose `pixel`
    locates the question's cloud, and the `votes [N, P]` of that cloud's points."""

    views: Views
    rendering: Rendering
    answer: PixelAnswer | BoxAnswer
    votes: NDArray[np.float32]


class PreparedVoteMethod:
    """The boxes that came with prepared shapes (`datasets.prepared`) in `folder`, voted."""

    name, setting = "vote (prepared)", "zero-shot"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Votes per shape; -1 everywhere for a shape without boxes."""
        for question in questions:
            units, points = prepared_units(self._folder, question.name), question.cloud.points
            if units is None:
                yield np.full(len(points), -1, np.int16)
                continue
            votes = units.votes(units.score[units.owner()])
            yield most_voted(votes[cKDTree(question.scan.points).query(points)[1]], points)


class VoteMethod:
    """teacher: who is queried.  The views are those that distillation would take."""

    setting = "zero-shot"

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.name = f"vote ({teacher.name})"

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Views and votes per shape."""
        for question in questions:
            yield most_voted(query_views(self._teacher, question).votes, question.cloud.points)


def query_views(teacher: Teacher, question: Question) -> TeacherVotes:
    """Render the shape in the pose of `posed`, query the teacher and vote."""
    scan = question.scan.with_(up=posed(question, teacher.name).up)
    if teacher.name == FILE:
        pose, views = views_of_file(scan)
        views = pose.views_before(views)
    else:
        views = views_for(scan)
    rendering = locate_points(render_scan(scan, views, teacher.size), question.cloud.points, views)
    answer = teacher.answer(rendering, question.parts, question.category)
    if isinstance(answer, PixelAnswer):
        return TeacherVotes(views, rendering, answer, pixel_votes(answer, rendering))
    units = units_from_boxes(answer, rendering, len(question.cloud.points), question.parts)
    return TeacherVotes(views, rendering, answer, units.votes(units.score[units.owner()]))


def pixel_votes(answer: PixelAnswer, rendering: Rendering) -> NDArray[np.float32]:
    """Mean probability `[N, P]` over the views that see a point, 0 where none does."""
    pixel = rendering.pixel
    if pixel is None:
        raise ValueError("the rendering has no located points")
    height, width = rendering.size
    row, column = np.divmod(np.maximum(pixel, 0), width)
    small_height, small_width = answer.scores.shape[2:]
    view = np.arange(len(pixel))[:, None]
    scores = answer.scores[view, :, row * small_height // height, column * small_width // width]
    seen = (pixel >= 0)[..., None]
    mean: NDArray[np.float32] = (scores * seen).sum(0) / np.maximum(seen.sum(0), 1)
    return mean


def most_voted(votes: NDArray[np.float32], points: NDArray[np.float32]) -> NDArray[np.int16]:
    """The part with the most `votes [N, P]`; a point without any takes the label of the nearest of
    `points [N, 3]` that has one. -1 everywhere where nothing was said at all."""
    labels = np.where(votes.max(1) > 0, votes.argmax(1), -1).astype(np.int16)
    known = np.flatnonzero(labels >= 0)
    if 0 < len(known) < len(labels):
        labels = labels[known[cKDTree(points[known]).query(points)[1]]]
    return labels
