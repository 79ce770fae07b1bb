# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes of their own on a private ROS domain, and an ear that hears what they publish.

Imports rclpy only when an `Ear` is opened, after `nodes.environment.prepare()` has checked that it is there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.cli.common import CommandFailed
from partdistill_ros.pointcloud.layout import CloudLayout, unpack_colors

DOMAINS = 101  # beyond these, ROS's ports meet those that Linux hands out to anybody
END_SECONDS = 8.0  # a node that has not ended so long after SIGINT is killed
LOG_LINES = 12


def private_domain() -> int:
    """A ROS domain that is neither the user's nor, most likely, another demo's."""
    own = os.environ.get("ROS_DOMAIN_ID", "0")
    domain = 1 + os.getpid() % DOMAINS
    return 1 + domain % DOMAINS if str(domain) == own else domain


def go_private() -> int:
    """Move this process and those it starts to a ROS domain of their own on this machine; returns it.

    Both ends need the same discovery range: a participant limited to this machine and one that is
    not did not find each other.
    """
    domain = private_domain()
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    return domain


class NodeProcess:
    """One of our nodes, started, with its topics in `namespace`; what it prints goes to `log`."""

    def __init__(self, name: str, parameters: Mapping[str, object], log: Path, namespace: str = "/") -> None:
        self.name, self.log = name, log
        program = f"import sys; from partdistill_ros.nodes.commands import {name}; sys.exit({name}())"
        values = [word for key, value in parameters.items() for word in ("-p", f"{key}:={_yaml(value)}")]
        with open(log, "wb") as output:
            # A session of its own: Ctrl-C reaches this program only, which then ends the node in order.
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, "--ros-args", "-r", f"__ns:={namespace}", *values],
                env={**os.environ, "RCUTILS_COLORIZED_OUTPUT": "0", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    def check(self) -> None:
        """Raises CommandFailed with the end of its log where the node has ended."""
        if self._process.poll() is not None:
            raise CommandFailed(f"the node {self.name} ended with code {self._process.returncode}:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines it printed."""
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (it printed nothing)"

    def peak_megabytes(self) -> float | None:
        """The most memory it had resident; None where the system does not tell."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
            return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)
        except (OSError, IndexError):
            return None

    def wait(self, seconds: float) -> int:
        """The exit code once it has ended. Raises CommandFailed where it has not after so long."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise CommandFailed(f"the node {self.name} did not end within {seconds:.0f} s:\n{self.tail()}") from None

    def end(self) -> int:
        """Ends the node as Ctrl-C would, or kills it; returns its exit code (negative: the signal)."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        return self._process.wait()


@contextmanager
def running(nodes: Sequence[Callable[[], NodeProcess]]) -> Iterator[list[NodeProcess]]:
    """Start nodes one after the other; whatever happens, all of them are ended. SIGTERM counts as Ctrl-C."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    started: list[NodeProcess] = []
    try:
        for start in nodes:
            started.append(start())
        yield started
    finally:
        for node in reversed(started):
            node.end()
        signal.signal(signal.SIGTERM, before)


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


@dataclass(frozen=True)
class Labeled:
    """One labeled cloud as it came over DDS: points `[N, 3]`, labels `[N] i2` (-1 none), confidence
    `[N]`, colors `[N, 3] u1`; `delay` seconds from the stamp of the original to its arrival here."""

    points: NDArray[np.float32]
    labels: NDArray[np.int16]
    confidence: NDArray[np.float32]
    grid: tuple[int, int] | None
    delay: float
    colors: NDArray[np.uint8] | None = None


@dataclass
class Heard:
    """Everything so far: clouds, the newest legend, the newest diagnostics by key."""

    clouds: list[Labeled] = field(default_factory=list)
    parts: tuple[str, ...] = ()
    diagnostics: dict[str, str] = field(default_factory=dict)


class Ear:
    """Hears `labeled_points`, `part_legend` and `/diagnostics` on one domain; use as a context manager."""

    def __init__(self, domain: int) -> None:
        self._domain = domain
        self.heard = Heard()

    def __enter__(self) -> Ear:
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.qos import DurabilityPolicy, QoSProfile
        from rclpy.signals import SignalHandlerOptions
        from sensor_msgs.msg import PointCloud2

        from partdistill_ros.msg import PartLegend

        self._context = rclpy.Context()
        rclpy.init(
            context=self._context,
            args=[],
            domain_id=self._domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node("partdistill_demo", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._node.create_subscription(PointCloud2, "labeled_points", self._on_cloud, 5)
        self._node.create_subscription(PartLegend, "part_legend", self._on_legend, latched)
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        return self

    def __exit__(self, *_: object) -> None:
        import rclpy

        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def listen(self, seconds: float) -> None:
        """Take in what arrives, for at most so long or until something did."""
        self._executor.spin_once(timeout_sec=seconds)

    def _on_cloud(self, message: Any) -> None:
        now = self._node.get_clock().now().nanoseconds
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self.heard.clouds.append(read_labeled(message, (now - stamp) / 1e9))

    def _on_legend(self, message: Any) -> None:
        self.heard.parts = tuple(message.names)

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            self.heard.diagnostics = {entry.key: entry.value for entry in status.values}


def read_labeled(message: Any, delay: float = 0.0) -> Labeled:
    """A `labeled_points` message as arrays. Raises PartDistillError for one of another layout."""
    fields = tuple((one.name, one.offset, one.datatype, one.count) for one in message.fields)
    layout = CloudLayout(
        fields,
        message.height,
        message.width,
        message.point_step,
        message.row_step,
        message.is_bigendian,
        "labeled_points",
    )
    layout.check(len(message.data))
    packed = layout.packed_colors(message.data)
    return Labeled(
        layout.points(message.data),
        layout.column(message.data, "label").reshape(-1).astype(np.uint16).view(np.int16),
        layout.column(message.data, "confidence").reshape(-1).astype(np.float32),
        layout.grid,
        delay,
        None if packed is None else unpack_colors(packed),
    )


def wait_until(done: Callable[[], bool], ear: Ear, nodes: Sequence[NodeProcess], seconds: float, what: str) -> None:
    """Listen until `done()`. Raises CommandFailed where a node ends or the time is over."""
    end = time.monotonic() + seconds
    while not done():
        for node in nodes:
            node.check()
        if time.monotonic() > end:
            logs = "\n".join(f"{node.name} printed:\n{node.tail()}" for node in nodes)
            raise CommandFailed(f"{what} did not come within {seconds:.0f} s (--timeout); {logs}")
        ear.listen(0.1)
