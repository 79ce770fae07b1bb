# SPDX-License-Identifier: Apache-2.0
"""The other end of the live node for the benchmarks: publishes to it, hears it and calls it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from numpy.typing import NDArray
from partdistill_ros.msg import PartLegend
from partdistill_ros.srv import LoadBundle, SetQuery
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String

from partdistill_ros.cli.common import CommandFailed
from partdistill_ros.nodes.conversions import cloud_message
from partdistill_ros.pointcloud.layout import CloudLayout
from partdistill_ros.pointcloud.scan import Scan

NODE = "part_segmenter"
ANSWER_SECONDS = 60.0


def own_namespace() -> str:
    """Topics of this process alone: a private domain may still be that of another test on this machine."""
    return f"/benchmark_{os.getpid()}"


def stamp_of(header: Any) -> int:
    """The time stamp in nanoseconds."""
    return int(header.stamp.sec) * 10**9 + int(header.stamp.nanosec)


def labels_of(message: Any) -> NDArray[np.int16]:
    """Labels `[N]` of a labeled cloud, -1 for none."""
    fields = tuple((one.name, one.offset, one.datatype, one.count) for one in message.fields)
    layout = CloudLayout(fields, message.height, message.width, message.point_step, message.row_step)
    layout.check(len(message.data))
    return layout.column(message.data, "label").reshape(-1).view(np.int16).copy()


class Peer:
    """Use as a context manager. `on_cloud` and `on_legend` are called with each message.

    depth: of the queues; `diagnostics` is the newest status, keys to values, with `level` and `message`.
    """

    def __init__(
        self, domain: int, depth: int, on_cloud: Callable[[Any], None], on_legend: Callable[[Any], None]
    ) -> None:
        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], domain_id=domain, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node("benchmark", context=self._context, namespace=own_namespace())
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self.diagnostics: dict[str, str] = {}
        self.points = self.node.create_publisher(PointCloud2, "points", depth)
        self.queries = self.node.create_publisher(String, "part_query", depth)
        self.node.create_subscription(PointCloud2, "labeled_points", on_cloud, depth)
        latched = QoSProfile(depth=depth, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.node.create_subscription(PartLegend, "part_legend", on_legend, latched)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._set_query = self.node.create_client(SetQuery, f"{NODE}/set_query")
        self._load_bundle = self.node.create_client(LoadBundle, f"{NODE}/load_bundle")

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            if status.name.startswith(f"{own_namespace()[1:]}/{NODE}"):
                values = {entry.key: entry.value for entry in status.values}
                self.diagnostics = values | {"level": str(status.level[0]), "message": status.message}

    def message(self, scan: Scan) -> Any:
        """The cloud with a stamp of its own."""
        return cloud_message(scan, Header(stamp=self.node.get_clock().now().to_msg(), frame_id="camera"))

    def listen(self, seconds: float) -> None:
        """Takes in what arrives within `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def until(self, done: Callable[[], Any], what: str, check: Callable[[], None], seconds: float) -> Any:
        """Listens until `done()`, and returns that. Raises CommandFailed after `seconds`, or what `check` raises."""
        end = time.monotonic() + seconds
        while not (result := done()):
            check()
            if time.monotonic() > end:
                raise CommandFailed(f"{what} did not come within {seconds:.0f} s")
            self._executor.spin_once(timeout_sec=0.02)
        return result

    def connect(self, check: Callable[[], None], seconds: float = ANSWER_SECONDS) -> None:
        """Waits until the node hears us and we hear it."""

        def ready() -> bool:
            heard = self.points.get_subscription_count() and self.queries.get_subscription_count()
            hear = self.node.count_publishers("labeled_points") and self.node.count_publishers("part_legend")
            return bool(heard and hear and self._set_query.service_is_ready() and self._load_bundle.service_is_ready())

        self.until(ready, "the connection", check, seconds)

    def set_query(self, query: str) -> Any:
        """The future of the answer."""
        return self._set_query.call_async(SetQuery.Request(query=query))

    def load_bundle(self, bundle: str) -> Any:
        """The future of the answer."""
        return self._load_bundle.call_async(LoadBundle.Request(bundle=bundle))
