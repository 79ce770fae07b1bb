# SPDX-License-Identifier: Apache-2.0
"""How a topic is transported, as parameters, and a warning instead of silence where two ends do not fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from partdistill_ros.options import option

if TYPE_CHECKING:
    from rclpy.node import Node
    from rclpy.qos import QoSProfile


UNKNOWN_NODE = "_NODE_NAME_UNKNOWN_"
"""What rmw calls the node of an endpoint before it has heard of the node."""


@dataclass(frozen=True)
class OutputQos:
    """Reliability and depth of a topic that the node publishes."""

    reliability: str = option(
        "reliable",
        "reliable reaches every subscription, best_effort best_effort ones only and loses clouds on a busy network.",
        choices=("reliable", "best_effort"),
        read_only=True,
    )
    depth: int = option(
        1, "Messages kept for a slow subscriber; 1 is the newest only.", minimum=1, maximum=100, read_only=True
    )


@dataclass(frozen=True)
class InputQos:
    """Reliability and depth of a topic that the node subscribes to."""

    reliability: str = option(
        "auto",
        "auto: reliable until a best_effort publisher shows up; reliable hears reliable publishers only; "
        "best_effort hears all and loses large clouds.",
        choices=("auto", "reliable", "best_effort"),
        read_only=True,
    )
    depth: int = option(
        1, "Messages kept while the node is busy; 1 is the newest only.", minimum=1, maximum=100, read_only=True
    )


@dataclass(frozen=True)
class PointsQos:
    """Transport of what a node takes in, where that is all that it takes in or gives out."""

    points: InputQos = field(default=InputQos())


@dataclass(frozen=True)
class CommandQos:
    """Reliability and depth of a topic of small messages that the node subscribes to."""

    reliability: str = option(
        "best_effort",
        "best_effort hears every publisher, reliable reliable ones only.",
        choices=("reliable", "best_effort"),
        read_only=True,
    )
    depth: int = option(5, "Messages kept while the node is busy.", minimum=1, maximum=100, read_only=True)


def profile(reliability: str, depth: int) -> QoSProfile:
    """Keeps the last `depth` messages, nothing for those who join late; `auto` begins reliable."""
    from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

    best_effort = reliability == "best_effort"
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE,
    )


def latched(depth: int = 1) -> QoSProfile:
    """Reliable, and the last message is there for those who join late."""
    from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

    return QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class InputSubscription:
    """A subscription to clouds or, with `kind`, images; `auto` is reliable until a best-effort publisher shows up.

    `problem`: see `DepthSubscription`; clouds need nothing beside them.
    """

    problem = ""

    def __init__(
        self,
        node: Node,
        qos: InputQos,
        receive: Callable[[Any], None],
        warn: Callable[[str], object],
        name: str = "points",
        kind: Any = None,
    ) -> None:
        from sensor_msgs.msg import PointCloud2

        self._node, self._qos, self._receive, self._warn, self._name = node, qos, receive, warn, name
        self._kind = kind or PointCloud2
        self.topic = str(node.resolve_topic_name(name))
        self._subscription: Any = None
        self._subscribe(qos.reliability)

    def close(self) -> None:
        """Ends it for good."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def _subscribe(self, reliability: str) -> None:
        from rclpy.event_handler import SubscriptionEventCallbacks

        events = subscription_events(self._node, self._name, reliability, self._warn, "points")
        if reliability == "auto":
            events = SubscriptionEventCallbacks(incompatible_qos=self._fall_back_to_best_effort)
        self._subscription = self._node.create_subscription(
            self._kind, self._name, self._receive, profile(reliability, self._qos.depth), event_callbacks=events
        )

    def _fall_back_to_best_effort(self, event: Any) -> None:
        """A publisher does not offer what a reliable subscription asks for."""
        self._node.get_logger().info(f"a publisher of {self.topic} is best_effort: listening as best_effort")
        # Not at once: the subscription would be destroyed within a callback of its own.
        if self._node.executor is not None:
            self._node.executor.create_task(self._subscribe_again)

    def _subscribe_again(self) -> None:
        if self._subscription is not None:  # not closed meanwhile
            self.close()
            self._subscribe("best_effort")


def subscription_events(node: Node, name: str, reliability: str, warn: Callable[[str], object], group: str = "") -> Any:
    """The events of a subscription to `name`, whose parameters are `qos.<group>.*` (empty: of its own name): a warning
    where a publisher does not fit it."""
    from rclpy.event_handler import SubscriptionEventCallbacks

    topic = node.resolve_topic_name(name)
    return SubscriptionEventCallbacks(
        incompatible_qos=mismatch_warning(
            topic,
            f"qos.{group or name}.reliability",
            reliability,
            lambda: node.get_publishers_info_by_topic(topic),
            warn,
        )
    )


def publisher_events(node: Node, name: str, reliability: str, warn: Callable[[str], object]) -> Any:
    """The same of a publisher, for subscriptions that do not fit it."""
    from rclpy.event_handler import PublisherEventCallbacks

    topic = node.resolve_topic_name(name)
    return PublisherEventCallbacks(
        incompatible_qos=mismatch_warning(
            topic, f"qos.{name}.reliability", reliability, lambda: node.get_subscriptions_info_by_topic(topic), warn
        )
    )


def mismatch_warning(
    topic: str, parameter: str, own: str, peers: Callable[[], Sequence[Any]], warn: Callable[[str], object]
) -> Callable[[Any], None]:
    """An event callback that says who the other end of `topic` is, what it uses, and what to change.

    topic: in full.  parameter: of our reliability, which is `own`.  peers: the endpoints on the other
    side (`TopicEndpointInfo`), asked for when the event comes.
    """

    def incompatible(event: Any) -> None:
        from rclpy.qos import QoSPolicyKind

        policy = QoSPolicyKind(event.last_policy_kind).name.lower()
        found = [(_endpoint(peer), _setting(peer, policy)) for peer in peers()]
        if policy == "reliability":
            found = [(name, value) for name, value in found if value != own]
        others = ", ".join(f"{name} ({policy} {value})" for name, value in found) or "a peer that is gone again"
        if policy == "reliability":
            wanted = "best_effort" if own == "reliable" else "reliable"
            remedy = f"we use {own}: set the parameter {parameter} to {wanted}, or the other side to {own}"
        else:
            remedy = f"our {policy} is the middleware's default: set the other side's to that"
        warn(f"nothing passes on {topic} between us and {others}: {remedy} ('ros2 topic info -v {topic}' shows both)")

    return incompatible


def _endpoint(peer: Any) -> str:
    # At the first contact the endpoint is known before the node that it belongs to.
    if peer.node_name == UNKNOWN_NODE:
        return "a peer"
    return f"'{peer.node_namespace.rstrip('/')}/{peer.node_name}'"


def _setting(peer: Any, policy: str) -> str:
    value = getattr(peer.qos_profile, policy, None)
    return str(getattr(value, "name", value)).lower()
