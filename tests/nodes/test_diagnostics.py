# SPDX-License-Identifier: Apache-2.0
"""The diagnostics count, say what is wrong first, and how fast it goes where nothing is; log lines are limited."""

from __future__ import annotations

from dataclasses import replace

import pytest

from partdistill_ros.nodes.diagnostics import (
    IGNORED,
    KINDS,
    MALFORMED,
    MAX_LINES,
    NOTHING,
    OK,
    REPEAT_SECONDS,
    WARN,
    WINDOW,
    Namesakes,
    Statistics,
    Summary,
    Throttle,
    figures,
    silence,
    verdict,
)  # fmt: skip
from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters


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


FINE = Summary(
    received=9,
    labeled=7,
    dropped=1,
    counts=dict.fromkeys(KINDS, 0) | {MALFORMED: 1},
    rate=4.25,
    latency={"network": (0.02, 0.05)},
    idle=0.1,
    problem=None,
)


@pytest.mark.parametrize(("changes", "enabled", "level", "words"), [
    ({}, True, OK, "labeling at 4.2 Hz"),
    ({"problem": "no field 'z'"}, True, WARN, "no field 'z'"),
    ({"idle": None}, True, WARN, "no clouds on /cam/points: check the topic's name"),
    ({"silent": True}, True, WARN, "no clouds on /cam/points: check"),
    ({"idle": None, "problem": "no field 'z'"}, True, WARN, "no field 'z'"),
    ({"idle": None}, False, OK, "switched off"),
    ({"idle": None, "problem": "unknown part name"}, False, WARN, "unknown part name"),
])  # fmt: skip
def test_verdicts(changes, enabled, level, words):
    answered_level, answered = verdict(replace(FINE, **changes), silence("/cam/points", 0), enabled)
    assert answered_level == level and answered.startswith(words)


def test_a_publisher_that_is_not_heard_is_another_thing():
    words = silence("/points", 1)
    assert words.startswith("no clouds on /points, though somebody publishes there")
    assert "ros2 topic hz /points" in words and "fastdds.xml" in words
    assert silence("/depth", 0, "no depth images").startswith("no depth images on /depth: check the topic's name")


def test_silence_is_longer_where_clouds_come_seldom():
    statistics = Statistics(100.0)
    assert not statistics.summary(102.5, 0).silent
    assert statistics.summary(102.6, 0).silent
    statistics.expect(103.0)
    assert not statistics.summary(105.5, 0).silent
    for moment in (110.0, 112.0):
        statistics.arrived(moment)
    assert not statistics.summary(119.9, 0).silent and statistics.summary(120.1, 0).silent
    statistics.arrived(120.2)
    statistics.arrived(120.3)
    assert statistics.summary(122.9, 0).silent


def test_a_silent_fall_to_the_cpu_is_a_warning():
    level, words = verdict(FINE, "", True, "libcublasLt.so.13: cannot open shared object file")
    assert level == WARN and words.startswith("labeling at 4.2 Hz on the CPU though there is a GPU: libcublasLt")
    assert verdict(replace(FINE, problem="no field 'z'"), "", True, "libcublasLt") == (WARN, "no field 'z'")


def test_levels_are_those_of_the_message():
    status = pytest.importorskip("diagnostic_msgs.msg").DiagnosticStatus
    assert (OK, WARN) == (status.OK, status.WARN)


def test_figures(toy_bundle_path):
    parameters = SegmenterParameters(bundle=str(toy_bundle_path), query="top, bottom", device="cpu", threads=1)
    engine = Engine.load(parameters)
    values = figures(FINE, engine)
    assert (values["bundle"], values["query"], values["provider"]) == ("toy", "top, bottom", "cpu")
    assert [values[f"clouds {what}"] for what in ("received", "labeled", "dropped", "ignored")] == [9, 7, 1, 0]
    assert (values[MALFORMED], values["last problem"], values["last problem (s ago)"]) == (1, "none", "-")
    told = figures(replace(FINE, last_problem=("no field 'z'", 12.5)), engine)
    assert (told["last problem"], told["last problem (s ago)"]) == ("no field 'z'", 12.5)
    assert (values["network median (ms)"], values["network max (ms)"]) == (20.0, 50.0)


class Log:
    def __init__(self):
        self.lines, self.now = [], 0.0
        self.warn = Throttle(self.lines.append, lambda: self.now)


@pytest.fixture
def log():
    return Log()


def test_the_same_words_come_once_in_a_while(log):
    for _ in range(3):
        log.warn("no field 'z'")
    log.warn("no field 'x'")
    assert log.lines == ["no field 'z'", "no field 'x'"]
    log.now = REPEAT_SECONDS
    log.warn("no field 'z'")
    assert log.lines[2:] == ["no field 'z'"]


def test_ever_new_words_are_counted_instead(log):
    for number in range(MAX_LINES + 7):
        log.warn(f"field {number}")
    assert len(log.lines) == MAX_LINES
    log.now = REPEAT_SECONDS
    log.warn("field 'z'")
    assert log.lines[MAX_LINES:] == ["field 'z' (7 other messages were left out before this one)"]
    log.warn("field 'y'")
    assert log.lines[-1] == "field 'y'"


def test_warnings_come_once_a_minute():
    lines, now = [], [0.0]
    warn = Throttle(lines.append, lambda: now[0], repeat=60.0)
    for now[0] in range(0, 61, 10):
        warn("no plane")
    assert lines == ["no plane"] * 2
    for number in range(MAX_LINES):
        now[0] += REPEAT_SECONDS
        warn(f"another {number}")
    assert len(lines) == 2 + MAX_LINES


def test_escapes_of_a_terminal_are_written_out(log):
    log.warn("unknown part name '\x1b[2Jhandle\u202e'")
    assert log.lines == ["unknown part name '\\x1b[2Jhandle\\u202e'"]


def test_a_namesake_is_told_once_it_is_no_remainder_of_a_killed_node():
    namesakes = Namesakes()
    alone, two = ["/part_segmenter", "/camera"], ["/part_segmenter", "/camera", "/part_segmenter"]
    assert not namesakes.problem(0.0, "/part_segmenter", two)
    assert not namesakes.problem(20.0, "/part_segmenter", two)
    assert not namesakes.problem(21.0, "/part_segmenter", alone)
    assert not namesakes.problem(40.0, "/part_segmenter", two)
    said = namesakes.problem(71.0, "/part_segmenter", two)
    assert said.startswith("1 other node(s) of the same name /part_segmenter") and "ROS_DOMAIN_ID" in said
    assert not namesakes.problem(72.0, "/camera", two)
