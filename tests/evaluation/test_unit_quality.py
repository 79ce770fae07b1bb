# SPDX-License-Identifier: Apache-2.0
"""Scores of right and of wrong units, by hand."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from partdistill_ros.distillation.backward import Graded
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.taught import true_members
from partdistill_ros.evaluation.unit_quality import unit_quality
from partdistill_ros.scans.families import generate


def test_means_before_and_after_by_the_truth():
    shapes = prepare([generate("mug", 0)])
    member = true_members(shapes)[0]
    swapped = member.units.part[::-1].copy()
    wrong = SimpleNamespace(
        **{**member.__dict__, "units": type(member.units)(**{**member.units.__dict__, "part": swapped})}
    )
    fit = SimpleNamespace(
        members=[member, wrong],
        graded=[
            Graded(member.units.with_scores(np.array([0.9, 0.7], "f4"))),
            Graded(wrong.units.with_scores(np.array([0.1, 0.3], "f4"))),
        ],
    )
    found = unit_quality(fit, shapes)
    assert found is not None
    np.testing.assert_allclose(found.wrong, (1.0, 0.2), atol=1e-6)
    np.testing.assert_allclose(found.right, (1.0, 0.8), atol=1e-6)
    assert unit_quality(SimpleNamespace(members=[member], graded=[Graded(member.units)]), shapes) is None
