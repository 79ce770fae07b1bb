# SPDX-License-Identifier: Apache-2.0
"""Curves: well-formed, in the right places, and nothing that a name could break."""

from xml.etree import ElementTree

import numpy as np
import pytest

from partdistill_ros.visualization.loss_chart import HEIGHT, WIDTH, LossCurve, loss_chart, nice_ticks


def points_of(svg):
    line = ElementTree.fromstring(svg).find("polyline")
    return np.array([pair.split(",") for pair in line.get("points").split()], float)


def test_the_line_falls_with_the_loss_and_spans_the_epochs():
    points = points_of(loss_chart(LossCurve("mug", (2.0, 1.0, 0.5), None)))
    assert (np.diff(points[:, 0]) > 0).all() and (np.diff(points[:, 1]) > 0).all(), "rows grow downwards"
    assert points[1, 0] == pytest.approx(points[[0, 2], 0].mean())
    assert (points[1, 1] - points[0, 1]) == pytest.approx(2 * (points[2, 1] - points[1, 1]), abs=0.3)
    assert (points >= 0).all() and (points <= [WIDTH, HEIGHT]).all()


def test_backward_begins_between_two_epochs():
    svg = loss_chart(LossCurve("mug", (3.0, 2.0, 2.5, 1.0), 2))
    tree = ElementTree.fromstring(svg)
    began = float(tree.find("line[@class='began']").get("x1"))
    assert points_of(svg)[1, 0] < began < points_of(svg)[2, 0]
    assert "backward begins" in svg and "backward begins" not in loss_chart(LossCurve("mug", (3.0, 2.0), None))


@pytest.mark.parametrize(
    "losses", [(), (1.0,), (0.0, 0.0), (float("nan"), 2.0, float("inf")), (-1.0, -2.0), (1e-9, 2e7)]
)
def test_odd_losses_and_names_stay_well_formed(losses):
    svg = loss_chart(LossCurve('<script>"&', losses, 0))
    tree = ElementTree.fromstring(svg)
    assert '<script>"&' in tree.get("aria-label") and "nan" not in svg and "inf" not in svg
    assert ("no losses" in svg) == (not losses)


def test_ticks_are_round_and_enclose_the_values():
    assert nice_ticks(0.52, 1.9) == [0.5, 1.0, 1.5, 2.0]
    for low, high in ((0, 1), (3, 3), (-5, 7), (0.001, 0.0013), (0, 0)):
        ticks = nice_ticks(low, high)
        assert 2 <= len(ticks) <= 7 and ticks[0] <= low and ticks[-1] >= high and ticks == sorted(ticks)
