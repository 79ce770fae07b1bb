# SPDX-License-Identifier: Apache-2.0
"""The player as its users meet it: a process of its own on real DDS."""

from __future__ import annotations

import signal

import numpy as np
import pytest

from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.layout import CloudLayout
from partdistill_ros.pointcloud.scan import Scan

pytestmark = pytest.mark.ros


def listen(peer):
    """What arrives on `points` from now on."""
    from sensor_msgs.msg import PointCloud2

    heard = []
    peer.node.create_subscription(PointCloud2, "points", heard.append, 10)
    return heard


def scan_of(message):
    return CloudLayout.of(message).scan(message.data)


def test_an_organized_scan_is_played_again_and_again(run_node, peer, table_scene, tmp_path):
    save_scan(tmp_path / "scene.pcd", table_scene)
    heard = listen(peer)
    node = run_node("scan_publisher", source=str(tmp_path / "scene.pcd"), rate=20.0, frame_id="table")
    peer.until(lambda: len(heard) >= 3, "three clouds", 90)
    scan = scan_of(heard[-1])
    np.testing.assert_array_equal(scan.points, table_scene.points)
    np.testing.assert_array_equal(scan.colors, table_scene.colors)
    assert scan.grid == table_scene.grid and heard[-1].header.frame_id == "table"
    stamps = [message.header.stamp.sec + message.header.stamp.nanosec * 1e-9 for message in heard]
    assert (np.diff(stamps) > 0).all()
    code = node.end(signal.SIGTERM)
    assert (code, "Traceback" in node.output()) == (0, False)


def test_a_folder_once_every_cloud_arrives_and_the_node_ends(run_node, peer, tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    for number in range(4):
        save_scan(folder / f"{number}.npz", Scan(np.full((1000, 3), number, np.float32)))
    (folder / "3b.pcd").write_bytes(b"damaged")
    heard = listen(peer)
    node = run_node("scan_publisher", source=str(folder), rate=20.0, loop=False, wait_for_subscribers=1)
    peer.until(lambda: len(heard) >= 4, "four clouds", 90)
    assert node.process.wait(30) == 0
    assert [float(scan_of(message).points[0, 0]) for message in heard] == [0, 1, 2, 3]
    assert "left out" in node.output() and "played to the end" in node.output()


@pytest.mark.parametrize(("source", "words"), [
    ("", "set the parameter 'source'"),
    ("/nowhere.pcd", "source '/nowhere.pcd' does not exist"),
])  # fmt: skip
def test_nothing_to_play_is_one_sentence(run_node, source, words):
    node = run_node("scan_publisher", source=source)
    assert node.process.wait(90) == 1
    assert words in node.output() and "Traceback" not in node.output()
