# SPDX-License-Identifier: Apache-2.0
"""Benchmarks are scripts beside each other: loaded by file, and able to import one another (`pythonpath`)."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def load_benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """`load_benchmark("loop")` is the module benchmarks/loop.py."""

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def live_benchmark(
    monkeypatch: pytest.MonkeyPatch, load_benchmark: Callable[[str], ModuleType]
) -> Callable[[str], ModuleType]:
    """`live_benchmark(name)` loads a benchmark that runs nodes as processes on a ROS domain of its own."""
    pytest.importorskip("rclpy", reason="rclpy is not installed: source ROS 2 or run make")
    pytest.importorskip("partdistill_ros.msg", reason="the interfaces are not built: run make or colcon build")
    # Set here as well as by the benchmark, so that they are as before after the test.
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])))
    return load_benchmark
