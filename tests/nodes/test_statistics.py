# SPDX-License-Identifier: Apache-2.0
"""Rates, latencies and problems as the diagnostics tell them."""

from __future__ import annotations

import pytest

from partdistill_ros.nodes.statistics import WINDOW, Statistics


def test_before_the_first_cloud():
    summary = Statistics().summary(100.0, dropped=0)
    assert (summary.received, summary.labeled, summary.rate, summary.idle) == (0, 0, 0.0, None)
    assert summary.latency == {} and summary.problem is None


def test_rate_and_latency():
    statistics = Statistics()
    for number in range(5):
        statistics.arrived(number * 0.1)
        statistics.labeled(number * 0.1, {"network": 0.01 * (number + 1), "total": 0.1})
    summary = statistics.summary(0.45, dropped=3)
    assert summary.rate == pytest.approx(10)
    assert summary.latency["network"] == pytest.approx((0.03, 0.05))
    assert summary.latency["total"] == pytest.approx((0.1, 0.1))
    assert (summary.received, summary.labeled, summary.dropped) == (5, 5, 3)
    assert summary.idle == pytest.approx(0.05)


def test_the_rate_fades_when_clouds_stop():
    statistics = Statistics()
    for number in range(5):
        statistics.labeled(number * 0.1, {})
    assert statistics.summary(4.4, 0).rate == pytest.approx(0.5)
    assert statistics.summary(60.0, 0).rate == 0


def test_only_the_last_results_count():
    statistics = Statistics()
    statistics.labeled(0.0, {"total": 99.0})
    for number in range(WINDOW):
        statistics.labeled(float(number), {"total": 1.0})
    assert statistics.summary(float(WINDOW), 0).latency["total"] == (1.0, 1.0)


def test_a_problem_is_told_once():
    statistics = Statistics()
    statistics.refused("no field 'z'")
    first, second = statistics.summary(0.0, 0), statistics.summary(1.0, 0)
    assert (first.problem, first.refused) == ("no field 'z'", 1)
    assert (second.problem, second.refused) == (None, 1)
    statistics.warned("no objects")
    third = statistics.summary(2.0, 0)
    assert (third.problem, third.refused) == ("no objects", 1)
