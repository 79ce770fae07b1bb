# SPDX-License-Identifier: Apache-2.0
"""The gallery: the right shapes, the teacher's answer where it is, colors of the labels that were given."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.gallery import choose, exhibits, paint_pixels, view_panel
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer
from partdistill_ros.visualization.colors import part_colors

PARTS = ("top", "bottom")


@pytest.fixture
def shapes(make_post):
    return prepare([make_post(f"post_{n}", share, points=3000) for n, share in enumerate((0.9, 0.5, 0.7, 0.8, 0.6))])


class Halves:
    """Calls the upper half of each picture part 0, the lower part 1."""

    name, key, kind, size = "halves", "halves", "pixel", 64

    def answer(self, rendering, parts, category):
        scores = np.zeros((len(rendering), len(parts), *rendering.size), np.float32)
        scores[:, 0, : self.size // 2] = scores[:, 1, self.size // 2 :] = 0.9
        return PixelAnswer(scores * (rendering.index >= 0)[:, None])


class Refuses(Halves):
    def answer(self, rendering, parts, category):
        raise PartDistillError(f"no detections of {rendering.name}")


def test_shapes_are_worst_median_best_of_the_evaluation(shapes):
    constant = evaluate(shapes, Constant({"post": 0}))
    scores = [score.miou for score in constant.scores]
    order = np.argsort(scores)
    assert choose(constant, 3) == [(order[0], "worst"), (order[2], "median"), (order[4], "best")]
    assert choose(constant, 1) == [(order[2], "median")]
    assert [row for row, _ in choose(constant, 50)] == order.tolist()
    assert choose(constant, 0) == []
    assert choose(evaluate(shapes[:1], Constant({"post": 0})), 3) == [(0, "the only one")]


def test_each_method_and_the_truth_are_drawn_in_their_labels(shapes):
    constant = evaluate(shapes, Constant({"post": 0}))
    shown = exhibits(shapes, [constant], Halves(), 1)
    assert len(shown) == 1 and len(shown[0].views) == 10 and not shown[0].refusal
    answer, truth = shown[0].answers
    assert answer.caption.startswith("constant, mIoU ") and truth.caption == "truth"
    top, bottom = part_colors(PARTS)
    assert share_of(answer.picture, top) > 0.1 and share_of(answer.picture, bottom) == 0
    assert share_of(truth.picture, top) > 0.02 and share_of(truth.picture, bottom) > 0.02


def test_a_teacher_that_refuses_leaves_its_sentence(shapes):
    shown = exhibits(shapes, [evaluate(shapes, Constant({"post": 0}))], Refuses(), 1)
    assert shown[0].refusal == f"no detections of {shown[0].name}" and not shown[0].views
    assert not exhibits(shapes, [evaluate(shapes, Constant({"post": 0}))], None, 1)[0].views


def test_pixels_take_the_color_of_the_surest_part_and_the_background_stays():
    picture = np.full((4, 4, 3), 200, np.uint8)
    scores = np.zeros((2, 2, 2), np.float32)
    scores[0, 0], scores[1, 1, 0] = 1.0, 0.3
    painted = paint_pixels(picture, scores, np.array([[250, 0, 0], [0, 0, 250]], np.uint8))
    assert (painted[2:, 2:] == 200).all(), "nothing was said there"
    assert painted[0, 0, 0] > 150 > 80 > painted[0, 0, 1]
    assert painted[3, 0, 2] > painted[3, 0, 0] and painted[3, 0, 0] > painted[0, 0, 1], "unsure: only a tint"


def test_boxes_are_drawn_where_they_are_and_the_weak_ones_counted():
    rendering = Rendering(
        np.full((1, 100, 100, 3), 255, np.uint8), np.zeros((1, 100, 100), np.float32), np.zeros((1, 100, 100), np.int32)
    )
    boxes = np.tile(np.array([[20, 40, 60, 80]], np.float32), (13, 1))
    answer = BoxAnswer(
        boxes, np.zeros(13, np.int16), np.linspace(0.1, 0.9, 13, dtype=np.float32), np.zeros(13, np.int16)
    )
    panel = view_panel(rendering, answer, 0, PARTS, "front")
    assert panel.caption == "front, 3 weaker boxes not drawn"
    scale, color = panel.picture.width / 100, tuple(part_colors(PARTS)[0].tolist())
    assert panel.picture.getpixel((round(40 * scale), round(80 * scale))) == color, "lower edge"
    assert panel.picture.getpixel((round(40 * scale), round(60 * scale))) == (255, 255, 255), "inside"
    assert panel.picture.getpixel((round(80 * scale), round(60 * scale))) == (255, 255, 255), "outside"


def share_of(picture, color):
    """Share of pixels whose hue is that of `color`."""
    pixels = np.asarray(picture, float).reshape(-1, 3)
    wanted = np.asarray(color, float) - np.mean(color)
    own = pixels - pixels.mean(1, keepdims=True)
    likeness = own @ wanted / (np.linalg.norm(own, axis=1) * np.linalg.norm(wanted) + 1e-9)
    return float(((likeness > 0.98) & (np.linalg.norm(own, axis=1) > 30)).mean())
