# SPDX-License-Identifier: Apache-2.0
"""Plays a scan, a folder of scans or a recording as PointCloud2, for trying things out without a camera."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from partdistill_ros.errors import printable
from partdistill_ros.io.playlist import play
from partdistill_ros.nodes.commands import NodeEnded, run_node
from partdistill_ros.nodes.conversions import cloud_message
from partdistill_ros.nodes.parameters import declare, on_change
from partdistill_ros.nodes.publisher_parameters import PublisherParameters
from partdistill_ros.nodes.qos import profile, publisher_events
from partdistill_ros.options import updated

ACKNOWLEDGE_SECONDS = 2.0
"""How long the last cloud of a playlist may take to arrive."""


class ScanPublisher(Node):
    """Publishes the next scan on `points` at each tick; organized clouds stay organized."""

    def __init__(self, **options: Any) -> None:
        super().__init__("scan_publisher", **options)
        self._settings = declare(self, PublisherParameters())
        settings = self._settings
        self._scans = play(
            settings.source,
            topic=settings.topic,
            loop=settings.loop,
            samples=settings.samples,
            skip=lambda problem: self._warn(f"left out: {problem}"),
        )
        self._upcoming = next(self._scans)
        qos = settings.qos.points
        events = publisher_events(self, "points", qos.reliability, self._warn)
        self._publisher = self.create_publisher(
            PointCloud2, "points", profile(qos.reliability, qos.depth), event_callbacks=events
        )
        self._ticker = self.create_timer(1.0 / settings.rate, self._tick)
        on_change(self, self._change)

    def start(self) -> bool:
        """Says what is played."""
        name = self.resolve_topic_name("points")
        self.get_logger().info(f"playing {self._settings.source} on {name} at {self._settings.rate:g} Hz")
        return True

    def stop(self) -> bool:
        """Nothing is in work between two ticks."""
        return True

    def _tick(self) -> None:
        if self._publisher.get_subscription_count() < self._settings.wait_for_subscribers:
            return
        header = Header(stamp=self.get_clock().now().to_msg(), frame_id=self._settings.frame_id)
        self._publisher.publish(cloud_message(self._upcoming, header))
        try:
            self._upcoming = next(self._scans)
        except StopIteration:
            # A reliable cloud may still be on its way.
            self._publisher.wait_for_all_acked(Duration(seconds=ACKNOWLEDGE_SECONDS))
            self.get_logger().info("played to the end")
            raise NodeEnded from None

    def _warn(self, words: str) -> None:
        self.get_logger().warning(printable(words))

    def _change(self, changes: Mapping[str, object]) -> None:
        self._settings = updated(self._settings, changes)
        self._ticker.timer_period_ns = int(1e9 / self._settings.rate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted or, without `loop`, has played everything."""
    return run_node(ScanPublisher, arguments)
