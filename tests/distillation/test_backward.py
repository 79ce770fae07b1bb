# SPDX-License-Identifier: Apache-2.0
"""Re-scoring units by the student's answers, against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.distillation.backward import (
    Rescored,
    agreement,
    category_posteriors,
    confusion,
    joint_names,
    kappa,
    posterior,
    preserve_mass,
    rescore,
    training_labels,
)
from partdistill_ros.distillation.box_fit import box_fit, specificity_weights
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import KnowledgeUnits, class_weights, soft_labels
from partdistill_ros.io.content_key import content_key
from partdistill_ros.rendering.cameras import orbit_views

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
PARTS = ("handle", "cup", "lid")
MEMORY, FIT_POWER, SMOOTHING = 0.5, 2, 1e-3  # the numbers of docs/notes/backward.md


def sure(labels: np.ndarray, parts: int = 2) -> np.ndarray:
    """Probabilities `[N, P]` of a student that is certain of `labels [N]`."""
    return np.eye(parts, dtype=np.float32)[labels]


def sample(units: KnowledgeUnits) -> Sample:
    return Sample("a", "mug", np.zeros((units.n_points, 3), np.float32), units)


def rescore_every(units: list[KnowledgeUnits], answers: list[np.ndarray], rule: str) -> list[Rescored]:
    return rescore([sample(own) for own in units], answers, rule)


def masses(group: list[KnowledgeUnits]) -> np.ndarray:
    """Weight `sum s|M|` of each part name over a category."""
    return sum(np.bincount(units.part, units.score * units.sizes(), len(units.parts)) for units in group)


def category(matrix: np.ndarray, shapes: int = 12, points: int = 240, views: int = 10, seed: int = 0):
    """Units of 4 points of one true part each, view by view, called as `matrix [P, P]` says; and true labels."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(matrix)), points // len(matrix))
    blocks = np.arange(points).reshape(-1, 4)
    group = []
    for _ in range(shapes):
        part = [rng.choice(len(matrix), p=matrix[truth[block[0]]]) for _ in range(views) for block in blocks]
        group.append(
            KnowledgeUnits(
                part=np.array(part, np.int16),
                score=rng.uniform(0.4, 0.9, len(part)).astype(np.float32),
                view=np.repeat(np.arange(views), len(blocks)).astype(np.int16),
                indptr=np.arange(0, 4 * len(part) + 1, 4),
                indices=np.tile(blocks.ravel(), views).astype(np.int32),
                n_points=points,
                parts=PARTS[: len(matrix)],
            )
        )
    return group, truth


def test_agreement_is_the_share_of_points_that_agree() -> None:
    np.testing.assert_allclose(agreement(UNITS, LABELS), [0.5, 1.0, 0.5])


def test_published_takes_the_agreement_as_score() -> None:
    graded = rescore_every([UNITS], [sure(LABELS)], "published")[0]
    np.testing.assert_allclose(graded.units.score, [0.5, 1.0, 0.5])
    assert graded.posterior is None


def test_the_likeliest_part_counts_however_unsure_the_student_is() -> None:
    unsure = np.where(sure(LABELS) > 0, 0.51, 0.49).astype(np.float32)
    np.testing.assert_allclose(rescore_every([UNITS], [unsure], "published")[0].units.score, [0.5, 1.0, 0.5])


def test_kept_mass_by_hand() -> None:
    # handle: 0.9 * 4 + 0.4 * 2 = 4.4 before, 0.5 * 4 + 0.5 * 2 = 3 after; cup: 0.5 * 2 before, 1 * 2 after
    graded = rescore_every([UNITS], [sure(LABELS)], "kept-mass")[0]
    np.testing.assert_allclose(graded.units.score, [0.5 * 4.4 / 3, 0.5, 0.5 * 4.4 / 3], rtol=1e-6)
    assert graded.posterior is None


def test_kept_mass_keeps_the_weight_of_every_part() -> None:
    graded = rescore_every([UNITS, UNITS], [sure(LABELS), sure(1 - LABELS)], "kept-mass")
    np.testing.assert_allclose(masses([one.units for one in graded]), masses([UNITS, UNITS]), rtol=1e-5)
    assert graded[0].units.score[0] == graded[0].units.score[2], "equal agreement of one part means equal scores"


@pytest.mark.parametrize("rule", ["published", "kept-mass", "posterior"])
def test_a_part_without_any_agreement_does_not_divide_by_zero(rule: str) -> None:
    graded = rescore_every([UNITS], [sure(np.zeros(6, int))], rule)[0]
    assert np.isfinite(graded.units.score).all()
    assert graded.units.score[1] == {"published": 0, "kept-mass": UNITS.score[1]}.get(rule, graded.units.score[1])


@pytest.mark.parametrize("rule", ["published", "kept-mass", "posterior"])
def test_the_members_of_the_units_stay(rule: str) -> None:
    graded = rescore_every([UNITS], [sure(LABELS)], rule)[0]
    np.testing.assert_array_equal(graded.units.indices, UNITS.indices)
    np.testing.assert_array_equal(graded.units.part, UNITS.part)


def test_confusion_by_hand() -> None:
    belief = np.array([(1, 0), (0.5, 0.5), (0, 1), (0.25, 0.75), (1, 0), (0, 1)], np.float32)
    # truly handle: called handle 0.9 * (1 + 0.5 + 0.25) + 0.4 * 1, called cup 0.5 * 0.25; truly cup accordingly
    counts = np.array([[0.9 * 1.75 + 0.4, 0.5 * 0.25], [0.9 * 2.25 + 0.4, 0.5 * 1.75]])
    rows = counts / counts.sum(1, keepdims=True)
    np.testing.assert_allclose(confusion([UNITS], [belief]), (rows + SMOOTHING) / (1 + 2 * SMOOTHING), rtol=1e-5)


def test_confusion_adds_up_over_a_category() -> None:
    beliefs = [sure(LABELS), sure(1 - LABELS)]
    # certain students of opposite minds: what is handle to one is cup to the other, so both rows are the same
    found = confusion([UNITS, UNITS], beliefs)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found.sum(1), 1)


def test_a_known_confusion_is_found_again() -> None:
    true = np.array([[0.4, 0.6, 0.0], [0.05, 0.9, 0.05], [0.2, 0.1, 0.7]])
    units, truth = category(true)
    np.testing.assert_allclose(confusion(units, [sure(truth, 3)] * len(units)), true, atol=0.03)


def test_the_posterior_is_the_product_of_all_that_is_said() -> None:
    rng = np.random.default_rng(0)
    matrix = np.array([[0.8, 0.2], [0.3, 0.7]])
    probability = rng.dirichlet((1, 1), 6).astype(np.float32)
    trust, expected = 1.7, np.zeros((6, 2))
    for point in range(6):
        for part in range(2):
            worth = probability[point, part]
            for unit in range(3):
                if point in UNITS.points_of(unit):
                    worth *= matrix[part, UNITS.part[unit]] ** (trust * UNITS.score[unit])
            expected[point, part] = worth
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(posterior(UNITS, probability, matrix, trust), expected, rtol=1e-4)
    np.testing.assert_allclose(posterior(UNITS, probability, matrix, 0.0), probability, rtol=1e-4)


def test_the_posterior_finds_wrong_names_where_the_student_is_uncertain() -> None:
    units, truth = category(np.array([[0.4, 0.6, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    answer = np.full((len(truth), 3), 0.1, np.float32) + 0.7 * sure(truth, 3)
    answer[truth == 0] = (0.45, 0.45, 0.1)
    graded = rescore_every(units, [answer] * len(units), "posterior")
    scores = {True: [], False: []}
    for old, new in zip(units, graded, strict=True):
        hard = truth[old.indices[old.indptr[:-1]]] == 0
        for right in (True, False):
            rows = hard & ((old.part == 0) == right)
            scores[right].append((old.score[rows].mean(), new.units.score[rows].mean()))
    before, after = np.mean(scores[False], 0)
    assert after < 0.6 * before, "handles that were called cups"
    before, after = np.mean(scores[True], 0)
    assert after > 0.99 * before, "handles that were called handles"
    np.testing.assert_allclose(masses([one.units for one in graded]), masses(units), rtol=1e-4)


def test_the_belief_sides_with_the_truth_where_a_vote_does_not() -> None:
    units, truth = category(np.array([[0.4, 0.6, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    answer = np.full((len(truth), 3), 0.1, np.float32) + 0.7 * sure(truth, 3)
    answer[truth == 0] = (0.45, 0.45, 0.1)
    voted, believed = [], []
    for own, graded in zip(units, rescore_every(units, [answer] * len(units), "posterior"), strict=True):
        assert graded.posterior is not None and graded.posterior.dtype == np.float16
        np.testing.assert_allclose(graded.posterior.astype(float).sum(1), 1, atol=5e-3)
        assert (graded.posterior.argmax(1) == truth)[truth > 0].all()
        voted.append((own.votes(own.score[own.owner()]).argmax(1) == 0)[truth == 0])
        believed.append((graded.posterior.argmax(1) == 0)[truth == 0])
    assert np.mean(voted) < 0.35 and np.mean(believed) > 0.55, "a vote takes most handles for cups"


def test_a_part_that_the_student_sees_nowhere_is_not_made_of_others() -> None:
    units, truth = category(np.array([[0.9, 0.1], [0.0, 1.0]]))
    odd = np.zeros(len(truth), bool)
    odd[-16:] = True  # of the cups: most views call them lids
    rng = np.random.default_rng(0)
    lid = [odd[own.indices[own.indptr[:-1]]] & (rng.random(len(own)) < 0.7) for own in units]
    units = [
        replace(own, part=np.where(called, 2, own.part).astype(np.int16), parts=PARTS)
        for own, called in zip(units, lid, strict=True)
    ]
    answer = np.full((len(truth), 3), 0.05, np.float32) + 0.85 * sure(truth, 3)
    answer[odd] = (0.1, 0.5, 0.4)
    for belief in category_posteriors(units, [answer] * len(units)):
        np.testing.assert_allclose(belief[:, 2], answer[:, 2], rtol=1e-5)
        np.testing.assert_allclose(belief.sum(1), 1, rtol=1e-5)
        assert (belief.argmax(1) == truth).all()
    seen = answer.copy()
    seen[-1] = (0.1, 0.4, 0.5)
    made = category_posteriors(units, [seen, *[answer] * (len(units) - 1)])
    assert np.mean([(belief.argmax(1) == 2)[odd].mean() for belief in made]) > 0.5, "it is known, and its units count"


def test_the_belief_remembers_earlier_rounds() -> None:
    units, truth = category(np.eye(3))
    answers = [sure(truth, 3)] * len(units)
    rolled = np.roll(sure(truth, 3), 1, 1).astype(np.float16)
    earlier = [Rescored(own, rolled) for own in units]
    samples = [sample(own) for own in units]
    for new, old in zip(
        rescore(samples, answers, "posterior"),
        rescore(samples, answers, "posterior", earlier),
        strict=True,
    ):
        assert new.posterior is not None and old.posterior is not None
        expected = MEMORY * rolled.astype(float) + (1 - MEMORY) * new.posterior.astype(float)
        np.testing.assert_allclose(old.posterior.astype(float), expected, atol=2e-3)


def wall() -> np.ndarray:
    """Points `[961, 3]` that the camera of `boxed` faces."""
    side = np.linspace(-0.6, 0.6, 31)
    return np.stack([np.zeros(31 * 31), *(grid.ravel() for grid in np.meshgrid(side, side))], 1).astype(np.float32)


def boxed(points: np.ndarray, held: list[np.ndarray], part: list[int]) -> Sample:
    """A sample with boxes of one view around the points `held`, each called by its `part`."""
    units = KnowledgeUnits(
        part=np.array(part, np.int16),
        score=np.full(len(held), 0.5, np.float32),
        view=np.zeros(len(held), np.int16),
        indptr=np.cumsum([0, *map(len, held)]),
        indices=np.concatenate(held).astype(np.int32),
        n_points=len(points),
        parts=("handle", "cup"),
    )
    return Sample("a", "mug", points, units, views=orbit_views([0], [0]), boxes=True)


def test_a_box_is_graded_by_how_it_fits_not_by_the_mean_of_its_points() -> None:
    points = wall()
    labels = (points[:, 2] > 0).astype(int)
    upper, stray = np.flatnonzero(labels), np.flatnonzero(points[:, 2] < -0.59)[:1]
    held = [upper, np.append(stray, upper), np.flatnonzero(labels == 0)]
    boxes = boxed(points, held, [1, 1, 0])
    units = boxes.units
    answer = np.where(sure(labels) > 0, 0.9, 0.1).astype(np.float32)
    answered = rescore([boxes], [answer], "posterior")[0]
    np.testing.assert_array_equal(answered.posterior, answer.astype(np.float16), "loose boxes say nothing of a point")
    graded = answered.units.score
    fit = box_fit(points, boxes.views, units, labels)
    np.testing.assert_allclose(fit[:2], [1, 0.56 / 1.2], atol=1e-3)
    np.testing.assert_allclose(graded[1] / graded[0], fit[1] ** FIT_POWER, rtol=1e-5)
    regions = rescore([replace(boxes, boxes=False)], [answer], "posterior")[0].units.score
    assert regions[1] / regions[0] > 0.98, "one point of many"


def test_kappa_is_agreement_beyond_chance() -> None:
    assert agreed([sample(UNITS)], [UNITS], [sure(np.array([0, 0, 1, 1, 0, 0]))]) == pytest.approx(
        kappa_of_table([[2.6, 0.0], [1.8, 1.0]])
    )
    assert agreed([sample(UNITS)], [UNITS], [sure(np.zeros(6, int))]) == pytest.approx(0, abs=1e-6), (
        "one answer to everything"
    )
    units, truth = category(np.eye(3))
    samples = [sample(own) for own in units]
    assert agreed(samples, units, [sure(truth, 3)] * len(units)) == pytest.approx(1)
    assert agreed(samples, units, [sure((truth + 1) % 3, 3)] * len(units)) < 0


def test_the_right_answer_agrees_with_boxes_that_take_in_neighbors() -> None:
    points = wall()
    labels = (points[:, 1] < 0.4).astype(int)  # a narrow handle beside its cup
    held = [np.flatnonzero(points[:, 1] > 0.1)] * 4 + [np.arange(len(points))] * 4  # both are too wide, all is "cup"
    boxes = boxed(points, held, [0] * 4 + [1] * 4)
    units = boxes.units
    assert agreed([replace(boxes, boxes=False)], [units], [sure(labels)]) < 0.3, "point by point"
    assert agreed([boxes], [units], [sure(labels)]) == pytest.approx(1)
    assert agreed([boxes], [units], [sure(np.ones_like(labels))]) == pytest.approx(0, abs=1e-6)


def test_an_object_that_is_all_one_part_to_the_student_is_not_graded() -> None:
    points = wall()
    labels = (points[:, 2] > 0).astype(int)
    halves = [np.flatnonzero(labels == part) for part in (0, 1)]
    right = boxed(points, [halves[0], halves[1], halves[1]], [0, 1, 0])
    said = rescore([right] * 2, [sure(labels), sure(np.zeros_like(labels))], "posterior")
    assert said[0].posterior is not None and said[0].units.score[2] < 0.1
    assert said[1].posterior is None and (said[1].units.score == right.units.score).all(), "the teacher's word stands"
    later = rescore([right] * 2, [sure(labels)] * 2, "posterior", said)
    assert later[1].posterior is not None and later[1].units.score[2] < 0.1
    silent = rescore([right], [sure(np.zeros_like(labels))], "posterior", later[:1])
    assert content_key(silent[0]) == content_key(later[0]), "what it knew before stands"


def agreed(samples: list[Sample], units: list[KnowledgeUnits], answers: list[np.ndarray]) -> float:
    """Kappa of the names that the student and the teacher give."""
    return kappa(np.sum([joint_names(*one) for one in zip(samples, units, answers, strict=True)], 0))


def kappa_of_table(joint: list[list[float]]) -> float:
    """Cohen's kappa of weights `joint[student][teacher]`."""
    table = np.array(joint) / np.sum(joint)
    chance = float(table.sum(0) @ table.sum(1))
    return (float(np.trace(table)) - chance) / (1 - chance)


def test_a_student_that_agrees_by_chance_grades_nothing_yet() -> None:
    units, truth = category(np.eye(3))
    answers = [sure(np.full_like(truth, 1), 3)] * len(units)
    for old, new in zip(units, rescore_every(units, answers, "posterior"), strict=True):
        assert new.posterior is None
        np.testing.assert_array_equal(new.units.score, old.score)
    earlier = [Rescored(own, sure(truth, 3).astype(np.float16)) for own in units]
    samples = [sample(own) for own in units]
    again = rescore(samples, answers, "posterior", earlier)
    assert all(one.posterior is not None for one in again), "grades are not taken back"


def test_a_single_part_is_graded() -> None:
    units, _ = category(np.eye(1))
    assert all(
        one.posterior is not None for one in rescore_every(units, [np.ones((240, 1), np.float32)] * 12, "posterior")
    )


def test_a_part_of_which_no_unit_fits_keeps_its_old_scores() -> None:
    units = [UNITS, UNITS]
    scores = [np.array([0.5, 0.0, 0.25], np.float32)] * 2
    kept = preserve_mass(units, scores)
    for one in kept:
        assert one[1] == UNITS.score[1], "its weight would be gone for good"
        assert one[0] / one[2] == pytest.approx(2)
    rescored = [own.with_scores(one) for own, one in zip(units, kept, strict=True)]
    np.testing.assert_allclose(masses(rescored), masses(units))


def test_units_count_as_far_as_they_are_probable(samples: list[Sample]) -> None:
    units, weight = samples[0].units, class_weights(samples[0].units, 2)
    plain = training_labels(samples[0], Rescored(units), weight)
    assert plain.dtype == np.float16
    np.testing.assert_allclose(plain, soft_labels(units, weight), rtol=1e-3)
    first = np.random.default_rng(0).random(units.n_points).astype(np.float16)
    probable = np.stack([first, 1 - first], 1)
    found = training_labels(samples[0], Rescored(units, probable), weight).astype(float)
    labels = soft_labels(units, np.ones(2, np.float32)).astype(float)
    assert found.sum() == pytest.approx(labels.sum(), rel=2e-3), "class weights are left out"
    from_units = found - 0.3 * probable.astype(float) * labels.sum() / len(labels)
    ratio = from_units[labels > 0] / (labels * probable.astype(float))[labels > 0]
    np.testing.assert_allclose(ratio[probable[labels > 0] > 0.1], np.median(ratio), rtol=0.05)
    assert np.isfinite(training_labels(samples[0], Rescored(units, np.zeros_like(probable)), weight)).all()
    boxes = replace(samples[0], boxes=True, views=None)
    found = training_labels(boxes, Rescored(units, probable), weight).astype(float)
    assert found.sum() == pytest.approx(labels.sum(), rel=2e-3)
    ratio = found[labels > 0] / (labels * probable.astype(float) ** 1.5)[labels > 0]
    np.testing.assert_allclose(ratio[probable[labels > 0] > 0.1], np.median(ratio), rtol=0.05)


def test_boxes_are_weighed_by_what_they_single_out(samples: list[Sample]) -> None:
    units, weight = samples[0].units, class_weights(samples[0].units, 2)
    boxes = replace(samples[0], boxes=True)
    assert boxes.num_visible is not None and samples[0].num_visible is None
    weighted = units.with_scores(units.score * specificity_weights(units, boxes.num_visible))
    expected = soft_labels(weighted, weight).astype(np.float16)
    np.testing.assert_array_equal(training_labels(boxes, Rescored(units), weight), expected)
    regions = training_labels(samples[0], Rescored(units), weight)
    assert (regions != expected).any()
    unknown = training_labels(replace(boxes, views=None), Rescored(units), weight)
    np.testing.assert_array_equal(unknown, regions)
