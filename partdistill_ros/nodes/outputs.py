# SPDX-License-Identifier: Apache-2.0
"""Everything that the live node publishes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Float64, Header
from visualization_msgs.msg import MarkerArray

from partdistill_ros.inference.parts import Boxes
from partdistill_ros.inference.scene import SceneLabels
from partdistill_ros.msg import PartLegend
from partdistill_ros.nodes import detections
from partdistill_ros.nodes.conversions import (
    Cloud,
    diagnostics_message,
    legend_image_message,
    legend_message,
    markers_message,
)
from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.qos import OutputQos, latched, profile, publisher_events
from partdistill_ros.nodes.segmenter_parameters import SegmenterQos

STAGES = ("wait", "decode", "extract", "recall", "sample", "network", "spread", "encode", "publish", "total")
"""Stages of one cloud in the order of time; each has a topic `~/debug/<stage>_ms`."""

DETECTIONS = {"objects": detections.object_detections, "parts": detections.part_detections}
"""Topics of vision_msgs/Detection3DArray."""


@dataclass(frozen=True)
class Labeled:
    """One labeled cloud: what came, the answer, the message made of both, and the engine that answered."""

    cloud: Cloud
    answer: SceneLabels
    message: PointCloud2
    engine: Engine


class Outputs:
    """The publishers, from configure to cleanup; results and announcements may come from two threads."""

    def __init__(
        self, node: LifecycleNode, qos: SegmenterQos, warn: Callable[[str], object], *, with_detections: bool = False
    ) -> None:
        """with_detections: needs vision_msgs."""
        self._node, self._warn = node, warn
        self._lock = threading.Lock()
        self._labeled = self._publisher(PointCloud2, "labeled_points", qos.labeled_points)
        self._legend = node.create_lifecycle_publisher(PartLegend, "part_legend", latched())
        self._legend_image = node.create_lifecycle_publisher(Image, "part_legend_image", latched())
        self._markers = self._publisher(MarkerArray, "part_markers", qos.part_markers)
        self._detections: dict[str, Any] = {}
        if with_detections:
            from vision_msgs.msg import Detection3DArray

            self._detections = {name: self._publisher(Detection3DArray, name, OutputQos()) for name in DETECTIONS}
        self._diagnostics = node.create_lifecycle_publisher(DiagnosticArray, "/diagnostics", 10)
        self._times = {name: node.create_lifecycle_publisher(Float64, f"~/debug/{name}_ms", 10) for name in STAGES}

    def _publisher(self, kind: Any, name: str, qos: OutputQos) -> Any:
        return self._node.create_lifecycle_publisher(
            kind,
            name,
            profile(qos.reliability, qos.depth),
            event_callbacks=publisher_events(self._node, name, qos.reliability, self._warn),
        )

    def free(self) -> None:
        """Destroys the publishers."""
        legends = (self._legend, self._legend_image)
        further = (*self._detections.values(), *self._times.values())
        for publisher in (self._labeled, *legends, self._markers, self._diagnostics, *further):
            self._node.destroy_lifecycle_publisher(publisher)

    def result(self, result: Labeled, active: Engine, markers: bool) -> None:
        """The legend that holds for this cloud, the cloud, and markers and detections where somebody looks at them.

        The legend goes first: who joins cloud and legend by time of arrival and not by header has it too. Where
        another engine is active by now, its legend stays the latched one.
        """
        with self._lock:
            self._legend.publish(_legend(result.engine, result.cloud.header, result.answer))
            self._labeled.publish(result.message)
            found = Boxes(result.cloud.scan.points, result.answer)
            if markers and self._markers.get_subscription_count():
                self._markers.publish(markers_message(result.cloud, found))
            for name, publisher in self._detections.items():
                if publisher.get_subscription_count():
                    publisher.publish(DETECTIONS[name](result.cloud, found))
        if active is not result.engine:
            self.announce(active)

    def announce(self, engine: Engine) -> None:
        """Latches the legend of the active query, also as a picture: RViz has no other way to show it."""
        header = Header(stamp=self._node.get_clock().now().to_msg())
        picture = legend_image_message(header, engine.query.names)
        with self._lock:
            self._legend.publish(_legend(engine, header))
            self._legend_image.publish(picture)

    def times(self, stages: Mapping[str, float]) -> None:
        """The seconds of each stage of one cloud, to the debug topics that somebody listens to."""
        for name, publisher in self._times.items():
            if name in stages and publisher.get_subscription_count():
                publisher.publish(Float64(data=stages[name] * 1e3))

    def report(self, level: bytes, words: str, values: Mapping[str, object]) -> None:
        """One status on `/diagnostics`."""
        name = f"{self._node.get_fully_qualified_name()[1:]}: part segmentation"
        stamp = self._node.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostics_message(stamp, name, level, words, values))


def _legend(engine: Engine, header: Header, answer: SceneLabels | None = None) -> PartLegend:
    labels = None if answer is None else answer.labels
    return legend_message(header, engine.query.text, engine.bundle, engine.query.names, labels)
