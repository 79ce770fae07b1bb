# SPDX-License-Identifier: Apache-2.0
"""From the command line to a running node and to a clean end."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.environment import prepare


class NodeEnded(Exception):
    """Raised in a callback: the node has done all it was to do."""


def run_node(create: Callable[[], Any], arguments: Sequence[str] | None = None) -> int:
    """Spins the node until Ctrl-C, SIGTERM or its own end; returns the exit code.

    The node has `start() -> bool` and `stop() -> bool`, which is False where work in hand could not
    be ended: then the process leaves at once, without the destructors that would wait for it.
    0: it ran and ended; 1: it could not start, one sentence on standard error says why.
    """
    node = None
    started = False
    try:
        prepare()
        rclpy.init(args=None if arguments is None else list(arguments))
        node = create()
        started = node.start()
        if started:
            rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, NodeEnded):
        started = True
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
    finally:
        _end(node, 0 if started else 1)
    return 0 if started else 1


def _end(node: Any, code: int) -> None:
    if node is not None:
        if not node.stop():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        node.destroy_node()
    rclpy.try_shutdown()
