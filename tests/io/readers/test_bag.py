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


def record(folder: Path, suffix: str, topics: dict[str, Sequence[Any]], silent: Sequence[tuple[str, str]] = ()) -> Path:
    """A bag with these messages a topic, plus a topic of texts; returns its folder.  silent: topics, with their types,
    on which nothing came."""
    bag = folder / f"bag_{suffix[1:]}"
    with Writer(bag, version=9, storage_plugin=STORAGES[suffix]) as writer:
        text = writer.add_connection("/chatter", "std_msgs/msg/String", typestore=STORE)
        for topic, kind in silent:
            writer.add_connection(topic, kind, typestore=STORE)
        for topic, messages in topics.items():
            kind = getattr(messages[0], "__msgtype__", CLOUD_TYPE)
            connection = writer.add_connection(topic, kind, typestore=STORE)
            for number, one in enumerate(messages):
                content = one if isinstance(one, bytes) else STORE.serialize_cdr(one, kind)
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
    with pytest.raises(PartDistillError, match=f"choose a topic of clouds or depth images; {listed}"):
        list(read_bag(bag))
    for topic in ("/side", "/chatter"):
        with pytest.raises(PartDistillError, match=f"no topic '{topic}' of clouds or depth images; {listed}"):
            list(read_bag(bag, topic))


def test_bag_without_clouds(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match="there are: none"):
        list(read_bag(record(tmp_path, ".mcap", {})))


def test_organized_clouds_keep_grid_and_nan(tmp_path: Path) -> None:
    cloud = points(1)
    cloud[4] = np.nan
    (scan,) = read_bag(record(tmp_path, ".mcap", {"/points": [message(cloud, height=3)]}))
    assert scan.grid == (3, 4) and scan.finite().sum() == 11 and scan.viewpoint is not None


def depth_messages(frame: str = "camera") -> tuple[Any, Any]:
    """An image of 4 x 3 pixels at 1 m, one of them empty, and its camera_info with a focal length of 2 pixels."""
    pixels = np.full((3, 4), 1000, "<u2")
    pixels[0, 0] = 0
    stamp = TYPES["builtin_interfaces/msg/Time"](5, 0)
    head, other = (TYPES["std_msgs/msg/Header"](stamp, name) for name in ("camera", frame))
    image = TYPES["sensor_msgs/msg/Image"](head, 3, 4, "16UC1", 0, 8, pixels.reshape(-1).view(np.uint8))
    roi = TYPES["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
    p = np.array([2.0, 0, 1.5, 0, 0, 2.0, 1, 0, 0, 0, 1, 0])
    k, none = np.zeros(9), np.zeros(0)
    return image, TYPES["sensor_msgs/msg/CameraInfo"](other, 3, 4, "plumb_bob", none, k, k, p, 0, 0, roi)


def test_depth_images_become_organized_clouds(tmp_path: Path) -> None:
    image, info = depth_messages()
    topics = {"/depth/image_rect": [image] * 3, "/depth/camera_info": [info], "/alone/image_raw": [image]}
    bag = record(tmp_path, ".mcap", topics)
    assert cloud_topics(bag) == {"/depth/image_rect": 3}
    scans = list(read_bag(bag, every=2))
    assert [scan.name for scan in scans] == ["bag_mcap_000000", "bag_mcap_000002"]
    assert scans[0].grid == (3, 4) and not scans[0].finite()[0]
    np.testing.assert_allclose(scans[0].points[-1], [0.75, 0.5, 1.0])
    told: list[str] = []
    other = record(tmp_path / "other", ".mcap", {"/d/image": [image], "/d/camera_info": [depth_messages("lidar")[1]]})
    with pytest.raises(PartDistillError, match="no cloud that can be read"):
        list(read_bag(other, on_skip=lambda _, error: told.append(str(error))))
    assert "take the camera_info of the same camera" in told[0]
    silent = [("/d/camera_info", info.__msgtype__)]
    with pytest.raises(PartDistillError, match=r"^/d/camera_info has no messages, without which /d/image cannot"):
        list(read_bag(record(tmp_path / "silent", ".mcap", {"/d/image": [image]}, silent)))


def test_recordings_of_ros_1(tmp_path: Path) -> None:
    from rosbags.rosbag1 import Writer as Writer1

    store, topics = get_typestore(Stores.ROS1_NOETIC), (("/cam/image", 0), ("/cam/camera_info", 1))
    image, info = depth_messages()
    with Writer1(tmp_path / "old.bag") as writer:
        for topic, which in topics:
            one = (image, info)[which]
            ros1 = store.types[one.__msgtype__]
            fields = {name: getattr(one, name.lower() if name in "DKRP" else name) for name in ros1.__annotations__
                      if name != "__msgtype__"}  # fmt: skip
            fields["header"] = store.types["std_msgs/msg/Header"](0, one.header.stamp, one.header.frame_id)
            connection = writer.add_connection(topic, one.__msgtype__, typestore=store)
            writer.write(connection, 1, store.serialize_ros1(ros1(**fields), one.__msgtype__))
    (scan,) = load_scans([tmp_path])
    assert scan.name == "old_000000" and scan.grid == (3, 4)


def test_real_recordings(data_dir: Path) -> None:
    realsense = list(read_bag(data_dir / "bags" / "rs_single_depth_color.bag"))
    assert len(realsense) == 2 and all(scan.grid == (480, 640) and scan.finite().mean() > 0.9 for scan in realsense)
    (tutorial,) = read_bag(data_dir / "bags" / "perception_tutorial.bag")
    assert tutorial.colors is not None and 1 < np.nanmedian(tutorial.points[:, 2]) < 2


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
