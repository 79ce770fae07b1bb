# SPDX-License-Identifier: Apache-2.0
"""How long distillation takes, from scans to the written bundle, with the teacher mini.

    python benchmarks/distill_time.py [--shapes 50] [--threads 2] [--json]

Procedural mugs as clouds of 8,192 points. Targets on 2 CPU cores: Pre on 50 shapes 15 minutes, TTA on one shape
60 seconds, ten views of 224 x 224 pixels of 10,000 points 0.1 seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from partdistill_ros.cli.progress import EpochBar
from partdistill_ros.distillation import pipeline
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import render_points
from partdistill_ros.synthetic.families import FAMILIES, generate
from partdistill_ros.visualization.tables import aligned

FAMILY = "mug"
TARGETS = {"pre": 15 * 60.0, "tta": 60.0, "render": 0.1}


def distill(folder: Path, count: int, mode: str) -> float:
    """Seconds that `count` scans take, files to bundle."""
    scans = folder / f"{mode}_scans"
    scans.mkdir()
    for seed in range(count):
        save_scan(scans / f"{FAMILY}{seed:03d}.npz", sample_surface(generate(FAMILY, 700_000 + seed), 8192, seed))
    config = DistillConfig((scans,), FAMILIES[FAMILY].parts, folder / mode, category=FAMILY, mode=mode)
    start = time.perf_counter()
    with EpochBar(mode) as bar:
        pipeline.distill(config, bar)
    return time.perf_counter() - start


def render(repeats: int = 9) -> float:
    """Median seconds of ten views."""
    points = sample_surface(generate("chair", 1), 10_000).points
    views = ten_views(radius=float(np.linalg.norm(points, axis=1).max()))
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        render_points(points, views, 224)
        took.append(time.perf_counter() - start)
    return float(np.median(took))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 0 where every target is reached, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--shapes", type=int, default=50, help="of the collection of Pre")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        took = {
            "pre": distill(Path(folder), options.shapes, "pre"),
            "tta": distill(Path(folder), 1, "tta"),
            "render": render(),
        }
    if options.json:
        print(json.dumps({"seconds": took, "targets": TARGETS}))
    else:
        words = {
            "pre": f"Pre, {options.shapes} shapes, scans to bundle",
            "tta": "TTA, one shape, scan to bundle",
            "render": "ten views, 10,000 points, 224 x 224",
        }
        rows = [("what", "seconds", "target")]
        rows += [(words[name], f"{value:.3g}", f"{TARGETS[name]:g}") for name, value in took.items()]
        print(aligned(rows))
    return 0 if all(took[name] <= TARGETS[name] for name in took) else 1


if __name__ == "__main__":
    sys.exit(main())
