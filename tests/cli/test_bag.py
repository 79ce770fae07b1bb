# SPDX-License-Identifier: Apache-2.0
"""Clouds of recordings become scan files."""

import numpy as np
import pytest

from partdistill_ros.io.load import load_scan
from partdistill_ros.pointcloud.layout import encode

rosbags = pytest.importorskip("rosbags.rosbag2")


@pytest.fixture
def bag(tmp_path):
    """Five clouds of 40, 41, ... points on /camera/points and two on /lidar."""
    from rosbags.typesys import Stores, get_typestore

    store = get_typestore(Stores.LATEST)
    header = store.types["std_msgs/msg/Header"](store.types["builtin_interfaces/msg/Time"](1, 0), "camera")
    field = store.types["sensor_msgs/msg/PointField"]
    cloud = store.types["sensor_msgs/msg/PointCloud2"]
    path = tmp_path / "recording"
    with rosbags.Writer(path, version=9) as writer:
        for topic, count in (("/camera/points", 5), ("/lidar", 2)):
            connection = writer.add_connection(topic, cloud.__msgtype__, typestore=store)
            for number in range(count):
                points = np.random.default_rng(number).random((40 + number, 3)).astype(np.float32)
                packed = encode(points)
                message = cloud(
                    header, 1, len(points), [field(n, o, d, c) for n, o, d, c in packed.fields], False,
                    packed.point_step, packed.point_step * len(points), np.frombuffer(packed.data, np.uint8), True,
                )  # fmt: skip
                writer.write(connection, number * 10**9, store.serialize_cdr(message, cloud.__msgtype__))
    return path


def test_topics_are_listed(partdistill, bag):
    done = partdistill("bag", bag, "--json")
    assert done.code == 0 and done.json() == {"bags": {str(bag): {"/camera/points": 5, "/lidar": 2}}}
    assert "/camera/points" in partdistill("bag", bag).out


def test_every_second_cloud_as_pcd(partdistill, bag, tmp_path):
    done = partdistill(
        "bag", bag, "--out", tmp_path / "scans", "--topic", "/camera/points", "--every", 2, "--format", "pcd", "--json"
    )
    assert done.code == 0 and done.json()["left_out"] == []
    sizes = [len(load_scan(path).points) for path in done.json()["scans"]]
    assert sizes == [40, 42, 44]
    done = partdistill("bag", bag, "--out", tmp_path / "few", "--topic", "lidar", "--limit", 1)
    assert [path.suffix for path in (tmp_path / "few").iterdir()] == [".npz"] and "wrote 1 scan " in done.out


def test_clouds_in_millimeters_become_scans_in_meters(partdistill, bag, tmp_path):
    wanted = np.random.default_rng(0).random((40, 3)) / 1000
    words = ("bag", bag, "--out", tmp_path / "few", "--topic", "lidar", "--limit", 1, "--unit", "mm", "--json")
    (path,) = partdistill(*words).json()["scans"]
    assert np.allclose(load_scan(path).points, wanted, atol=1e-6)


def test_wrong_input(partdistill, bag, tmp_path):
    for arguments, words in (
        ((bag, "--every", 2), "--every needs --out"),
        ((bag, "--unit", "mm"), "--unit needs --out"),
        ((bag, "--out", tmp_path / "s"), "choose a topic of clouds or depth images"),
        ((bag, "--out", tmp_path / "s", "--topic", "/imu"), "/lidar"),
        ((bag, bag, "--out", tmp_path / "s", "--topic", "/lidar"), "same name"),
        ((tmp_path / "gone",), "does not exist"),
    ):
        done = partdistill("bag", *arguments)
        assert done.code == 2 and words in done.err
