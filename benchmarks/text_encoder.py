# SPDX-License-Identifier: Apache-2.0
"""The text encoder of `distill --with-text-encoder`: how near to torch, and how long a query takes.

    python benchmarks/text_encoder.py [--names 1000] [--threads 2] [--json]

Names are the vocabulary's, with words of eight scripts, spaces, emoji and the empty string among them. Targets: 1e-3 in
any number of an embedding, 50 ms for a query of two new names on 2 CPU cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence

import numpy as np

from partdistill_ros.inference.text_encoder import OnnxTextEncoder
from partdistill_ros.text.export import minilm_files
from partdistill_ros.text.space import TextSpace
from partdistill_ros.text.words import fitting_names

OTHERS = ("", " ", "poignée", "Henkel", "杯子的把手", "取っ手", "ручка", "λαβή", "المقبض", "손잡이", "ด้ามจับ", "🙂☕")
TARGETS = {"difference": 1e-3, "ms": 50.0}


def names(count: int) -> list[str]:
    """`count` different names, other scripts first."""
    known = fitting_names()
    made = [f"{first} {second}" for first in known for second in known if first != second]
    return [*OTHERS, *known, *made][:count]


def largest_difference(encoder: OnnxTextEncoder, space: TextSpace, asked: Sequence[str]) -> float:
    """In any number of the unit embeddings."""
    parts = [asked[at : at + 64] for at in range(0, len(asked), 64)]
    return max(float(np.abs(encoder.encode(part) - space.project(part)).max()) for part in parts)


def milliseconds(encoder: OnnxTextEncoder, asked: Sequence[str]) -> tuple[float, float]:
    """Median and 95 % of a query of two names, each asked for the first time."""
    took = []
    for pair in zip(asked[::2], asked[1::2], strict=False):
        start = time.perf_counter()
        encoder.encode(list(pair))
        took.append(1e3 * (time.perf_counter() - start))
    return float(np.median(took)), float(np.percentile(took, 95))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both numbers; exit code 0 where they are within the targets, else 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    space = TextSpace.load()
    files = minilm_files(space)
    encoder = OnnxTextEncoder(files.graph, files.tokenizer, 64)
    asked = names(options.names)
    difference = largest_difference(encoder, space, asked)
    median, slow = milliseconds(encoder, asked[-200:])
    if options.json:
        print(json.dumps({"names": len(asked), "difference": difference, "ms": median, "ms_95": slow}))
    else:
        print(f"{len(asked)} names: largest difference from torch {difference:.1e} (target {TARGETS['difference']:g})")
        print(f"a query of two new names: {median:.1f} ms, 95 % {slow:.1f} ms (target {TARGETS['ms']:g})")
    return 0 if difference <= TARGETS["difference"] and median <= TARGETS["ms"] else 1


if __name__ == "__main__":
    sys.exit(main())
