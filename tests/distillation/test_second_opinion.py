# SPDX-License-Identifier: Apache-2.0
"""The second opinion, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.distillation.backward import rescore
from partdistill_ros.distillation.config import BackwardConfig
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.second_opinion import confirmed, mutual_information, opinion_matrix, with_opinions
from partdistill_ros.distillation.units import KnowledgeUnits

CONFIG = BackwardConfig()
TRUTH = np.repeat([0, 1], 50)


def sure(labels: np.ndarray, certainty: float = 1.0) -> np.ndarray:
    """Probabilities `[N, 2]` of one who says `labels [N]`."""
    return np.where(np.arange(2) == labels[:, None], certainty, 1 - certainty).astype(np.float32)


def flipped(labels: np.ndarray, *places: slice) -> np.ndarray:
    """The labels with other names there."""
    made = labels.copy()
    for place in places:
        made[place] = 1 - made[place]
    return made


def test_mutual_information_by_hand() -> None:
    both = [sure(TRUTH)]
    assert mutual_information(both, both) == pytest.approx(np.log(2))
    assert mutual_information(both, [sure(1 - TRUTH)]) == pytest.approx(np.log(2)), "names may be swapped"
    assert mutual_information(both, [sure(np.tile([0, 1], 50))]) == pytest.approx(0, abs=1e-9)
    assert mutual_information(both, [sure(np.zeros(100, int))]) == pytest.approx(0, abs=1e-9)
    # of the joint weights 0.5, 0.25, 0.25: entropy of one, ln 2, less that of the other's name known
    half = flipped(TRUTH, slice(75, 100))
    expected = 0.5 * np.log(0.5 / (0.5 * 0.75)) + 0.25 * np.log(0.25 / (0.5 * 0.75)) + 0.25 * np.log(2)
    assert mutual_information(both, [sure(half)]) == pytest.approx(expected)


def test_the_candidate_that_the_opinion_confirms_is_taken() -> None:
    worse, better = [sure(flipped(TRUTH, slice(0, 20)))], [sure(flipped(TRUTH, slice(0, 5)))]
    opinion = [sure(flipped(TRUTH, slice(60, 80)))]
    assert confirmed((worse, better), opinion, 0.01) is better
    assert confirmed((better, worse), opinion, 0.01) is better
    assert confirmed((worse, better), opinion, 1.0) is worse, "a gain that small is none"


def test_the_matrix_of_an_opinion_by_hand() -> None:
    answers, opinions = [sure(TRUTH)], [sure(flipped(TRUTH, slice(0, 10)))]
    np.testing.assert_allclose(opinion_matrix(answers, opinions, 0.0, 0.0), [[0.8, 0.2], [0.0, 1.0]], atol=1e-6)
    # 100 points, of which a trust of 0.2 adds 10 to each right name: 50 of 60, 10 of 60
    np.testing.assert_allclose(opinion_matrix(answers, opinions, 0.2, 0.0), [[5 / 6, 1 / 6], [0, 1]], atol=1e-6)


def test_an_opinion_corrects_what_a_student_doubts_and_learns_swapped_names() -> None:
    doubtful = sure(TRUTH, 0.9)
    doubtful[20:30] = [0.45, 0.55]  # truly part 0
    for says, trust in ((TRUTH, CONFIG.opinion_trust), (1 - TRUTH, 0.0)):
        (found,) = with_opinions([doubtful], [sure(says, 0.95)], replace(CONFIG, opinion_trust=trust))
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
        assert (found.argmax(1) == TRUTH).all() and (found.dtype, found.shape) == (np.float32, (100, 2))


def test_an_opinion_that_says_one_name_of_all_changes_nothing() -> None:
    answer = sure(TRUTH, 0.7)
    (found,) = with_opinions([answer], [sure(np.ones(100, int))], replace(CONFIG, opinion_trust=0.0))
    np.testing.assert_allclose(found, answer, atol=1e-3)


def units_of(names: np.ndarray) -> KnowledgeUnits:
    """A region of ten points for each of `names`."""
    return KnowledgeUnits(
        part=names.astype(np.int16),
        score=np.full(len(names), 0.8, np.float32),
        view=np.zeros(len(names), np.int16),
        indptr=np.arange(0, 101, 10),
        indices=np.arange(100, dtype=np.int32),
        n_points=100,
        parts=("handle", "cup"),
    )


def test_a_wrong_unit_that_the_student_repeats_falls_by_the_opinion() -> None:
    """Two of ten regions are called wrong, in each of four samples others, and the student repeats it half sure."""
    samples, answers, opinions = [], [], []
    for seed in range(4):
        wrong = np.random.default_rng(seed).permutation(10)[:2]
        names = TRUTH[::10].copy()
        names[wrong] = 1 - names[wrong]
        samples.append(Sample(str(seed), "mug", np.zeros((100, 3), np.float32), units_of(names)))
        answers.append(sure(np.repeat(names, 10), 0.6))
        opinions.append(sure(flipped(TRUTH, slice(seed, seed + 4)), 0.95))
    found = rescore(samples, answers, "posterior", config=CONFIG, opinions=opinions)
    alone = rescore(samples, answers, "posterior", config=CONFIG)
    unasked = rescore(samples, answers, "posterior", config=replace(CONFIG, opinion_weight=0.0), opinions=opinions)
    for sample, told, without, other in zip(samples, found, alone, unasked, strict=True):
        right = sample.units.part == TRUTH[::10]
        assert told.units.score[right].min() > 1.5 * told.units.score[~right].max()
        assert without.units.score[right].max() < 1.5 * without.units.score[~right].min(), "alone it cannot tell"
        np.testing.assert_array_equal(other.units.score, without.units.score)
