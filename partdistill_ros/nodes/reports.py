# SPDX-License-Identifier: Apache-2.0
"""The words and figures of `/diagnostics`; knows no ROS."""

from __future__ import annotations

from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.statistics import Summary

OK, WARN = b"\0", b"\1"
"""Levels of diagnostic_msgs/DiagnosticStatus."""
SILENCE_SECONDS = 5.0
"""After so long without a cloud the diagnostics warn."""


def verdict(summary: Summary, topic: str, enabled: bool) -> tuple[bytes, str]:
    """Level and sentence: the last problem, silence on `topic`, or the rate."""
    if not enabled:
        return OK, "switched off by the parameter 'enable'"
    if summary.problem is not None:
        return WARN, summary.problem
    if summary.idle is None or summary.idle > SILENCE_SECONDS:
        return WARN, f"no clouds on {topic}: check the topic's name, its publisher and its QoS"
    return OK, f"labelling at {summary.rate:.1f} Hz"


def figures(summary: Summary, engine: Engine) -> dict[str, object]:
    """What is in force, counts, and latency by stage in milliseconds."""
    values: dict[str, object] = {
        "bundle": engine.bundle,
        "query": engine.query.text,
        "provider": engine.segmenter.provider,
        "provider note": engine.segmenter.provider_note or "none",
        "rate (Hz)": summary.rate,
        "clouds received": summary.received,
        "clouds labelled": summary.labeled,
        "clouds dropped": summary.dropped,
        "clouds refused": summary.refused,
    }
    for stage, (median, greatest) in summary.latency.items():
        values[f"{stage} median (ms)"] = median * 1e3
        values[f"{stage} max (ms)"] = greatest * 1e3
    return values
