# SPDX-License-Identifier: Apache-2.0
"""Backward distillation: the student re-scores the units that taught it. docs/notes/backward.md tells the why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.box_fit import best_fitting_parts, box_fit, specificity_weights
from partdistill_ros.distillation.config import BackwardConfig
from partdistill_ros.distillation.disk_list import DiskList, Each, Picked
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.second_opinion import confirmed, smoothed_rows, with_opinions
from partdistill_ros.distillation.units import KnowledgeUnits, soft_labels

DEFAULT = BackwardConfig()


@dataclass(frozen=True)
class Rescored:
    """A sample's units with new scores, and the posterior probability `[N, P]` of each part at each point (None: the
    rule has none, or the student may not re-score the category yet)."""

    units: KnowledgeUnits
    posterior: NDArray[np.float16] | None = None


def rescore(
    samples: Sequence[Sample],
    probabilities: Sequence[NDArray[np.float32]],
    rule: str,
    earlier: Sequence[Rescored] | None = None,
    config: BackwardConfig = DEFAULT,
    opinions: Sequence[NDArray[np.float32]] | None = None,
) -> Sequence[Rescored]:
    """Re-score the teacher's units of all samples of one category by the student's `probabilities [N, P]`.

    `published`: a unit's score is the fraction of its points where the student agrees.
    `kept-mass`: the same, rescaled so that every part name keeps its total weight over the category.
    `posterior`: scores and labels follow the posterior of each point, blended with the `earlier` one, where the
    student agrees with the teacher by more than chance (else nothing changes yet); scores keep the total weights.
    opinions `[N, P]`: what another student says, see `second_opinion`.
    """
    units = Each(attrgetter("units"), samples)
    if rule == "posterior":
        return _rescore_by_posterior(
            samples, probabilities, earlier or [Rescored(own) for own in units], config, opinions
        )
    scores = [agreement(own, answer.argmax(1)) for own, answer in zip(units, probabilities, strict=True)]
    if rule == "kept-mass":
        scores = preserve_mass(units, scores)
    return DiskList(Rescored(own.with_scores(score)) for own, score in zip(units, scores, strict=True))


def agreement(units: KnowledgeUnits, labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """`s'_k = |{p in M_k : argmax z(p) = c_k}| / |M_k|` (PartDistill, CVPR 2024) for `labels [N]`."""
    owner = units.owner()
    agrees = labels[units.indices] == units.part[owner]
    return (np.bincount(owner, agrees, len(units)) / np.maximum(units.sizes(), 1)).astype(np.float32)


def preserve_mass(
    units: Sequence[KnowledgeUnits],
    scores: Sequence[NDArray[np.float32]],
    weights: Sequence[NDArray[np.float32]] | None = None,
) -> list[NDArray[np.float32]]:
    """`scores` rescaled so that every part name keeps the weight `sum s|M|` of its units over the category: otherwise
    units of a dominant part score high, those of small parts fade, and the student forgets them. A part none of whose
    units fits keeps its old scores.

    weights: `[K]` of each unit in that sum, as the loss weighs boxes.
    """
    num_parts = len(units[0].parts)
    before, after = np.zeros(num_parts), np.zeros(num_parts)
    for number, (own, score) in enumerate(zip(units, scores, strict=True)):
        size = own.sizes() if weights is None else own.sizes() * weights[number]
        before += np.bincount(own.part, own.score * size, num_parts)
        after += np.bincount(own.part, score * size, num_parts)
    factor = np.where(after > 0, before / np.maximum(after, 1e-9), 1.0).astype(np.float32)
    lost = (after <= 0) & (before > 0)
    return [
        np.where(lost[own.part], own.score, score * factor[own.part]) for own, score in zip(units, scores, strict=True)
    ]


def confusion(
    units: Sequence[KnowledgeUnits], probabilities: Sequence[NDArray[np.float32]], smoothing: float = 1e-3
) -> NDArray[np.float64]:
    """`E [P, P]`: how often the teacher names part c (column) at points that are truly part t (row), as far as
    `probabilities [N, P]` tell (the M-step of Dawid and Skene, 1979, with the student as the judge)."""
    num_parts = len(units[0].parts)
    counts = np.zeros((num_parts, num_parts))
    for own, probability in zip(units, probabilities, strict=True):
        named, weight = own.part[own.owner()], own.score[own.owner()]
        for part in range(num_parts):
            counts[part] += np.bincount(named, weight * probability[own.indices, part], num_parts)
    return smoothed_rows(counts, smoothing)


def posterior(
    units: KnowledgeUnits, probability: NDArray[np.float32], matrix: NDArray[np.float64], evidence_weight: float
) -> NDArray[np.float32]:
    """Posterior `[N, P]` of each point from the student and the units (the E-step): proportional to
    `p(t) * prod_k E[t, c_k] ** (evidence_weight * s_k)` over the units k that hold the point."""
    owner = units.owner()
    named = evidence_weight * units.score[owner, None] * np.log(matrix)[:, units.part[owner]].T
    evidence = [np.bincount(units.indices, named[:, part], units.n_points) for part in range(len(matrix))]
    total = np.log(np.maximum(probability, 1e-6)) + np.stack(evidence, 1)
    raised = np.exp(total - total.max(1, keepdims=True))
    return (raised / raised.sum(1, keepdims=True)).astype(np.float32)


def category_posteriors(
    units: Sequence[KnowledgeUnits], probabilities: Sequence[NDArray[np.float32]], config: BackwardConfig = DEFAULT
) -> Sequence[NDArray[np.float32]]:
    """Confusion matrix and posteriors of a category, each from the other. A part that the student answers nowhere in
    the category keeps the student's probability: its row of the matrix is what is left over of other parts."""
    scores = np.concatenate([own.score for own in units])
    evidence_weight = config.evidence_weight / max(float(scores.sum()) / max(len(scores), 1), 1e-9)
    answered = np.unique(np.concatenate([np.unique(probability.argmax(1)) for probability in probabilities]))
    known = np.isin(np.arange(len(units[0].parts)), answered)
    found = probabilities
    for _ in range(config.num_rounds):
        matrix = confusion(units, found, config.confusion_smoothing)
        found = DiskList(
            _replace_unknown(posterior(own, probability, matrix, evidence_weight), probability, known)
            for own, probability in zip(units, probabilities, strict=True)
        )
    return found


def _replace_unknown(
    found: NDArray[np.float32], probability: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    kept, rest = np.where(known, 0, probability), np.where(known, found, 0)
    scale = (1 - kept.sum(1, keepdims=True)) / np.maximum(rest.sum(1, keepdims=True), 1e-9)
    return (kept + rest * scale).astype(np.float32)


def joint_names(sample: Sample, units: KnowledgeUnits, probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weight `[P, P]` of the sample's `units` by the student's name (row) and the teacher's (column).

    The student names a region point by point, and a box by the part that fits it best: a box takes in so much that
    point by point the truth itself reaches a kappa of 0.13 on mugs.
    """
    num_parts, labels = len(units.parts), probability.argmax(1)
    joint = np.zeros((num_parts, num_parts))
    if sample.box_views is not None:
        names = best_fitting_parts(sample.points, sample.box_views, sample.drawn or units, labels)
        fitted = names >= 0
        np.add.at(joint, (names[fitted], units.part[fitted]), units.score[fitted])
    else:
        owner = units.owner()
        np.add.at(joint, (labels[units.indices], units.part[owner]), units.score[owner])
    return joint


def kappa(joint: NDArray[np.float64]) -> float:
    """Cohen's kappa (1960) of `joint_names`: agreement of student and teacher beyond chance, 1 for all and 0 for no
    more than two who answer at random; 0 too where one name is all there is."""
    fraction = joint / max(float(joint.sum()), 1e-9)
    chance = float((fraction.sum(0) * fraction.sum(1)).sum())
    return float((np.trace(fraction) - chance) / (1 - chance)) if chance < 1 - 1e-9 else 0.0


def _rescore_by_posterior(
    samples: Sequence[Sample],
    probabilities: Sequence[NDArray[np.float32]],
    earlier: Sequence[Rescored],
    config: BackwardConfig,
    opinions: Sequence[NDArray[np.float32]] | None,
) -> Sequence[Rescored]:
    weighted = Each(lambda sample: weighted_units(sample, sample.units), samples)
    rows = _may_rescore(samples, weighted, probabilities, all(old.posterior is None for old in earlier), config)
    if not rows:
        return earlier
    chosen, answers, units = Picked(samples, rows), Picked(probabilities, rows), Picked(weighted, rows)
    # What a box says of one point makes the student's answer worse: there the student is the only judge.
    found = answers if chosen[0].boxes else category_posteriors(units, answers, config)
    if opinions is not None and config.opinion_weight > 0:
        asked = Picked(opinions, rows)
        found = with_opinions(confirmed((answers, found), asked, config.min_gain), asked, config)
    blended = DiskList(_blend(new, earlier[i].posterior, config.memory) for new, i in zip(found, rows, strict=True))
    scores = [unit_fit(sample, one) ** config.fit_power for sample, one in zip(chosen, blended, strict=True)]
    own = Each(attrgetter("units"), chosen)
    pairs = zip(units, own, strict=True)
    weights = [(one.score / np.maximum(old.score, 1e-9)).astype(np.float32) for one, old in pairs]
    result = DiskList(earlier)
    for i, old, score, one in zip(rows, own, preserve_mass(own, scores, weights), blended, strict=True):
        result[i] = Rescored(old.with_scores(score), one.astype(np.float16))
    return result


def _may_rescore(
    samples: Sequence[Sample],
    units: Sequence[KnowledgeUnits],
    probabilities: Sequence[NDArray[np.float32]],
    first: bool,
    config: BackwardConfig,
) -> list[int]:
    """The samples that the student may re-score: none until it agrees fairly with the teacher about the category, and
    of boxes, where it is the only judge, those whose boxes it calls by more than one name."""
    if len(units[0].parts) < 2 or not (first or samples[0].boxes):
        return list(range(len(samples)))
    joints = [joint_names(*one) for one in zip(samples, units, probabilities, strict=True)]
    if first and kappa(np.sum(joints, 0)) < config.min_kappa:
        return []
    return [i for i, joint in enumerate(joints) if samples[i].box_views is None or (joint.sum(1) > 0).sum() > 1]


def _blend(new: NDArray[np.float32], old: NDArray[np.float16] | None, memory: float) -> NDArray[np.float32]:
    return new if old is None else memory * old.astype(np.float32) + (1 - memory) * new


def unit_fit(sample: Sample, probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """How well each unit fits `probability [N, P]`, `[K]`: a region by its mean, a box by its overlap with the box
    around its part."""
    units = sample.units
    if sample.box_views is not None:
        return box_fit(sample.points, sample.box_views, sample.drawn or units, probability.argmax(1))
    owner = units.owner()
    own = probability[units.indices, units.part[owner]]
    return (np.bincount(owner, own, len(units)) / np.maximum(units.sizes(), 1)).astype(np.float32)


def weighted_units(sample: Sample, units: KnowledgeUnits) -> KnowledgeUnits:
    """The sample's units with the scores that enter the loss: those of boxes times their specificity."""
    if sample.num_visible is None:
        return units
    weights = specificity_weights(sample.drawn or units, sample.num_visible)
    return units.with_scores((units.score * weights).astype(np.float32))


def training_labels(
    sample: Sample,
    rescored: Rescored,
    class_weight: NDArray[np.float32],
    config: BackwardConfig = DEFAULT,
    published: bool = False,
) -> NDArray[np.float16]:
    """Soft labels `[N, P]` that the student learns.

    Without a posterior those of the units. With one, the units' labels count as far as they are probable; of regions a
    part of the label is the posterior itself, which for boxes is only the student's own answer and would hold it there.
    The sum over the points stays as it was. Class weights are left out then: they keep small parts alive while nobody
    knows which units are right, and make them too large from there on.  published: boxes weigh by their score alone.
    """
    units = rescored.units if published else weighted_units(sample, rescored.units)
    if rescored.posterior is None:
        return soft_labels(units, class_weight).astype(np.float16)
    labels, probable = soft_labels(units, np.ones_like(class_weight)), rescored.posterior.astype(np.float32)
    total = float(labels.sum())
    if sample.boxes:
        return _with_sum(labels * probable**config.box_posterior_power, total).astype(np.float16)
    weight = config.posterior_weight
    mixed = (1 - weight) * _with_sum(labels * probable, total) + weight * _with_sum(probable, total)
    return mixed.astype(np.float16)


def _with_sum(values: NDArray[np.float32], total: float) -> NDArray[np.float32]:
    return values * np.float32(total / max(float(values.sum()), 1e-9))
