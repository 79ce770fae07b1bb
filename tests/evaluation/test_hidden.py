# SPDX-License-Identifier: Apache-2.0
"""Samples that no view shows."""

from __future__ import annotations

from partdistill_ros.evaluation.hidden import hidden_samples
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.synthetic.families import generate


def test_the_inside_of_a_bottle_is_hidden_and_its_outside_is_not():
    shape = prepare([generate("bottle", 0)])[0]
    hidden = hidden_samples([shape])[0]
    assert hidden.shape == shape.truth.shape and 0 < hidden.mean() < 0.6
    points = shape.question.cloud.points
    height = points[:, 2] - points[:, 2].min()
    level = (points[:, :2] ** 2).sum(1) ** 0.5
    outer = (level > 0.97 * level.max()) & (height > 0.1 * height.max())
    assert outer.sum() > 20 and hidden[outer].mean() < 0.1
