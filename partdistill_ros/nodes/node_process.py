# SPDX-License-Identifier: Apache-2.0
"""Nodes as processes of their own on a private ROS domain; imports no ROS itself."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from partdistill_ros.errors import CommandFailed
from partdistill_ros.nodes.child import python_command

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
        program = f"from partdistill_ros.nodes.commands import {name}; {name}()"
        values = [word for key, value in parameters.items() for word in ("-p", f"{key}:={_yaml(value)}")]
        with open(log, "wb") as output:
            # A session of its own: Ctrl-C reaches this program only, which then ends the node in order.
            self._process = subprocess.Popen(
                python_command(program, "--ros-args", "-r", f"__ns:={namespace}", *values),
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
