# SPDX-License-Identifier: Apache-2.0
"""Latency of a student on one cloud, or on several at once, from points to labels: sampling, network and spreading.

    python benchmarks/student_latency.py [--bundle default] [--points 2048 20000 300000] [--threads 2]
    python benchmarks/student_latency.py --objects 20 --points 3000 [--device auto]

The first size is judged against the target: on 2 threads at most 20 ms in the median for one cloud of 2,048 points, at
most 6 ms an object for several.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.segmenter import Segmenter

TARGET_MS, TARGET_MS_EACH = 20.0, 6.0  # of one cloud, and of each of several
STAGES = ("sample", "network", "spread", "total")


def make_cloud(count: int, seed: int) -> NDArray[np.float32]:
    """A mug without its bottom, `[count, 3]` in meters: a cylinder of 8 x 10 cm with a ring at its side."""
    rng = np.random.default_rng(seed)
    angle, along = rng.random((2, count)) * 2 * np.pi
    wall = np.stack([0.04 * np.cos(angle), 0.04 * np.sin(angle), 0.1 * (along / (2 * np.pi) - 0.5)], axis=-1)
    tube = 0.025 + 0.005 * np.cos(along)
    ring = np.stack([0.04 + tube * np.cos(angle), 0.005 * np.sin(along), tube * np.sin(angle)], axis=-1)
    return np.where(rng.random((count, 1)) < 0.2, ring, wall).astype(np.float32)


def measure(
    segmenter: Segmenter, count: int, query: str, repeats: int, objects: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds `[repeats]` of each stage for so many objects of `count` points, other ones every time."""
    parsed = segmenter.query(query)
    clouds = [make_cloud(count, seed) for seed in range(max(objects, min(repeats, 8)))]
    taken = []
    for repeat in range(-3, repeats):
        asked = [clouds[(repeat + number) % len(clouds)] for number in range(objects)]
        segmenter.segment(asked, parsed, [(0, 0, 1)] * objects)
        if repeat >= 0:
            taken.append([getattr(segmenter.timings, stage) * 1e3 for stage in STAGES])
    return dict(zip(STAGES, np.array(taken).T, strict=True))


def default_query(segmenter: Segmenter) -> str:
    """`handle, cup` where the bundle knows them, else the parts of its first category."""
    vocabulary = segmenter.bundle.vocabulary
    if "handle" in vocabulary and "cup" in vocabulary:
        return "handle, cup"
    return ", ".join(next(iter(vocabulary.categories.values()), vocabulary.names[:2]))


def summarize(milliseconds: NDArray[np.float64]) -> dict[str, float]:
    """Median and 95th percentile."""
    return {"median_ms": float(np.median(milliseconds)), "p95_ms": float(np.percentile(milliseconds, 95))}


def main(arguments: list[str] | None = None) -> int:
    """Print the table (or JSON); exit code 0 within the target, 1 above it, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bundle", default="default", help="a bundle directory or `default`")
    parser.add_argument("--points", type=int, nargs="+", default=[2048, 20_000, 300_000], help="sizes of the clouds")
    parser.add_argument("--objects", type=int, default=1, help="clouds in one call")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "auto"))
    parser.add_argument("--query", help="default: handle, cup")
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        segmenter = Segmenter(options.bundle, options.device, options.threads)
        query = options.query or default_query(segmenter)
        segmenter.warm_up()
        tables = {count: measure(segmenter, count, query, options.repeats, options.objects) for count in options.points}
    except PartDistillError as error:
        print(error, file=sys.stderr)
        return 2
    target = TARGET_MS if options.objects == 1 else TARGET_MS_EACH * options.objects
    result = {
        "objects": options.objects,
        "bundle": segmenter.bundle.name,
        "provider": segmenter.provider,
        "threads": options.threads,
        "query": query,
        "target_ms": target,
        "sizes": {
            str(count): {stage: summarize(times) for stage, times in table.items()} for count, table in tables.items()
        },
    }
    print(json.dumps(result) if options.json else format_table(result))
    return 0 if np.median(tables[options.points[0]]["total"]) <= target else 1


def format_table(result: dict[str, Any]) -> str:
    """The result as text, median / 95th percentile in milliseconds."""
    head = f"{result['bundle']} on {result['provider']}, {result['threads']} threads, '{result['query']}', "
    head += f"{result['objects']} at once, " if result["objects"] > 1 else ""
    lines = [head + "milliseconds, median / 95 %", f"{'points':>10}" + "".join(f"{stage:>18}" for stage in STAGES)]
    for count, stages in result["sizes"].items():
        cells = [f"{stages[stage]['median_ms']:.1f} / {stages[stage]['p95_ms']:.1f}" for stage in STAGES]
        lines.append(f"{int(count):>10,}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join([*lines, f"target: at most {result['target_ms']:.0f} ms in the median for the first row"])


if __name__ == "__main__":
    sys.exit(main())
