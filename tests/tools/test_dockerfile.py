# SPDX-License-Identifier: Apache-2.0
"""What of the Dockerfile can be checked without a container: its files, its requirements, its entry point."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ENTRY_POINT = (
    '#!/bin/bash\nset -e\n\n# setup ros2 environment\nsource "/opt/ros/$ROS_DISTRO/setup.bash" --\nexec "$@"\n'
)
"""Of the images ros:*."""


@pytest.fixture(scope="module")
def instructions(repository: Path) -> list[str]:
    text = "".join(line for line in (repository / "Dockerfile").open() if not line.startswith("#"))
    return [line for line in text.replace("\\\n", "").splitlines() if line.strip()]


def test_what_is_copied_is_there(repository: Path, instructions: list[str]) -> None:
    copied = [line.split()[1:-1] for line in instructions if line.startswith("COPY")]
    assert copied and all((repository / name).exists() for names in copied for name in names)
    assert instructions[0].startswith("ARG") and instructions[1].startswith("FROM ros:")


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tomllib came with Python 3.11; the image has 3.12")
@pytest.mark.parametrize("runtime", ["cpu", "cuda"])
def test_requirements_are_those_of_pyproject(
    repository: Path, instructions: list[str], tmp_path: Path, runtime: str
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "partdistill_ros").symlink_to(repository)
    (line,) = [line for line in instructions if "tomllib" in line]
    step = line.removeprefix("RUN ").split(" > /tmp")[0]
    program = shlex.split(step.replace("${ONNXRUNTIME}", runtime))
    said = subprocess.run([sys.executable, *program[1:]], cwd=tmp_path, capture_output=True, text=True, check=True)
    names = {re.split(r"[\[<>=]", requirement)[0] for requirement in said.stdout.split()}
    assert {"fpsample", "msgspec", "numpy", "rosbags", "small-gicp"} < names and "torch" not in names
    assert ("onnxruntime-gpu" in names, "onnxruntime" in names) == (runtime == "cuda", runtime == "cpu")


def test_the_entry_point_sources_the_workspace(instructions: list[str], tmp_path: Path) -> None:
    (line,) = [line for line in instructions if "ros_entrypoint.sh" in line]
    steps = [step.strip() for step in line.split("&&") if "ros_entrypoint.sh" in step]
    file = tmp_path / "ros_entrypoint.sh"
    file.write_text(ENTRY_POINT)
    for step in steps:
        subprocess.run(
            [shutil.which("bash") or "bash", "-c", step.replace("/ros_entrypoint.sh", str(file))], check=True
        )
    assert file.read_text().endswith('source /ws/install/setup.bash\nexec "$@"\n')
