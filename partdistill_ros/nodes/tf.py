# SPDX-License-Identifier: Apache-2.0
"""What tf says, heard into a `TransformTree`."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

from rclpy.node import Node

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.qos import latched, profile
from partdistill_ros.recording.transforms import NotYetKnown, Pose, TransformTree, pose_of

KEEP_SECONDS = 30.0
DEPTH = 100
ASK_SECONDS = 0.02
"""Time between two questions for a transform that is still on its way."""


class TransformListener:
    """Hears `/tf` and `/tf_static`; ask `pose` from another thread than the executor's."""

    def __init__(self, node: Node) -> None:
        """Raises PartDistillError where the messages of tf are not installed."""
        if importlib.util.find_spec("tf2_msgs") is None:
            raise PartDistillError(
                "poses of frames need the message types of tf ('tf2_msgs'): source a ROS 2 installation, or run 'make' "
                "in the repository; or leave 'object_frame' empty"
            )
        from tf2_msgs.msg import TFMessage

        self._tree = TransformTree(KEEP_SECONDS)
        self._log = node.get_logger()
        self._subscriptions = [
            node.create_subscription(TFMessage, "/tf", self._hear, profile("reliable", DEPTH)),
            node.create_subscription(TFMessage, "/tf_static", self._hear_static, latched(DEPTH)),
        ]

    def pose(self, source: str, target: str, stamp: int, wait: float) -> Pose:
        """As `TransformTree.pose`, after waiting up to `wait` seconds for messages that are on their way."""
        end = time.monotonic() + wait
        while True:
            try:
                return self._tree.pose(source, target, stamp)
            except NotYetKnown:
                if time.monotonic() >= end:
                    raise
                time.sleep(ASK_SECONDS)

    def _hear(self, message: Any, static: bool = False) -> None:
        for one in message.transforms:
            stamp = one.header.stamp.sec * 10**9 + one.header.stamp.nanosec
            moved, turned = one.transform.translation, one.transform.rotation
            try:
                pose = pose_of((moved.x, moved.y, moved.z), (turned.x, turned.y, turned.z, turned.w))
            except PartDistillError as error:
                self._log.warning(f"transform of '{one.child_frame_id}' left out: {error}", throttle_duration_sec=5.0)
                continue
            self._tree.add(one.header.frame_id, one.child_frame_id, stamp, pose, static)

    def _hear_static(self, message: Any) -> None:
        self._hear(message, static=True)
