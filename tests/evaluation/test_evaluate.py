# SPDX-License-Identifier: Apache-2.0
"""Known methods get the scores that can be worked out for them."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.shapes import prepare


class Fixed:
    """Answers with the part of this index."""

    name, setting = "fixed", "test"

    def __init__(self, label):
        self.label = label

    def answer(self, questions):
        for question in questions:
            yield np.full(len(question.cloud.points), self.label, np.int16)


def test_one_part_everywhere(make_post):
    shapes = prepare([make_post(points=8000, share=0.25)])
    quarter = float((shapes[0].truth == 0).mean())
    result = evaluate(shapes, Fixed(1))
    assert result.sampled.overall == pytest.approx(100 * (1 - quarter) / 2)
    assert result.sampled.part_iou["post"] == pytest.approx({"top": 0.0, "bottom": 100 * (1 - quarter)})
    whole = float((shapes[0].every_truth == 0).mean())
    assert result.every.overall == pytest.approx(100 * (1 - whole) / 2)
    assert (result.method, result.setting) == ("fixed", "test")


def test_no_label_at_all_scores_zero_and_progress_sees_every_shape(make_post):
    seen = []

    def progress(shapes):
        for shape in shapes:
            seen.append(shape.question.name)
            yield shape

    result = evaluate(prepare([make_post("a"), make_post("b")]), Fixed(-1), progress)
    assert seen == ["a", "b"] and result.sampled.overall == 0.0
    assert [score.name for score in result.scores] == ["a", "b"]


def test_a_wrong_number_of_answers_is_an_error(make_post):
    class Short(Fixed):
        def answer(self, questions):
            yield np.zeros(7, np.int16)

    with pytest.raises(PartDistillError, match="post_0: 7 answers for 2048 points"):
        evaluate(prepare([make_post()]), Short(0))
