# SPDX-License-Identifier: Apache-2.0
"""Backward distillation: the student re-scores the units that taught it. docs/backward.md tells the why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.boxes import box_match, box_names
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import KnowledgeUnits, specific

CORRELATION = 0.5  # what a unit's word counts beside the student's: views of one part err alike
FAIR = 0.2  # kappa above which agreement is fair (Landis and Koch, 1977): below it a student has no say
SMOOTH = 1e-3  # share of every name in every row of the confusion matrix
MEMORY = 0.5  # share of the earlier rounds in what is believed: a student on few scans changes its mind at random
POWER = 2  # of a unit's fit: wrong names lose half of their score and right ones gain
ROUNDS = 2  # of the confusion matrix and the posterior, each from the other


@dataclass(frozen=True)
class Rescored:
    """Units with new scores, and the probability of each part at each point, `belief [N, P]` (None: not asked)."""

    units: KnowledgeUnits
    posterior: NDArray[np.float16] | None = None


def rescore(
    samples: Sequence[Sample],
    shown: Sequence[NDArray[np.int64] | None],
    probabilities: Sequence[NDArray[np.float32]],
    rule: str,
    earlier: Sequence[Rescored] | None = None,
) -> list[Rescored]:
    """Grade the teacher's units of all samples of one category by the student's probabilities `[N, P]` of their points.

    shown: of box units how many points each view shows, see `specific`; None for regions.
    rule `published`: a unit's score is the share of its points where the student agrees.  `kept-mass`: the same,
    rescaled so that every part name keeps its total weight over the category.  `posterior`: scores and labels follow
    what is believed of each point, where the student agrees with the teacher by more than chance (else nothing is
    graded yet); what was believed `earlier`, in the round before, counts too, and scores keep the mass.
    """
    if rule == "posterior":
        return _by_belief(samples, shown, probabilities, earlier or [Rescored(sample.units) for sample in samples])
    units = [sample.units for sample in samples]
    scores = [agreement(own, answer.argmax(1)) for own, answer in zip(units, probabilities, strict=True)]
    if rule == "kept-mass":
        scores = keep_mass(units, scores)
    return [Rescored(own.with_scores(score)) for own, score in zip(units, scores, strict=True)]


def agreement(units: KnowledgeUnits, labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """`s'_k = |{p in M_k : argmax z(p) = c_k}| / |M_k|` (PartDistill, CVPR 2024) for `labels [N]`."""
    owner = units.owner()
    agrees = labels[units.indices] == units.part[owner]
    return (np.bincount(owner, agrees, len(units)) / np.maximum(units.sizes(), 1)).astype(np.float32)


def keep_mass(
    units: Sequence[KnowledgeUnits],
    scores: Sequence[NDArray[np.float32]],
    weights: Sequence[NDArray[np.float32]] | None = None,
) -> list[NDArray[np.float32]]:
    """`scores` rescaled so that every part name keeps the weight `sum s|M|` that its units have: otherwise units
    of a dominant part score high, those of small parts fade, and the student forgets them.

    weights: `[K]` of each unit in that sum, as the loss weighs boxes.
    """
    parts = len(units[0].parts)
    before, after = np.zeros(parts), np.zeros(parts)
    for number, (own, score) in enumerate(zip(units, scores, strict=True)):
        size = own.sizes() if weights is None else own.sizes() * weights[number]
        before += np.bincount(own.part, own.score * size, parts)
        after += np.bincount(own.part, score * size, parts)
    factor = np.where(after > 0, before / np.maximum(after, 1e-9), 1.0).astype(np.float32)
    return [score * factor[own.part] for own, score in zip(units, scores, strict=True)]


def confusion(units: Sequence[KnowledgeUnits], probabilities: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """`E [P, P]`: how often the teacher says name c about points that are truly part t, row t, as far as
    `probabilities [N, P]` know (the M-step of Dawid and Skene, 1979, with the student as the judge)."""
    parts = len(units[0].parts)
    counts = np.zeros((parts, parts))
    for own, belief in zip(units, probabilities, strict=True):
        said = own.part[own.owner()]
        weight = own.score[own.owner()]
        for part in range(parts):
            counts[part] += np.bincount(said, weight * belief[own.indices, part], parts)
    known = counts.sum(1, keepdims=True)
    rows = np.where(known > 1e-9, counts / np.maximum(known, 1e-9), 1 / parts)  # of an unknown part any name is said
    return (rows + SMOOTH) / (1 + parts * SMOOTH)


def posterior(
    units: KnowledgeUnits, probability: NDArray[np.float32], matrix: NDArray[np.float64], trust: float
) -> NDArray[np.float32]:
    """What student and units together say of each point, `[N, P]` (the E-step): proportional to
    `p(t) * prod_k E[t, c_k] ** (trust * s_k)` over the units k that hold the point."""
    owner = units.owner()
    said = trust * units.score[owner, None] * np.log(matrix)[:, units.part[owner]].T
    evidence = [np.bincount(units.indices, said[:, part], units.n_points) for part in range(len(matrix))]
    total = np.log(np.maximum(probability, 1e-6)) + np.stack(evidence, 1)
    raised = np.exp(total - total.max(1, keepdims=True))
    return (raised / raised.sum(1, keepdims=True)).astype(np.float32)


def named_alike(sample: Sample, units: KnowledgeUnits, probability: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weight `[P, P]` of the sample's units by the student's name, row, and the teacher's, column.

    units: the sample's, with the scores that weigh them.  The student names a region point by point, and a box by the
    part that fits it best: a box takes in so much that point by point the truth itself reaches a kappa of 0.13 on mugs.
    """
    parts, labels = len(units.parts), probability.argmax(1)
    joint = np.zeros((parts, parts))
    if sample.box_views is not None:
        names = box_names(sample.points, sample.box_views, units, labels)
        fitted = names >= 0
        np.add.at(joint, (names[fitted], units.part[fitted]), units.score[fitted])
    else:
        owner = units.owner()
        np.add.at(joint, (labels[units.indices], units.part[owner]), units.score[owner])
    return joint


def kappa(joint: NDArray[np.float64]) -> float:
    """How far the student's names agree with the teacher's, beyond chance: Cohen's kappa (1960) of `named_alike`, 1 for
    all and 0 for no more than two who answer at random; 0 too where one name is all there is."""
    share = joint / max(float(joint.sum()), 1e-9)
    chance = float((share.sum(0) * share.sum(1)).sum())
    return float((np.trace(share) - chance) / (1 - chance)) if chance < 1 - 1e-9 else 0.0


def _by_belief(
    samples: Sequence[Sample],
    shown: Sequence[NDArray[np.int64] | None],
    probabilities: Sequence[NDArray[np.float32]],
    earlier: Sequence[Rescored],
) -> list[Rescored]:
    heard = [
        sample.units if views is None else specific(sample.units, views)
        for sample, views in zip(samples, shown, strict=True)
    ]
    rows = _judged(samples, heard, probabilities, first=all(old.posterior is None for old in earlier))
    graded = list(earlier)
    if rows:
        found = _judge(
            [samples[i] for i in rows],
            [heard[i] for i in rows],
            [probabilities[i] for i in rows],
            [earlier[i].posterior for i in rows],
        )
        for i, one in zip(rows, found, strict=True):
            graded[i] = one
    return graded


def _judged(
    samples: Sequence[Sample],
    units: Sequence[KnowledgeUnits],
    probabilities: Sequence[NDArray[np.float32]],
    first: bool,
) -> list[int]:
    """The samples about which the student may judge: none until it agrees fairly with the teacher about the category,
    and of boxes, where it is the only judge, those whose boxes it calls by more than one name (if their views are
    known, see `named_alike`)."""
    if len(units[0].parts) < 2 or not (first or samples[0].boxes):
        return list(range(len(samples)))
    joints = [named_alike(*one) for one in zip(samples, units, probabilities, strict=True)]
    if first and kappa(np.sum(joints, 0)) < FAIR:
        return []
    return [i for i, joint in enumerate(joints) if samples[i].box_views is None or (joint.sum(1) > 0).sum() > 1]


def _judge(
    samples: Sequence[Sample],
    heard: Sequence[KnowledgeUnits],
    probabilities: Sequence[NDArray[np.float32]],
    earlier: Sequence[NDArray[np.float16] | None],
) -> list[Rescored]:
    """Belief and scores of the samples that are judged."""
    found = list(probabilities) if samples[0].boxes else _posteriors(heard, probabilities)
    beliefs = [
        new if old is None else MEMORY * old.astype(np.float32) + (1 - MEMORY) * new
        for new, old in zip(found, earlier, strict=True)
    ]
    scores = [_fit(sample, belief) ** POWER for sample, belief in zip(samples, beliefs, strict=True)]
    units = [sample.units for sample in samples]
    weights = [
        (one.score / np.maximum(own.score, 1e-9)).astype(np.float32) for one, own in zip(heard, units, strict=True)
    ]
    return [
        Rescored(own.with_scores(score), belief.astype(np.float16))
        for own, score, belief in zip(units, keep_mass(units, scores, weights), beliefs, strict=True)
    ]


def _posteriors(
    units: Sequence[KnowledgeUnits], probabilities: Sequence[NDArray[np.float32]]
) -> list[NDArray[np.float32]]:
    """Confusion matrix and posteriors of a category, each from the other."""
    every = np.concatenate([own.score for own in units])
    trust = CORRELATION / max(float(every.sum()) / max(len(every), 1), 1e-9)
    answered = np.unique(np.concatenate([answer.argmax(1) for answer in probabilities]))
    known = np.isin(np.arange(len(units[0].parts)), answered)
    beliefs = list(probabilities)
    for _ in range(ROUNDS):
        matrix = confusion(units, beliefs)
        beliefs = [
            _within(posterior(own, answer, matrix, trust), answer, known)
            for own, answer in zip(units, probabilities, strict=True)
        ]
    return beliefs


def _within(belief: NDArray[np.float32], answer: NDArray[np.float32], known: NDArray[np.bool_]) -> NDArray[np.float32]:
    """`belief [N, P]` with the student's own `answer` for parts that are not `known [P]`, of which it calls no point of
    the category: their rows of the confusion matrix are leftovers of other parts, and would make arms of backs."""
    kept, rest = np.where(known, 0, answer), np.where(known, belief, 0)
    share = (1 - kept.sum(1, keepdims=True)) / np.maximum(rest.sum(1, keepdims=True), 1e-9)
    return (kept + rest * share).astype(np.float32)


def _fit(sample: Sample, belief: NDArray[np.float32]) -> NDArray[np.float32]:
    """How well each unit fits `belief [N, P]`: a region by its mean, a box by its overlap with the belief's box."""
    units = sample.units
    if sample.box_views is not None:
        return box_match(sample.points, sample.box_views, units, belief.argmax(1))
    owner = units.owner()
    own = belief[units.indices, units.part[owner]]
    return (np.bincount(owner, own, len(units)) / np.maximum(units.sizes(), 1)).astype(np.float32)
