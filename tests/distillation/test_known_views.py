# SPDX-License-Identifier: Apache-2.0
"""The numbered views of prepared boxes are found to be the public cameras, and only where the boxes agree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.known_units import save_known
from partdistill_ros.distillation.known_views import box_purity, public_views
from partdistill_ros.distillation.sources import collect_samples
from partdistill_ros.distillation.units import KnowledgeUnits, units_from_boxes
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.rendering.cameras import TEN_VIEWS, Views, bounding_sphere, look_at, orbit_views
from partdistill_ros.rendering.rasterize import render_scan
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.protocol import BoxAnswer

PARTS = ("handle", "cup")
TO_Y_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])


def authors_views(points: np.ndarray) -> Views:
    """As PyTorch3D's `look_at_view_transform(2.2, elevation, azimuth)` stands: +y up, azimuth 0 at +z."""
    elevation, azimuth = np.radians(TEN_VIEWS).T
    outward = np.stack([np.cos(elevation) * np.sin(azimuth), np.sin(elevation), np.cos(elevation) * np.cos(azimuth)], 1)
    center, radius = bounding_sphere(points)
    position = (center + 2.2 * radius * outward).astype(np.float32)
    return Views(look_at(position, center, (0, 1, 0)), position, np.full(10, 1 / np.tan(np.radians(30)), np.float32))


def boxed(scan: Scan, views: Views) -> KnowledgeUnits:
    """The true box of each part in each view."""
    rendering = render_scan(scan, views, 200)
    labels = np.append([PARTS.index(scan.parts[label]) for label in scan.point_labels], -1)
    boxes, part, view = [], [], []
    for number, picture in enumerate(labels[rendering.index]):
        for label in np.unique(picture[picture >= 0]):
            row, column = np.nonzero(picture == label)
            boxes.append((column.min(), row.min(), column.max() + 1, row.max() + 1))
            part, view = [*part, label], [*view, number]
    answer = BoxAnswer(
        np.array(boxes, np.float32),
        np.array(part, np.int16),
        np.full(len(part), 0.7, np.float32),
        np.array(view, np.int16),
    )
    return units_from_boxes(answer, rendering, len(scan.points), PARTS)


@pytest.fixture(scope="module", params=[0, 3])
def mug(request: pytest.FixtureRequest) -> tuple[Scan, KnowledgeUnits]:
    cloud = sample_surface(generate("mug", request.param), 6000)
    cloud = cloud.with_(points=(cloud.points @ TO_Y_UP.T).astype(np.float32), normals=None, up=None)
    return cloud, boxed(cloud, authors_views(cloud.points))


@pytest.mark.parametrize("up", [None, (0, 1, 0)])
def test_the_cameras_of_the_authors_are_found(mug, up) -> None:
    cloud, units = mug
    views = public_views(cloud.points, units, None if up is None else np.array(up, np.float32))
    assert views is not None
    np.testing.assert_allclose(views.position, authors_views(cloud.points).position, atol=1e-4)


def test_axes_that_were_exchanged_are_found(mug) -> None:
    cloud, units = mug
    points = (cloud.points @ TO_Y_UP).astype(np.float32)
    views = public_views(points, units, None)
    assert views is not None
    np.testing.assert_allclose(views.position, authors_views(cloud.points).position @ TO_Y_UP, atol=1e-4)


def test_boxes_that_no_public_camera_explains_stay_of_unknown_views(mug) -> None:
    cloud, units = mug
    shuffled = replace(units, view=((units.view + 3) % 10).astype(np.int16))
    assert public_views(cloud.points, shuffled, None) is None
    assert public_views(cloud.points, replace(units, view=(units.view + 10).astype(np.int16)), None) is None
    assert public_views(cloud.points, replace(units, view=np.full_like(units.view, -1)), None) is None
    center, radius = bounding_sphere(cloud.points)
    elevation, azimuth = np.array(TEN_VIEWS).T
    turned = orbit_views(elevation, azimuth + 40, up=(0, 1, 0), center=center, radius=radius)
    assert public_views(cloud.points, boxed(cloud, turned), None) is None, "cameras between those of any convention"


def test_large_boxes_are_not_believed_by_chance() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (800, 3)).astype(np.float32)
    halves = KnowledgeUnits(
        part=np.array([0, 1], np.int16),
        score=np.array([0.9, 0.8], np.float32),
        view=np.zeros(2, np.int16),
        indptr=np.array([0, 400, 800]),
        indices=np.arange(800, dtype=np.int32),
        n_points=800,
        parts=PARTS,
    )
    assert public_views(points, halves, None) is None


def test_a_single_box_tells_nothing(mug) -> None:
    cloud, units = mug
    for box in range(4):
        one = replace(
            units,
            part=units.part[[box]],
            score=units.score[[box]],
            view=units.view[[box]],
            indptr=np.array([0, len(units.points_of(box))]),
            indices=units.points_of(box),
        )
        assert public_views(cloud.points, one, None) is None


@pytest.mark.parametrize("up", [None, "y"])
def test_the_rules_of_boxes_apply_to_what_was_imported(mug, tmp_path: Path, up: str | None) -> None:
    cloud, units = mug
    save_known(tmp_path / "mug.npz", cloud, units)
    config = DistillConfig((tmp_path / "mug.npz",), PARTS, tmp_path / "out", "mug", start="scratch", up=up)
    sample = collect_samples(config, PARTS, tmp_path / "work", lambda _: None, [])[0]
    assert sample.box_views is not None and len(sample.box_views) == 10
    purity = box_purity(sample.points, sample.box_views, sample.units)
    assert purity[np.arange(len(sample.units)), sample.units.view].mean() > 0.6, "in the frame of its points"
    assert sample.num_visible is not None and (sample.num_visible > 100).all()
