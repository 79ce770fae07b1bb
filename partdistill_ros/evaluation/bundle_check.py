# SPDX-License-Identifier: Apache-2.0
"""Is a new student fit for the robot? Files, export, a run on the scans, and a comparison with the student before,
all without labels.

What the two students are compared by is their agreement with the teacher's units, as the teacher scored them; the
scores that backward distillation made would favor the student that it taught.

A box takes in neighbors of its part, so that point by point an answer of one part beats the truth: it is compared with
the box around the part that the student sees there, weighted as in the loss. Of regions no answer agrees better than
the vote, the truth included, and an answer of one part may agree as well (mugs: 0.90, the truth 0.88, the vote 0.92).
So there agreement beyond chance counts, 0 for one part, and a student that corrects its teacher may lose much of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.backward import agreement, joint_names, kappa, weighted_units
from partdistill_ros.distillation.box_fit import box_fit
from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.students.build import PARITY, WEIGHTS, load_student
from partdistill_ros.students.student import parity
from partdistill_ros.text.space import TextSpace

MARGIN = 0.02  # by how much less agreement with boxes a student may have and still replace the one before
KEPT_KAPPA = 1 / 3  # of the kappa with regions before; the truth has 0.45 to 0.84 of the vote's in eight families
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class Answers:
    """What one student said of each sample: labels `[N]` of its points, and its agreement with the units (nan for a
    sample without any).  overall: over all units of all samples.  kappa: agreement beyond chance with all regions, nan
    where the units are boxes."""

    name: str
    labels: Sequence[NDArray[np.int16]]
    agreements: tuple[float, ...]
    overall: float
    kappa: float = float("nan")


@dataclass(frozen=True)
class BundleCheck:
    """parity: largest difference of a logit between torch and ONNX.  before: of the student before, None where it
    cannot answer, for the reason `no_comparison`.  problem: why the new one is not made active, None where it is."""

    parity: float
    new: Answers
    before: Answers | None
    no_comparison: str
    problem: str | None

    def record(self) -> dict[str, object]:
        """For `--json` and for the goal's answer."""
        return {
            "accepted": self.problem is None,
            "problem": self.problem,
            "parity": float(f"{self.parity:.3g}"),
            "agreement": _number(self.new.overall),
            "before": None if self.before is None else self.before.name,
            "agreement_before": None if self.before is None else _number(self.before.overall),
        }


def _number(fraction: float) -> float | None:
    return None if np.isnan(fraction) else round(fraction, 4)


def check_bundle(
    new: Path,
    before: Path | str,
    samples: Sequence[Sample],
    query: str,
    progress: Callable[[Progress], None] = lambda _: None,
) -> BundleCheck:
    """Check the bundle `new`, and compare it with the bundle `before` on the samples' scans.

    query: `category: parts`, the parts in the order of the units'.
    Raises PartDistillError where the new bundle cannot be used at all.
    """
    bundle = Bundle.load(new)
    difference = parity(load_student(new), bundle.model) if (new / WEIGHTS).is_file() else float("nan")
    if not difference < PARITY:
        raise PartDistillError(f"{new}: network and weights differ by {difference:.2g} in a logit: train anew")
    steps = 2 * len(samples)
    done = iter(range(1, steps + 1))

    def step() -> None:
        progress(Progress("evaluate", next(done), steps, float("nan")))

    answers = predict(bundle, samples, query, step)
    older, reason = None, ""
    try:
        older = predict(Bundle.load(before, encoder=TextSpace.load()), samples, query, step)
    except PartDistillError as error:
        reason = str(error)
    return BundleCheck(difference, answers, older, reason, refusal(answers, older, samples))


def predict(bundle: Bundle, samples: Sequence[Sample], query: str, step: Callable[[], None] = lambda: None) -> Answers:
    """The labels of every sample's points, as the live node gives them. Raises PartDistillError for a student that
    does not know the names, or leaves a point without an answer."""
    segmenter = Segmenter(bundle, "cpu")
    part_query = segmenter.query(query)
    labels = DiskList[NDArray[np.int16]]()
    for sample in samples:
        answer = segmenter.segment([sample.points], part_query, [None if sample.up_unknown else UP])[0]
        if answer.problem or (answer.labels < 0).any() or not np.isfinite(answer.confidence).all():
            reason = answer.problem or "some of its points got no label"
            raise PartDistillError(f"{bundle.path}: the student does not answer about {sample.name}: {reason}")
        labels.append(answer.labels)
        step()
    return answers_of(bundle.path.name, samples, labels)


def answers_of(name: str, samples: Sequence[Sample], labels: Sequence[NDArray[np.int16]]) -> Answers:
    """The labels `[N]` of every sample's points with their agreement with its units."""
    sums = np.array([agreeing_weight(*one) for one in zip(samples, labels, strict=True)]).reshape(-1, 2)
    labeled = all(sample.labeled for sample in samples)
    told = [labeled or not sample.labeled for sample in samples]  # labels were learned by the new student alone
    joints = [
        joint_names(sample, sample.units, np.eye(len(sample.units.parts), dtype=np.float32)[own])
        for sample, own, counts in zip(samples, labels, told, strict=True)
        if sample.box_views is None and counts
    ]
    with np.errstate(invalid="ignore"):
        agreements = sums[:, 0] / sums[:, 1]
    overall = sums[told].sum(0)
    return Answers(
        name,
        labels,
        tuple(agreements.tolist()),
        overall[0] / overall[1] if overall[1] else float("nan"),
        kappa(np.sum(joints, 0)) if joints else float("nan"),
    )


def agreeing_weight(sample: Sample, labels: NDArray[np.int16]) -> tuple[float, float]:
    """The weight of the units that `labels [N]` agree with, and of all: score times size, of boxes in known views score
    times specificity."""
    units = sample.units
    if sample.box_views is None:
        weight, agrees = units.score.astype(np.float64) * units.sizes(), agreement(units, labels)
    else:
        weight = weighted_units(sample, units).score.astype(np.float64)
        agrees = box_fit(sample.points, sample.box_views, sample.drawn or units, labels)
    return float((weight * agrees).sum()), float(weight.sum())


def refusal(new: Answers, before: Answers | None, samples: Sequence[Sample]) -> str | None:
    """Why a student that gave the answers `new` must not replace the one `before`; None where it may."""
    answered = np.unique(np.concatenate([np.unique(one) for one in new.labels])) if new.labels else np.zeros(0)
    named = np.unique(np.concatenate([sample.units.part for sample in samples])) if samples else np.zeros(0)
    if len(answered) < 2 <= len(named):
        return "it calls every point of every scan the same part, of which the teacher saw several"
    if before is not None and not np.isnan(new.kappa):
        if new.kappa < KEPT_KAPPA * before.kappa:
            return (
                f"beyond chance it agrees little with what the teacher saw (kappa {new.kappa:.2f}), '{before.name}' "
                f"before it more (kappa {before.kappa:.2f})"
            )
    elif before is not None and new.overall < before.overall - MARGIN:
        return (
            f"it agrees with {100 * new.overall:.1f} % of what the teacher saw, '{before.name}' before it with "
            f"{100 * before.overall:.1f} %"
        )
    return None
