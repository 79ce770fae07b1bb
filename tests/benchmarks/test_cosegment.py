# SPDX-License-Identifier: Apache-2.0
"""Clusters are paired with parts once for all shapes of a category."""

from __future__ import annotations

import cosegment
import numpy as np


def test_a_cluster_stands_for_one_part_in_all_shapes() -> None:
    truths = [np.array([0, 0, 1, 1]), np.array([0, 0, 1, -1])]
    swapped = [np.array([3, 3, 1, 1]), np.array([3, 3, 1, 1])]
    assert cosegment.matched(swapped, truths, ("a", "b")) == 100
    assert cosegment.matched([swapped[0], 4 - swapped[1]], truths, ("a", "b")) < 60, "not each shape by itself"
    assert cosegment.matched([np.arange(4), np.arange(4)], truths, ("a", "b")) == 62.5, "what has no pair is wrong"
