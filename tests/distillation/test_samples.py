# SPDX-License-Identifier: Apache-2.0
"""Scans become upright clouds with knowledge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation.labels import true_units
from partdistill_ros.distillation.samples import (
    Sample,
    make_sample,
    partial_view_masks,
    upright,
    upright_cloud,
    with_weights,
)
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import rotation_to_z
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.students.names import LEAST_POINTS
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.protocol import BoxAnswer


def test_a_lying_scan_is_turned_upright() -> None:
    standing = upright_cloud(generate("bottle", 1), 800)
    lying = generate("bottle", 1)
    turned = lying.points[:, [0, 2, 1]] * [1, -1, 1]
    scan = Scan(points=turned.astype(np.float32), up=np.array([0, -1, 0], np.float32), name="lying")
    cloud = upright_cloud(scan, 5000)
    assert np.ptp(cloud.points[:, 2]) == pytest.approx(np.ptp(standing.points[:, 2]), abs=0.1)
    assert cloud.up is not None and cloud.up.tolist() == [0, 0, 1]


def test_the_viewpoint_turns_with_the_cloud() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)).astype(np.float32)
    away = points.mean(0) + np.array([0, 9, 0], np.float32)
    scan = Scan(points=points, up=np.array([0, 1, 0], np.float32), viewpoint=away)
    cloud = upright_cloud(scan, 500)
    assert cloud.viewpoint is not None
    assert cloud.viewpoint[2] > 1.5 and np.abs(cloud.viewpoint[:2]).max() < 0.8


def test_too_few_points_are_refused_by_name() -> None:
    scan = Scan(points=np.zeros((LEAST_POINTS - 1, 3), np.float32), name="tiny.ply")
    with pytest.raises(PartDistillError, match=r"tiny\.ply"):
        upright_cloud(scan, 100)


def test_one_sided_masks_show_a_side_not_the_whole() -> None:
    cloud = upright_cloud(generate("bottle", 2), 1500)
    masks = partial_view_masks(cloud, 0)
    assert masks is not None and masks.shape[1] == 1500
    share = masks.mean(1)
    assert (share > 0.15).all() and (share < 0.75).all()
    assert partial_view_masks(cloud.with_(viewpoint=np.array([0, 0, 4], np.float32)), 0) is None


def test_knowledge_does_not_depend_on_the_truth_and_is_kept(tmp_path: Path, teacher) -> None:
    store = KnowledgeStore(tmp_path)
    cloud = upright_cloud(generate("bottle", 3), 1200)
    first = make_sample(cloud, ("cap", "body"), "bottle", teacher, store=store)
    wrong = cloud.with_(point_labels=np.zeros(len(cloud.points), np.int16))
    second = make_sample(wrong, ("cap", "body"), "bottle", teacher, store=store)
    assert teacher.asked == 1
    np.testing.assert_array_equal(first.units.indices, second.units.indices)
    assert first.units.coverage().mean() > 1


@pytest.fixture
def slab() -> Scan:
    """A board that leans, without an up."""
    flat = np.random.default_rng(0).uniform(-1, 1, (1500, 3)) * (0.5, 0.3, 0.04)
    return Scan((flat @ rotation_to_z((0.6, 0, 0.8))).astype(np.float32), name="slab")


@pytest.fixture
def flat_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guess is that the slab lies flat."""
    guess = np.array([[0.6, 0, 0.8]]), np.ones(1)
    monkeypatch.setattr("partdistill_ros.distillation.posing.likely_ups", lambda points: guess)


def test_without_an_up_it_is_guessed(slab: Scan, flat_guessed: None) -> None:
    cloud = upright_cloud(slab, 1200)
    assert np.ptp(cloud.points, axis=0)[2] < 0.2 < np.ptp(slab.points, axis=0)[2]
    assert cloud.up is not None and cloud.up.tolist() == [0, 0, 1]
    assert np.linalg.norm(cloud.points, axis=1).max() == pytest.approx(1, abs=1e-5)


def test_a_known_up_or_a_viewpoint_outweighs_the_guess(slab: Scan, flat_guessed: None) -> None:
    told = upright(slab.with_(up=np.array([0, 0, 1], np.float32)))
    seen = upright(slab.with_(viewpoint=np.array([0, 0, -3], np.float32)))
    for cloud in (told, seen):
        np.testing.assert_allclose(np.ptp(cloud.points, axis=0) / np.ptp(slab.points, axis=0), 1.9, atol=0.3)
    extent = np.ptp(slab.points, axis=0)
    np.testing.assert_allclose(np.ptp(seen.points, axis=0) / extent, np.ptp(told.points, axis=0) / extent, rtol=1e-5)


def test_normals_turn_with_the_cloud(slab: Scan, flat_guessed: None) -> None:
    normal = np.tile(np.float32([0.6, 0, 0.8]), (1500, 1))
    cloud = upright(slab.with_(normals=normal))
    assert cloud.normals is not None and (np.abs(cloud.normals[:, 2]) > 0.99).all()


@pytest.mark.parametrize("flat", [False, True])
def test_a_member_knows_its_cameras_and_what_lies_flat(teacher, flat: bool) -> None:
    cloud = upright_cloud(generate("bottle", 3), 900)
    sample = make_sample(cloud, ("cap", "body"), "bottle", teacher, up_unknown=flat)
    expected = views_for(cloud)
    assert sample.views is not None and len(sample.views) == 10 == sample.units.view.max() + 1
    np.testing.assert_array_equal(sample.views.position, expected.position)
    assert sample.up_unknown is flat and not sample.boxes and sample.weight == 1


def test_units_of_a_detector_are_boxes(teacher) -> None:
    class Detector:
        name, key, kind, size = "detector", "detector-1", "box", 48

        def answer(self, rendering: Rendering, parts: tuple[str, ...], category: str | None) -> BoxAnswer:
            box = np.tile(np.float32([0, 0, 48, 24]), (len(rendering), 1))
            views = np.arange(len(rendering), dtype=np.int16)
            return BoxAnswer(box, np.zeros(len(views), np.int16), np.full(len(views), 0.7, np.float32), views)

    cloud = upright_cloud(generate("bottle", 3), 900)
    sample = make_sample(cloud, ("cap", "body"), "bottle", Detector())
    assert sample.boxes and len(sample.units) == 10
    seen_from_one_side = make_sample(
        replace(cloud, viewpoint=np.float32([4, 0, 1])), ("cap", "body"), "bottle", teacher
    )
    assert seen_from_one_side.partial_views is None and seen_from_one_side.views.names[0] == "near"


@pytest.mark.parametrize(
    "own, made, share, wanted",
    [(2, 8, None, 0.25), (8, 2, None, 1), (0, 3, None, 1), (3, 0, None, 1), (2, 8, 0.5, 0.5), (0, 3, 2.0, 2)],
)
def test_generated_members_weigh_as_much_as_the_others_together(own: int, made: int, share, wanted: float) -> None:
    sample = Sample("a", "mug", np.zeros((1, 3), np.float32), true_units(np.zeros(1, np.int16), ("handle", "cup")))
    shares = [one.weight for one in with_weights([sample] * own, [sample] * made, share)]
    assert shares == [1] * own + [wanted] * made
