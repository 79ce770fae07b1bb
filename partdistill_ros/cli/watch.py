# SPDX-License-Identifier: Apache-2.0
"""The labeled clouds of a running node, each with the names that its labels mean.

Imports rclpy only when a `Watch` is opened, after `nodes.environment.prepare()` has checked that it is there.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import numpy as np

from partdistill_ros.cli.common import say
from partdistill_ros.cli.live import read_labeled
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.browser_content import Content

Cloud = TypeVar("Cloud")
Legend = TypeVar("Legend")

WARN_SECONDS = 5.0  # the same trouble is told at most so often


class Pairing(Generic[Cloud, Legend]):
    """Brings together messages of two topics that carry the same stamp, whichever comes first.

    The newest pair is given out, once, and never an older one after it. Few clouds are kept, since
    they are large, and more legends.
    """

    CLOUDS, LEGENDS = 3, 20

    def __init__(self) -> None:
        self._clouds: dict[Hashable, Cloud] = {}
        self._legends: dict[Hashable, Legend] = {}

    def cloud(self, stamp: Hashable, cloud: Cloud) -> None:
        """A cloud has come."""
        _keep(self._clouds, stamp, cloud, self.CLOUDS)

    def legend(self, stamp: Hashable, legend: Legend) -> None:
        """A legend has come."""
        _keep(self._legends, stamp, legend, self.LEGENDS)

    def take(self) -> tuple[Cloud, Legend] | None:
        """The newest cloud whose legend is there, None without one."""
        stamps = list(self._clouds)
        for place in reversed(range(len(stamps))):
            if stamps[place] in self._legends:
                pair = self._clouds[stamps[place]], self._legends[stamps[place]]
                for older in stamps[: place + 1]:
                    del self._clouds[older]
                return pair
        return None


def _keep(kept: dict[Hashable, Any], stamp: Hashable, message: Any, most: int) -> None:
    kept.pop(stamp, None)  # the newest goes to the end
    kept[stamp] = message
    while len(kept) > most:
        del kept[next(iter(kept))]


def legend_topic(topic: str) -> str:
    """`part_legend` in the namespace of the topic of labeled clouds."""
    namespace, slash, _ = topic.rpartition("/")
    return f"{namespace}{slash}part_legend"


class Watch:
    """Subscribes to `topic` (sensor_msgs/PointCloud2, labeled) and `legend` (PartLegend) on the user's ROS
    domain. Use as a context manager. Raises PartDistillError for a name that ROS does not allow."""

    def __init__(self, topic: str, legend: str) -> None:
        self._topic, self._legend_name = topic, legend
        self._pairing: Pairing[Any, Any] = Pairing()
        self._best_effort_wanted = False
        self._told: dict[str, float] = {}

    def __enter__(self) -> Watch:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        self._context = rclpy.Context()
        rclpy.init(context=self._context, args=[], signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("partdistill_view", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        try:
            self._subscribe()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        import rclpy

        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def newest(self, seconds: float) -> Content | None:
        """Listens for at most so long; the newest cloud since the last call, or None."""
        end = time.monotonic() + seconds
        while True:
            self._executor.spin_once(timeout_sec=max(0.0, end - time.monotonic()))
            if self._best_effort_wanted:
                self._give_in()
            pair = self._pairing.take()
            if pair is not None:
                try:
                    return content_of_messages(*pair)
                except PartDistillError as error:
                    self._tell(f"a cloud on {self._topic} cannot be shown: {error}")
            if time.monotonic() >= end:
                return None

    def silence(self) -> str:
        """Why nothing may have come."""
        names = {self._topic: "labeled clouds", self._legend_name: "legends"}
        missing = [f"nobody publishes {what} on {topic}" for topic, what in names.items() if not self._published(topic)]
        return " and ".join(missing) or f"nothing came on {self._topic}, though somebody offers it"

    def _published(self, topic: str) -> bool:
        return bool(self._node.count_publishers(topic))

    def _subscribe(self) -> None:
        from rclpy.exceptions import InvalidTopicNameException
        from rclpy.qos import DurabilityPolicy, QoSProfile

        from partdistill_ros.msg import PartLegend

        latched = QoSProfile(depth=Pairing.LEGENDS, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        try:
            self._clouds = self._listen("reliable")
            self._node.create_subscription(PartLegend, self._legend_name, self._on_legend, latched)
        except InvalidTopicNameException as error:
            sentence = " ".join(str(error).split())
            raise PartDistillError(f"{sentence}: name a topic as 'ros2 topic list' shows it") from error

    def _listen(self, reliability: str) -> Any:
        from rclpy.event_handler import SubscriptionEventCallbacks
        from sensor_msgs.msg import PointCloud2

        from partdistill_ros.nodes.qos import profile

        def incompatible(_: object) -> None:
            self._best_effort_wanted = True

        return self._node.create_subscription(
            PointCloud2,
            self._topic,
            self._on_cloud,
            profile(reliability, 1),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible),
        )

    def _give_in(self) -> None:
        """The publisher is best_effort. Not within its own callback: the subscription is destroyed here."""
        self._best_effort_wanted = False
        self._node.destroy_subscription(self._clouds)
        self._clouds = self._listen("best_effort")

    def _on_cloud(self, message: Any) -> None:
        self._pairing.cloud(_stamp(message), message)

    def _on_legend(self, message: Any) -> None:
        self._pairing.legend(_stamp(message), message)

    def _tell(self, words: str) -> None:
        now = time.monotonic()
        if now - self._told.get(words, -WARN_SECONDS) >= WARN_SECONDS:
            self._told = {words: now}
            say(words)


def content_of_messages(cloud: Any, legend: Any) -> Content:
    """A labeled PointCloud2 and its PartLegend as arrays.

    Raises PartDistillError for a cloud of another layout, or labels that the legend does not name.
    """
    labeled = read_labeled(cloud)
    scan = Scan(
        labeled.points,
        colors=labeled.colors,
        grid=labeled.grid,
        # Organized clouds come in the frame of their sensor.
        viewpoint=None if labeled.grid is None else np.zeros(3, np.float32),
        name=cloud.header.frame_id or "cloud",
    )
    return Content(scan, labeled.labels, tuple(legend.names), labeled.confidence)


def _stamp(message: Any) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec
