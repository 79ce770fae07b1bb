# SPDX-License-Identifier: Apache-2.0
"""New Python processes of ours; and where a child of a node begins: it ends with its parent, stands back for others,
then becomes `partdistill`."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import partdistill_ros

PR_SET_PDEATHSIG = 1
AUTOGROUP = Path("/proc/self/autogroup")


def python_command(code: str, *arguments: str) -> list[str]:
    """A command that runs `code` in a new Python whose path has not the folder where it is started: a numpy.py there
    would be taken for numpy.

    Python 3.10 has no `-P`, and `-I` leaves out PYTHONPATH, which ROS needs. Our own package is found where it was
    found here, then its folder leaves the path as well.
    """
    root = str(Path(partdistill_ros.__file__).parents[1])
    start = f"import sys; sys.path[:] = [{root!r}, *filter(None, sys.path)]; import partdistill_ros; del sys.path[0]"
    return [sys.executable, "-c", f"{start}; {code}", *arguments]


def end_with(parent: int) -> None:
    """Have the kernel kill this process when its parent is gone, however that ends (Linux).

    More exactly when the thread that started it ends, which waits for it. Leaves at once if that happened already.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def stand_back(niceness: int) -> None:
    """Lower the priority of this process by `niceness`, 0 to 19.

    In a session of its own it is an autogroup of its own where the kernel makes these, and niceness counts only
    within one: the group needs its own.
    """
    os.nice(niceness)
    with contextlib.suppress(OSError):
        AUTOGROUP.write_text(str(niceness))


def trainer_command(niceness: int, command: Sequence[str]) -> list[str]:
    """`partdistill COMMAND...` as a child of the calling thread."""
    return python_command(f"from {__name__} import become; become()", str(os.getpid()), str(niceness), *command)


def become() -> NoReturn:
    """Turn the process of `trainer_command` into `partdistill`; what ties it to its parent stays."""
    parent, niceness, *command = sys.argv[1:]
    end_with(int(parent))
    stand_back(int(niceness))
    program = "import runpy; runpy.run_module('partdistill_ros.cli', run_name='__main__', alter_sys=True)"
    os.execv(sys.executable, python_command(program, *command))
