# SPDX-License-Identifier: Apache-2.0
"""The rest of the robot in a benchmark: a camera, ears for the labels, a client of the trainer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.nodes.label_subscriber import LabelSubscriber, read_labeled
from partdistill_ros.nodes.node_process import NodeProcess
from partdistill_ros.pointcloud.scan import Scan

RESEND = 15.0  # seconds without a word on a goal


def write_bag(folder: Path, scans: Sequence[Scan], topic: str = "/camera/points") -> Path:
    """A recording as `ros2 bag record` makes it (mcap), a cloud a second; returns `folder`."""
    from rclpy.serialization import serialize_message
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import Stores, get_typestore
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import cloud_message

    with Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(topic, "sensor_msgs/msg/PointCloud2", typestore=get_typestore(Stores.LATEST))
        for second, scan in enumerate(scans, 1):
            header = Header(frame_id="camera")
            header.stamp.sec = second
            message = cloud_message(scan.with_(point_labels=None), header)
            writer.write(connection, second * 10**9, serialize_message(message))
    return folder


@dataclass
class Goal:
    """A goal under way: its feedback so far (seconds since it was sent, message), and its result."""

    handle: Any
    feedback: list[tuple[float, Any]] = field(default_factory=list)
    result: Any = None
    status: int = 0
    seconds: float = 0.0


class Robot(LabelSubscriber):
    """A node of this process on the private domain; use as a context manager. nodes: watched while it waits."""

    def __init__(self, domain: int, nodes: Sequence[NodeProcess] = ()) -> None:
        super().__init__(domain=domain, nodes=nodes, on_cloud=self._labeled)
        self.answers: dict[int, NDArray[np.int16]] = {}
        self._stamp = 0

    def subscribe(self) -> None:
        """And a camera and a client of the trainer."""
        from partdistill_ros.action import Distill
        from rclpy.action import ActionClient
        from sensor_msgs.msg import PointCloud2

        super().subscribe()
        self._points = self.node.create_publisher(PointCloud2, "points", 1)
        self._distill = ActionClient(self.node, Distill, "distill")

    def __exit__(self, *_: object) -> None:
        self._distill.destroy()
        super().__exit__()

    def _labeled(self, message: Any) -> None:
        self.answers[message.header.stamp.sec] = read_labeled(message).labels

    def connect(self, seconds: float = 90.0) -> None:
        """Waits for a live node."""
        self.until(lambda: self._points.get_subscription_count() > 0, "the live node's subscription", seconds)
        self.until(lambda: self.node.count_publishers("labeled_points") > 0, "the live node's output", seconds)

    def show_until(
        self, scan: Scan, done: Callable[[], bool], what: str, seconds: float = 60.0, every: float = 1.0
    ) -> None:
        """Publishes a scene every so many seconds until `done()`."""
        shown = 0.0

        def done_or_shown() -> bool:
            nonlocal shown
            if done():
                return True
            if time.monotonic() - shown > every:
                self.show(scan)
                shown = time.monotonic()
            return False

        self.until(done_or_shown, what, seconds)

    def show(self, scan: Scan) -> int:
        """Publishes a scene; returns its stamp."""
        from std_msgs.msg import Header

        from partdistill_ros.nodes.conversions import cloud_message

        self._stamp += 1
        header = Header(frame_id="camera")
        header.stamp.sec = self._stamp
        self._points.publish(cloud_message(scan, header))
        return self._stamp

    def ask(self, scan: Scan, seconds: float = 60.0) -> NDArray[np.int16]:
        """The live node's labels `[N]` of a scene."""
        stamp = self.show(scan)
        self.until(lambda: stamp in self.answers, "the labeled cloud", seconds)
        return self.answers[stamp]

    def rate(self, scan: Scan, seconds: float) -> float:
        """Clouds a second that the live node labels when the next one is always there."""
        begin, count = time.monotonic(), 0
        while time.monotonic() - begin < seconds:
            self.ask(scan)
            count += 1
        return count / (time.monotonic() - begin)

    def send(self, seconds: float = 90.0, **goal: Any) -> Goal:
        """Sends a goal to the trainer; what becomes of it is filled in while this spins."""
        from partdistill_ros.action import Distill

        self.until(self._distill.server_is_ready, "the trainer's action", seconds)
        sent, begin, futures = Goal(None), time.monotonic(), []

        def accepted() -> Any:
            # While a killed server is still remembered, a goal for the new one can be lost: it is sent again.
            if time.monotonic() - begin >= RESEND * len(futures):
                futures.append(self._distill.send_goal_async(Distill.Goal(**goal), feedback_callback=heard))
            return next((one.result() for one in futures if one.done() and one.result().accepted), None)

        def heard(told: Any) -> None:
            sent.feedback.append((time.monotonic() - begin, told.feedback))

        sent.handle = self.until(accepted, "the trainer's word on the goal", seconds)

        def ended(done: Any) -> None:
            sent.result, sent.status = done.result().result, done.result().status
            sent.seconds = time.monotonic() - begin

        sent.handle.get_result_async().add_done_callback(ended)
        return sent

    def cancel(self, goal: Goal, seconds: float = 30.0) -> float:
        """Cancels a goal; seconds until its result is here."""
        begin = time.monotonic()
        goal.handle.cancel_goal_async()
        self.until(lambda: goal.result is not None, "the end of the canceled goal", seconds)
        return time.monotonic() - begin

    def call(self, kind: Any, name: str, seconds: float, scan: Scan, **ask: Any) -> Any:
        """The answer of a service, while the camera shows a scene five times a second."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f"the service {name}", 90.0)
        future = client.call_async(kind.Request(**ask))
        self.show_until(scan, future.done, f"the answer of {name}", seconds, every=0.2)
        self.node.destroy_client(client)
        return future.result()
