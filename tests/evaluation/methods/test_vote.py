# SPDX-License-Identifier: Apache-2.0
"""Votes of teachers whose answers are known: the majority wins, unseen points stay unlabeled."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.vote import VoteMethod, mean_confidence, most_voted, pixel_votes, query_views
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.pointcloud.scan import Mesh
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
    assert most_voted(np.array([[0.45, 0.4], [0.1, 0.7], [0, 0]])).tolist() == [0, 1, -1]
    assert mean_confidence(votes) == pytest.approx((0.45 + 0.7) / 3)


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


def test_points_that_no_view_sees_are_unlabeled(make_post):
    scan = make_post()
    outer, inner = scan.mesh, make_post().mesh
    hidden = (inner.vertices * 0.3 + [0, 0, 0.7]).astype(np.float32)
    mesh = Mesh(
        np.concatenate([outer.vertices, hidden]),
        np.concatenate([outer.faces, inner.faces + len(outer.vertices)]),
        np.concatenate([outer.face_labels, inner.face_labels]),
    )
    shape = prepare([scan.with_(points=mesh.vertices, mesh=mesh)])[0]
    (labels,) = VoteMethod(HalfTeacher()).answer([shape.question])
    inside = (np.abs(shape.question.cloud.points[:, 0]) < 0.1) & (np.abs(shape.question.cloud.points[:, 2] - 1) < 0.5)
    inside &= np.abs(shape.question.cloud.points[:, 1]) < 0.1
    assert inside.sum() > 50
    assert (labels[inside] == -1).all()
    assert (labels[~inside] == -1).mean() < 0.1


def test_an_unknown_up_is_the_one_the_teacher_is_surest_of(make_post):
    teacher = HalfTeacher()
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)  # +z to +x: the post lies along x
    scan = make_post(up=None)
    mesh = Mesh(scan.mesh.vertices @ turn.T, scan.mesh.faces, scan.mesh.face_labels)
    shape = prepare([scan.with_(points=mesh.vertices, mesh=mesh)])[0]
    (labels,) = VoteMethod(teacher).answer([shape.question])
    assert len(teacher.asked) >= 6
    across = shape.question.cloud.points[:, 0] > 1
    seen = labels >= 0
    agreement = ((labels == 0) == across)[seen].mean()
    assert max(agreement, 1 - agreement) > 0.8, "upright along x, either way round: the toy cannot tell which"


def test_the_views_of_an_unknown_up_are_about_the_surest(make_post):
    class LikesTall(HalfTeacher):
        def answer(self, rendering, parts, category):
            drawn = rendering.index >= 0
            tall = drawn.any(2).sum(1) - drawn.any(1).sum(1)
            scores = np.zeros((len(rendering), len(parts), *rendering.size), np.float32)
            scores[:, 0] = np.where(tall > 5, 0.9, 0.2)[:, None, None]
            return PixelAnswer(scores * drawn[:, None])

    question = prepare([make_post(points=3000, up=None)])[0].question
    views = query_views(LikesTall(), question).views
    assert abs(-views.rotation[:4, 1] @ [0, 0, 1]).min() > 0.9, "the post stands upright in the level views"
