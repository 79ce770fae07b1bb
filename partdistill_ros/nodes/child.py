# SPDX-License-Identifier: Apache-2.0
"""Where a child of a node begins: it ends with its parent, stands back for others, then is `partdistill`.

python -m partdistill_ros.nodes.child PARENT_PID NICENESS distill ...
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
AUTOGROUP = Path("/proc/self/autogroup")


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


def main() -> int:
    """Run the command."""
    parent, niceness, *command = sys.argv[1:]
    end_with(int(parent))
    stand_back(int(niceness))
    # As Ctrl-C: files that were begun are removed on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from partdistill_ros.cli import main as cli

    return cli.main(command)


if __name__ == "__main__":
    sys.exit(main())
