# SPDX-License-Identifier: Apache-2.0
"""The nodes as commands: from the command line to a running node and to a clean end, on Ctrl-C quietly and at once.

Imports nothing heavy itself.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NoReturn

from partdistill_ros.errors import PartDistillError


def _run(name: str) -> NoReturn:
    # Importing rclpy and ONNX Runtime takes a second, or ten on a busy robot; the node's own handlers follow.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    try:
        importlib.import_module("partdistill_ros.nodes.environment").check_shared_memory()
        code = int(importlib.import_module(f"partdistill_ros.nodes.{name}").main())
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 1
    # The node has cleaned up. Python would unload ONNX Runtime and rclpy first: 1.1 to 1.6 s on a machine with
    # ten programs a core, instead of 0.1.
    _leave(code)


# Each runs its node and ends the process.
part_segmenter = partial(_run, "part_segmenter")
scan_publisher = partial(_run, "scan_publisher")
scan_recorder = partial(_run, "scan_recorder")
distill_trainer = partial(_run, "distill_trainer")

interrupted = threading.Event()
"""Set by a signal that comes while the node is being started."""


PULSE_SECONDS = 1.0
"""Between two looks of an idle node at whether it is to end."""


class NodeEnded(Exception):
    """Raised in a callback: the node has done all it was to do."""


def run_node(create: Callable[[], Any], arguments: Sequence[str] | None = None) -> int:
    """Spins the node until Ctrl-C, SIGTERM or its own end; returns the exit code.

    The node has `start() -> bool` and `stop() -> bool`, which is False where work in hand could not
    be ended: then the process leaves without waiting for it.
    0: it ran and ended, or was interrupted while it started; 1: it could not start, one sentence on
    standard error says why.
    """
    import rclpy
    from rclpy.clock import Clock, ClockType
    from rclpy.executors import ExternalShutdownException
    from rclpy.signals import SignalHandlerOptions, install_signal_handlers

    from partdistill_ros.nodes.environment import dead_segments

    node = None
    started = False
    # Python's KeyboardInterrupt may hit inside a message on its way from C++, which then makes a RuntimeError of it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    try:
        _init(arguments)
        node = create()
        if remains := dead_segments():
            node.get_logger().warning(remains)
        started = node.start()
        # They end the context and with it the spinning; in the middle of a start that would be a string of errors.
        install_signal_handlers(SignalHandlerOptions.ALL)
        if started and not interrupted.is_set():
            # A node that only waits for messages was seen to sleep through a signal, right after its start and after
            # a service call.
            node.create_timer(PULSE_SECONDS, lambda: None, clock=Clock(clock_type=ClockType.STEADY_TIME))
            rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException, NodeEnded):
        started = True
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
    except Exception:
        # A callback that was under way when the signal came finds its publisher or clock gone.
        if rclpy.ok():
            raise
        started = True
    finally:
        idle = node is None or node.stop()
        if node is not None:
            node.destroy_node()
            node = None
        # The middleware gives its shared memory back, 17 MB, with the last of the node's handles, and cycles hold
        # some of them. The process ends without the interpreter's own collection.
        gc.collect()
        rclpy.try_shutdown()
    code = 0 if started or interrupted.is_set() else 1
    if not idle:
        _leave(code)
    return code


def _init(arguments: Sequence[str] | None) -> None:
    """Raises PartDistillError for ROS arguments that cannot be used."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    from partdistill_ros.nodes.environment import prepare

    prepare()
    try:
        rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:
        raise PartDistillError(f"what stands behind --ros-args cannot be used: {error}") from error


def _leave(code: int) -> NoReturn:
    # A thread that is at work, or was until now, may hold the node, and with it shared memory.
    importlib.import_module("partdistill_ros.nodes.environment").remove_own_segments()
    with suppress(OSError):  # no space left where they go
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
