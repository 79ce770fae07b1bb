# SPDX-License-Identifier: Apache-2.0
"""Poses from `/tf` and `/tf_static`, heard by a node; each failure names the parameter and its remedy."""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="rclpy is not installed: source ROS 2 or run make")

STAMP = 7
"""Seconds, of the clouds."""


@pytest.fixture
def send(node):
    """`send(seconds, x)`: `camera` stands at (x, 0, 0) in `base_link`, turned by a quarter about z."""
    tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed: run make or source ROS 2")
    from geometry_msgs.msg import TransformStamped

    publisher = node.create_publisher(tf2_msgs.TFMessage, "/tf", 10)

    def publish(seconds, x):
        one = TransformStamped(child_frame_id="camera")
        one.header.frame_id = "base_link"
        one.header.stamp.sec = seconds
        one.transform.translation.x = x
        one.transform.rotation.z = one.transform.rotation.w = float(np.sqrt(0.5))
        while not publisher.get_subscription_count():
            time.sleep(0.01)
        publisher.publish(tf2_msgs.TFMessage(transforms=[one]))

    return publish


def header(seconds=STAMP, frame="camera"):
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    return Header(stamp=Time(sec=seconds), frame_id=frame)


def listening(node):
    from partdistill_ros.nodes.tf import TransformListener

    listener = TransformListener(node)
    listener.listen("crop.frame")
    return listener


def spin_until_known(node, listener, asked, frame="base_link", seconds=20.0):
    """The pose once it is known; the node is spun between two questions."""
    end = time.monotonic() + seconds
    while True:
        try:
            return listener.pose(asked, frame, "crop.frame", wait=0.0)
        except PartDistillError:
            if time.monotonic() > end:
                raise
        node.executor.spin_once(timeout_sec=0.1)


def test_the_pose_leads_from_the_cloud_to_the_frame(node, send):
    listener = listening(node)
    send(STAMP, 2.0)
    pose = spin_until_known(node, listener, header())
    np.testing.assert_allclose(pose @ (1, 0, 5, 1), (2, 1, 5, 1), atol=1e-12)
    np.testing.assert_allclose(listener.pose(header(0), "base_link", "crop.frame"), pose)


def test_poses_of_a_clock_that_was_set_back_are_forgotten(node, send):
    listener = listening(node)
    for seconds, x in ((100, 1.0), (101, 1.0), (STAMP, 2.0)):
        send(seconds, x)
        spin_until_known(node, listener, header(seconds))
    assert listener.pose(header(), "base_link", "crop.frame")[0, 3] == 2.0
    with pytest.raises(PartDistillError, match=r"newest transform of 'camera' in 'base_link' is 93\.000 s before"):
        listener.pose(header(100), "base_link", "crop.frame")


def test_an_unknown_frame_is_named(node):
    pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed: run make or source ROS 2")
    with pytest.raises(PartDistillError, match=r"'camera' to 'map' \(memory.fixed_frame\): .*frames known: none.*/tf"):
        listening(node).pose(header(), "map", "memory.fixed_frame", wait=0.0)


def test_missing_messages_are_named(node, monkeypatch):
    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2_msgs" else known(name))
    with pytest.raises(PartDistillError, match=r"'tf2_msgs'.*source a ROS 2 installation, or run 'make'.*'crop.frame'"):
        listening(node)
