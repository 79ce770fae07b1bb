# SPDX-License-Identifier: Apache-2.0
"""Scores of right and of wrong units, by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from unit_quality import unit_quality

from partdistill_ros.distillation.backward import Rescored
from partdistill_ros.distillation.box_fit import project_points
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import true_samples
from partdistill_ros.rendering.cameras import orbit_views
from partdistill_ros.synthetic.families import generate


def test_means_before_and_after_by_the_truth():
    shapes = prepare([generate("mug", 0)])
    sample = replace(true_samples(shapes)[0], labeled=False)
    swapped = sample.units.part[::-1].copy()
    wrong = replace(sample, units=replace(sample.units, part=swapped))
    trainer = SimpleNamespace(
        samples=[sample, wrong],
        rescored=[
            Rescored(sample.units.with_scores(np.array([0.9, 0.7], "f4"))),
            Rescored(wrong.units.with_scores(np.array([0.1, 0.3], "f4"))),
        ],
    )
    found = unit_quality(trainer, shapes)
    assert found is not None
    np.testing.assert_allclose(found.wrong, (1.0, 0.2), atol=1e-6)
    np.testing.assert_allclose(found.right, (1.0, 0.8), atol=1e-6)
    assert unit_quality(SimpleNamespace(samples=[sample], rescored=[Rescored(sample.units)]), shapes) is None


def test_a_box_is_right_where_its_part_fits_best_whatever_it_takes_in():
    shapes = prepare([generate("mug", 0)])
    sample = replace(true_samples(shapes)[0], labeled=False)
    handle = sample.units.points_of(sample.units.parts.index("handle"))
    # Seen from the handle's side, its box holds more of the cup behind it.
    side = sample.points[handle].mean(0) - sample.points.mean(0)
    views = orbit_views([0], [float(np.degrees(np.arctan2(side[1], side[0])))])
    spots = project_points(sample.points, views)[0]
    low, high = spots[handle].min(0), spots[handle].max(0)
    held = np.flatnonzero(((spots >= low) & (spots <= high)).all(1)).astype(np.int32)
    assert np.isin(held, handle).mean() < 0.5
    units = KnowledgeUnits(
        part=np.array([0, 1], np.int16),
        score=np.full(2, 0.5, np.float32),
        view=np.zeros(2, np.int16),
        indptr=np.array([0, len(held), 2 * len(held)]),
        indices=np.concatenate([held, held]),
        n_points=len(sample.points),
        parts=("handle", "cup"),
    )
    boxes = replace(sample, units=units, views=views, boxes=True)
    trainer = SimpleNamespace(samples=[boxes], rescored=[Rescored(units.with_scores(np.array([0.9, 0.1], "f4")))])
    found = unit_quality(trainer, shapes)
    assert found is not None
    np.testing.assert_allclose((*found.wrong, *found.right), (0.5, 0.1, 0.5, 0.9), atol=1e-6)
