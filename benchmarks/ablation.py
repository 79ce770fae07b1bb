# SPDX-License-Identifier: Apache-2.0
"""What each step of backward distillation adds: forward alone, each step off in turn, and all of them.

    python benchmarks/ablation.py [SHAPE or folder ...] [--teacher controlled:pixel] [--setting pre] [--json]

Takes the options of `benchmarks/distillation.py`; all rows of a seed share one forward distillation. As it comes it is
a trial of some minutes: of four drawn shapes a family two are learned, with 8 epochs, and two measured; a measurement
is `--per-family 6 --epochs 30 --seeds 0 1 2`. Last column: what the row loses to `all steps`, mean over categories,
with its 95 % interval over shapes (paired bootstrap). Steps: docs/notes/backward.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distillation import SETTINGS, Bench, Row, options_parser, paired_bootstrap, record

from partdistill_ros.distillation.config import BackwardConfig
from partdistill_ros.distillation.trainer import Trainer
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.methods.distilled_student import DistilledMethod, MethodConfig
from partdistill_ros.evaluation.methods.protocol import Method
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.visualization.tables import aligned

FAMILIES = ("bottle", "chair", "hammer", "knife", "laptop", "vase")
NEVER = 10**6  # epochs


@dataclass(frozen=True)
class Step:
    """What switches a step off.  config: of `BackwardConfig`.  schedule: of `Schedule`.  kind: of the units that it is
    about, empty for both."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    kind: str = ""


ALL = Step("all steps")
STEPS = (
    Step("no test of agreement", {"min_kappa": -1.0}),
    Step("units are no evidence", {"evidence_weight": 0.0}, kind="pixel"),
    Step("no second opinion", {"opinion_weight": 0.0}),
    Step("one round", {"num_rounds": 1}, kind="pixel"),
    Step("no memory", {"memory": 0.0}),
    Step("fit not squared", {"fit_power": 1}),
    Step("labels without posterior", {"posterior_weight": 0.0}, kind="pixel"),
    Step("all names of boxes count", {"box_posterior_power": 0.0}, kind="box"),
    Step("re-scored once", schedule={"rescore_every": NEVER}),
)


class Ablation(Bench):
    """A bench whose backward distillation lacks a `step`."""

    step = ALL

    def make(self, method: str, shapes: Sequence[Shape], setting: MethodConfig) -> Method:
        made, step = super().make(method, shapes, setting), self.step
        make_trainer = made.trainer_type if isinstance(made, DistilledMethod) else Trainer

        def trainer(student: Any, samples: Any, names: Any, schedule: Any, *others: Any, **settings: Any) -> Trainer:
            # The checkpoint is of the rule, whatever its steps; the forward distillation is all theirs.
            settings |= {"checkpoint": None, "backward_config": BackwardConfig(**step.config)}
            return make_trainer(student, samples, names, replace(schedule, **step.schedule), *others, **settings)

        if method == "backward" and isinstance(made, DistilledMethod):
            made.trainer_type = trainer
        return made


def measure(options: argparse.Namespace) -> list[Row]:
    """Forward alone, a row for each step that is off, and all of them last."""
    bench = Ablation(options)
    kind = "box" if options.teacher.partition(":")[2].startswith("box") else "pixel"
    steps = [one for one in STEPS if one.kind in ("", kind) and (not options.steps or one.name in options.steps)]
    rows = [bench.row("forward", options.setting)]
    for bench.step in (*steps, ALL):
        rows.append(replace(bench.row("backward", options.setting), method=bench.step.name))
    return rows


def table(rows: Sequence[Row]) -> str:
    """The rows with all categories, and what each loses to the last."""
    categories = list(rows[0].runs[0].categories)
    lines = [("", *categories, "overall", "less than all steps")]
    for row in rows:
        cells = [sum(run.categories[name] for run in row.runs) / len(row.runs) for name in categories]
        mean, low, high = paired_bootstrap(rows[-1].shapes, row.shapes)
        lost = f"{mean:+.1f} ({low:+.1f} to {high:+.1f})" if row is not rows[-1] else ""
        lines.append((row.method, *(f"{cell:.1f}" for cell in (*cells, row.overall)), lost))
    return aligned(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the table; exit code 2 for bad input."""
    parser = options_parser((__doc__ or "").split("\n")[0])
    parser.add_argument("--setting", choices=SETTINGS[:2], default="pre")
    parser.add_argument("--steps", nargs="+", choices=[one.name for one in STEPS], help="some of them")
    parser.set_defaults(teacher="controlled:pixel", per_family=4, epochs=8, seeds=[0], folds=1)
    options = parser.parse_args(arguments)
    if not options.shapes and not options.of_families:
        options.of_families = FAMILIES
    try:
        with tempfile.TemporaryDirectory() as folder:
            options.work = options.work or Path(folder)
            rows = measure(options)
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(record(rows)) if options.json else table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
