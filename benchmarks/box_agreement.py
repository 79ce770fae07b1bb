# SPDX-License-Identifier: Apache-2.0
"""How far box units tell the truth: by points, by superpoints, and by the best choice among their superpoints.

    python benchmarks/box_agreement.py [SHAPE or folder ...] [--of-families F ...] [--per-family N] [--teachers T ...]

A unit's agreement is the fraction of its points that are truly of the part it names: mean over all units, over those
weighed as the loss weighs them, and over those whose name fits their box best; recall, how much of its part such a
unit holds; and the mIoU, mean over categories, of the labels that all units of a shape vote for. `best choice` leaves
a box those of its superpoints alone whose commonest true part it names (where there are none, all): no rule that
chooses among these superpoints can do better.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from controlled_teacher import IDEAL, PRESETS, chosen_teacher
from evaluation_data import shapes_folder
from numpy.typing import NDArray
from unit_quality import true_labels

from partdistill_ros.cli.progress import progress
from partdistill_ros.distillation.backward import agreement, weighted_units
from partdistill_ros.distillation.box_fit import best_fitting_parts
from partdistill_ros.distillation.box_superpoints import with_superpoints
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.evaluation.methods.vote import most_voted
from partdistill_ros.evaluation.miou import score_shape, summarize
from partdistill_ros.evaluation.shapes import Shape, load_shapes, prepare
from partdistill_ros.evaluation.training_samples import teacher_samples
from partdistill_ros.pointcloud.superpoints import superpoints
from partdistill_ros.synthetic.families import FAMILIES, generate
from partdistill_ros.visualization.tables import aligned

HEAD = ("teacher", "a box is about", "units", "all", "weighed", "rightly named", "recall", "vote mIoU")
Labels = NDArray[np.integer]
Way = Callable[[Sample, Labels], Sample]


@dataclass(frozen=True)
class Agreement:
    """Of one shape's units `[K]`: agreement, weight in the loss, whether the name fits best, recall; of its points the
    label that the units vote for."""

    found: NDArray[np.floating]
    weight: NDArray[np.floating]
    right: NDArray[np.bool_]
    recall: NDArray[np.floating]
    voted: Labels


def best_choice(sample: Sample, labels: Labels) -> Sample:
    """The sample's boxes as those of their superpoints whose commonest part of `labels [N]` they name."""
    whole, piece = with_superpoints(sample), superpoints(sample.points)
    units = whole.units
    counts = np.zeros((int(piece.max()) + 1, len(units.parts) + 1))  # the last column: of no part
    np.add.at(counts, (piece, labels), 1)
    part = counts[:, :-1].argmax(1)[piece]
    held = []
    for number, name in enumerate(units.part):
        own = units.points_of(number)
        held.append(own[part[own] == name] if (part[own] == name).any() else own)
    indptr = np.concatenate([[0], np.cumsum([len(own) for own in held])]).astype(np.int64)
    return replace(whole, units=replace(units, indptr=indptr, indices=np.concatenate(held)))


WAYS: dict[str, Way] = {
    "points": lambda sample, labels: sample,
    "superpoints": lambda sample, labels: with_superpoints(sample),
    "best choice": best_choice,
}


def measure(sample: Sample, labels: Labels) -> Agreement:
    """How far the units of a sample agree with its true `labels [N]`, -1 where there is none."""
    units, views = sample.units, sample.box_views
    assert views is not None
    weighed = weighted_units(sample, units).score
    found = agreement(units, labels)
    right = best_fitting_parts(sample.points, views, sample.drawn or units, labels) == units.part
    total = np.bincount(labels[labels >= 0], minlength=len(units.parts))[units.part]
    voted = most_voted(units.votes(weighed[units.owner()]), sample.points)
    return Agreement(found, weighed * units.sizes(), right, found * units.sizes() / np.maximum(total, 1), voted)


def row(samples: Sequence[Sample], labels: Sequence[Labels], way: Way) -> tuple[str, ...]:
    """The cells of one way, from the number of units on."""
    found, scores = [], []
    for sample, truth in zip(samples, labels, strict=True):
        found.append(measure(way(sample, truth), truth))
        scores.append(score_shape(sample.name, sample.category, sample.units.parts, found[-1].voted, truth))
    every, weight, right, recall = (
        np.concatenate([getattr(one, name) for one in found]) for name in ("found", "weight", "right", "recall")
    )
    means = (every.mean(), np.average(every, weights=weight), every[right].mean(), recall[right].mean())
    return (str(len(every)), *(f"{mean:.2f}" for mean in means), f"{summarize(scores).overall:.1f}")


def table(shapes: Sequence[Shape], teachers: Sequence[str]) -> str:
    """A row for each teacher and way."""
    rows = [HEAD]
    for name in teachers:
        teacher = chosen_teacher(f"controlled:{name}")
        assert callable(teacher)
        samples = [
            one
            for one in teacher_samples(shapes, teacher(shapes), watch=lambda items, name=name: progress(items, name))  # type: ignore[misc]
            if len(one.units)
        ]
        by_name = {(shape.question.category, shape.question.name): shape for shape in shapes}
        labels = [true_labels(one, by_name[one.category, one.name]) for one in samples]
        rows += [(name, way, *row(samples, labels, chosen)) for way, chosen in WAYS.items()]
    return aligned(rows)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shapes", type=Path, nargs="*", help="labeled shapes (default: the evaluation data)")
    parser.add_argument("--of-families", nargs="+", choices=sorted(FAMILIES), metavar="F", help="procedural shapes")
    parser.add_argument("--per-family", type=int, default=2, metavar="N", help="how many of each family")
    boxes = [name for name, one in (PRESETS | IDEAL).items() if one.kind == "box"]
    parser.add_argument("--teachers", nargs="+", choices=boxes, default=["box", "box-loose", "box-true"])
    options = parser.parse_args(arguments)
    if options.of_families:
        shapes = prepare([generate(name, seed) for name in options.of_families for seed in range(options.per_family)])
    else:
        shapes = load_shapes(options.shapes or [shapes_folder()])
    print(table(shapes, options.teachers))
    return 0


if __name__ == "__main__":
    sys.exit(main())
