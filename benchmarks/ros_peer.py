# SPDX-License-Identifier: Apache-2.0
"""The other end of the live node for the benchmarks: publishes to it, hears it and calls it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from partdistill_ros.srv import LoadBundle, SetQuery
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String

from partdistill_ros.nodes.conversions import cloud_message
from partdistill_ros.nodes.label_subscriber import LabelSubscriber
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
    layout = CloudLayout.of(message)
    layout.check(len(message.data))
    return layout.column(message.data, "label").reshape(-1).view(np.int16).copy()


class Peer(LabelSubscriber):
    """Use as a context manager. `on_cloud` and `on_legend` are called with each message; depth: of the queues."""

    def __init__(
        self, domain: int, depth: int, on_cloud: Callable[[Any], None], on_legend: Callable[[Any], None]
    ) -> None:
        super().__init__(domain=domain, namespace=own_namespace(), depth=depth, on_cloud=on_cloud, on_legend=on_legend)

    def subscribe(self) -> None:
        """And what publishes and calls."""
        super().subscribe()
        self.points = self.node.create_publisher(PointCloud2, "points", self._depth)
        self.queries = self.node.create_publisher(String, "part_query", self._depth)
        self._set_query = self.node.create_client(SetQuery, f"{NODE}/set_query")
        self._load_bundle = self.node.create_client(LoadBundle, f"{NODE}/load_bundle")

    def message(self, scan: Scan) -> Any:
        """The cloud with a stamp of its own."""
        return cloud_message(scan, Header(stamp=self.node.get_clock().now().to_msg(), frame_id="camera"))

    def connect(self, seconds: float = ANSWER_SECONDS) -> None:
        """Waits until the node hears us and we hear it."""

        def ready() -> bool:
            heard = self.points.get_subscription_count() and self.queries.get_subscription_count()
            hear = self.node.count_publishers("labeled_points") and self.node.count_publishers("part_legend")
            return bool(heard and hear and self._set_query.service_is_ready() and self._load_bundle.service_is_ready())

        self.until(ready, "the connection", seconds)

    def set_query(self, query: str) -> Any:
        """The future of the answer."""
        return self._set_query.call_async(SetQuery.Request(query=query))

    def load_bundle(self, bundle: str) -> Any:
        """The future of the answer."""
        return self._load_bundle.call_async(LoadBundle.Request(bundle=bundle))
