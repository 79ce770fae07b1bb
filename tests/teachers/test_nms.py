# SPDX-License-Identifier: Apache-2.0
"""Suppression of boxes that are one."""

import numpy as np

from partdistill_ros.teachers.nms import overlap, suppress

BOXES = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
SCORE = np.array([0.6, 0.9, 0.8, 0.1], np.float32)


def test_the_surest_of_a_part_stays():
    assert suppress(BOXES, np.array([0, 0, 1, 0], np.int16), SCORE, 0.5).tolist() == [1, 2, 3]
    assert suppress(BOXES, np.zeros(4, np.int16), SCORE, 0.5).tolist() == [1, 3]


def test_at_one_everything_stays():
    assert suppress(BOXES, np.zeros(4, np.int16), SCORE, 1.0).tolist() == [1, 2, 0, 3]


def test_no_boxes():
    assert len(suppress(np.zeros((0, 4), np.float32), np.zeros(0, np.int16), np.zeros(0, np.float32), 0.5)) == 0


def test_intersection_over_union():
    others = np.array([[5, 0, 15, 10], [20, 0, 30, 10], [3, 3, 3, 3]], np.float32)
    np.testing.assert_allclose(overlap(BOXES[0], others), [1 / 3, 0, 0], atol=1e-6)


def test_as_the_definition_has_it():
    """Against the usual loop: take the surest, strike what overlaps it, again."""
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 80, (60, 2))
    boxes = np.concatenate([low, low + rng.uniform(5, 30, (60, 2))], 1).astype(np.float32)
    part, score = rng.integers(0, 2, 60).astype(np.int16), rng.random(60).astype(np.float32)
    left, wanted = list(np.argsort(-score)), []
    while left:
        best = left.pop(0)
        wanted.append(best)
        left = [i for i in left if part[i] != part[best] or overlap(boxes[i], boxes[best][None])[0] <= 0.3]
    assert suppress(boxes, part, score, 0.3).tolist() == wanted
