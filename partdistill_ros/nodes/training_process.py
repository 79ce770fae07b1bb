# SPDX-License-Identifier: Apache-2.0
"""A distillation in a process of its own, followed from here; knows no ROS."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any

from partdistill_ros.nodes.child import trainer_command

PATIENCE = 0.5
"""Seconds from the polite signal to the other one; a cancel is to be answered within 2."""
BEAT = 0.1
"""Seconds between two looks at whether to stop."""
TAIL = 20  # lines kept of what it printed


@dataclass(frozen=True)
class Limits:
    """niceness: 0 to 19.  threads: of the CPU, 0 for one a core."""

    niceness: int = 10
    threads: int = 1

    def environment(self) -> dict[str, str]:
        """The variables of the child. Threads that wait must not spin: on a busy machine that took five times the
        CPU time of the work itself, and took it from the live node."""
        own = {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUNBUFFERED": "1", "TQDM_DISABLE": "1"}
        if self.threads:
            own |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(self.threads))
        else:
            own["OMP_NUM_THREADS"] = str(os.cpu_count() or 1)
        return {**os.environ, **own}


@dataclass(frozen=True)
class Outcome:
    """record: what the command answered, None where it failed.  problem: why, in words.  stopped: because it was
    told to."""

    record: Mapping[str, Any] | None
    problem: str = ""
    stopped: bool = False


def follow(
    command: Sequence[str],
    limits: Limits,
    report: Callable[[Mapping[str, Any]], None],
    log: Callable[[str], None],
    stop: Callable[[], bool],
) -> Outcome:
    """Run `partdistill COMMAND... --json --progress json` to its end, on the calling thread.

    report: gets each line of progress.  log: gets every other line of standard error.  stop: asked ten times a
    second; True ends the process, which keeps its checkpoints, within `PATIENCE` and a beat.
    The process ends with the calling thread, and so with this process.
    """
    with tempfile.TemporaryFile("w+") as answer:
        child = subprocess.Popen(
            trainer_command(limits.niceness, [*command, "--json", "--progress", "json"]),
            env=limits.environment(),
            stdin=subprocess.DEVNULL,
            stdout=answer,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        assert child.stderr is not None
        with child.stderr:
            try:
                tail, stopped = _listen(child, child.stderr, report, log, stop)
            finally:
                end(child)
        if stopped:
            return Outcome(None, "stopped", stopped=True)
        answer.seek(0)
        return _outcome(child.returncode, answer.read(), tail)


def end(child: subprocess.Popen[bytes]) -> None:
    """End it politely, and after `PATIENCE` in any case."""
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
    if child.poll() is None:
        child.kill()
    child.wait()


def _listen(
    child: subprocess.Popen[bytes],
    stream: IO[bytes],
    report: Callable[[Mapping[str, Any]], None],
    log: Callable[[str], None],
    stop: Callable[[], bool],
) -> tuple[list[str], bool]:
    """The last lines that were no progress, and whether it was asked to stop."""
    tail: list[str] = []
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if stop():
                return tail, True
            if not selector.select(BEAT):
                continue
            content = os.read(stream.fileno(), 65536)
            if not content:
                child.wait()
                return tail, False
            *lines, waiting = (waiting + content).split(b"\n")
            for line in lines:
                words = line.decode(errors="replace").strip()
                progress = _progress(words)
                if progress is not None:
                    report(progress)
                elif words:
                    tail = [*tail[1 - TAIL :], words]
                    log(words)


def _progress(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        content = json.loads(line)
    except ValueError:
        return None
    return content if isinstance(content, dict) and "stage" in content else None


def _outcome(code: int, printed: str, tail: Sequence[str]) -> Outcome:
    try:
        record = json.loads(printed)
    except ValueError:
        record = {}
    if code == 0 and isinstance(record, dict):
        return Outcome(record)
    if isinstance(record, dict) and "error" in record:
        return Outcome(None, str(record["error"]))
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    hint = " (out of memory? use fewer or smaller scans)" if code == -signal.SIGKILL else ""
    return Outcome(None, f"the training ended with {how}{hint}: {' / '.join(tail[-3:]) or 'it said nothing'}")
