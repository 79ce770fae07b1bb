# SPDX-License-Identifier: Apache-2.0
"""The mIoU protocol against cases worked out by hand."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.miou import part_iou, score_shape, summarize


def labels(*values):
    return np.array(values, np.int16)


def score(name, category, parts, answer, truth):
    return score_shape(name, category, parts, labels(*answer), labels(*truth))


def test_iou_by_hand():
    # part 0: 2 common of 4; part 1: 1 common of 3
    answer, truth = labels(0, 0, 0, 1, 1), labels(0, 0, 1, 1, 0)
    assert part_iou(answer, truth, 2) == pytest.approx([2 / 4, 1 / 3])


def test_part_absent_from_both_counts_one_only_in_the_shapenetpart_protocol():
    shape = score("mug", "mug", ("handle", "cup"), (1, 1, 1), (1, 1, 1))
    assert np.isnan(shape.iou[0])
    assert shape.miou == 1.0 and shape.present == 1.0

    shape = score("mug", "mug", ("handle", "cup", "lid"), (1, 1, 0, 0), (1, 1, 1, 0))
    assert shape.iou[:2] == pytest.approx([1 / 2, 2 / 3])
    assert shape.miou == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    assert shape.present == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_part_only_in_the_answer_counts_zero_but_not_in_present():
    shape = score("mug", "mug", ("handle", "cup"), (0, 1, 1, 1), (1, 1, 1, 1))
    assert shape.miou == pytest.approx((0 + 3 / 4) / 2)
    assert shape.present == pytest.approx(3 / 4)


def test_unanswered_points_are_misses_and_unlabeled_truth_is_left_out():
    # The last two points have no true label; the first has no answer.
    answer, truth = labels(-1, 0, 1, 0, 1), labels(0, 0, 1, -1, -1)
    assert part_iou(answer, truth, 2) == pytest.approx([1 / 2, 1.0])


def test_constant_answer_by_hand():
    # All cup: handle 0, cup 8/10.
    truth = labels(*[0] * 2, *[1] * 8)
    shape = score_shape("mug", "mug", ("handle", "cup"), np.ones(10, np.int16), truth)
    assert shape.miou == pytest.approx(0.4)


def test_overall_is_the_mean_over_categories_and_instance_over_shapes():
    scores = [
        score("a", "mug", ("handle", "cup"), (0, 1), (0, 1)),  # 1
        score("b", "mug", ("handle", "cup"), (1, 1), (0, 1)),  # (0 + 1/2) / 2
        score("c", "cap", ("crown", "visor"), (0, 0), (1, 1)),  # 0
    ]
    summary = summarize(scores)
    assert summary.categories == pytest.approx({"mug": 62.5, "cap": 0.0})
    assert summary.overall == pytest.approx(31.25)
    assert summary.instance == pytest.approx(100 * 1.25 / 3)
    assert summary.present == pytest.approx(31.25)
    assert summary.part_iou["mug"] == pytest.approx({"handle": 50.0, "cup": 75.0})
    assert summary.part_iou["cap"] == {"visor": 0.0}
    assert summary.shapes == 3


def test_errors_name_the_shape():
    with pytest.raises(PartDistillError, match="teapot: 2 answers for 3 points"):
        score_shape("teapot", "kettle", ("spout",), labels(0, 0), labels(0, 0, 0))
    with pytest.raises(PartDistillError, match="teapot: the shape has no labeled points"):
        score_shape("teapot", "kettle", ("spout",), labels(0, 0), labels(-1, -1))
    with pytest.raises(PartDistillError, match="no shapes"):
        summarize([])
