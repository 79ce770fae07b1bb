# SPDX-License-Identifier: Apache-2.0
"""Re-scoring units by the student's answers, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np

from partdistill_ros.distillation.backward import agreement, rescore
from partdistill_ros.knowledge.units import KnowledgeUnits

# unit 0: part 0, points 0-3; unit 1: part 1, points 2-3; unit 2: part 0, points 4-5
UNITS = KnowledgeUnits(
    part=np.array([0, 1, 0], np.int16),
    score=np.array([0.9, 0.5, 0.4], np.float32),
    view=np.zeros(3, np.int16),
    indptr=np.array([0, 4, 6, 8]),
    indices=np.array([0, 1, 2, 3, 2, 3, 4, 5], np.int32),
    n_points=6,
    parts=("handle", "cup"),
)
LABELS = np.array([0, 0, 1, 1, 0, 1])


def test_agreement_is_the_share_of_points_that_agree() -> None:
    np.testing.assert_allclose(agreement(UNITS, LABELS), [0.5, 1.0, 0.5])


def test_published_takes_the_agreement_as_score() -> None:
    np.testing.assert_allclose(rescore([UNITS], [LABELS], "published")[0].score, [0.5, 1.0, 0.5])


def test_kept_mass_keeps_the_weight_of_every_part() -> None:
    graded = rescore([UNITS, UNITS], [LABELS, 1 - LABELS], "kept-mass")
    for part in (0, 1):
        mass = [
            sum((units.score * np.diff(units.indptr))[units.part == part].sum() for units in group)
            for group in ([UNITS, UNITS], graded)
        ]
        np.testing.assert_allclose(mass[0], mass[1], rtol=1e-5)
    assert graded[0].score[0] == graded[0].score[2], "equal agreement of one part means equal scores"


def test_a_part_without_any_agreement_fades_without_dividing_by_zero() -> None:
    graded = rescore([UNITS], [np.zeros(6, int)], "kept-mass")[0]
    assert np.isfinite(graded.score).all() and graded.score[1] == 0


def test_the_members_of_the_units_stay() -> None:
    graded = rescore([UNITS], [LABELS], "kept-mass")[0]
    np.testing.assert_array_equal(graded.indices, UNITS.indices)
