# SPDX-License-Identifier: Apache-2.0
"""How often the up of a thing in any rotation is guessed within 20 degrees, and how long that takes.

    python benchmarks/upright.py [SHAPE or folder ...] [--held-out 10]

Of categories that no training sees, those that have an up, whole and from one side; of files that tell theirs (the caps
of ShapeNet do not: theirs is y). Also how often it is among the two and the three likeliest, and the probability of
the first.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from everyday import Case, held_out, of_files

from partdistill_ros.distillation.augmentation import random_rotation
from partdistill_ros.pointcloud.upright import likely_ups
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING

RIGHT = np.cos(np.radians(20))


def cases(files: list[Path], count: int) -> Iterator[Case]:
    """Clouds that know their up."""
    for case in held_out(count) if count else ():
        if case.row in ("held out, whole", "held out, one-sided") and not EVERYTHING[case.cloud.category].up_unknown:
            yield case
    for case in of_files(files):
        if case.cloud.category == "cap" and case.cloud.up is None:
            case = replace(case, cloud=case.cloud.with_(up=np.array([0, 1, 0], np.float32)))
        if case.cloud.up is not None:
            yield replace(case, row=f"files, {case.cloud.category or case.row}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shapes", type=Path, nargs="*", help="labeled shapes or folders")
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="shapes of each category not trained on")
    options = parser.parse_args(arguments)
    rng, rows, took = np.random.default_rng(0), {}, []
    for case in cases(options.shapes, options.held_out):
        rotation = random_rotation(rng)
        start = time.process_time()
        ups, probability = likely_ups(case.cloud.points @ rotation.T)
        took.append(time.process_time() - start)
        right = ups[:3] @ rotation @ case.cloud.up > RIGHT
        rows.setdefault(case.row, []).append([right[0], right[:2].any(), right.any(), probability[0]])
    print(f"{'per cent':32}{'clouds':>8}{'right':>8}{'of 2':>8}{'of 3':>8}{'told':>8}")
    for row, values in rows.items():
        print(f"{row:32}{len(values):8}" + "".join(f"{100 * mean:8.0f}" for mean in np.mean(values, axis=0)))
    print(f"{1000 * np.median(took):.1f} ms of processor time a cloud in the median")
    return 0


if __name__ == "__main__":
    sys.exit(main())
