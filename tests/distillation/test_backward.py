# SPDX-License-Identifier: Apache-2.0
"""Re-scoring units by the student's answers, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.distillation.backward import Graded, agreement, confusion, posterior, rescore
from partdistill_ros.distillation.collection import Member
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


PROBABILITIES = np.eye(2, dtype=np.float32)[LABELS]
MEMBER = Member("mug", "mug", np.zeros((6, 3), np.float32), UNITS)


def grade(rule: str, *answers: np.ndarray, units: KnowledgeUnits = UNITS, member: Member = MEMBER) -> list[Graded]:
    count = len(answers)
    return rescore([member] * count, [units] * count, answers, rule)


def mass(graded: list[Graded], part: int) -> float:
    return sum(float((one.units.score * one.units.sizes())[one.units.part == part].sum()) for one in graded)


def test_published_takes_the_agreement_as_score() -> None:
    graded = grade("published", PROBABILITIES)[0]
    np.testing.assert_allclose(graded.units.score, [0.5, 1.0, 0.5])
    assert graded.trust is None


@pytest.mark.parametrize("rule", ["kept-mass", "posterior"])
def test_every_part_keeps_its_weight(rule: str) -> None:
    graded = grade(rule, PROBABILITIES, 1 - PROBABILITIES)
    for part in (0, 1):
        assert mass(graded, part) == pytest.approx(mass([Graded(UNITS)] * 2, part), rel=1e-5)


def test_equal_agreement_of_one_part_means_equal_scores() -> None:
    score = grade("kept-mass", PROBABILITIES)[0].units.score
    assert score[0] == score[2]


def test_a_part_without_any_agreement_fades_without_dividing_by_zero() -> None:
    graded = grade("kept-mass", np.eye(2, dtype=np.float32)[np.zeros(6, int)])[0].units
    assert np.isfinite(graded.score).all() and graded.score[1] == 0


@pytest.mark.parametrize("rule", ["kept-mass", "published", "posterior"])
def test_the_members_of_the_units_stay(rule: str) -> None:
    np.testing.assert_array_equal(grade(rule, PROBABILITIES)[0].units.indices, UNITS.indices)


def test_confusion_by_hand() -> None:
    matrix = confusion([UNITS], [PROBABILITIES])
    # truly part 0: points 0, 1, 4, called 0 only; truly part 1: points 2, 3, 5, called 0 with 0.9 + 0.9 + 0.4
    # and 1 with 0.5 + 0.5
    np.testing.assert_allclose(matrix, [[1, 0], [2.2 / 3.2, 1 / 3.2]], atol=3e-3)
    np.testing.assert_allclose(matrix.sum(1), 1)


def test_posterior_is_the_product_of_what_was_said() -> None:
    rng = np.random.default_rng(0)
    student = rng.dirichlet([1, 1], 6).astype(np.float32)
    matrix = np.array([[0.7, 0.3], [0.2, 0.8]])
    found = posterior(UNITS, student, matrix, 0.6)
    for point in range(6):
        product = student[point].astype(float)
        for unit in range(3):
            if point in UNITS.members(unit):
                product = product * matrix[:, UNITS.part[unit]] ** (0.6 * UNITS.score[unit])
        np.testing.assert_allclose(found[point], product / product.sum(), rtol=1e-4)


def hard_part(views: int = 12) -> tuple[KnowledgeUnits, np.ndarray, np.ndarray]:
    """Two parts of 200 points; units of 20 points; part 1 is called part 0 in 55 of 100 units, never the reverse.
    The student has not made up its mind about part 1. Returns units, true part of each unit, probabilities."""
    rng = np.random.default_rng(1)
    blocks = [np.arange(at, at + 20) for _ in range(views) for at in range(0, 400, 20)]
    true = np.array([block[0] // 200 for block in blocks])
    said = np.where((true == 1) & (rng.random(len(true)) < 0.55), 0, true)
    units = KnowledgeUnits(
        said.astype(np.int16),
        np.full(len(true), 0.6, np.float32),
        np.repeat(np.arange(views), 20).astype(np.int16),
        np.arange(0, 20 * len(true) + 1, 20),
        np.concatenate(blocks).astype(np.int32),
        400,
        ("handle", "cup"),
    )
    sure = np.concatenate([np.tile([0.9, 0.1], (200, 1)), np.tile([0.55, 0.45], (200, 1))]).astype(np.float32)
    return units, true, sure


def test_a_wrong_name_that_is_always_the_same_is_seen_through() -> None:
    units, true, sure = hard_part()
    member = Member("mug", "mug", np.zeros((400, 3), np.float32), units)
    graded = rescore([member], [units], [sure], "posterior")[0]
    right = units.part == true
    before, after = units.score, graded.units.score
    assert after[~right].mean() < 0.5 * before[~right].mean() and after[right].mean() >= before[right].mean()
    assert graded.trust is not None and (graded.trust[200:, 1] > graded.trust[200:, 0]).mean() > 0.9
    published = rescore([member], [units], [sure], "published")[0].units.score
    assert published[right & (true == 1)].mean() == 0, "the published rule takes the student's half-made mind as truth"
