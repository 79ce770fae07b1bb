# SPDX-License-Identifier: Apache-2.0
"""Part mIoU on labeled shapes: the constant answer, the teacher's vote and the student, per category.

    python benchmarks/shapes.py [SHAPE or folder ...] [--bundle default] [--teacher mini] [--json]

Each cell is the mIoU of ShapeNetPart's protocol and, in brackets, the mean over the parts that the
truth holds. The targets: the student beats the vote on the mean over categories, and reaches 60 on
airplane, chair, table and mug together (mean over these four).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation_data import shapes_folder

from partdistill_ros.cli.progress import progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import Evaluation, evaluate
from partdistill_ros.evaluation.methods.bundled_student import BundleMethod
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.methods.distilled_student import MethodConfig, Recipe
from partdistill_ros.evaluation.methods.protocol import Method
from partdistill_ros.evaluation.methods.registry import make_method
from partdistill_ros.evaluation.score_tables import comparison_table, record
from partdistill_ros.evaluation.shapes import load_shapes
from partdistill_ros.inference.segmenter import Segmenter

TARGET = 60.0
TOGETHER = ("airplane", "chair", "table", "mug")


def measure(options: argparse.Namespace) -> list[Evaluation]:
    """The methods in the order of the table; the student is the last."""
    shapes = load_shapes(options.shapes)
    methods: list[Method] = [Constant.of(shapes)]
    if options.teacher != "none":
        methods.append(make_method("vote", shapes, MethodConfig(options.teacher, recipe=Recipe(device=options.device))))
    methods.append(BundleMethod(Segmenter(options.bundle, options.device, options.threads), options.votes))
    return [
        evaluate(shapes, method, lambda items, name=method.name: progress(items, name, len(shapes)))  # type: ignore[misc]
        for method in methods
    ]


def together(evaluation: Evaluation) -> float | None:
    """Mean mIoU over the four categories of the target, None where one of them was not measured."""
    categories = evaluation.sampled.categories
    if not set(TOGETHER) <= set(categories):
        return None
    return sum(categories[name] for name in TOGETHER) / len(TOGETHER)


def verdict(evaluations: Sequence[Evaluation]) -> dict[str, bool]:
    """Which targets were measured, and whether the student reaches them."""
    student, votes = evaluations[-1], [one for one in evaluations[:-1] if one.setting != "reference"]
    reached = {}
    if votes:
        reached["beats the vote"] = student.sampled.overall > votes[-1].sampled.overall
    score = together(student)
    if score is not None:
        reached[f"{TARGET:.0f} on {', '.join(TOGETHER)}"] = score >= TARGET
    return reached


def format_result(evaluations: Sequence[Evaluation], reached: dict[str, bool]) -> str:
    """The table, the mean over the four categories and the verdict."""
    lines = ["mIoU in per cent (in brackets: over parts present in the truth)", "", comparison_table(evaluations), ""]
    scores = {one.method: together(one) for one in evaluations}
    known = [f"{method} {score:.1f}" for method, score in scores.items() if score is not None]
    if known:
        lines.append(f"{', '.join(TOGETHER)} together: {', '.join(known)}")
    return "\n".join([*lines, *(f"target {name}: {'reached' if done else 'MISSED'}" for name, done in reached.items())])


def main(arguments: list[str] | None = None) -> int:
    """Print the table (or JSON); exit code 0 where every target is reached, 1 where not, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shapes", type=Path, nargs="*", help="labeled shapes or folders (default: the evaluation data)")
    parser.add_argument("--bundle", default="default", help="a bundle directory or `default`")
    parser.add_argument("--teacher", default="mini", help="who votes: mini, boxes:FILE, or none to skip the vote")
    parser.add_argument("--votes", type=int, default=1, help="turns about the vertical the student averages")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "auto"))
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    options.shapes = options.shapes or [shapes_folder()]
    try:
        evaluations = measure(options)
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    reached = verdict(evaluations)
    result: dict[str, Any] = {
        "methods": [{**record(one), "together": together(one)} for one in evaluations],
        "reached": reached,
    }
    print(json.dumps(result) if options.json else format_result(evaluations, reached))
    return 0 if all(reached.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
