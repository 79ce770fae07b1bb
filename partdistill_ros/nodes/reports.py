# SPDX-License-Identifier: Apache-2.0
"""The words and figures of `/diagnostics`; knows no ROS."""

from __future__ import annotations

from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.statistics import Summary

OK, WARN = b"\0", b"\1"
"""Levels of diagnostic_msgs/DiagnosticStatus."""
SILENCE_SECONDS = 5.0
"""After so long without a cloud the diagnostics warn."""


def verdict(summary: Summary, topic: str, enabled: bool, fallback: str = "") -> tuple[bytes, str]:
    """Level and sentence: the last problem, silence on `topic`, why the GPU is not in use (`fallback`,
    empty where it is or need not be), or the rate."""
    if summary.problem is not None:
        return WARN, summary.problem
    if not enabled:
        return OK, "switched off: the parameter 'enable' is false (service ~/set_enabled)"
    if summary.idle is None or summary.idle > SILENCE_SECONDS:
        return WARN, f"no clouds on {topic}: check the topic's name, its publisher and its QoS"
    rate = f"labeling at {summary.rate:.1f} Hz"
    if fallback:
        return WARN, f"{rate} on the CPU though there is a GPU: {fallback}; set device to 'cpu' if that is meant"
    return OK, rate


def figures(summary: Summary, engine: Engine) -> dict[str, object]:
    """What is in force, counts, the last problem, and latency by stage in milliseconds."""
    problem, age = summary.last_problem or ("none", 0.0)
    values: dict[str, object] = {
        "bundle": engine.bundle,
        "query": engine.query.text,
        "provider": engine.segmenter.provider,
        "provider note": engine.segmenter.provider_note or "none",
        "rate (Hz)": summary.rate,
        "clouds received": summary.received,
        "clouds labeled": summary.labeled,
        "clouds dropped": summary.dropped,
        **summary.counts,
        "last problem": problem,
        "last problem (s ago)": age if summary.last_problem else "-",
    }
    for stage, (median, greatest) in summary.latency.items():
        values[f"{stage} median (ms)"] = median * 1e3
        values[f"{stage} max (ms)"] = greatest * 1e3
    return values
