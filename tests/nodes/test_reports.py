# SPDX-License-Identifier: Apache-2.0
"""The diagnostics say what is wrong first, and how fast it goes where nothing is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.reports import OK, SILENCE_SECONDS, WARN, figures, verdict
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.nodes.statistics import KINDS, MALFORMED, Summary

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
    ({"idle": SILENCE_SECONDS + 1}, True, WARN, "no clouds on /cam/points"),
    ({"idle": None, "problem": "no field 'z'"}, True, WARN, "no field 'z'"),
    ({"idle": None}, False, OK, "switched off"),
    ({"idle": None, "problem": "unknown part name"}, False, WARN, "unknown part name"),
])  # fmt: skip
def test_verdicts(changes, enabled, level, words):
    answered_level, answered = verdict(replace(FINE, **changes), "/cam/points", enabled)
    assert answered_level == level and answered.startswith(words)


def test_a_silent_fall_to_the_cpu_is_a_warning():
    level, words = verdict(FINE, "/points", True, "libcublasLt.so.13: cannot open shared object file")
    assert level == WARN and words.startswith("labeling at 4.2 Hz on the CPU though there is a GPU: libcublasLt")
    assert verdict(replace(FINE, problem="no field 'z'"), "/points", True, "libcublasLt") == (WARN, "no field 'z'")


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
