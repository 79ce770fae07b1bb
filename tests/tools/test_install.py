# SPDX-License-Identifier: Apache-2.0
"""install.sh names what is missing, with the package to install, before it makes anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = ("bash", "cat", "cut", "dirname", "env", "find", "head", "make", "mkdir", "rm", "sha256sum", "sort", "tail")


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A checkout with nothing but the installer, and a folder `bin` of the most common tools."""
    shutil.copytree(repository / "tools", tmp_path / "tools")
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        program(tmp_path, tool, shutil.which(tool) or f"/bin/{tool}")
    program(tmp_path, "python3", getattr(sys, "_base_executable", sys.executable))
    return tmp_path


def program(checkout: Path, name: str, target: str) -> None:
    (checkout / "bin" / name).write_text(f'#!/bin/sh\nexec {target} "$@"\n')
    (checkout / "bin" / name).chmod(0o755)


def install(checkout: Path, made: bool = False, **settings: str) -> str:
    """Runs install.sh with nothing but `bin` on the path; what it says as it fails, with a .venv `made` or none."""
    environment = {"PATH": str(checkout / "bin"), "HOME": os.environ.get("HOME", "/"), **settings}
    command = [shutil.which("bash") or "/bin/bash", str(checkout / "tools" / "install.sh"), "live"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert (checkout / ".venv").exists() is made
    return result.stderr


def test_missing_compilers_and_cmake_are_named_together(checkout: Path) -> None:
    said = install(checkout)
    assert "a C compiler: apt install build-essential" in said
    assert "a C++ compiler: apt install build-essential" in said
    assert "CMake: apt install cmake" in said


def test_an_old_cmake_is_named(checkout: Path) -> None:
    for compiler in ("cc", "c++"):
        program(checkout, compiler, "/bin/true")
    cmake = checkout / "bin" / "cmake"
    cmake.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "cmake version 3.16.3" && exit\nexit 1\n')
    cmake.chmod(0o755)
    said = install(checkout)
    assert "CMake 3.21 or newer (found cmake version 3.16.3)" in said
    assert "compiler" not in said


def test_an_unfit_python_is_refused(checkout: Path) -> None:
    (checkout / "bin" / "python3").write_text("#!/bin/sh\nexit 1\n")
    assert "no CPython 3.10 to 3.13 found" in install(checkout)
    said = install(checkout, PYTHON="/nowhere/python3.9")
    assert "(PYTHON=/nowhere/python3.9)" in said
    assert "make PYTHON=" in said


def test_an_unknown_onnx_runtime_is_refused(checkout: Path) -> None:
    assert "ONNXRUNTIME is cpu or cuda, not 'tpu'" in install(checkout, ONNXRUNTIME="tpu")


OFFLINE = """#!/bin/sh
case "$*" in
  --version) echo "Python 3.12.0" ;;
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  *"pip install"*)
    echo "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('HTTPSConnection')'" >&2
    echo "ERROR: No matching distribution found for setuptools>=61" >&2
    exit 1 ;;
esac
"""


def test_offline_the_network_is_named(checkout: Path) -> None:
    for tool in ("cc", "c++", "cmake"):
        program(checkout, tool, "/bin/true")
    for tool in ("cp", "touch", "grep", "xargs"):
        program(checkout, tool, shutil.which(tool) or f"/bin/{tool}")
    (checkout / "pyproject.toml").touch()
    (checkout / "setup.py").touch()
    (checkout / "bin" / "python3").write_text(OFFLINE)
    said = install(checkout, made=True)
    assert "the package index was not reached: check the network, a proxy (https_proxy)" in said
    assert "run the same command again" in said


def test_an_unknown_distribution_is_refused(checkout: Path) -> None:
    assert "ROS is kilted or jazzy, not 'humble'" in install(checkout, ROS="humble")
