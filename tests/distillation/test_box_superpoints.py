# SPDX-License-Identifier: Apache-2.0
"""A box becomes the pieces of the surface that lie mostly inside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.distillation.backward import unit_fit, weighted_units
from partdistill_ros.distillation.box_superpoints import with_superpoints
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import units_from_boxes
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import render_scan
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.protocol import BoxAnswer

PARTS = ("handle", "cup")


@pytest.fixture(scope="module")
def mug() -> tuple[Scan, np.ndarray]:
    """A cloud with its true parts."""
    cloud = sample_surface(generate("mug", 4), 3000)
    return cloud, np.array([PARTS.index(part) for part in cloud.parts])[cloud.point_labels]


@pytest.fixture(scope="module")
def boxed(mug: tuple[Scan, np.ndarray]) -> Sample:
    """The mug with the box around each of its parts in each view, as a detector draws it."""
    cloud, labels = mug
    views = views_for(cloud)
    rendering = render_scan(cloud, views, 160)
    pictures = np.append(labels, -1)[rendering.index]
    found = [(view, part) for view in range(len(views)) for part in (0, 1) if (pictures[view] == part).sum() > 50]
    places = [np.nonzero(pictures[view] == part) for view, part in found]
    answer = BoxAnswer(
        np.array([(x.min(), y.min(), x.max() + 1, y.max() + 1) for y, x in places], np.float32),
        np.array([part for _, part in found], np.int16),
        np.full(len(found), 0.8, np.float32),
        np.array([view for view, _ in found], np.int16),
    )
    units = units_from_boxes(answer, rendering, len(cloud.points), PARTS)
    return Sample("mug", "mug", cloud.points, units, views=views, boxes=True)


def test_boxes_become_superpoints_that_hold_more_of_their_part(mug: tuple[Scan, np.ndarray], boxed: Sample) -> None:
    labels, found = mug[1], with_superpoints(boxed)

    def purity_and_recall(sample: Sample) -> np.ndarray:
        units = sample.units
        own = [labels[units.points_of(number)] == units.part[number] for number in range(len(units))]
        total = np.bincount(labels)[units.part]
        return np.mean([(one.mean(), one.sum() / of) for one, of in zip(own, total, strict=True)], 0)

    before, after = purity_and_recall(boxed), purity_and_recall(found)
    assert after[0] > before[0] and after[1] > before[1] + 0.2, (before, after)


def test_boxes_are_weighed_and_rescored_as_they_were_drawn(mug: tuple[Scan, np.ndarray], boxed: Sample) -> None:
    found = with_superpoints(boxed)
    assert found.drawn is boxed.units and found.units.part.tolist() == boxed.units.part.tolist()
    np.testing.assert_array_equal(weighted_units(found, found.units).score, weighted_units(boxed, boxed.units).score)
    truth = np.eye(2, dtype=np.float32)[mug[1]]
    np.testing.assert_array_equal(unit_fit(found, truth), unit_fit(boxed, truth))


def test_regions_and_boxes_of_unknown_views_stay(boxed: Sample) -> None:
    for sample in (replace(boxed, boxes=False), replace(boxed, views=None)):
        assert with_superpoints(sample) is sample
