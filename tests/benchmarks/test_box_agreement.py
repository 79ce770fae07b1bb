# SPDX-License-Identifier: Apache-2.0
"""What boxes tell, counted by hand, and the best that a choice among their superpoints could make of them."""

from __future__ import annotations

import box_agreement
import numpy as np
import pytest

from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.rendering.cameras import orbit_views

PARTS = ("left", "right")


@pytest.fixture(scope="module")
def pair() -> tuple[Sample, np.ndarray]:
    """Two plates side by side, and a box called `left` that holds the left one and half of the other."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 0.4, (2, 400)), rng.uniform(-0.3, 0.3, 800)
    points = np.c_[np.concatenate([x[0] - 0.5, x[1] + 0.1]), y, np.zeros(800)].astype(np.float32)
    held = np.flatnonzero(points[:, 0] < 0.3).astype(np.int32)
    units = KnowledgeUnits(
        np.array([0], np.int16), np.array([0.5], np.float32), np.array([0], np.int16), np.array([0, len(held)]), held,
        800, PARTS,
    )  # fmt: skip
    return Sample("pair", "pair", points, units, views=orbit_views([80], [0]), boxes=True), np.repeat([0, 1], 400)


def test_agreement_and_recall_are_counted(pair: tuple[Sample, np.ndarray]) -> None:
    sample, labels = pair
    found = box_agreement.measure(sample, labels)
    assert found.found[0] == pytest.approx(400 / sample.units.sizes()[0])
    assert found.recall[0] == pytest.approx(1) and found.right[0] and not found.voted.any()


def test_the_best_choice_leaves_what_the_box_names(pair: tuple[Sample, np.ndarray]) -> None:
    sample, labels = pair
    found = box_agreement.measure(box_agreement.best_choice(sample, labels), labels)
    assert found.found[0] > 0.95 and found.recall[0] > 0.95
    # Where no superpoint is of the part, they stay as they are.
    nothing = box_agreement.best_choice(sample, np.ones(800, int))
    assert box_agreement.measure(nothing, np.ones(800, int)).found[0] == 0


def test_it_tells_a_row_for_each_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert box_agreement.main(["--of-families", "mug", "--per-family", "1", "--teachers", "box-true"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-3:]]
    assert [row[-6] for row in rows] == [rows[0][-6]] * 3
    assert float(rows[2][-3]) >= float(rows[1][-3]) - 0.02
