# SPDX-License-Identifier: Apache-2.0
"""The teacher alone: what it says of each view, voted onto the points (as PointCLIP V2 does).

A pixel teacher's probabilities are averaged over the views that see a point, a box teacher's
confidences are added up over the boxes around it. A point that no view sees, or that nothing was
said about, gets no label and counts as wrong: that is what a student has to mend.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.units import units_from_boxes
from partdistill_ros.evaluation.shapes import Question
from partdistill_ros.pointcloud.frames import candidate_ups
from partdistill_ros.pointcloud.scan import Scan
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


class VoteMethod:
    """teacher: who is queried.  The views are those that distillation would take."""

    setting = "zero-shot"

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.name = f"vote ({teacher.name})"

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Views and votes per shape."""
        for question in questions:
            yield most_voted(query_views(self._teacher, question).votes)


def query_views(teacher: Teacher, question: Question) -> TeacherVotes:
    """Render, query the teacher and vote; an unknown up is the candidate about which the teacher is surest."""
    tries = [_query_pose(teacher, question, question.scan.with_(up=up)) for up in _candidate_ups(teacher, question)]
    return max(tries, key=lambda found: mean_confidence(found.votes))


def _candidate_ups(teacher: Teacher, question: Question) -> Sequence[NDArray[np.float32] | None]:
    # Detections of a file belong to the views that were rendered for it: no other can be asked for.
    if question.scan.up is not None or teacher.kind == "box":
        return [question.scan.up]
    return [up.astype(np.float32) for up in candidate_ups(question.cloud.points)]


def _query_pose(teacher: Teacher, question: Question, scan: Scan) -> TeacherVotes:
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


def most_voted(votes: NDArray[np.float32]) -> NDArray[np.int16]:
    """The part with the most votes, -1 without any; `votes [N, P]`."""
    return np.where(votes.max(1) > 0, votes.argmax(1), -1).astype(np.int16)


def mean_confidence(votes: NDArray[np.float32]) -> float:
    """Mean over points of the winner's votes: how sure the teacher is of this pose, without any truth."""
    return float(votes.max(1).mean())
