# SPDX-License-Identifier: Apache-2.0
"""Starts that cannot work are refused, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.names import STUDENTS, check_start


@pytest.mark.parametrize(
    ("student", "start", "frozen", "words"),
    [
        ("oracle", "scratch", False, "patch_transformer, point_m2ae"),
        ("point_m2ae", "default", False, "the shipped student is a patch_transformer"),
        ("patch_transformer", "nowhere", False, "neither default nor scratch nor a file"),
        ("patch_transformer", "x.pth", False, "which patch_transformer cannot take"),
        ("patch_transformer", "x.onnx", False, "starts from a bundle"),
        ("point_m2ae", "scratch", True, "must|name its weights"),
        ("patch_transformer", "x.pt", True, "only a point_m2ae"),
    ],
)
def test_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, student: str, start: str, frozen: bool, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.pth", "x.onnx", "x.pt"):
        (tmp_path / name).touch()
    with pytest.raises(PartDistillError, match=words):
        check_start(student, start, frozen)


def test_allowed(tmp_path: Path) -> None:
    for name in ("x.pth", "x.pt"):
        (tmp_path / name).touch()
    for student in STUDENTS:
        for start in ("scratch", str(tmp_path), str(tmp_path / "x.pt")):
            check_start(student, start)
    check_start("patch_transformer", "default")
    check_start("point_m2ae", str(tmp_path / "x.pth"), True)


def test_torch_is_not_loaded() -> None:
    code = "import sys, partdistill_ros.students.names; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
