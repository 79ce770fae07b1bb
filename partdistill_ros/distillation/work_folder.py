# SPDX-License-Identifier: Apache-2.0
"""The folder beside a bundle in which a run keeps what it goes on from: one run at a time, no leftovers."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from partdistill_ros.distillation.processes import is_first
from partdistill_ros.errors import PartDistillError

LOCK = "lock"


def work_folder(out: Path) -> Path:
    """`<out>.work`."""
    return out.with_name(out.name + ".work")


@contextmanager
def locked(out: Path) -> Iterator[Path]:
    """The work folder of the bundle `out`, for this process alone; files that a killed run had begun are removed.

    The system frees it with the process, however that ends. Of processes that train together the first holds it.
    Raises PartDistillError where another run holds it, or it cannot be written.
    """
    work = work_folder(out)
    if not is_first():
        yield work
        return
    try:
        work.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(work / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise PartDistillError(f"cannot write {work}: {error.strerror}; choose another place for {out}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PartDistillError(
                f"another run is writing {out} (it holds {work / LOCK}): wait for its end, or choose another output"
            ) from error
        _sweep(out, work)
        yield work
    finally:
        os.close(descriptor)


def _sweep(out: Path, work: Path) -> None:
    """Removes the hidden names under which `io.atomic.atomic_path` and `write_bundle` begin, and a bundle that was
    replaced."""
    half = [*work.rglob(".*.tmp*"), *out.parent.glob(f".{out.name}.new-*")]
    half += out.parent.glob(f".{out.name}.old-*") if out.exists() else ()
    for path in half:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()
