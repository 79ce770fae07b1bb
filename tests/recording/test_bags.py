# SPDX-License-Identifier: Apache-2.0
"""Every kind of recording that `ros2 bag record` makes becomes the same collection, or is refused in a sentence."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import orbit
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.recording.bags import collect_bag
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.cut import Cut
from partdistill_ros.recording.recorder import Recording

ANGLES = (0, 0, 40, 80, 80)
KINDS = [
    pair
    for pair in product(("mcap", "sqlite3"), ("none", "file", "message", "storage"))
    if pair != ("sqlite3", "storage")
]
TOPIC = "/camera/points"


@pytest.fixture
def record(view, tmp_path):
    """`record(name, angles, **options)` makes a bag of the mug."""
    return lambda name="day", angles=ANGLES, **options: orbit.record(
        tmp_path / name, [view(angle, take) for take, angle in enumerate(angles)], **options
    )


@pytest.fixture
def collection(tmp_path) -> Collection:
    return Collection.create(tmp_path / "mugs")


def contents(collection: Collection) -> dict[str, np.ndarray]:
    return {recorded.name: scan.points for recorded, scan in collection.load()}


@pytest.mark.parametrize(("storage", "compression"), KINDS)
def test_every_storage_and_compression_with_and_without_metadata(
    record, collection, tmp_path, storage, compression
) -> None:
    bag = record(storage=storage, compression=compression)
    reported: list[str] = []
    tally = collect_bag(bag, collection, topic=TOPIC, report=reported.append)
    assert (tally.clouds, tally.unchanged, len(tally.written)) == (5, 2, 3)
    whole = contents(collection)
    assert list(whole) == ["day_000000", "day_000002", "day_000003"]
    (bag / "metadata.yaml").unlink()
    bare = Collection.create(tmp_path / "bare")
    collect_bag(bag, bare, topic=TOPIC)
    for name, points in contents(bare).items():
        np.testing.assert_array_equal(points, whole[name])
    assert contents(bare).keys() == whole.keys()


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_split_files_with_and_without_metadata(record, collection, tmp_path, storage) -> None:
    first, second = record("a", (0, 40), storage=storage), record("b", (80, 120), storage=storage, start=200)
    split = tmp_path / "split"
    split.mkdir()
    for number, part in enumerate((first, second)):
        (file,) = (file for file in part.iterdir() if file.suffix != ".yaml")
        file.rename(split / f"split_{number}{file.suffix}")
    assert len(collect_bag(split, collection, topic=TOPIC).written) == 4
    text = (first / "metadata.yaml").read_text().replace(f"a.{'mcap' if storage == 'mcap' else 'db3'}", "PART0")
    suffix = "mcap" if storage == "mcap" else "db3"
    text = text.replace("- PART0", f"- split_0.{suffix}\n  - split_1.{suffix}", 1).replace("PART0", f"split_0.{suffix}")
    (split / "metadata.yaml").write_text(text)
    again = Collection.create(tmp_path / "again")
    assert len(collect_bag(split, again, topic=TOPIC).written) == 4
    assert contents(again).keys() == contents(collection).keys()


def test_a_second_time_adds_what_is_missing(record, collection) -> None:
    bag = record()
    collect_bag(bag, collection, topic=TOPIC)
    collection.remove("day_000002")
    tally = collect_bag(bag, collection, topic=TOPIC)
    assert ([recorded.name for recorded in tally.written], tally.known) == (["day_000002"], 2)


def test_frames_are_skipped_and_limited(record, collection, tmp_path) -> None:
    bag = record()
    keep = Recording(keep_unchanged=True)
    assert [one.name for one in collect_bag(bag, collection, keep, topic=TOPIC, every=2).written] == [
        "day_000000", "day_000002", "day_000004",
    ]  # fmt: skip
    few = Collection.create(tmp_path / "few")
    assert len(collect_bag(bag, few, Recording(limit=1), topic=TOPIC).written) == 1
    again = collect_bag(bag, few, Recording(limit=1), topic=TOPIC)
    assert (again.written, again.known) == ([], 1), "the same command adds nothing more"


def test_tf_joins_the_views(record, collection) -> None:
    pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")
    bag = record(angles=range(0, 360, 60), tf=True)
    collect_bag(bag, collection, Recording(join=True, category="mug"), topic=TOPIC, object_frame="world")
    ((recorded, scan),) = collection.load()
    assert len(recorded.manifest.captures) == 6 and scan.viewpoint is None
    assert np.ptp(scan.points, axis=0).max() < 0.25 and abs(np.median(scan.points[:, :2])) < 0.05
    assert collect_bag(
        bag, collection, Recording(join=True, category="mug"), topic=TOPIC, object_frame="world"
    ).known == 1  # fmt: skip


def test_a_crop_in_the_frame_of_the_object(record, collection) -> None:
    bag = record(angles=(0, 90), tf=True)
    cut = Cut("crop", box=CropBox((-0.1, -0.1, 0.01), (0.1, 0.1, 0.2)))
    collect_bag(bag, collection, Recording(cut), topic=TOPIC, object_frame="world")
    for _, scan in collection.load():
        assert (np.abs(scan.points[:, :2]) < 0.1001).all() and (scan.points[:, 2] > 0.0099).all()
        np.testing.assert_allclose(scan.up, [0, 0, 1], atol=1e-6)


def test_topics_and_frames_that_are_not_there(record, collection) -> None:
    bag = record()
    for options, words in (
        ({}, r"choose a topic of clouds or depth images; there are: /camera/points \(5 messages\), /lidar"),
        ({"topic": "/image"}, "no topic '/image' of clouds or depth images; there are: /camera/points"),
        ({"topic": TOPIC, "object_frame": "world"}, "has no tf: record the topics /tf and /tf_static too"),
    ):
        with pytest.raises(PartDistillError, match=words):
            collect_bag(bag, collection, **options)
    with pytest.raises(PartDistillError, match="the object stands still: name it"):
        collect_bag(bag, collection, Recording(join=True), topic=TOPIC)
    reported: list[str] = []
    with pytest.raises(PartDistillError, match="no cloud has a pose in 'mars'"):
        collect_bag(record("tf", tf=True), collection, topic=TOPIC, object_frame="mars", report=reported.append)
    assert len(reported) == 5 and "frames known: camera, camera_link, world" in reported[0]
    assert collection.scans() == []


def test_clouds_without_an_object_are_left_out_one_by_one(record, collection) -> None:
    reported: list[str] = []
    tally = collect_bag(record(), collection, topic="/lidar", report=reported.append)
    assert (tally.clouds, tally.refused, tally.written) == (1, 1, []) and "left out: " in reported[0]


@pytest.mark.parametrize(("storage", "compression"), KINDS)
@pytest.mark.parametrize("metadata", [True, False])
def test_a_cut_off_recording_is_refused_in_a_sentence(record, collection, storage, compression, metadata) -> None:
    bag = record(angles=(0, 40), storage=storage, compression=compression)
    (file,) = (file for file in bag.iterdir() if file.suffix != ".yaml")
    if not metadata:
        (bag / "metadata.yaml").unlink()
    content = file.read_bytes()
    for share in (0.0, 0.3, 0.97):
        file.write_bytes(content[: int(share * len(content))])
        with pytest.raises(PartDistillError, match=f"{bag.name} cannot be read as a rosbag2"):
            collect_bag(bag, collection, topic=TOPIC)
    for _, scan in collection.load():
        assert scan.finite().all()


def test_a_folder_that_is_no_recording(collection, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PartDistillError, match="neither metadata.yaml nor a .mcap, .db3 or .bag file"):
        collect_bag(tmp_path / "empty", collection)
