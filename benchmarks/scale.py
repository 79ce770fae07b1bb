# SPDX-License-Identifier: Apache-2.0
"""What work past one machine gains here, where only one machine is: local workers and processes.

    python benchmarks/scale.py teacher [--shapes 120] [--workers 2] [--json]

teacher: rendering and teacher `mini` on drawn mugs, in one process and on workers of Ray (`pip install ray`); the
samples must be the same, bit for bit. `start` is how long Ray takes to start and to end, once a run, which is not part
of `seconds`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.ray_tasks import in_order
from partdistill_ros.distillation.sources import collect_samples
from partdistill_ros.io.content_key import content_key
from partdistill_ros.visualization.tables import aligned

PARTS = ("handle", "cup")


def teacher(shapes: int, workers: int) -> list[dict[str, object]]:
    """A row a way: one process, one worker, all workers."""
    collected(1, None)  # what is loaded once
    rows: list[dict[str, object]] = []
    for ray in (None, "local:1", f"local:{workers}"):
        start = 0.0
        if ray is not None:
            begin = time.perf_counter()
            list(in_order(idle, range(workers), ray))
            start = time.perf_counter() - begin
        begin, used = time.perf_counter(), time.process_time()
        key = collected(shapes, ray)
        seconds = time.perf_counter() - begin - start
        row: dict[str, object] = {"workers": ray or "none", "seconds": seconds, "start": start}
        row["own_cpu"] = time.process_time() - used  # of the process that hands out scans: the limit of many workers
        row["faster"] = float(rows[0]["seconds"]) / seconds if rows else 1.0  # type: ignore[arg-type]
        row["same"] = not rows or key == rows[0]["key"]
        rows.append(row | {"key": key})
    return rows


def collected(shapes: int, ray: str | None) -> str:
    """A key of the samples of so many shapes."""
    with tempfile.TemporaryDirectory() as folder:
        generated = (f"procedural:{shapes}",)
        config = DistillConfig((), PARTS, Path(folder) / "mugs", category="mug", generated=generated, ray=ray)
        left_out: list[str] = []
        return content_key(collect_samples(config, PARTS, Path(folder), lambda _: None, left_out), left_out)


def idle(task: int) -> int:
    """A task without work, whose worker imports what the others import."""
    import partdistill_ros.distillation.scan_task  # noqa: F401

    return task


def table(rows: Iterable[dict[str, object]]) -> str:
    """The rows as text."""
    shown = [{name: value for name, value in row.items() if name != "key"} for row in rows]
    cells = [[f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()] for row in shown]
    return aligned([list(shown[0]), *cells])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    own = kinds.add_parser("teacher")
    own.add_argument("--shapes", type=int, default=120)
    own.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    for kind in kinds.choices.values():
        kind.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    rows = teacher(given.shapes, given.workers)
    print(json.dumps(rows) if given.json else table(rows))


if __name__ == "__main__":
    sys.exit(main())
