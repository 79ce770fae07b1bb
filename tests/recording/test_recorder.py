# SPDX-License-Identifier: Apache-2.0
"""What a stream of clouds leaves in a collection."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.cut import Cut, cut_objects
from partdistill_ros.recording.recorder import ChangeThreshold, RecordedCloud, Recorder, Recording, is_unchanged
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, box, revolve

CAMERA = DepthCamera(width=320, height=240, fx=262.5, fy=262.5, cx=159.5, cy=119.5)


def cloud(seen, number: int, posed: bool = False) -> RecordedCloud:
    scan = seen.scan.with_(name=f"mug_{number}")
    return RecordedCloud(scan, number * 10**9, "camera", seen.pose if posed else None, {"topic": "/points"})


@pytest.fixture
def collection(tmp_path) -> Collection:
    return Collection.create(tmp_path / "mugs")


@pytest.fixture
def reported() -> list[str]:
    return []


@pytest.fixture
def recorder(collection, reported):
    """`recorder(**settings)` writes into `collection` and reports to `reported`."""
    return lambda **settings: Recorder(collection, Recording(**settings), reported.append)


def test_views_are_scans_and_an_unchanged_scene_is_one(collection, recorder, view, reported) -> None:
    recording = recorder(category="mug")
    for number, (angle, take) in enumerate(((0, 0), (0, 1), (0, 2), (40, 0), (40, 1), (0, 3))):
        recording.add(cloud(view(angle, take), number))
    tally = recording.finish()
    assert [recorded.name for recorded in collection.scans()] == ["mug_0", "mug_3", "mug_5"]
    assert (tally.clouds, tally.unchanged, tally.text()) == (6, 3, "3 scans of 6 clouds, 3 unchanged")
    recorded, scan = next(collection.load())
    assert scan.category == "mug" and scan.viewpoint is not None and scan.up is not None
    (capture,) = recorded.manifest.captures
    assert (capture.stamp, capture.frame, capture.pose) == (0, "camera", None)
    assert Image.open(recorded.folder / capture.picture).width > 20
    assert reported[0].startswith("mug_0: ")


def test_every_cloud_is_kept_where_that_is_wanted(recorder, view) -> None:
    recording = recorder(keep_unchanged=True, limit=2)
    for number in range(4):
        recording.add(cloud(view(0, number), number))
    assert recording.full and len(recording.finish().written) == 2


def test_posed_views_become_one_scan_in_the_object_frame(collection, recorder, view) -> None:
    pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")
    recording = recorder(join=True, category="mug")
    for number, angle in enumerate(range(0, 360, 60)):
        recording.add(cloud(view(angle), number, posed=True))
    assert collection.scans() == []
    recording.finish()
    ((recorded, scan),) = collection.load()
    assert [capture.stamp for capture in recorded.manifest.captures] == [number * 10**9 for number in range(6)]
    np.testing.assert_allclose(recorded.manifest.captures[0].pose, view(0).pose)
    assert len(list((recorded.folder / "views").iterdir())) == 6
    assert scan.viewpoint is None and scan.up[2] > 0.99 and abs(scan.points[:, 2].min()) < 0.02
    assert recording.finish().written == [recorded]


@pytest.mark.parametrize("shift", [0.04, 0.3])
def test_a_moved_object_begins_a_new_scan(collection, recorder, view, reported, shift) -> None:
    pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")
    recording = recorder(join=True)
    for number, (angle, x) in enumerate(((0, 0), (30, 0), (30, shift), (60, shift))):
        recording.add(cloud(view(angle, shift=x), number, posed=True))
    recording.finish()
    assert [(one.name, len(one.manifest.captures)) for one in collection.scans()] == [("mug_0", 2), ("mug_2", 2)]
    assert any("a new scan begins" in words for words in reported)


@pytest.mark.parametrize("shift", [0.04, 0.3])
def test_a_moved_object_begins_no_scan_beyond_the_limit(collection, recorder, view, shift) -> None:
    pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")
    recording = recorder(join=True, limit=1)
    for number, (angle, x) in enumerate(((0, 0), (30, 0), (30, shift), (60, shift))):
        recording.add(cloud(view(angle, shift=x), number, posed=True))
    recording.finish()
    assert [recorded.name for recorded in collection.scans()] == ["mug_0"]


def test_without_a_pose_views_stay_apart(collection, recorder, view) -> None:
    recording = recorder(join=True)
    for number, angle in enumerate((0, 60)):
        recording.add(cloud(view(angle), number))
    recording.finish()
    assert len(collection.scans()) == 2


def test_what_cannot_be_used_is_reported_and_the_rest_goes_on(collection, recorder, view, reported) -> None:
    recording = recorder()
    bad = cloud(view(0), 0)
    nothing = Scan(np.full((100, 3), np.nan, np.float32), name="nothing")
    for one in (replace(bad, scan=nothing), replace(bad, scan=nothing.with_(points=nothing.points[:0])), bad):
        recording.add(one)
    assert recording.finish().refused == 2 and len(collection.scans()) == 1
    assert reported[0].startswith("left out: ")


def test_discard_takes_back_this_recording_only(collection, recorder, view) -> None:
    first = recorder()
    first.add(cloud(view(0), 0))
    second = recorder()
    for number, angle in enumerate((40, 80), 1):
        second.add(cloud(view(angle), number))
    assert second.discard() == ["mug_1", "mug_2"]
    assert [recorded.name for recorded in collection.scans()] == ["mug_0"]
    assert second.discard() == [] and second.finish().written == []


def test_the_same_clouds_are_not_kept_twice(collection, recorder, view) -> None:
    for _ in range(2):
        recording = recorder()
        recording.add(cloud(view(0), 0))
        recording.add(cloud(view(40), 1))
    assert recording.finish().known == 2 and len(collection.scans()) == 2
    collection.remove("mug_0")
    again = recorder()
    again.add(cloud(view(0), 0))
    assert [recorded.name for recorded in again.finish().written] == ["mug_0"]


def mug(seen) -> np.ndarray:
    return cut_objects(seen.scan, Cut())[0].scan.points


def same(before, after) -> bool:
    return is_unchanged(mug(before), mug(after), clouds=(before.scan.points, after.scan.points))


@pytest.mark.parametrize("take", [1, 2, 3])
def test_noise_is_unchanged_whether_or_not_it_is_cut_alike(view, take) -> None:
    assert same(view(0), view(0, take))


@pytest.mark.parametrize("change", [{"turn": 15}, {"turn": -30}, {"shift": 0.01}, {"shift": -0.05}])
def test_a_moved_mug_is_a_change(view, change) -> None:
    assert not same(view(0), view(0, 1, **change))


@pytest.mark.parametrize(("method", "share"), [("auto", (0.95, 1)), ("clusters", (0, 0.8))])
def test_a_mug_is_recorded_without_the_box_that_it_touches(collection, recorder, method, share) -> None:
    builder = MeshBuilder(("table", "mug", "box"))
    for x in np.linspace(-0.5, 0.5, 11):
        for y in np.linspace(-0.5, 0.5, 11):
            builder.add("table", box((0.1, 0.1, 0.01), (x, y, -0.005)))
    profile = [(0, 0), (0.04, 0), (0.04, 0.1), (0.036, 0.1), (0.036, 0.005), (0, 0.005)]
    builder.add("mug", revolve(profile, 48))
    builder.add("box", box((0.06, 0.16, 0.05), (-0.02, 0.12, 0.025)))
    pose = camera_pose((0.6, 0, 0.45), (0, 0.03, 0.04))
    scan = capture(builder.build(), pose, np.random.default_rng(0), CAMERA, parts=builder.parts)
    truth = dict(zip(map(bytes, scan.points), scan.point_labels, strict=True))
    recording = recorder(cut=Cut(pick="all", tabletop=TabletopParams(method=method)))
    recording.add(RecordedCloud(scan, 0, "camera"))
    recording.finish()
    labels = [np.array([truth[bytes(point)] for point in found.points]) for _, found in collection.load()]
    mug = max(labels, key=lambda label: (label == 1).sum())
    assert (mug == 1).sum() > 0.9 * (scan.point_labels == 1).sum()
    assert share[0] <= (mug == 1).mean() <= share[1]


def test_something_that_came_or_went_is_a_change() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(500, 3)).astype(np.float32)
    both = np.concatenate([one, one[:100] + 5])
    assert not is_unchanged(one, both) and not is_unchanged(both, one) and is_unchanged(one, one[::-1])
    assert not is_unchanged(one, one[:0]) and is_unchanged(one[:0], one[:0])


def test_the_tolerance_grows_with_the_range() -> None:
    rng = np.random.default_rng(0)
    near = rng.uniform(0, 0.1, (300, 3)).astype(np.float32)
    far = near + np.array([0, 0, 3], np.float32)
    moved = np.array([0.02, 0, 0], np.float32)
    threshold = ChangeThreshold(distance=0.006)
    assert not is_unchanged(near, near + 3 * moved, threshold) and is_unchanged(far, far + moved, threshold)
