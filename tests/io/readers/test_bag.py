# SPDX-License-Identifier: Apache-2.0
"""rosbag2 recordings of both storages: topics, every n-th message, damage."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scans
from partdistill_ros.io.readers.bag import CLOUD_TYPE, cloud_topics, read_bag
from partdistill_ros.pointcloud.layout import encode

STORAGES = {".mcap": StoragePlugin.MCAP, ".db3": StoragePlugin.SQLITE3}
STORE = get_typestore(Stores.ROS2_JAZZY)
TYPES = STORE.types


def points(value: float, count: int = 12) -> np.ndarray:
    return np.full((count, 3), value, np.float32)


def message(cloud: np.ndarray, height: int = 1, **changes: Any) -> Any:
    packed = encode(cloud)
    width = len(cloud) // height
    values = {
        "header": TYPES["std_msgs/msg/Header"](TYPES["builtin_interfaces/msg/Time"](0, 0), "camera"),
        "height": height,
        "width": width,
        "fields": [TYPES["sensor_msgs/msg/PointField"](*field) for field in packed.fields],
        "is_bigendian": False,
        "point_step": packed.point_step,
        "row_step": packed.point_step * width,
        "data": np.frombuffer(packed.data, np.uint8),
        "is_dense": False,
    }
    return TYPES[CLOUD_TYPE](**values | changes)


def record(folder: Path, suffix: str, topics: dict[str, Sequence[Any]]) -> Path:
    """A bag with these messages a topic, plus a topic of texts; returns its folder."""
    bag = folder / f"bag_{suffix[1:]}"
    with Writer(bag, version=9, storage_plugin=STORAGES[suffix]) as writer:
        text = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=STORE)
        for topic, messages in topics.items():
            connection = writer.add_connection(topic, CLOUD_TYPE, typestore=STORE)
            for number, one in enumerate(messages):
                content = one if isinstance(one, bytes) else STORE.serialize_cdr(one, CLOUD_TYPE)
                writer.write(connection, number * 10**9, content)
        hello = TYPES["std_msgs/msg/String"]("hello")
        writer.write(text, 0, STORE.serialize_cdr(hello, "std_msgs/msg/String"))
    return bag


def storage_file(bag: Path, suffix: str) -> Path:
    (file,) = bag.glob(f"*{suffix}")
    return file


@pytest.mark.parametrize("suffix", STORAGES)
def test_every_nth_message_in_order(tmp_path: Path, suffix: str) -> None:
    bag = record(tmp_path, suffix, {"/camera/points": [message(points(k)) for k in range(5)]})
    assert cloud_topics(bag) == {"/camera/points": 5}
    for path in (bag, storage_file(bag, suffix)):
        scans = list(read_bag(path, every=2))
        assert [float(scan.points[0, 0]) for scan in scans] == [0, 2, 4]
        assert [scan.name for scan in scans] == [f"{bag.name}_{number:06d}" for number in (0, 2, 4)]


@pytest.mark.parametrize("suffix", STORAGES)
def test_topics(tmp_path: Path, suffix: str) -> None:
    bag = record(tmp_path, suffix, {"/front": [message(points(1))], "/rear": [message(points(2))] * 2})
    assert [scan.points[0, 0] for scan in read_bag(bag, "rear")] == [2, 2]
    assert [scan.points[0, 0] for scan in read_bag(bag, "/front")] == [1]
    listed = r"there are: /front \(1 messages\), /rear \(2 messages\)"
    with pytest.raises(PartDistillError, match=f"choose a PointCloud2 topic; {listed}"):
        list(read_bag(bag))
    for topic in ("/side", "/chatter"):
        with pytest.raises(PartDistillError, match=f"no PointCloud2 topic '{topic}'; {listed}"):
            list(read_bag(bag, topic))


def test_bag_without_clouds(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match="there are: none"):
        list(read_bag(record(tmp_path, ".mcap", {})))


def test_organized_clouds_keep_grid_and_nan(tmp_path: Path) -> None:
    cloud = points(1)
    cloud[4] = np.nan
    (scan,) = read_bag(record(tmp_path, ".mcap", {"/points": [message(cloud, height=3)]}))
    assert scan.grid == (3, 4) and scan.finite().sum() == 11 and scan.viewpoint is not None


@pytest.mark.parametrize("suffix", STORAGES)
def test_bad_messages_are_left_out(tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture) -> None:
    whole = STORE.serialize_cdr(message(points(3)), CLOUD_TYPE)
    messages = [
        message(points(0)),
        message(points(1), row_step=3),
        message(points(np.nan)),
        message(points(1)[:0]),
        bytes(whole[: len(whole) // 2]),
        message(points(5)),
    ]
    bag = record(tmp_path, suffix, {"/points": messages})
    told: list[str] = []
    scans = list(read_bag(bag, on_skip=lambda path, error: told.append(str(error))))
    assert [scan.points[0, 0] for scan in scans] == [0, 5]
    assert [number for number in range(6) if any(f"message {number}" in text for text in told)] == [1, 2, 3, 4]
    with caplog.at_level(logging.WARNING):
        assert len(list(read_bag(bag))) == 2
    assert "message 4 is damaged" in caplog.text


def test_no_good_message_is_an_error(tmp_path: Path) -> None:
    bag = record(tmp_path, ".mcap", {"/points": [message(points(np.nan))]})
    with pytest.raises(PartDistillError, match="no cloud that can be read on /points"):
        list(read_bag(bag, on_skip=lambda path, error: None))


@pytest.mark.parametrize("suffix", STORAGES)
@pytest.mark.parametrize("share", [0.0, 0.005, 0.1, 0.5, 0.98])
def test_truncated(tmp_path: Path, suffix: str, share: float) -> None:
    bag = record(tmp_path, suffix, {"/points": [message(points(k, 500)) for k in range(9)]})
    file = storage_file(bag, suffix)
    content = file.read_bytes()
    file.write_bytes(content[: int(share * len(content))])
    for path in (bag, file):
        with pytest.raises(PartDistillError, match=f"{path.name} cannot be read as a rosbag2.*reindex"):
            list(read_bag(path))


@pytest.mark.parametrize("suffix", STORAGES)
def test_random_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    with pytest.raises(PartDistillError, match="noise.* cannot be read as a rosbag2"):
        list(read_bag(path))


def test_damaged_metadata(tmp_path: Path) -> None:
    bag = record(tmp_path, ".mcap", {"/points": [message(points(1))]})
    (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: [")
    with pytest.raises(PartDistillError, match="cannot be read as a rosbag2"):
        list(read_bag(bag))


def test_wrong_arguments(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match="gone.mcap: there is no such bag"):
        list(read_bag(tmp_path / "gone.mcap"))
    bag = record(tmp_path, ".mcap", {"/points": [message(points(1))]})
    with pytest.raises(PartDistillError, match="n must be 1 or more"):
        list(read_bag(bag, every=0))


def test_folders_of_bags_load_as_scans(tmp_path: Path) -> None:
    for suffix in STORAGES:
        record(tmp_path, suffix, {"/points": [message(points(k)) for k in range(2)]})
    scans = list(load_scans([tmp_path], up="z"))
    assert [scan.name for scan in scans] == [f"bag_{kind}_00000{k}" for kind in ("db3", "mcap") for k in range(2)]
    assert all(scan.up is not None and scan.up[2] == 1 for scan in scans)
