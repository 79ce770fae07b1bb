# SPDX-License-Identifier: Apache-2.0
"""An evaluation as one page to look at and one JSON file to process: numbers, curves, pictures."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import Evaluation, evaluate
from partdistill_ros.evaluation.gallery import Choice, Exhibit, Panel, exhibits
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.miou import ShapeScore
from partdistill_ros.evaluation.score_tables import DIGITS, record
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.visualization.loss_chart import LossCurve, loss_chart
from partdistill_ros.visualization.page import embedded, figure, legend, page

if TYPE_CHECKING:
    from partdistill_ros.teachers.protocol import Teacher

SCHEMA = 1
PAGE, NUMBERS = "report.html", "report.json"

PROTOCOL = """\
Mean intersection over union (mIoU) in per cent, over 2,048 points a shape. The large number is ShapeNetPart's: a \
part that is neither in the answer nor in the truth counts as right. The small one, <i>present</i>, counts only parts \
that the truth holds. <i>constant</i> gives every point the category's most frequent part: what a method must beat."""


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
    constant answer is added where it is missing.  teacher: asked about the shapes of the gallery, None
    leaves its views out.  per_category: shapes of the gallery, 0 for none.
    Raises PartDistillError without evaluations, for those of other shapes, and where `folder` cannot be
    written.
    """
    _check(shapes, evaluations)
    if not any(one.method == Constant.name for one in evaluations):
        evaluations = [evaluate(shapes, Constant.of(shapes)), *evaluations]
    shown = exhibits(shapes, evaluations, teacher, per_category, progress)
    sections = [_overall(evaluations), _categories(evaluations), _parts(evaluations), _curves(evaluations)]
    sections.append(_gallery(shown, evaluations, None if teacher is None else teacher.name))
    body = [*_head(title, evaluations), _links(sections), *chain.from_iterable(sections)]
    numbers = json.dumps(report_record(title, evaluations, shown), allow_nan=False, indent=1)
    for name, text in ((NUMBERS, numbers + "\n"), (PAGE, page(title, body))):
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


def _head(title: str, evaluations: Sequence[Evaluation]) -> list[str]:
    sampled = evaluations[0].sampled
    count = f"{sampled.shapes} shapes of {len(sampled.categories)} categories"
    methods = ", ".join(f"{one.method} ({one.setting})" for one in evaluations)
    return [f"<h1>{escape(title)}</h1>", f'<p class="soft">{escape(f"{count}: {methods}")}</p>']


def _links(sections: Sequence[Sequence[str]]) -> str:
    """Links to the headings of the sections that have something to show."""
    found = [re.match(r'<h2 id="(\w+)">(\w+)', section[0]) for section in sections if section]
    links = [f'<a href="#{head[1]}">{head[2]}</a>' for head in found if head]
    return f"<nav>{''.join(links)}</nav>"


def _overall(evaluations: Sequence[Evaluation]) -> list[str]:
    """A row per method: the means of every reading."""
    head = ["method", "learned from", "overall", "instance", "all points"]
    with_unseen = any(one.unseen for one in evaluations)
    head += ["unseen points"] if with_unseen else []
    best = max(one.sampled.overall for one in evaluations)
    rows = []
    for one in evaluations:
        cells = [f"<td>{escape(one.setting)}</td>"]
        cells.append(_cell(one.sampled.overall, one.sampled.present, one.sampled.overall == best))
        cells.append(_cell(one.sampled.instance, None))
        cells.append(_cell(one.every.overall, one.every.present))
        if with_unseen:
            cells.append(_cell(one.unseen.overall, one.unseen.present) if one.unseen else "<td>–</td>")
        rows.append((one.method, cells))
    return ['<h2 id="overall">Overall</h2>', f"<p>{PROTOCOL}</p>", _table(head, rows)]


def _categories(evaluations: Sequence[Evaluation]) -> list[str]:
    """Methods in rows, categories in columns, the best of each marked."""
    names = list(evaluations[0].sampled.categories)
    best = {name: max(one.sampled.categories[name] for one in evaluations) for name in names}
    rows = []
    for one in evaluations:
        values = [(one.sampled.categories[name], one.sampled.present_categories[name], name) for name in names]
        rows.append((one.method, [_cell(miou, present, miou == best[name]) for miou, present, name in values]))
    return ['<h2 id="categories">Categories</h2>', _table(["method", *names], rows)]


def _parts(evaluations: Sequence[Evaluation]) -> list[str]:
    """IoU per part over the shapes whose truth holds it; a table per category, methods in columns."""
    html = ['<h2 id="parts">Parts</h2>', '<p class="soft">Mean IoU over the shapes whose truth holds the part.</p>']
    for category, parts in evaluations[0].sampled.part_iou.items():
        rows = []
        for part in parts:
            values = [one.sampled.part_iou[category][part] for one in evaluations]
            rows.append((part, [_bar(value, value == max(values) > 0) for value in values]))
        html += [
            f"<h3>{escape(category)}</h3>",
            _table(["part", *(one.method for one in evaluations)], rows, even=True),
        ]
    return html


def _curves(evaluations: Sequence[Evaluation]) -> list[str]:
    """Each training once, though forward and backward distillation may share it."""
    owners: dict[LossCurve, list[str]] = {}
    for one in evaluations:
        for curve in one.curves:
            owners.setdefault(curve, []).append(one.method)
    if not owners:
        return []
    figures = [
        f"<figure>{loss_chart(curve)}<figcaption><b>{escape(curve.name)}</b> {escape(', '.join(methods))}"
        "</figcaption></figure>"
        for curve, methods in owners.items()
    ]
    words = "Training loss per epoch. Backward distillation gives the units new scores, so the loss may jump there."
    return ['<h2 id="curves">Curves</h2>', f"<p>{words}</p>", f'<div class="charts">{"".join(figures)}</div>']


def _gallery(shown: Sequence[Exhibit], evaluations: Sequence[Evaluation], teacher: str | None) -> list[str]:
    if not shown:
        return []
    words = f"Chosen by the mIoU of '{evaluations[-1].method}' within their category. "
    if any(one.views for one in shown):
        words += f"First what the teacher ({teacher}) says of each view (e elevation, a azimuth in degrees); "
        words += "pixels are colored more strongly where it is surer. Then t"
    else:
        words += "T"
    words += "he points in every method's answer with the shape's mIoU, and the truth."
    html = ['<h2 id="gallery">Gallery</h2>', f"<p>{escape(words)}</p>"]
    for category, group in groupby(shown, key=lambda one: one.category):
        members = list(group)
        html += [f"<section><h3>{escape(category)}</h3>", legend(members[0].parts)]
        html += [text for one in members for text in _exhibit(one)]
        html.append("</section>")
    return html


def _exhibit(one: Exhibit) -> list[str]:
    html = [f"<h4><b>{escape(one.rank)}</b> {escape(one.name)}</h4>"]
    if one.refusal:
        html.append(f'<p class="soft">The teacher has no answer: {escape(one.refusal)}</p>')
    if one.views:
        html.append(_figures("views", one.views, f"{one.name}, the teacher's answer"))
    return [*html, _figures("answers", one.answers, f"{one.name}, labels")]


def _figures(kind: str, panels: Sequence[Panel], alt: str) -> str:
    figures = [figure(embedded(panel.picture, f"{alt}, {panel.caption}"), panel.caption) for panel in panels]
    # Boxes carry words: their views need the room of the point pictures.
    if kind == "views" and panels[0].picture.width > 300:
        kind = "boxes"
    return f'<div class="grid {kind}">{"".join(figures)}</div>'


def _table(head: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], even: bool = False) -> str:
    """head and the first of each row are plain text, the other cells `<td>` elements.  even: columns
    of one width, that their bars can be compared."""
    style = f' class="even" style="min-width:{6 * len(head)}rem"' if even else ""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = [f'<tr><th scope="row">{escape(name)}</th>{"".join(cells)}</tr>' for name, cells in rows]
    body = "\n".join(lines)
    return f'<div class="wide"><table{style}><thead><tr>{top}</tr></thead><tbody>\n{body}\n</tbody></table></div>'


def _cell(miou: float, present: float | None, best: bool = False) -> str:
    small = "" if present is None else f" <small>{present:.1f}</small>"
    return f'<td class="best"><b>{miou:.1f}</b>{small}</td>' if best else f"<td>{miou:.1f}{small}</td>"


def _bar(value: float, best: bool) -> str:
    number = f"<b>{value:.1f}</b>" if best else f"{value:.1f}"
    return f'<td class="bar{" best" if best else ""}" style="--share:{value:.1f}%">{number}</td>'
