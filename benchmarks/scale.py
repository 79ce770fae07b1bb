# SPDX-License-Identifier: Apache-2.0
"""What work past one machine gains here, where only one machine is: local workers and processes.

    python benchmarks/scale.py teacher [--shapes 120] [--workers 2] [--json]
    python benchmarks/scale.py memory [--scans 100 1000 10000] [--json]

teacher: rendering and teacher `mini` on drawn mugs, in one process and on workers of Ray (`pip install ray`); the
samples must be the same, bit for bit. `start` is how long Ray takes to start and to end, once a run, which is not part
of `seconds`.

memory: a small student distilled forward and backward on drawn mugs of 1,024 points, few of which are drawn and all
others moved copies, each number of scans in a process of its own: `peak_mb` is the most memory that the process held by
the end, and `start_mb` when everything was imported; `disk_kb` is what lies in temporary files for each scan.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from partdistill_ros.distillation.config import Augmentation, DistillConfig, Schedule
from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.ray_tasks import in_order
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.sources import collect_samples
from partdistill_ros.distillation.trainer import Trainer
from partdistill_ros.io.content_key import content_key
from partdistill_ros.students.patch_transformer import PatchTransformer, PatchTransformerConfig
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.registry import load_teacher
from partdistill_ros.text.space import TextSpace
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


def memory(scans: Sequence[int]) -> list[dict[str, object]]:
    """A row a number of scans."""
    rows = []
    for count in scans:
        command = [sys.executable, __file__, "one", str(count)]
        rows.append(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))
    return rows


def one(count: int, drawn: int = 8) -> dict[str, object]:
    """What a distillation on so many scans takes, in this process."""
    teacher = load_teacher("mini")
    clouds = [upright_cloud(generate("mug", seed), 1024, seed) for seed in range(drawn)]
    models = [make_sample(cloud, PARTS, "mug", teacher, seed=seed) for seed, cloud in enumerate(clouds)]
    space = TextSpace.load()
    sizes = PatchTransformerConfig(points=256, centers=64, patches=16, neighbors=8, width=40, layers=1, heads=2)
    start, begin = peak_mb(), time.perf_counter()
    used = time.process_time()
    rng = np.random.default_rng(0)

    def moved(number: int) -> Sample:
        model = models[number % drawn]
        return replace(model, name=f"mug{number}", points=model.points + rng.normal(0, 0.01, (1024, 3)).astype("f4"))

    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            PatchTransformer(replace(sizes, dim=space.dim)),
            DiskList(map(moved, range(count))),
            {"mug": [space.encode([part]) for part in PARTS]},
            replace(Schedule(), epochs=2, min_steps=1, checkpoint_minutes=0.0, num_loss_points=128),
            Augmentation(),
            checkpoint=Path(folder) / "fit.pt",
        )
        trainer.run()
    kept = (trainer.samples, trainer.rescored, trainer.soft_labels)
    return {
        "scans": count,
        "start_mb": start,
        "peak_mb": peak_mb(),
        "disk_kb": sum(one.num_bytes for one in kept if isinstance(one, DiskList)) / count / 1024,
        "cpu_s": time.process_time() - used,
        "seconds": time.perf_counter() - begin,
    }


def peak_mb() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    kinds.add_parser("memory").add_argument("--scans", type=int, nargs="+", default=[100, 1000, 10_000])
    kinds.add_parser("one").add_argument("scans", type=int)
    for kind in kinds.choices.values():
        kind.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if given.kind == "one":
        print(json.dumps(one(given.scans)))
        return
    rows = teacher(given.shapes, given.workers) if given.kind == "teacher" else memory(given.scans)
    print(json.dumps(rows) if given.json else table(rows))


if __name__ == "__main__":
    sys.exit(main())
