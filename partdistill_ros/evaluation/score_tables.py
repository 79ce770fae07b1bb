# SPDX-License-Identifier: Apache-2.0
"""Evaluations as tables to read and records to process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from partdistill_ros.evaluation.evaluate import Evaluation
from partdistill_ros.evaluation.miou import PROTOCOL, Summary
from partdistill_ros.visualization.tables import aligned

DIGITS = 2  # of a per cent; one shape of 48 moves the mean by more


def record(evaluation: Evaluation) -> dict[str, Any]:
    """The JSON object of `partdistill evaluate`, mIoU in per cent."""
    sampled = evaluation.sampled
    return {
        "protocol": PROTOCOL,
        "method": evaluation.method,
        "setting": evaluation.setting,
        "overall": round(sampled.overall, DIGITS),
        "instance": round(sampled.instance, DIGITS),
        "present": round(sampled.present, DIGITS),
        "categories": _rounded(sampled.categories),
        "shapes": sampled.shapes,
        "present_categories": _rounded(sampled.present_categories),
        "parts": {category: _rounded(parts) for category, parts in sampled.part_iou.items()},
        "all_points": _means(evaluation.every),
    }


def _means(summary: Summary) -> dict[str, float]:
    return {"overall": round(summary.overall, DIGITS), "present": round(summary.present, DIGITS)}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, DIGITS) for name, value in values.items()}


def category_table(evaluation: Evaluation) -> str:
    """One method: a row per category with both readings and the IoU of each part, then the means."""
    sampled = evaluation.sampled
    counts = {name: sum(score.category == name for score in evaluation.scores) for name in sampled.categories}
    rows = [("category", "shapes", "mIoU", "present", "parts present in the truth")]

    def add(name: str, shapes: int, miou: float, present: float | None, words: str) -> None:
        rows.append((name, str(shapes), f"{miou:.1f}", "" if present is None else f"{present:.1f}", words))

    for name, miou in sampled.categories.items():
        parts = ", ".join(f"{part} {value:.1f}" for part, value in sampled.part_iou[name].items())
        add(name, counts[name], miou, sampled.present_categories[name], parts)
    add("overall", sampled.shapes, sampled.overall, sampled.present, "mean over categories")
    add("instance", sampled.shapes, sampled.instance, None, "mean over shapes")
    every = evaluation.every
    add("all points", every.shapes, every.overall, every.present, "interpolated, mean over categories")
    return f"{evaluation.method} ({evaluation.setting}), mIoU in per cent\n{aligned(rows)}"


def comparison_table(evaluations: Sequence[Evaluation]) -> str:
    """Methods in columns, categories in rows: the mIoU of ShapeNetPart, then `present` in brackets."""
    first = evaluations[0].sampled
    rows = [("category", "shapes", *(f"{one.method}, {one.setting}" for one in evaluations))]
    for name in first.categories:
        count = sum(score.category == name for score in evaluations[0].scores)
        pairs = [_pair(one.sampled.categories[name], one.sampled.present_categories[name]) for one in evaluations]
        rows.append((name, str(count), *pairs))
    rows.append(("overall", str(first.shapes), *(_pair(e.sampled.overall, e.sampled.present) for e in evaluations)))
    rows.append(("all points", str(first.shapes), *(_pair(e.every.overall, e.every.present) for e in evaluations)))
    return aligned(rows)


def _pair(miou: float, present: float) -> str:
    return f"{miou:.1f} ({present:.1f})"
