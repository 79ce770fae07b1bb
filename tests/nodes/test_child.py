# SPDX-License-Identifier: Apache-2.0
"""A child ends with its parent, however that ends, and stands back for others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import partdistill_ros
from partdistill_ros.nodes.child import python_command, trainer_command

CHILD = """
import os, sys, time
from partdistill_ros.nodes.child import end_with, stand_back
end_with(int(sys.argv[1]))
stand_back(7)
print(os.getpid(), os.nice(0), flush=True)
time.sleep(600)
"""
PARENT = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {CHILD!r}, str(os.getpid())], start_new_session=True)
time.sleep(600)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl is Linux's")
def test_a_parent_that_is_killed_takes_its_child_along() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child, niceness = map(int, parent.stdout.readline().split())
        assert niceness == os.nice(0) + 7 and Path(f"/proc/{child}").exists()
        parent.kill()
        parent.wait()
        assert parent.stdout.read() == "", "the pipe is closed when the last of both is gone"


def test_a_child_whose_parent_has_gone_already_leaves_at_once() -> None:
    gone = subprocess.run([sys.executable, "-c", CHILD, "1000000"], timeout=60, stdout=subprocess.PIPE)
    assert gone.returncode == 1 and gone.stdout == b""


def test_it_becomes_the_command_line() -> None:
    command = trainer_command(0, ["info", "default", "--json"])
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and '"name": "default"' in done.stdout


@pytest.mark.parametrize("safe_path", ["", "1"])
def test_the_folder_it_starts_in_shadows_no_module(tmp_path: Path, safe_path: str) -> None:
    for name in ("numpy", "json", "runpy"):
        (tmp_path / f"{name}.py").write_text("print('hostile'); raise SystemExit(66)")
    code = "import json, numpy, sys, partdistill_ros; print(json.dumps([sys.argv[1:], partdistill_ros.__file__]))"
    environment = {**os.environ, "PYTHONSAFEPATH": safe_path}
    run = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run(python_command(code, "-x", "y"), **run)
    assert json.loads(done.stdout) == [["-x", "y"], partdistill_ros.__file__], done
    done = subprocess.run(trainer_command(0, ["info", "default", "--json"]), **run)
    assert done.returncode == 0 and '"name": "default"' in done.stdout, done
