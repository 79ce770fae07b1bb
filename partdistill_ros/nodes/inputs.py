# SPDX-License-Identifier: Apache-2.0
"""What a node labels or records: clouds, or depth images, each with the camera_info and the color image of its time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from partdistill_ros.nodes.qos import InputQos, InputSubscription
from partdistill_ros.options import option
from partdistill_ros.pointcloud.depth import color_problem

if TYPE_CHECKING:
    from rclpy.node import Node
    from sensor_msgs.msg import CameraInfo, Image

INPUTS = ("points", "depth")
DEPTH, INFO, COLOR = "depth/image_rect", "depth/camera_info", "color/image_rect"
KEPT = 10
"""Images of each topic that wait for their like; color may come a few frames late."""
FEW = 5
"""Messages of each topic that the middleware keeps while the node is busy."""
PATIENCE = 2.0
"""Seconds that a camera_info, or a color image, is waited for before its lack is told."""


def input_option() -> Any:
    """The parameter `input`."""
    return option(
        "points",
        f"points: clouds on 'points'. depth: depth images on '{DEPTH}' with '{INFO}' and, where somebody publishes "
        f"it, the registered '{COLOR}'.",
        choices=INPUTS,
        read_only=True,
    )


@dataclass(frozen=True)
class DepthInput:
    """Which images belong together."""

    tolerance: float = option(
        0.02,
        "A depth image, its camera_info and its color image may differ in time by so many seconds; 0: not at all.",
        minimum=0.0,
        maximum=10.0,
    )


@dataclass(frozen=True)
class DepthImage:
    """A depth image with what belongs to it, as received; `color` is registered to it, or there is none."""

    depth: Image
    info: CameraInfo
    color: Image | None


class DepthSubscription:
    """Hands over the newest depth image for which everything is there; those before it are left out.

    Without color where nobody publishes any, and where its images do not fit, which is told. `problem` is why nothing
    is handed over though depth images come; empty where nothing is wrong.
    """

    def __init__(
        self,
        node: Node,
        qos: InputQos,
        settings: Callable[[], DepthInput],
        receive: Callable[[DepthImage], None],
        warn: Callable[[str], object],
    ) -> None:
        """`settings()` are those that hold now."""
        from rclpy.clock import Clock, ClockType
        from sensor_msgs.msg import CameraInfo, Image

        self._node, self._settings, self._receive, self._warn = node, settings, receive, warn
        self._names = {name: str(node.resolve_topic_name(name)) for name in (DEPTH, INFO, COLOR)}
        self.topic, self.problem = self._names[DEPTH], ""
        self._recent: dict[str, deque[Any]] = {name: deque(maxlen=KEPT) for name in self._names}
        self._arrivals: dict[str, float] = {}
        self._incomplete_since: float | None = None
        self._color_expected_since: float | None = None
        kinds = {DEPTH: Image, INFO: CameraInfo, COLOR: Image}
        qos = replace(qos, depth=max(qos.depth, FEW))  # of one each, those of different times might be left
        self._subscriptions = [
            InputSubscription(node, qos, self._keeper(name), warn, name, kind) for name, kind in kinds.items()
        ]
        self._timer: Any = node.create_timer(0.5, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def close(self) -> None:
        """Ends it for good."""
        for subscription in self._subscriptions:
            subscription.close()
        self._node.destroy_timer(self._timer)

    def _keeper(self, name: str) -> Callable[[Any], None]:
        def keep(message: Any) -> None:
            now, before = time.monotonic(), self._arrivals.get(name, -float("inf"))
            self._recent[name].append(message)
            self._arrivals[name] = now
            if name == DEPTH and self._incomplete_since is None:
                self._incomplete_since = now
            if name == COLOR and now - before > PATIENCE:  # it comes again: those behind their depth are waited for
                self._color_expected_since = now
            self._match()

        return keep

    def _match(self) -> None:
        depths = self._recent[DEPTH]
        for place in reversed(range(len(depths))):
            depth = depths[place]
            info = self._nearest(INFO, depth)
            if info is None:
                continue
            ready, color = self._color(depth)
            if ready:
                for _ in range(place + 1):
                    depths.popleft()
                self.problem, self._incomplete_since = "", None
                self._receive(DepthImage(depth, info, color))
                return

    def _color(self, depth: Image) -> tuple[bool, Image | None]:
        """Whether a depth image need not wait for color, and its color."""
        if not self._node.count_publishers(self._names[COLOR]):
            self._color_expected_since = None
            return True, None
        now, name = time.monotonic(), self._names[COLOR]
        if self._color_expected_since is None:
            self._color_expected_since = now
        color = self._nearest(COLOR, depth)
        if color is None:
            if now - self._color_expected_since < PATIENCE:
                return False, None
            self._warn(f"no color: {self._lack(COLOR, depth)}")
            return True, None
        self._color_expected_since = now
        problem = color_problem(color, depth, name)
        if problem:
            self._warn(f"no color: {problem}")
        return True, None if problem else color

    def _nearest(self, name: str, depth: Image) -> Any:
        """The message of a topic nearest in time, None where none is within the tolerance."""
        found = min(self._recent[name], key=lambda one: _apart(one, depth), default=None)
        return None if found is None or _apart(found, depth) > self._settings().tolerance else found

    def _look(self) -> None:
        """Waits no longer for color, and tells where camera_info is lacking; on a timer, since nothing may arrive."""
        self._match()
        since, depths = self._incomplete_since, self._recent[DEPTH]
        lacking = since is not None and time.monotonic() - since > PATIENCE
        if lacking and depths and self._nearest(INFO, depths[-1]) is None:
            self.problem = f"the depth images on {self.topic} cannot be used: {self._lack(INFO, depths[-1])}"
            self._warn(self.problem)

    def _lack(self, name: str, depth: Image) -> str:
        """Why an image has none of `name`, and what helps."""
        topic, recent = self._names[name], self._recent[name]
        what = name.split("/")[0 if name == COLOR else 1]
        if not self._node.count_publishers(topic):
            return f"nobody publishes {topic}: remap '{name}' to the camera's {what}"
        if time.monotonic() - self._arrivals.get(name, -float("inf")) > max(PATIENCE, self._settings().tolerance):
            return f"nothing arrives on {topic}, though somebody publishes there ('ros2 topic hz {topic}')"
        # Not of color, whose images come at any distance: the same words are told once a minute.
        apart = min(_apart(one, depth) for one in recent)
        nearest = f", the nearest is about {apart:.1g} s away" if name == INFO else ""
        return (
            f"{topic} has none of their time{nearest}: have the driver stamp both alike, or set depth.tolerance "
            f"(now {self._settings().tolerance:g})"
        )


def _apart(one: Any, other: Any) -> float:
    """Seconds between the stamps of two messages."""
    a, b = one.header.stamp, other.header.stamp
    return abs((a.sec - b.sec) + (a.nanosec - b.nanosec) * 1e-9)


def subscribe(
    node: Node,
    settings: Callable[[], Any],
    receive: Callable[[Any], None],
    warn: Callable[[str], object],
) -> InputSubscription | DepthSubscription:
    """What the parameters `input`, `depth.*` (which may change) and `qos.points.*` of `settings()` ask for; `receive`
    gets PointCloud2 or DepthImage, `warn` what is wrong, one sentence with its remedy, again and again."""
    qos = settings().qos.points
    if settings().input == "depth":
        return DepthSubscription(node, qos, lambda: settings().depth, receive, warn)
    return InputSubscription(node, qos, receive, warn)


def input_topic(node: Node, settings: Any) -> str:
    """The topic of the clouds or depth images, in full."""
    return str(node.resolve_topic_name(DEPTH if settings.input == "depth" else "points"))
