# SPDX-License-Identifier: Apache-2.0
"""A toy bundle, a table scene, and nodes that run as processes of their own on a private ROS domain."""

from __future__ import annotations

import importlib.util
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toy_student import write_toy

from partdistill_ros.nodes.environment import cloud_transports

# Before the first participant of this process: Fast DDS reads its profile once.
os.environ.update(cloud_transports(os.environ))

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
# Domains beyond 101 meet the ports of ordinary programs; 0 is everybody's.
_DOMAINS = itertools.count(1 + os.getpid() % 90)


def missing_ros() -> str:
    """Why the ROS tests cannot run; empty where they can."""
    if importlib.util.find_spec("rclpy") is None:
        return "rclpy is not installed: source ROS 2 or run make"
    if importlib.util.find_spec("partdistill_ros.msg") is None:
        return "the interfaces of partdistill_ros are not built: run make or colcon build"
    return ""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "ros: needs rclpy and the built interfaces of this package")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing_ros()
    for item in items:
        if item.get_closest_marker("ros") and reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def toy_bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose answers can be worked out: `top` and `bottom`, `left` and `right` of an object."""
    return write_toy(tmp_path_factory.mktemp("bundle") / "toy")


class NodeProcess:
    """A node in a process of its own; `output()` is what it has printed so far."""

    def __init__(self, module: str, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        code = f"import sys; from partdistill_ros.nodes.commands import {module}; sys.exit({module}())"
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", code, *arguments],
                env=environment,
                cwd=log.parent,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def wait_for(self, words: str, seconds: float = START_SECONDS) -> str:
        """Waits until `words` were printed; fails with the output so far."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if words in self.output():
                return self.output()
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"'{words}' was not printed (exit code {self.process.poll()}):\n{self.output()}")

    def end(self, number: signal.Signals = signal.SIGINT, seconds: float = 60.0) -> int:
        """Sends a signal; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def resident_megabytes(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def stop(self) -> None:
        """Asks it to end, which takes its shared memory away too, and kills it where it does not."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def parameter_arguments(parameters: dict[str, object]) -> list[str]:
    """`--ros-args -p name:=value` for each."""
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}:={_yaml(value)}")]
    return ["--ros-args", *words]


def _yaml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@pytest.fixture
def ros_environment() -> dict[str, str]:
    """The environment of one test's nodes: nobody else hears them."""
    quiet = {
        "ROS_DOMAIN_ID": str(next(_DOMAINS) % 100 + 1),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "OMP_NUM_THREADS": "1",
        "RCUTILS_COLORIZED_OUTPUT": "0",
    }
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return os.environ | quiet | {"PYTHONPATH": path}


@pytest.fixture
def peer(ros_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The other end of the nodes under test (see peer.py)."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", ros_environment["ROS_AUTOMATIC_DISCOVERY_RANGE"])
    from peer import Peer  # needs rclpy

    with Peer(int(ros_environment["ROS_DOMAIN_ID"])) as other:
        yield other


@pytest.fixture
def run_node(ros_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., NodeProcess]]:
    """`run_node(module, **parameters)` starts a node; all are ended with the test."""
    started: list[NodeProcess] = []

    def start(module: str, **parameters: object) -> NodeProcess:
        named = {name.replace("__", "."): value for name, value in parameters.items()}
        log = tmp_path / f"{module}_{len(started)}.log"
        started.append(NodeProcess(module, parameter_arguments(named), ros_environment, log))
        return started[-1]

    yield start
    for node in started:
        node.stop()


@pytest.fixture
def node(ros_environment):
    """A node on an executor of its own."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor

    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(ros_environment["ROS_DOMAIN_ID"]))
    made = rclpy.create_node("plain", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(made)
    yield made
    executor.shutdown()
    made.destroy_node()
    rclpy.shutdown(context=context)
