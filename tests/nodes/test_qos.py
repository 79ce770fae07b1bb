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


def test_a_mismatch_is_told_with_its_remedy():
    from rclpy.qos import QoSPolicyKind

    told = []
    warn = qos.mismatch_warning("points", "qos.points.reliability", told.append)
    warn(SimpleNamespace(last_policy_kind=int(QoSPolicyKind.RELIABILITY)))
    assert "RELIABILITY" in told[0] and "set the parameter qos.points.reliability" in told[0]
