# SPDX-License-Identifier: Apache-2.0
"""Parameters become QoS profiles, and a mismatch names the parameter to change."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from partdistill_ros.nodes import qos

pytestmark = pytest.mark.ros


@pytest.mark.parametrize(("reliability", "name"), [
    ("reliable", "RELIABLE"), ("auto", "RELIABLE"), ("best_effort", "BEST_EFFORT"),
])  # fmt: skip
def test_profiles(reliability, name):
    made = qos.profile(reliability, 7)
    assert (made.reliability.name, made.depth, made.durability.name) == (name, 7, "VOLATILE")


def test_latched_topics_wait_for_late_subscribers():
    assert qos.latched().durability.name == "TRANSIENT_LOCAL" and qos.latched().reliability.name == "RELIABLE"


def endpoint(name, namespace="/", **policies):
    from rclpy.qos import QoSProfile

    return SimpleNamespace(node_name=name, node_namespace=namespace, qos_profile=QoSProfile(depth=1, **policies))


@pytest.mark.parametrize(("own", "other", "remedy"), [
    ("reliable", "BEST_EFFORT", "set the parameter qos.points.reliability to best_effort"),
    ("best_effort", "RELIABLE", "set the parameter qos.points.reliability to reliable"),
])  # fmt: skip
def test_a_mismatch_names_the_other_side_and_the_remedy(own, other, remedy):
    from rclpy.qos import QoSPolicyKind, ReliabilityPolicy

    told = []
    peers = [endpoint("driver", "/camera", reliability=ReliabilityPolicy[other])]
    peers.append(endpoint("replay", reliability=ReliabilityPolicy[own.upper()]))
    warn = qos.mismatch_warning("/points", "qos.points.reliability", own, lambda: peers, told.append)
    warn(SimpleNamespace(last_policy_kind=int(QoSPolicyKind.RELIABILITY)))
    assert f"'/camera/driver' (reliability {other.lower()})" in told[0]
    assert f"we use {own}" in told[0] and remedy in told[0] and "replay" not in told[0]


def test_a_peer_whose_node_is_not_known_yet():
    from rclpy.qos import QoSPolicyKind, ReliabilityPolicy

    told = []
    peers = [endpoint(qos.UNKNOWN_NODE, "_NODE_NAMESPACE_UNKNOWN_", reliability=ReliabilityPolicy.BEST_EFFORT)]
    warn = qos.mismatch_warning("/points", "qos.points.reliability", "reliable", lambda: peers, told.append)
    warn(SimpleNamespace(last_policy_kind=int(QoSPolicyKind.RELIABILITY)))
    assert told[0].startswith("nothing passes on /points between us and a peer (reliability best_effort): we use")


def test_other_policies_are_the_other_sides_to_change():
    from rclpy.qos import DurabilityPolicy, QoSPolicyKind

    told = []
    peers = [endpoint("rviz", durability=DurabilityPolicy.TRANSIENT_LOCAL)]
    warn = qos.mismatch_warning(
        "/labeled_points", "qos.labeled_points.reliability", "reliable", lambda: peers, told.append
    )
    warn(SimpleNamespace(last_policy_kind=int(QoSPolicyKind.DURABILITY)))
    assert "'/rviz' (durability transient_local)" in told[0] and "set the other side's" in told[0]
    assert "set the parameter" not in told[0]
