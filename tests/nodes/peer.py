# SPDX-License-Identifier: Apache-2.0
"""The other end of a node under test: publishes to it, subscribes to it and calls it, within this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from partdistill_ros.nodes.conversions import cloud_message
from partdistill_ros.nodes.label_subscriber import LabelSubscriber
from partdistill_ros.pointcloud.scan import Scan


class Peer(LabelSubscriber):
    """Use as a context manager; `messages[topic]` are those so far."""

    def __init__(self, domain: int) -> None:
        topics = ("labeled_points", "part_legend", "part_markers", "/diagnostics")
        self.messages: dict[str, list[Any]] = {topic: [] for topic in topics}
        clouds, legends = self.messages["labeled_points"], self.messages["part_legend"]
        super().__init__(domain=domain, depth=10, on_cloud=clouds.append, on_legend=legends.append)

    def subscribe(self) -> None:
        """And what publishes."""
        super().subscribe()
        self.points = self.node.create_publisher(PointCloud2, "points", 1)
        self.query = self.node.create_publisher(String, "part_query", 1)
        for kind, topic in ((MarkerArray, "part_markers"), (DiagnosticArray, "/diagnostics")):
            self.node.create_subscription(kind, topic, self.messages[topic].append, 10)

    def until(self, done: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Spins until `done()` is true, and returns that."""
        return super().until(done, what, seconds)

    def connect(self) -> None:
        """Waits for the segmenter's subscriptions."""
        self.until(lambda: self.points.get_subscription_count() and self.query.get_subscription_count(), "connection")
        self.until(lambda: self.messages["part_legend"], "the latched legend")
        self.until(lambda: self.node.count_publishers("labeled_points"), "the output")

    def cloud(self, scan: Scan, frame: str = "camera") -> PointCloud2:
        """A message with a stamp of its own."""
        return cloud_message(scan, Header(stamp=self.node.get_clock().now().to_msg(), frame_id=frame))

    def ask(self, cloud: PointCloud2, seconds: float = 60.0) -> PointCloud2:
        """Publishes a cloud and waits for the answer with its stamp."""

        def answer() -> Any:
            return [labeled for labeled in self.messages["labeled_points"] if labeled.header == cloud.header]

        self.points.publish(cloud)
        return self.until(answer, "the labeled cloud", seconds)[0]

    def call(self, kind: Any, name: str, **request: Any) -> Any:
        """Calls a service of the node under test."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f"service {name}")
        future = client.call_async(kind.Request(**request))
        self.until(future.done, f"the answer of {name}")
        self.node.destroy_client(client)
        return future.result()
