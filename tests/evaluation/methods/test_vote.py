# SPDX-License-Identifier: Apache-2.0
"""Votes of teachers whose answers are known: the majority wins, unseen points follow their neighbors."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.vote import VoteMethod, most_voted, pixel_votes, query_views
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import posed
from partdistill_ros.pointcloud.scan import Mesh
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer


class HalfTeacher:
    """Calls the upper half of each object's outline part 0 and the lower half part 1, very sure of
    it where the outline is upright."""

    name, key, size = "half", "half", 96

    def __init__(self, kind="pixel"):
        self.kind = kind
        self.asked = []

    def answer(self, rendering, parts, category):
        self.asked.append((tuple(parts), category))
        drawn = rendering.index >= 0
        rows = [np.flatnonzero(mask.any(1)) for mask in drawn]
        columns = [np.flatnonzero(mask.any(0)) for mask in drawn]
        if self.kind == "box":
            boxes, part, view = [], [], []
            for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
                middle = (row[0] + row[-1] + 1) / 2
                boxes += [(column[0], row[0], column[-1] + 1, middle), (column[0], middle, column[-1] + 1, row[-1] + 1)]
                part, view = [*part, 0, 1], [*view, number, number]
            return BoxAnswer(
                np.array(boxes, np.float32), np.array(part, np.int16), np.full(len(part), 0.9, np.float32),
                np.array(view, np.int16),
            )  # fmt: skip
        scores = np.zeros((len(drawn), len(parts), *rendering.size), np.float32)
        for number, (row, column) in enumerate(zip(rows, columns, strict=True)):
            middle = (row[0] + row[-1] + 1) // 2
            sure = 0.9 if np.ptp(row) > np.ptp(column) else 0.6
            scores[number, 0, :middle], scores[number, 1, :middle] = sure, 1 - sure
            scores[number, 1, middle:], scores[number, 0, middle:] = sure, 1 - sure
        return PixelAnswer(scores * drawn[:, None])


def rendering_of(pixel, size=(2, 4)):
    views = len(pixel)
    empty = np.zeros((views, *size))
    return Rendering(
        picture=empty[..., None].repeat(3, -1).astype(np.uint8), depth=empty.astype(np.float32),
        index=empty.astype(np.int32), of="points", pixel=np.array(pixel, np.int32),
    )  # fmt: skip


def test_votes_are_means_over_the_views_that_see_a_point():
    scores = np.zeros((2, 2, 2, 4), np.float32)
    scores[0, :, 0, 1] = 0.8, 0.2
    scores[1, :, 1, 3] = 0.1, 0.7
    # Point 0 is seen by both views, point 1 by the second, point 2 by none.
    votes = pixel_votes(PixelAnswer(scores), rendering_of([[1, -1, -1], [7, 7, -1]]))
    assert votes == pytest.approx(np.array([[0.45, 0.45], [0.1, 0.7], [0, 0]]))


def test_a_point_without_votes_takes_the_nearest_label():
    points = np.array([[0, 0, 0], [1, 0, 0], [0.9, 0, 0], [0.2, 0, 0]], np.float32)
    votes = np.array([[0.45, 0.4], [0.1, 0.7], [0, 0], [0, 0]], np.float32)
    assert most_voted(votes, points).tolist() == [0, 1, 1, 0]
    assert most_voted(np.zeros((4, 2), np.float32), points).tolist() == [-1] * 4, "nothing was said"


def test_scores_of_a_coarser_grid_belong_to_the_pixels_they_cover():
    scores = np.zeros((1, 2, 1, 2), np.float32)
    scores[0, :, 0, 0], scores[0, :, 0, 1] = (1, 0), (0, 1)
    votes = pixel_votes(PixelAnswer(scores), rendering_of([[0, 5, 2, 7]]))
    assert votes.argmax(1).tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("kind", ["pixel", "box"])
@pytest.mark.parametrize("points", [0, 6000])
def test_a_teacher_that_is_right_in_every_view_votes_right(make_post, kind, points):
    teacher = HalfTeacher(kind)
    result = evaluate(prepare([make_post(points=points)]), VoteMethod(teacher))
    assert result.method == "vote (half)" and result.setting == "zero-shot"
    assert result.sampled.overall > 80
    assert teacher.asked == [(("top", "bottom"), "post")]


def test_points_that_no_view_sees_follow_their_neighbors(make_post):
    scan = make_post()
    outer, inner = scan.mesh, make_post().mesh
    hidden = (inner.vertices * 0.3 + [0, 0, 0.7]).astype(np.float32)
    mesh = Mesh(
        np.concatenate([outer.vertices, hidden]),
        np.concatenate([outer.faces, inner.faces + len(outer.vertices)]),
        np.concatenate([outer.face_labels, inner.face_labels]),
    )
    shape = prepare([scan.with_(points=mesh.vertices, mesh=mesh)])[0]
    points = shape.question.cloud.points
    (labels,) = VoteMethod(HalfTeacher()).answer([shape.question])
    inside = (np.abs(points[:, :2]) < 0.1).all(1) & (np.abs(points[:, 2] - 1) < 0.5)
    assert inside.sum() > 50 and (labels >= 0).all()
    assert (labels[inside] == (points[inside, 2] < 1)).mean() > 0.8, "those above the middle are top as the walls are"


def test_an_unknown_up_is_the_pose_that_the_students_get(make_post):
    """Not the pose of which the teacher is surest: no student is shown six poses."""
    teacher = HalfTeacher()
    question = prepare([make_post(points=3000, up=None)])[0].question
    views = query_views(teacher, question).views
    assert len(teacher.asked) == 1
    assert views.rotation == pytest.approx(views_for(question.scan.with_(up=posed(question).up)).rotation)
