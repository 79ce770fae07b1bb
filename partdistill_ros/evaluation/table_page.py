# SPDX-License-Identifier: Apache-2.0
"""A filled table to read on a terminal, to look at and to process, published numbers beside ours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partdistill_ros.evaluation.miou import summarize
from partdistill_ros.evaluation.reproduce import Cell, Results, Run, reasons
from partdistill_ros.evaluation.score_tables import DIGITS
from partdistill_ros.evaluation.tables import CLASS_MEAN, INSTANCE_MEAN, Row
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.visualization.html_pages import render_page
from partdistill_ros.visualization.tables import aligned

TEMPLATE = Path(__file__).with_name("templates") / "table.html"
PAGE, NUMBERS = "table.html", "table.json"


@dataclass(frozen=True)
class Entry:
    """A cell of the table in per cent.  mean: over the seeds, None where it could not be filled.  spread: standard
    deviation over the seeds, None for one.  published: None where nobody published it."""

    mean: float | None = None
    spread: float | None = None
    published: float | None = None

    def words(self) -> str:
        """`63.2 ± 0.4 (63.9)`: ours, its spread, the published number."""
        own = "-" if self.mean is None else f"{self.mean:.1f}"
        spread = "" if self.spread is None else f" ± {self.spread:.1f}"
        return own + spread + ("" if self.published is None else f" ({self.published:.1f})")

    def rounded(self) -> dict[str, float | None]:
        """As in a record."""
        return {name: None if value is None else round(value, DIGITS) for name, value in vars(self).items()}


@dataclass(frozen=True)
class FilledRow:
    """A row with its entries by column."""

    row: Row
    seeds: int
    entries: dict[str, Entry]


def filled_rows(run: Run, results: Results) -> list[FilledRow]:
    """The rows in their order; columns are the means, where every category is there, and the categories.

    The class mean is over categories, the instance mean over shapes; for the metric `parts` a category's number is the
    mean over its parts of their means over the shapes that have them.
    """
    return [_filled(run, row, [cell for cell in results.cells if cell.row == row.name]) for row in run.rows]


def _filled(run: Run, row: Row, cells: Sequence[Cell]) -> FilledRow:
    by_seed: dict[int, list[Cell]] = {}
    for cell in cells:
        by_seed.setdefault(cell.seed, []).append(cell)
    values: dict[str, list[float]] = {}
    for own in by_seed.values():
        summary = summarize([score for cell in own for score in cell.scores])
        numbers = dict(summary.categories)
        if run.table.metric == "parts":
            numbers = {name: float(np.mean(list(parts.values()))) for name, parts in summary.part_iou.items()}
        if len(numbers) == len(run.data.categories):
            numbers |= {CLASS_MEAN: float(np.mean(list(numbers.values()))), INSTANCE_MEAN: summary.instance}
        for column, number in numbers.items():
            values.setdefault(column, []).append(number)
    comparable = run.table.num_categories in (0, len(run.data.categories))
    entries = {
        column: Entry(
            float(np.mean(values[column])) if column in values else None,
            float(np.std(values[column], ddof=1)) if len(values.get(column, ())) > 1 else None,
            row.published.get(column) if column != CLASS_MEAN or comparable else None,
        )
        for column in (CLASS_MEAN, INSTANCE_MEAN, *run.data.categories)
    }
    return FilledRow(row, len(by_seed), entries)


def table_text(run: Run, results: Results) -> str:
    """For a terminal: methods in rows, means and categories in columns, published numbers in brackets."""
    columns = (CLASS_MEAN, INSTANCE_MEAN, *run.data.categories)
    rows = [("method", "learned from", *columns)]
    rows += [
        (one.row.name, one.row.setting, *(one.entries[name].words() for name in columns))
        for one in filled_rows(run, results)
    ]
    lines = [
        f"{run.table.title}, mIoU in per cent (published)",
        aligned(rows),
        *map("left out: {}".format, reasons(results)),
    ]
    return "\n".join(lines)


def table_record(run: Run, results: Results) -> dict[str, Any]:
    """The JSON object of `partdistill reproduce`."""
    rows = [
        {
            "method": one.row.name,
            "learned_from": one.row.setting,
            "seeds": one.seeds,
            "cells": {name: entry.rounded() for name, entry in one.entries.items()},
        }
        for one in filled_rows(run, results)
    ]
    return {
        "title": run.table.title,
        "data": run.data.name,
        "teacher": run.teacher,
        "metric": run.table.metric,
        "source": run.table.source,
        "rows": rows,
        "left_out": list(reasons(results)),
    }


def write_table(run: Run, results: Results) -> Path:
    """Write `table.html` and `table.json` into the run's folder; returns the page's path."""
    columns = (CLASS_MEAN, INSTANCE_MEAN, *run.data.categories)
    rows, shapes = (
        filled_rows(run, results),
        {(cell.category, score.name) for cell in results.cells for score in cell.scores},
    )
    best = {
        name: max((one.entries[name].mean or 0 for one in rows if one.row.method != "supervised"), default=0)
        for name in columns
    }
    page = render_page(
        TEMPLATE, run.table.title, rows=rows, columns=columns, best=best, table=run.table, data=run.data.name,
        shapes=len(shapes), teacher=run.teacher, seeds=len(run.seeds), left_out=list(reasons(results)),
    )  # fmt: skip
    numbers = json.dumps(table_record(run, results), allow_nan=False, indent=1) + "\n"
    for name, text in ((NUMBERS, numbers), (PAGE, page)):
        with atomic_path(run.out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return run.out / PAGE
