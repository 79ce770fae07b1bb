# SPDX-License-Identifier: Apache-2.0
"""A training is followed line by line, stopped within a moment, and its failures are told in words."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from partdistill_ros.nodes import training_process
from partdistill_ros.nodes.training_process import PATIENCE, Limits, follow

TOLD = {"stage": "teach", "step": 1, "steps": 3, "loss": None, "share": 0.1, "remaining": None}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`program(code)`: what is run instead of `partdistill`; it gets `told`, a line of progress."""

    def make(code: str) -> None:
        script = tmp_path / "program.py"
        script.write_text(f"import json, os, signal, sys, time\ntold = {json.dumps(TOLD)!r}\n{code}")

        def trainer_command(niceness, command):
            return [sys.executable, str(script), *command, str(niceness)]

        monkeypatch.setattr(training_process, "trainer_command", trainer_command)

    return make


def run(stop=lambda: False, limits: Limits | None = None):
    told, said = [], []
    outcome = follow(["distill", "x"], limits or Limits(), told.append, said.append, stop)
    return outcome, told, said


def test_progress_words_and_the_answer_are_told_apart(program) -> None:
    program("""
print(told, file=sys.stderr)
print("a warning", file=sys.stderr)
print('{"no": "progress"}', file=sys.stderr)
print(json.dumps({"bundle": "b", "arguments": sys.argv[1:-1]}))
""")
    outcome, told, said = run()
    assert outcome.record == {"bundle": "b", "arguments": ["distill", "x", "--json", "--progress", "json"]}
    assert told == [TOLD] and said == ["a warning", '{"no": "progress"}'] and not outcome.stopped


def test_lines_that_come_in_pieces_are_put_together(program) -> None:
    program("""
for piece in (told[:9], told[9:] + "\\n" + told[:5], told[5:] + "\\n"):
    os.write(2, piece.encode())
    time.sleep(0.05)
print("{}")
""")
    assert run()[1] == [TOLD, TOLD]


def test_limits_reach_the_child(program) -> None:
    program("""
names = "OMP_NUM_THREADS OMP_WAIT_POLICY TQDM_DISABLE".split()
print(json.dumps({"niceness": sys.argv[-1], **{name: os.environ.get(name) for name in names}}))
""")
    outcome, *_ = run(limits=Limits(niceness=3, threads=2))
    wanted = {"niceness": "3", "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE", "TQDM_DISABLE": "1"}
    assert outcome.record == wanted


def test_the_reason_that_the_command_gives_is_passed_on(program) -> None:
    program("""
print(json.dumps({"error": "no scans were given"}))
sys.exit(2)
""")
    outcome, *_ = run()
    assert outcome.record is None and outcome.problem == "no scans were given" and not outcome.stopped


def test_a_child_that_dies_leaves_its_last_words(program) -> None:
    program("""
print("the last words", file=sys.stderr, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""")
    outcome, *_ = run()
    assert outcome.record is None and "SIGKILL" in outcome.problem and "the last words" in outcome.problem
    assert "memory" in outcome.problem


@pytest.mark.parametrize("deaf", [False, True])
def test_it_stops_when_told_even_a_child_that_does_not_listen(program, tmp_path: Path, deaf: bool) -> None:
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if deaf else ""
    program(f"""
{ignore}
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
print(told, file=sys.stderr, flush=True)
time.sleep(600)
""")
    told: list[object] = []
    outcome = follow(["distill"], Limits(), told.append, print, lambda: bool(told))
    assert outcome.stopped and outcome.record is None
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
    assert PATIENCE <= 1, "a cancel is answered within 2 s"


def test_an_error_of_the_one_who_listens_ends_the_child(program, tmp_path: Path) -> None:
    program(f"""
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
print(told, file=sys.stderr, flush=True)
time.sleep(600)
""")

    def refuse(progress: object) -> None:
        raise RuntimeError("the node is gone")

    with pytest.raises(RuntimeError):
        follow(["distill"], Limits(), refuse, print, lambda: False)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
