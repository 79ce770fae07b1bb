# SPDX-License-Identifier: Apache-2.0
"""Cancels and kills of a tiny run; what the benchmark calls broken, left behind and equal."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from partdistill_ros.inference.bundle import DEFAULT_PATH


@pytest.fixture
def resume(load_benchmark):
    return load_benchmark("resume")


def test_half_a_file_under_its_real_name_is_found_and_a_hidden_one_is_not(resume, tmp_path: Path) -> None:
    shutil.copytree(DEFAULT_PATH, tmp_path / "mugs" / "v0001")
    work = tmp_path / "mugs" / "next.work"
    work.mkdir()
    (work / ".fit.1234.tmp.pt").write_bytes(b"half")
    assert resume.broken(tmp_path) == []
    (work / "fit.pt").write_bytes(b"half")
    (tmp_path / "mugs" / "v0001" / "student.onnx").write_bytes(b"half")
    found = resume.broken(tmp_path)
    assert len(found) == 2 and "fit.pt is not whole" in found[0] and "sha256" in found[1]


def test_children_of_children_are_seen_and_the_dead_are_not(resume) -> None:
    code = "import subprocess, sys; subprocess.run(['sleep', '600'])"
    process = subprocess.Popen([sys.executable, "-c", code])
    try:
        while not resume.descendants(process.pid):
            pass
        (child,) = resume.descendants(process.pid)
        assert process.pid in resume.descendants(os.getpid()) and child in resume.descendants(os.getpid())
        assert resume.alive(child)
    finally:
        for pid in [*resume.descendants(process.pid), process.pid]:
            os.kill(pid, 9)
    assert not resume.alive(process.pid) or process.wait() is not None
    assert not resume.alive(process.pid)


def test_kills_leave_work_to_do(resume) -> None:
    lives = resume.moments_of(random.Random(3), 5, 60.0)
    assert len(lives) == 5 and min(lives) > 0 and sum(lives) < 60
    assert lives != resume.moments_of(random.Random(4), 5, 60.0)


@pytest.mark.timeout(1200)
def test_a_tiny_run_that_is_disturbed_ends_as_an_undisturbed_one(
    resume, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("rclpy", reason="source ROS 2 or run make")
    few = ["--kills", "1", "--cancels", "0", "--scans", "1", "--epochs", "2", "--seed", "1"]
    code = resume.main([*few, "--out", str(tmp_path / "resume"), "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["problems"] == [] and len(result["kills"]) == 1
    assert result["bundles"]["undisturbed"] == result["bundles"]["disturbed_0"]
    assert code == (0 if all(result["reached"].values()) else 1)
    assert resume.main(["--out", str(tmp_path / "resume")]) == 2
