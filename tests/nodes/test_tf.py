# SPDX-License-Identifier: Apache-2.0
"""Missing messages of tf are one sentence; test_scan_recorder.py hears real ones."""

import importlib.util

import pytest

from partdistill_ros.errors import PartDistillError

pytestmark = pytest.mark.ros


def test_missing_messages_are_named(monkeypatch):
    pytest.importorskip("rclpy", reason="rclpy is not installed: source ROS 2 or run make")
    from partdistill_ros.nodes.tf import TransformListener

    known = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2_msgs" else known(name))
    with pytest.raises(PartDistillError, match=r"'tf2_msgs'.*source a ROS 2 installation, or run 'make'"):
        TransformListener(None)
