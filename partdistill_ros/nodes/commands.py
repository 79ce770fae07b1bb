# SPDX-License-Identifier: Apache-2.0
"""The nodes as commands. Imports nothing heavy itself, so that Ctrl-C ends a node quietly from the first moment."""

from __future__ import annotations

import importlib
import os
import signal


def part_segmenter() -> int:
    """Runs the live node; returns its exit code."""
    return _run("part_segmenter")


def scan_publisher() -> int:
    """Runs the publisher of scans; returns its exit code."""
    return _run("scan_publisher")


def _run(name: str) -> int:
    # Importing rclpy and ONNX Runtime takes a second, or ten on a busy robot; the node's own handlers follow.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    return int(importlib.import_module(f"partdistill_ros.nodes.{name}").main())
