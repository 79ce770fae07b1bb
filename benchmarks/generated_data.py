# SPDX-License-Identifier: Apache-2.0
"""What generated shapes are worth: a collection, procedural shapes alone, and both, distilled alike.

    python benchmarks/generated_data.py [SHAPE or folder ...] [--count 30] [--teacher mini] [--json]

Every shape is measured with students that never saw it: of the other half of the collection, of `--count` procedural
shapes a category, and of both, either kind half of what is shown. Targets: generated shapes alone come within 2
points of the collection, both together beat either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from distillation import Bench, Row, options_parser, record, table

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.methods.registry import collect


def measure(bench: Bench, count: int, method: str) -> list[Row]:
    """The collection, generated shapes alone, both."""
    made = collect([f"procedural:{count}"], bench.shapes)
    own = bench.row(method, "pre")
    bench.train = made
    alone = bench.row(method, "pre")
    bench.train, bench.setting = None, replace(bench.setting, generated=made)
    both = bench.row(method, "pre")
    names = ("collection", f"generated ({count} a category)", "both")
    return [replace(row, method=name) for name, row in zip(names, (own, alone, both), strict=True)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; exit code 0 where both targets are reached, 1 where not, 2 for bad input."""
    parser = options_parser((__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=30, help="procedural shapes a category")
    parser.add_argument("--method", default="backward", choices=("forward", "backward"))
    options = parser.parse_args(arguments)
    try:
        rows = measure(Bench(options), options.count, options.method)
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    own, alone, both = (row.overall for row in rows)
    reached = {
        "generated alone within 2 of the collection": alone >= own - 2,
        "both beat either": both > max(own, alone),
    }
    if options.json:
        print(json.dumps({"rows": record(rows), "reached": reached}))
    else:
        told = [f"target {words}: {'reached' if done else 'MISSED'}" for words, done in reached.items()]
        print("\n".join([f"teacher {options.teacher}, {options.method}", "", table(rows), "", *told]))
    return 0 if all(reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
