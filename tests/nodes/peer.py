# SPDX-License-Identifier: Apache-2.0
"""The other end of a node under test: publishes to it, hears it and calls it, within this process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from partdistill_ros.msg import PartLegend
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from partdistill_ros.nodes.conversions import cloud_message
from partdistill_ros.pointcloud.scan import Scan


class Peer:
    """Use as a context manager; `heard[topic]` are the messages so far."""

    def __init__(self, domain: int) -> None:
        self.context = Context()
        rclpy.init(context=self.context, domain_id=domain)
        self.node = rclpy.create_node("peer", context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = {}
        self.points = self.node.create_publisher(PointCloud2, "points", 1)
        self.query = self.node.create_publisher(String, "part_query", 1)
        latched = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._hear(PointCloud2, "labeled_points", 10)
        self._hear(PartLegend, "part_legend", latched)
        self._hear(MarkerArray, "part_markers", 10)
        self._hear(DiagnosticArray, "/diagnostics", 10)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *error: object) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def _hear(self, kind: Any, topic: str, qos: Any) -> None:
        self.heard[topic] = []
        self.node.create_subscription(kind, topic, self.heard[topic].append, qos)

    def until(self, done: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
        """Spins until `done()` is true, and returns that."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            result = done()
            if result:
                return result
            self.executor.spin_once(timeout_sec=0.05)
        raise AssertionError(f"{what} did not happen within {seconds} s")

    def connect(self) -> None:
        """Waits for the segmenter's subscriptions."""
        self.until(lambda: self.points.get_subscription_count() and self.query.get_subscription_count(), "connection")
        self.until(lambda: self.heard["part_legend"], "the latched legend")
        self.until(lambda: self.node.count_publishers("labeled_points"), "the output")

    def cloud(self, scan: Scan, frame: str = "camera") -> PointCloud2:
        """A message with a stamp of its own."""
        return cloud_message(scan, Header(stamp=self.node.get_clock().now().to_msg(), frame_id=frame))

    def ask(self, cloud: PointCloud2, seconds: float = 60.0) -> PointCloud2:
        """Publishes a cloud and waits for the answer with its stamp."""

        def answer() -> Any:
            return [labeled for labeled in self.heard["labeled_points"] if labeled.header == cloud.header]

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
