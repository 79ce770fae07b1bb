# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on robots and around them, done on purpose: all must go on or end cleanly, and say what is true.

    python benchmarks/faults.py [--messages 10000] [--restarts 10] [--signals 5] [--only messages ...] [--json]

faults_live.py, done to the live node:
messages: seeded clouds and queries that are malformed, a good cloud after each batch.
restarts: node and publisher killed with SIGKILL, alone or together, and started again in any order.
bundle:   its files deleted, overwritten and restored while the node runs on them.
disk:     no space left for the node's log and standard output, nor for the report of `partdistill demo`.
          The node itself writes no other file.
signals:  Ctrl-C and SIGTERM while a node starts, idles and works on a million points.
starts:   every node started and ended, and one configured and cleaned up: shared memory and threads as before.
faults_world.py, around it:
flood:    clouds at 100 Hz before a node is there and while it starts.
silence:  a camera whose large clouds do not arrive.
clock:    simulated time missing, jumping back and standing still.
shared_memory: a full /dev/shm.
homeless: no HOME, or one that is no folder.
large:    a cloud of three million points.
robots:   two robots with the same names, in two namespaces, two domains, and mixed up.
year:     figures, log lines, frames and numbers of a year; stamps at the ends of their range.
faults_files.py, files, programs and training:
rights:   files and folders that may not be read or written, for every command that meets them.
networks: bundles whose network reads other files, runs other code, or claims or takes all memory.
programs: files of weights that are programs, wherever torch reads them.
kills:    a training killed with SIGKILL in each of its stages and gone on with: the same student.
full:     no space left while training, and room again: the same student.
viewer:   hostile names on the page of `partdistill view`, and other pages that ask for it.

`damaged_files.py` has the files that are damaged, `resume.py` the trainer node killed at random moments, `soak.py` the
hours, `installs.py` the interpreters.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import faults_files
import faults_live
import faults_world
from fault_rows import Row, Stand

from partdistill_ros.cli.common import positive
from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.node_process import go_private
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate
from partdistill_ros.visualization.tables import aligned

FAULTS: dict[str, Callable[[Stand], list[Row]]] = {
    function.__name__: function
    for function in (
        faults_live.messages, faults_live.restarts, faults_live.bundle, faults_live.disk, faults_live.signals,
        faults_live.starts, faults_world.flood, faults_world.silence, faults_world.clock, faults_world.shared_memory,
        faults_world.homeless, faults_world.large, faults_world.robots, faults_world.year, faults_files.rights,
        faults_files.networks, faults_files.programs, faults_files.kills, faults_files.full, faults_files.viewer,
    )
}  # fmt: skip


def run(options: argparse.Namespace) -> list[Row]:
    """Every fault asked for, each on a stand of its own; one that fails is a row, and the others go on."""
    prepare()
    domain = go_private()
    scan = sample_surface(generate("mug", seed=0), 2048)
    rows: list[Row] = []
    for name in options.only or FAULTS:
        with tempfile.TemporaryDirectory(prefix=f"faults_{name}_") as folder, ExitStack() as stack:
            stand = Stand(options, Path(folder), domain, scan)
            stack.callback(stand.close)
            try:
                found = FAULTS[name](stand)
            except (CommandFailed, subprocess.TimeoutExpired) as error:
                found = [Row(name, 1, 0, str(error))]
        print(f"{name}: {'; '.join(row.seen for row in found)}", file=sys.stderr)
        rows += found
    return rows


def format_rows(rows: Sequence[Row]) -> str:
    """The table, and a line for each fault that was not borne."""
    table = aligned([
        ("fault", "tried", "held", "seen"), *((row.fault, str(row.tried), str(row.held), row.seen) for row in rows)
    ])  # fmt: skip
    missed = [f"MISSED: {row.fault}, {row.tried - row.held} of {row.tried}" for row in rows if row.held < row.tried]
    total = f"{sum(row.tried for row in rows):,} tried, {sum(row.held for row in rows):,} held"
    return "\n".join([table, total, *(missed or ["every fault was borne"])])


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit code 0 where everything held, 1 where not, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=positive, default=10_000, help="malformed clouds and queries")
    parser.add_argument("--restarts", type=positive, default=10)
    parser.add_argument("--signals", type=positive, default=5, help="of each kind in each situation")
    parser.add_argument("--starts", type=positive, default=20, help="starts and ends of each node")
    parser.add_argument("--only", nargs="+", choices=tuple(FAULTS), help="faults to try (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        rows = run(options)
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"rows": [asdict(row) for row in rows]}) if options.json else format_rows(rows))
    return 1 if any(row.held < row.tried for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
