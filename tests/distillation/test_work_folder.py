# SPDX-License-Identifier: Apache-2.0
"""One run at a time, freed by any end of the process, and nothing half-written stays."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from partdistill_ros.distillation.work_folder import locked, work_folder
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path

HOLD = """
import sys, time
from pathlib import Path
from partdistill_ros.distillation.work_folder import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_run_is_refused_until_the_first_is_gone_even_by_sigkill(tmp_path: Path) -> None:
    out = tmp_path / "mugs"
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(out)], stdout=subprocess.PIPE)
    assert other.stdout is not None
    try:
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(PartDistillError, match="another run is writing .*mugs"), locked(out):
            pass
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with locked(out) as work:
        assert work == work_folder(out) == tmp_path / "mugs.work"


def test_what_a_killed_run_had_begun_is_removed_and_all_else_stays(tmp_path: Path) -> None:
    out = tmp_path / "mugs"
    work = work_folder(out)
    with atomic_path(work / "knowledge" / "units.npz") as begun:
        begun.write_bytes(b"half")
        left = begun.with_name(begun.name)
        kept = left.read_bytes()
    left.write_bytes(kept)  # as after SIGKILL
    (tmp_path / ".mugs.new-abc").mkdir()
    (tmp_path / ".mugs.new-abc" / "student.onnx").write_bytes(b"half")
    (tmp_path / ".jugs.new-abc").mkdir()
    (tmp_path / ".mugs.old-abc").mkdir()
    with locked(out):
        pass
    assert not left.exists() and not (tmp_path / ".mugs.new-abc").exists()
    assert (work / "knowledge" / "units.npz").exists() and (tmp_path / ".jugs.new-abc").exists()
    assert (tmp_path / ".mugs.old-abc").exists(), "the only one there is"
    (tmp_path / "mugs").mkdir()
    with locked(tmp_path / "mugs"):
        assert not (tmp_path / ".mugs.old-abc").exists()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PartDistillError, match=r"file/mugs\.work"), locked(tmp_path / "file" / "mugs"):
        pass
