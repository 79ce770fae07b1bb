# SPDX-License-Identifier: Apache-2.0
"""Whole scenes: objects are cut out and labeled, everything else stays unlabeled."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.scene import SceneOptions, label_object, label_scene
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions
from partdistill_ros.objects.object_in_view import object_in_view
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.scan import Scan

CENTERS = ((-0.2, 0.9), (0.25, 1.1), (0.0, 1.25))
SIZES = (3000, 2000, 1000)


@pytest.fixture(scope="module")
def scene() -> Scan:
    """Three posts of 5 cm radius and 20 cm height on a table at z = -0.5; every tenth point is NaN."""
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform((-0.5, 0.6), (0.5, 1.4), (14_000, 2)), rng.normal(-0.5, 0.001, 14_000)])
    posts = []
    for center, size in zip(CENTERS, SIZES, strict=True):
        angle = rng.uniform(0, 2 * np.pi, size)
        around = center + 0.05 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        posts.append(np.column_stack([around, rng.uniform(-0.5, -0.3, size)]))
    points = np.concatenate([table, *posts]).astype(np.float32)
    points = points[rng.permutation(len(points))]
    points[::10] = np.nan
    return Scan(points, viewpoint=np.zeros(3, np.float32), name="posts")


@pytest.fixture
def segmenter(toy_bundle) -> Segmenter:
    return Segmenter(toy_bundle, "cpu", 1)


def ask(segmenter, scan, query="post: top, bottom", **options):
    return label_scene(segmenter, segmenter.query(query), scan, SceneOptions(**options))


def test_objects_on_the_table(segmenter, scene):
    answer = ask(segmenter, scene, mode="tabletop")
    assert answer.problem is None and answer.parts == ("top", "bottom")
    assert len(answer.objects) == 3 and [found.category for found in answer.objects] == ["post"] * 3
    assert np.diff([len(found.index) for found in answer.objects]).max() <= 0
    assert answer.plane is not None and answer.plane[2] > 0.999
    height = scene.points[:, 2] + 0.5
    assert (answer.labels[height > 0.13] == 0).mean() > 0.97
    assert (answer.labels[(height > 0.01) & (height < 0.07)] == 1).mean() > 0.97
    assert (answer.labels[height < 0.003] == -1).mean() > 0.99
    assert (answer.labels[np.isnan(height)] == -1).all()
    inside = np.concatenate([found.index for found in answer.objects])
    outside = np.setdiff1d(np.arange(len(scene.points)), inside)
    assert (answer.labels[outside] == -1).all() and (answer.confidence[outside] == 0).all()
    assert (answer.confidence[inside] > 0.5).all()
    assert set(answer.stages) == {"extract", "recall", "sample", "network", "spread"}


def test_a_tilted_table_tells_up(segmenter, scene):
    tilt = np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]], np.float32)
    answer = ask(segmenter, scene.with_(points=scene.points @ tilt.T), mode="tabletop")
    for found in answer.objects:
        np.testing.assert_allclose(found.up, tilt @ (0, 0, 1), atol=0.02)
    height = scene.points[:, 2] + 0.5
    assert (answer.labels[height > 0.13] == 0).mean() > 0.97


def test_only_the_largest_objects(segmenter, scene):
    answer = ask(segmenter, scene, mode="tabletop", max_objects=1)
    first = scene.points[answer.objects[0].index].mean(axis=0)
    assert len(answer.objects) == 1 and np.linalg.norm(first[:2] - CENTERS[0]) < 0.02
    assert len(ask(segmenter, scene, mode="tabletop", tabletop=TabletopParams(min_points=1200)).objects) == 2


def test_a_confidence_threshold_leaves_points_out(segmenter, scene):
    everything, sure = (ask(segmenter, scene, mode="tabletop", min_confidence=c) for c in (0.0, 0.9))
    kept = sure.labels >= 0
    assert 0 < kept.sum() < (everything.labels >= 0).sum()
    assert sure.confidence[kept].min() >= 0.9
    np.testing.assert_array_equal(sure.labels[kept], everything.labels[kept])


@pytest.mark.parametrize(("own_up", "given_up", "top_is_high"), [
    ((0, 0, 1), None, True),
    ((0, 0, 1), (0, 0, -1), False),
])  # fmt: skip
def test_one_object_and_its_up(segmenter, scene, own_up, given_up, top_is_high):
    post = scene.select(np.linalg.norm(scene.points[:, :2] - CENTERS[0], axis=1) < 0.06)
    post = post.with_(up=np.array(own_up, np.float32))
    answer = ask(segmenter, post, mode="object", up=None if given_up is None else np.array(given_up, np.float64))
    high = post.points[:, 2] > -0.37
    assert (answer.labels[high] == (0 if top_is_high else 1)).all()
    assert len(answer.objects) == 1 and answer.plane is None


@pytest.mark.parametrize(("mode", "points", "words"), [
    ("object", np.zeros((0, 3), np.float32), "none of the 0 points of thing is finite"),
    ("tabletop", np.full((50, 3), np.nan, np.float32), "none of the 50 points"),
    ("object", np.eye(3, dtype=np.float32), "3 of 3 points are finite"),
    ("tabletop", np.eye(3, dtype=np.float32), "thing"),
])  # fmt: skip
def test_a_cloud_without_an_answer_says_why(segmenter, mode, points, words):
    answer = ask(segmenter, Scan(points, name="thing"), mode=mode)
    assert words in answer.problem
    assert (answer.labels == -1).all() and len(answer.labels) == len(points)


def test_an_empty_table_says_so(segmenter, scene):
    flat = scene.select(scene.points[:, 2] < -0.497)
    answer = ask(segmenter, flat, mode="tabletop")
    assert "no object of at least 150 points" in answer.problem and answer.objects == ()


def test_an_unknown_mode_is_refused():
    with pytest.raises(PartDistillError, match="scene mode 'shelf'"):
        SceneOptions(mode="shelf")


def test_what_lies_in_the_box_is_one_object(segmenter, scene):
    box = CropBox((-0.26, 0.84, -0.495), (-0.14, 0.96, 0.0))
    answer = ask(segmenter, scene, mode="crop", crop=box, up=np.array([0.0, 0, 1]))
    assert len(answer.objects) == 1 and answer.plane is None and answer.problem is None
    np.testing.assert_array_equal(answer.objects[0].index, box.inside(scene.points))
    high = np.isin(np.arange(len(scene.points)), answer.objects[0].index) & (scene.points[:, 2] > -0.38)
    assert (answer.labels[high] == 0).all()
    outside = np.setdiff1d(np.arange(len(scene.points)), answer.objects[0].index)
    assert (answer.labels[outside] == -1).all()


def test_the_frame_of_the_box_tells_up(segmenter, scene):
    lying = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])  # z of the box is -y of the cloud
    turned = scene.with_(points=(scene.points @ lying[:3, :3]).astype(np.float32))
    answer = ask(segmenter, turned, mode="crop", crop=CropBox((-0.26, 0.84, -0.495), (-0.14, 0.96, 0.0), lying))
    np.testing.assert_array_equal(answer.objects[0].up, (0, -1, 0))
    assert (answer.labels[answer.objects[0].index][scene.points[answer.objects[0].index, 2] > -0.38] == 0).all()


def test_an_empty_box_says_so(segmenter, scene):
    answer = ask(segmenter, scene, mode="crop", crop=CropBox((5, 5, 5), (6, 6, 6)))
    assert "no point of posts lies in the crop box" in answer.problem and (answer.labels == -1).all()


def test_a_scene_that_stands_still_keeps_its_answers(segmenter, scene):
    options = SceneOptions(mode="tabletop", tracking=TrackingOptions(refresh=1))
    memory, query = ObjectTracker(), segmenter.query("post: top, bottom")
    first = label_scene(segmenter, query, scene, options, memory)
    assert memory.num_predicted == 3
    order = np.random.default_rng(1).permutation(len(scene.points))
    again = label_scene(segmenter, query, scene.select(order), options, memory)
    assert memory.num_predicted == 1
    assert (again.labels == first.labels[order]).mean() > 0.99
    label_scene(segmenter, segmenter.query("post: top, bottom"), scene, options, memory)
    assert memory.num_predicted == 3


def test_the_object_is_labeled_and_nothing_else(table_scene: Scan, toy_path) -> None:
    seen = object_in_view(table_scene, "tabletop", TabletopParams(), np.array([0.25, 1.1, -0.4]))
    answer = label_object(str(toy_path), "post: top, bottom", table_scene, seen)
    assert answer.parts == ("top", "bottom") and len(answer.labels) == len(table_scene.points)
    np.testing.assert_array_equal(np.flatnonzero(answer.labels >= 0), np.sort(seen.index))
    height = table_scene.points[seen.index, 2]
    upper = height > (height.min() + height.max()) / 2 + 0.01
    assert (answer.labels[seen.index][upper] == 0).mean() > 0.95
