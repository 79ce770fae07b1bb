# SPDX-License-Identifier: Apache-2.0
"""The start-up hook of .venv puts our libraries first and leaves a sourced ROS 2 out."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def hook(repository: Path) -> ModuleType:
    path = repository / "tools" / "wheels_environment.py"
    spec = importlib.util.spec_from_file_location("wheels_environment", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    for folder in ("lib", "site/ros_rcl.libs", "site/ros_fastdds.libs", "site/numpy.libs"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def paths(environment: dict[str, str], name: str) -> list[str]:
    return [entry for entry in environment[name].split(os.pathsep) if entry]


def test_own_libraries_come_first(hook: ModuleType, prefix: Path) -> None:
    changed = hook.wheels_environment(prefix, prefix / "site", {"LD_LIBRARY_PATH": "/opt/cuda/lib", "HOME": "/home/me"})
    ours = [str(prefix / "lib"), str(prefix / "site/ros_fastdds.libs"), str(prefix / "site/ros_rcl.libs")]
    assert paths(changed, "LD_LIBRARY_PATH") == [*ours, "/opt/cuda/lib"]
    assert changed["AMENT_PREFIX_PATH"] == str(prefix)
    assert changed["HOME"] == "/home/me"


def test_another_ros_is_left_out(hook: ModuleType, prefix: Path) -> None:
    sourced = {
        "AMENT_PREFIX_PATH": "/ws/install/robot:/opt/ros/jazzy",
        "LD_LIBRARY_PATH": "/opt/ros/jazzy/lib:/opt/cuda/lib",
        "PYTHONPATH": "/ws/install/robot/lib/python3/site-packages:/home/me/tools",
    }
    changed = hook.wheels_environment(prefix, prefix / "site", sourced)
    assert paths(changed, "AMENT_PREFIX_PATH") == [str(prefix)]
    assert "/opt/ros/jazzy/lib" not in paths(changed, "LD_LIBRARY_PATH")
    assert paths(changed, "PYTHONPATH") == ["/home/me/tools"]


def test_overlays_of_the_prefix_stay(hook: ModuleType, prefix: Path) -> None:
    sourced = {"AMENT_PREFIX_PATH": f"/ws/install:{prefix}", "PYTHONPATH": "/ws/install/site-packages"}
    changed = hook.wheels_environment(prefix, prefix / "site", sourced)
    assert paths(changed, "AMENT_PREFIX_PATH") == ["/ws/install", str(prefix)]
    assert paths(changed, "PYTHONPATH") == ["/ws/install/site-packages"]


def test_a_second_start_changes_nothing(hook: ModuleType, prefix: Path) -> None:
    once = hook.wheels_environment(prefix, prefix / "site", {})
    assert hook.wheels_environment(prefix, prefix / "site", once) == once


def test_starts_again_once_per_prefix(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(hook.os, "execve", lambda *arguments: calls.append(arguments))
    monkeypatch.setenv(hook.DONE, hook.sys.prefix)
    hook.start_again()
    assert calls == []
    monkeypatch.setenv(hook.DONE, "/another/prefix")
    hook.start_again()
    ((program, arguments, environment),) = calls
    assert arguments == [program, *hook.sys.orig_argv[1:]]
    assert environment[hook.DONE] == hook.sys.prefix
