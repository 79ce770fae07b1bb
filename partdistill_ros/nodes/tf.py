# SPDX-License-Identifier: Apache-2.0
"""Where frames are, as `/tf` and `/tf_static` tell, for every node."""

from __future__ import annotations

import importlib.util
import threading
import time
from functools import partial
from typing import Any

from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Header

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.qos import latched, profile
from partdistill_ros.recording.transforms import NotYetKnown, Pose, TransformTree, pose_of

KEEP_SECONDS = 30.0
DEPTH = 100
WAIT_SECONDS = 0.1
"""How long a cloud waits for the transform of its time, which is often published a little later."""
ASK_SECONDS = 0.02
"""Time between two questions for a transform that is still on its way."""


class TransformListener:
    """Listens from the first question on, or from `listen`; ask from another thread than the executor's."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._tree = TransformTree(KEEP_SECONDS)
        self._subscriptions: list[Any] = []
        self._listening = threading.Lock()  # clouds and services ask from threads of their own
        # Only a clock of simulated time jumps.
        threshold = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jumps = node.get_clock().create_jump_callback(threshold, post_callback=lambda _: self._tree.forget())

    def listen(self, parameter: str) -> None:
        """Subscribes, once. Raises PartDistillError, which names `parameter`, where tf's messages are not installed."""
        if self._subscriptions:
            return
        if importlib.util.find_spec("tf2_msgs") is None:
            raise PartDistillError(
                "poses of frames need the message types of tf ('tf2_msgs'): source a ROS 2 installation, or run 'make' "
                f"in the repository; or leave '{parameter}' empty"
            )
        from tf2_msgs.msg import TFMessage

        with self._listening:
            self._subscriptions = self._subscriptions or [
                self._node.create_subscription(TFMessage, "/tf", self._add, profile("reliable", DEPTH)),
                self._node.create_subscription(
                    TFMessage, "/tf_static", partial(self._add, static=True), latched(DEPTH)
                ),
            ]

    def pose(
        self,
        header: Header,
        frame: str,
        parameter: str,
        wait: float = WAIT_SECONDS,
        remedy: str = "or leave the parameter empty where the camera stands still",
    ) -> Pose:
        """`[4, 4]` from the frame of a cloud with this header to `frame` at the cloud's time (0: the newest known).

        parameter: what names the frame, for messages to the user.
        wait: seconds for messages that may be on their way.  remedy: what else helps, for the same messages.
        Raises PartDistillError where tf does not know the way: TooEarly where it does for later clouds.
        """
        self.listen(parameter)
        end = time.monotonic() + wait
        stamp = header.stamp.sec * 10**9 + header.stamp.nanosec
        while True:
            try:
                return self._tree.pose(header.frame_id, frame, stamp)
            except PartDistillError as error:
                if not isinstance(error, NotYetKnown) or time.monotonic() >= end:
                    raise type(error)(
                        f"no transform from the cloud's frame '{header.frame_id}' to '{frame}' ({parameter}): {error}; "
                        f"publish it on /tf, {remedy}"
                    ) from None
                time.sleep(ASK_SECONDS)

    def _add(self, message: Any, static: bool = False) -> None:
        for one in message.transforms:
            stamp = one.header.stamp.sec * 10**9 + one.header.stamp.nanosec
            shift, rotation = one.transform.translation, one.transform.rotation
            try:
                pose = pose_of((shift.x, shift.y, shift.z), (rotation.x, rotation.y, rotation.z, rotation.w))
            except PartDistillError as error:
                self._node.get_logger().warning(
                    f"transform of '{one.child_frame_id}' left out: {error}", throttle_duration_sec=5.0
                )
                continue
            self._tree.add(one.header.frame_id, one.child_frame_id, stamp, pose, static)
