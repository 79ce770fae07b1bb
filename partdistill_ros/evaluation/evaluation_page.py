# SPDX-License-Identifier: Apache-2.0
"""An evaluation as one page to look at and one JSON file to process: numbers, curves, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import Evaluation, evaluate
from partdistill_ros.evaluation.gallery import Choice, Exhibit, exhibits
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.miou import ShapeScore
from partdistill_ros.evaluation.score_tables import DIGITS, record
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.visualization.html_pages import render_page
from partdistill_ros.visualization.loss_chart import LossCurve, loss_chart

if TYPE_CHECKING:
    from partdistill_ros.teachers.protocol import Teacher

SCHEMA = 1
PAGE, NUMBERS = "report.html", "report.json"
TEMPLATE = Path(__file__).with_name("templates") / "evaluation.html"


def write_report(
    folder: Path,
    shapes: Sequence[Shape],
    evaluations: Sequence[Evaluation],
    teacher: Teacher | None,
    title: str,
    per_category: int = 3,
    progress: Callable[[Iterable[Choice]], Iterable[Choice]] = iter,
) -> Path:
    """Write `report.html` and `report.json` into `folder`; returns the page's path.

    evaluations: of the same `shapes` in the same order; the gallery is chosen by the last of them. The
    constant answer is added where it is missing.  teacher: queried about the shapes of the gallery, None
    leaves its views out.  per_category: shapes of the gallery, 0 for none.
    Raises PartDistillError without evaluations, for those of other shapes, and where `folder` cannot be
    written.
    """
    _check(shapes, evaluations)
    if not any(one.method == Constant.name for one in evaluations):
        evaluations = [evaluate(shapes, Constant.of(shapes)), *evaluations]
    shown = exhibits(shapes, evaluations, teacher, per_category, progress)
    categories = evaluations[0].sampled.categories
    content: dict[str, Any] = {
        "evaluations": evaluations,
        "categories": {name: max(one.sampled.categories[name] for one in evaluations) for name in categories},
        "part_iou": {
            category: {part: [one.sampled.part_iou[category][part] for one in evaluations] for part in parts}
            for category, parts in evaluations[0].sampled.part_iou.items()
        },
        "curves": _charts(evaluations),
        "gallery": shown,
        "teacher": "" if teacher is None else teacher.name,
    }
    page = render_page(TEMPLATE, title, **content)
    numbers = json.dumps(report_record(title, evaluations, shown), allow_nan=False, indent=1)
    for name, text in ((NUMBERS, numbers + "\n"), (PAGE, page)):
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return folder / PAGE


def _check(shapes: Sequence[Shape], evaluations: Sequence[Evaluation]) -> None:
    if not evaluations:
        raise PartDistillError("no evaluation to report: evaluate at least one method")
    names = [shape.question.name for shape in shapes]
    for one in evaluations:
        if [score.name for score in one.scores] != names:
            raise PartDistillError(f"the evaluation of '{one.method}' is of other shapes: evaluate it on these")


def report_record(title: str, evaluations: Sequence[Evaluation], shown: Sequence[Exhibit]) -> dict[str, Any]:
    """The JSON object: what the page says, without its pictures."""
    return {
        "schema": SCHEMA,
        "title": title,
        "evaluations": [_evaluation_record(one) for one in evaluations],
        "gallery": [{"category": one.category, "shape": one.name, "rank": one.rank} for one in shown],
    }


def _evaluation_record(one: Evaluation) -> dict[str, Any]:
    curves = [
        {
            "name": curve.name,
            "losses": [round(loss, 6) if np.isfinite(loss) else None for loss in map(float, curve.losses)],
            "backward_from": curve.backward_from,
        }
        for curve in one.curves
    ]
    return {**record(one), "curves": curves, "scores": [_score_record(s) for s in one.scores]}


def _score_record(score: ShapeScore) -> dict[str, Any]:
    iou = {
        part: None if np.isnan(value) else round(100 * float(value), DIGITS)
        for part, value in zip(score.parts, score.iou, strict=True)
    }
    means = {"miou": round(100 * score.miou, DIGITS), "present": round(100 * score.present, DIGITS)}
    return {"shape": score.name, "category": score.category, **means, "parts": iou}


def _charts(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """Each training once, though forward and backward distillation may share it."""
    owners: dict[LossCurve, list[str]] = {}
    for one in evaluations:
        for curve in one.curves:
            owners.setdefault(curve, []).append(one.method)
    return [
        {"chart": Markup(loss_chart(curve)), "name": curve.name, "methods": methods}
        for curve, methods in owners.items()
    ]
