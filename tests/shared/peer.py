# SPDX-License-Identifier: Apache-2.0
"""The other end of a node under test: publishes to it, subscribes to it and calls it, within this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import GetParameterTypes
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from partdistill_ros.nodes.conversions import cloud_message
from partdistill_ros.nodes.label_subscriber import LabelSubscriber
from partdistill_ros.pointcloud.scan import Scan

MEET_SECONDS = 60.0


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

    def client(self, kind: Any, name: str) -> Any:
        """A client of a service `NODE/NAME` that is heard on both sides."""
        client = self.node.create_client(kind, name)
        self.until(client.service_is_ready, f"service {name}")
        self.meet(name.rsplit("/", 1)[0])
        return client

    def meet(self, node: str) -> None:
        """Waits until a node knows every client made here so far. A server drops the answer to a client that it has
        not discovered yet, though that client sees the server; it discovers clients in the order in which they were
        made, so one answer to a new client of a question that may be asked again tells of all before it."""
        newest = self.node.create_client(GetParameterTypes, f"{node}/get_parameter_types")
        self.until(newest.service_is_ready, f"the parameters of {node}")
        end = time.monotonic() + MEET_SECONDS
        answers: list[Any] = []
        while not any(answer.done() for answer in answers):
            assert time.monotonic() < end, f"{node} answered none of {len(answers)} questions"
            answers.append(newest.call_async(GetParameterTypes.Request()))
            self.spin_until(answers[-1].done, 1.0)
        self.node.destroy_client(newest)

    def spin_until(self, done: Callable[[], bool], seconds: float) -> None:
        """Spins until `done()` or so long."""
        end = time.monotonic() + seconds
        while not done() and time.monotonic() < end:
            self.spin()

    def call(self, kind: Any, name: str, /, seconds: float = 60.0, **request: Any) -> Any:
        """Calls a service of the node under test."""
        client = self.client(kind, name)
        future = client.call_async(kind.Request(**request))
        self.until(future.done, f"the answer of {name}", seconds)
        self.node.destroy_client(client)
        return future.result()
