# SPDX-License-Identifier: Apache-2.0
"""What a live node publishes, received in another process: labeled clouds, the names of their labels, diagnostics.

Imports rclpy only when a subscriber is opened, after `nodes.environment.prepare()` has checked that it is there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.nodes.diagnostics import Throttle
from partdistill_ros.nodes.node_process import NodeProcess
from partdistill_ros.pointcloud.layout import CloudLayout, unpack_colors
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.browser import Content

if TYPE_CHECKING:
    from typing_extensions import Self

Cloud = TypeVar("Cloud")
Legend = TypeVar("Legend")

SPIN_SECONDS = 0.05
LEGENDS_KEPT = 20


@dataclass(frozen=True)
class LabeledCloud:
    """One labeled cloud as it came over DDS: points `[N, 3]`, labels `[N] i2` (-1 none), confidence `[N]`, colors
    `[N, 3] u1`; `delay` seconds from the stamp of the original to its arrival here; objects `[N] u2` (0 none), None
    where the node does not number them."""

    points: NDArray[np.float32]
    labels: NDArray[np.int16]
    confidence: NDArray[np.float32]
    grid: tuple[int, int] | None
    delay: float
    colors: NDArray[np.uint8] | None = None
    objects: NDArray[np.uint16] | None = None


@dataclass
class Received:
    """Everything so far: clouds, the parts of the newest legend, the newest diagnostics by key (with `level` and
    `message`)."""

    clouds: list[LabeledCloud] = field(default_factory=list)
    parts: tuple[str, ...] = ()
    diagnostics: dict[str, str] = field(default_factory=dict)


class LabelSubscriber:
    """Subscribes to labeled clouds, their legends and `/diagnostics` with a node and a context of its own, on the
    calling thread; use as a context manager.

    domain: None is the user's.  namespace: of relative topics and of the node whose diagnostics are taken.
    depth: of the queues.  on_cloud: gets each message instead of `received.clouds`.  on_legend: gets each message.
    nodes: whose end is noticed while this waits; may be filled later.
    Raises PartDistillError for a name that ROS does not allow.
    """

    def __init__(
        self,
        topic: str = "labeled_points",
        legend: str = "part_legend",
        *,
        domain: int | None = None,
        namespace: str = "/",
        depth: int = 5,
        on_cloud: Callable[[Any], None] | None = None,
        on_legend: Callable[[Any], None] | None = None,
        nodes: Sequence[NodeProcess] = (),
    ) -> None:
        self.nodes = list(nodes)
        self.topic, self.legend = topic, legend
        self._domain, self._namespace, self._depth = domain, namespace, depth
        self._on_cloud, self._on_legend = on_cloud or self._keep, on_legend
        self.received = Received()

    def __enter__(self) -> Self:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.signals import SignalHandlerOptions

        self._context = rclpy.Context()
        quiet = SignalHandlerOptions.NO
        rclpy.init(context=self._context, args=[], domain_id=self._domain, signal_handler_options=quiet)
        self.node: Any = rclpy.create_node("label_subscriber", context=self._context, namespace=self._namespace)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        try:
            self.subscribe()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        import rclpy

        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def subscribe(self) -> None:
        """Makes the subscriptions; a subclass adds its own publishers and clients to `node`."""
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.exceptions import InvalidTopicNameException
        from rclpy.validate_topic_name import validate_topic_name

        from partdistill_ros.msg import PartLegend
        from partdistill_ros.nodes.qos import InputQos, InputSubscription, latched

        try:
            for name in (self.topic, self.legend):
                validate_topic_name(name)
        except InvalidTopicNameException as error:
            sentence = " ".join(str(error).split())
            raise PartDistillError(f"{sentence}: name a topic as 'ros2 topic list' shows it") from error
        quality, logger = InputQos("auto", self._depth), self.node.get_logger()
        self._clouds = InputSubscription(self.node, quality, self._on_cloud, logger.warning, self.topic)
        self.node.create_subscription(PartLegend, self.legend, self._receive_legend, latched(LEGENDS_KEPT))
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._receive_diagnostics, 10)

    def spin(self, seconds: float = SPIN_SECONDS) -> None:
        """Takes in what arrives, for at most so long or until something did. Raises CommandFailed where one of the
        nodes has ended."""
        for node in self.nodes:
            node.check()
        self._executor.spin_once(timeout_sec=seconds)

    def listen(self, seconds: float) -> None:
        """Takes in what arrives within so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.spin(left)

    def until(self, done: Callable[[], Any], what: str, seconds: float) -> Any:
        """Listens until `done()`, and returns that. Raises CommandFailed with the nodes' own words where one of them
        ends or the time is over."""
        end = time.monotonic() + seconds
        while not (result := done()):
            if time.monotonic() > end:
                logs = [f"{node.name} printed:\n{node.tail()}" for node in self.nodes]
                raise CommandFailed("; ".join([f"{what} did not come within {seconds:.0f} s", *logs]))
            self.spin()
        return result

    def delay(self, message: Any) -> float:
        """Seconds from the stamp of a message to now."""
        stamp = message.header.stamp
        return float(self.node.get_clock().now().nanoseconds - stamp.sec * 10**9 - stamp.nanosec) / 1e9

    def _keep(self, message: Any) -> None:
        self.received.clouds.append(read_labeled(message, self.delay(message)))

    def _receive_legend(self, message: Any) -> None:
        self.received.parts = tuple(message.names)
        if self._on_legend is not None:
            self._on_legend(message)

    def _receive_diagnostics(self, message: Any) -> None:
        for status in message.status:
            if status.name.startswith(self._namespace.strip("/")):
                values = {entry.key: entry.value for entry in status.values}
                self.received.diagnostics = values | {"level": str(status.level[0]), "message": status.message}


class PairSubscriber(LabelSubscriber):
    """Labeled clouds, each with the names that its labels mean; nothing else is kept.

    warn: gets the reason why a cloud cannot be shown.
    """

    def __init__(self, topic: str, legend: str, warn: Callable[[str], None]) -> None:
        self._pairs: StampPairs[Any, Any] = StampPairs()
        super().__init__(
            topic,
            legend,
            depth=1,
            on_cloud=lambda message: self._pairs.add_cloud(_stamp(message), message),
            on_legend=lambda message: self._pairs.add_legend(_stamp(message), message),
        )
        self._warn = Throttle(warn)

    def newest(self, seconds: float) -> Content | None:
        """Listens for at most so long; the newest cloud since the last call, or None."""
        end = time.monotonic() + seconds
        while True:
            self.spin(max(0.0, end - time.monotonic()))
            pair = self._pairs.take()
            if pair is not None:
                try:
                    return content_of_messages(*pair)
                except PartDistillError as error:
                    self._warn(f"a cloud on {self.topic} cannot be shown: {error}")
            if time.monotonic() >= end:
                return None

    def silence(self) -> str:
        """Why nothing may have come."""
        topics = {self.topic: "labeled clouds", self.legend: "legends"}
        missing = [what for what in topics if not self.node.count_publishers(what)]
        words = " and ".join(f"nobody publishes {topics[topic]} on {topic}" for topic in missing)
        return words or f"nothing came on {self.topic}, though somebody offers it"


class StampPairs(Generic[Cloud, Legend]):
    """Brings together messages of two topics that carry the same stamp, whichever comes first.

    The newest pair is given out, once, and never an older one after it. Few clouds are kept, since they are large,
    and more legends.
    """

    CLOUDS = 3

    def __init__(self) -> None:
        self._clouds: dict[Hashable, Cloud] = {}
        self._legends: dict[Hashable, Legend] = {}

    def __len__(self) -> int:
        return len(self._clouds) + len(self._legends)

    def add_cloud(self, stamp: Hashable, cloud: Cloud) -> None:
        """A cloud has come."""
        _keep_newest(self._clouds, stamp, cloud, self.CLOUDS)

    def add_legend(self, stamp: Hashable, legend: Legend) -> None:
        """A legend has come."""
        _keep_newest(self._legends, stamp, legend, LEGENDS_KEPT)

    def take(self) -> tuple[Cloud, Legend] | None:
        """The newest cloud whose legend is there, None without one."""
        stamps = list(self._clouds)
        for position in reversed(range(len(stamps))):
            if stamps[position] in self._legends:
                pair = self._clouds[stamps[position]], self._legends[stamps[position]]
                for older in stamps[: position + 1]:
                    del self._clouds[older]
                return pair
        return None


def _keep_newest(kept: dict[Hashable, Any], stamp: Hashable, message: Any, most: int) -> None:
    kept.pop(stamp, None)  # the newest goes to the end
    kept[stamp] = message
    while len(kept) > most:
        del kept[next(iter(kept))]


def legend_topic(topic: str) -> str:
    """`part_legend` in the namespace of the topic of labeled clouds."""
    namespace, slash, _ = topic.rpartition("/")
    return f"{namespace}{slash}part_legend"


def read_labeled(message: Any, delay: float = 0.0) -> LabeledCloud:
    """A `labeled_points` message as arrays. Raises PartDistillError for one of another layout."""
    layout, data = CloudLayout.of(message, "labeled_points"), message.data
    layout.check(len(data))
    packed = layout.packed_colors(data)
    return LabeledCloud(
        layout.points(data),
        layout.column(data, "label").reshape(-1).astype(np.uint16).view(np.int16),
        layout.column(data, "confidence").reshape(-1).astype(np.float32),
        layout.grid,
        delay,
        None if packed is None else unpack_colors(packed),
        layout.column(data, "object").reshape(-1).astype(np.uint16) if layout.has("object") else None,
    )


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
