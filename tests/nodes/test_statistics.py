# SPDX-License-Identifier: Apache-2.0
"""Rates, latencies and problems as the diagnostics tell them."""

from __future__ import annotations

import pytest

from partdistill_ros.nodes.statistics import IGNORED, KINDS, MALFORMED, NOTHING, WINDOW, Statistics


def test_before_the_first_cloud():
    summary = Statistics().summary(100.0, dropped=0)
    assert (summary.received, summary.labeled, summary.rate, summary.idle) == (0, 0, 0.0, None)
    assert summary.latency == {} and summary.problem is None and summary.last_problem is None


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


def test_a_problem_is_told_once_and_remembered():
    statistics = Statistics()
    statistics.went_wrong(1.0, MALFORMED, "no field 'z'")
    first, second = statistics.summary(1.0, 0), statistics.summary(3.0, 0)
    assert (first.problem, first.counts[MALFORMED]) == ("no field 'z'", 1)
    assert (second.problem, second.counts[MALFORMED]) == (None, 1)
    assert second.last_problem == ("no field 'z'", 2.0)
    statistics.went_wrong(4.0, NOTHING, "no objects")
    third = statistics.summary(4.0, 0)
    assert (third.problem, third.last_problem) == ("no objects", ("no objects", 0.0))
    assert third.counts == {**dict.fromkeys(KINDS, 0), MALFORMED: 1, NOTHING: 1}


def test_clouds_that_come_while_switched_off_are_counted_apart():
    statistics = Statistics()
    statistics.arrived(0.0)
    statistics.arrived(1.0, ignored=True)
    summary = statistics.summary(1.5, 0)
    assert (summary.received, summary.counts[IGNORED], summary.idle) == (2, 1, 0.5)
