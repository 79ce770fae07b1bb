# SPDX-License-Identifier: Apache-2.0
"""Poses come from tf2 only where two frames differ, and what stands in the way is said.

tf2_ros is in no package registry, so a stand-in with its three calls takes its place here; a test with the
real one runs where it can be imported.
"""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2's rclpy")
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TransformStamped
from std_msgs.msg import Header

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.transforms import Transforms

HEADER = Header(stamp=Time(sec=7), frame_id="camera")


class Buffer:
    """Knows the way from `camera` to `base_link`: a quarter turn about z and a shift."""

    def lookup_transform(self, target, source, time, timeout):
        if (target, source) != ("base_link", "camera"):
            raise LookupError(f'"{target}" passed to lookupTransform does not exist.')
        assert time.nanoseconds == 7 * 10**9 and timeout.nanoseconds > 0
        found = TransformStamped()
        found.transform.rotation.z = found.transform.rotation.w = float(np.sqrt(0.5))
        found.transform.translation.x = 2.0
        return found


@pytest.fixture
def tf2(monkeypatch):
    listening = []
    module = ModuleType("tf2_ros")
    module.Buffer = Buffer
    module.TransformListener = lambda buffer, node: listening.append(node) or object()
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return listening


def test_one_frame_needs_no_tf2(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    transforms = Transforms("node")
    assert transforms.pose("", HEADER, "crop.frame") is None
    assert transforms.pose("camera", HEADER, "crop.frame") is None


def test_the_pose_leads_from_the_cloud_to_the_frame(tf2):
    transforms = Transforms("node")
    pose = transforms.pose("base_link", HEADER, "crop.frame")
    np.testing.assert_allclose(pose @ (1, 0, 5, 1), (2, 1, 5, 1), atol=1e-12)
    transforms.pose("base_link", HEADER, "crop.frame")
    assert tf2 == ["node"]  # one listener for all questions


def test_an_unknown_frame_is_named(tf2):
    with pytest.raises(PartDistillError, match=r"'camera' to 'map' \(memory.fixed_frame\): .*does not exist.*/tf"):
        Transforms("node").pose("map", HEADER, "memory.fixed_frame")


def test_without_tf2_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2_ros", None)
    with pytest.raises(PartDistillError, match=r"crop.frame is 'map'.*tf2_ros.*not installed.*'camera' or ''"):
        Transforms("node").pose("map", HEADER, "crop.frame")


def test_the_real_tf2(monkeypatch):
    tf2_ros = pytest.importorskip("tf2_ros", reason="tf2_ros is in no package registry; needs a ROS 2 installation")
    known = TransformStamped(child_frame_id="camera", header=Header(frame_id="base_link"))
    known.transform.translation.x = 2.0
    known.transform.rotation.w = 1.0

    def listen(buffer, node):
        buffer.set_transform_static(known, "test")

    monkeypatch.setattr(tf2_ros, "TransformListener", listen)
    pose = Transforms("node").pose("base_link", HEADER, "crop.frame")
    np.testing.assert_allclose(pose[:3, 3], (2, 0, 0))
