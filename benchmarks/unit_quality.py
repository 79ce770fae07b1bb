# SPDX-License-Identifier: Apache-2.0
"""What backward distillation made of units whose name is right and of those whose name is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.distillation.box_fit import best_fitting_parts
from partdistill_ros.distillation.samples import Sample, upright
from partdistill_ros.distillation.trainer import Trainer
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.evaluation.training_samples import posed

RIGHT = 0.5  # share of a region's points that must be of its part


@dataclass(frozen=True)
class UnitQuality:
    """Mean score before and after, of units whose name is wrong and of those whose name is right."""

    wrong: tuple[float, float]
    right: tuple[float, float]


def unit_quality(trainer: Trainer, shapes: Sequence[Shape]) -> UnitQuality | None:
    """By the truth of the shapes that a training learned on: a region is right where half of its labeled points are of
    the part it names, a box where the part that it names fits it best, since a good box of a small part holds more
    points of its neighbors. None where there are no units of either kind."""
    by_name = {(shape.question.category, shape.question.name): shape for shape in shapes if (shape.truth >= 0).any()}
    right, before, after = [], [], []
    for sample, graded in zip(trainer.samples, trainer.rescored, strict=True):
        shape = by_name.get((sample.category, sample.name))
        if shape is not None and not sample.labeled:
            right.append(_is_right(sample, shape))
            before.append(sample.units.score)
            after.append(graded.units.score)
    kind, old, new = (np.concatenate(values) if values else np.zeros(0) for values in (right, before, after))
    if kind.astype(bool).all() or not kind.any():
        return None
    chosen = kind.astype(bool)
    means = [(float(old[rows].mean()), float(new[rows].mean())) for rows in (~chosen, chosen)]
    return UnitQuality(*means)


def true_labels(sample: Sample, shape: Shape) -> NDArray[np.int64]:
    """The true part `[N]` of the sample's points, that of the shape's nearest sample; -1 where it has none."""
    question, parts = shape.question, sample.units.parts
    truth = shape.truth[cKDTree(upright(posed(question)).points).query(sample.points)[1]]
    place = np.array([*(parts.index(part) if part in parts else -1 for part in question.parts), -1])
    labels: NDArray[np.int64] = place[truth]
    return labels


def _is_right(sample: Sample, shape: Shape) -> NDArray[np.bool_]:
    """`[K]`: whether each unit's name is right, by the nearest true sample of the sample's points."""
    units, labels = sample.units, true_labels(sample, shape)
    found: NDArray[np.bool_]
    if sample.box_views is not None:
        found = best_fitting_parts(sample.points, sample.box_views, sample.drawn or units, labels) == units.part
        return found
    true, owner = labels[units.indices], units.owner()
    known = np.bincount(owner, true >= 0, len(units))
    agrees = np.bincount(owner, (true == units.part[owner]) & (true >= 0), len(units))
    found = agrees >= RIGHT * np.maximum(known, 1)
    return found
