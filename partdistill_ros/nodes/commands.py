# SPDX-License-Identifier: Apache-2.0
"""The nodes as commands: they end quietly and at once on Ctrl-C, from the first moment on.

Imports nothing heavy itself.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn


def part_segmenter() -> NoReturn:
    """Runs the live node and ends the process."""
    _run("part_segmenter")


def scan_publisher() -> NoReturn:
    """Runs the publisher of scans and ends the process."""
    _run("scan_publisher")


def scan_recorder() -> NoReturn:
    """Runs the recorder of scans and ends the process."""
    _run("scan_recorder")


def distill_trainer() -> NoReturn:
    """Runs the trainer and ends the process."""
    _run("distill_trainer")


def _run(name: str) -> NoReturn:
    # Importing rclpy and ONNX Runtime takes a second, or ten on a busy robot; the node's own handlers follow.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    code = int(importlib.import_module(f"partdistill_ros.nodes.{name}").main())
    with suppress(OSError):  # no space left where they go
        sys.stdout.flush()
        sys.stderr.flush()
    # The node has cleaned up. Python would unload ONNX Runtime and rclpy first: 1.1 to 1.6 s on a machine with
    # ten programs a core, instead of 0.1.
    os._exit(code)
