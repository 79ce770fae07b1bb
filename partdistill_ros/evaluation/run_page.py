# SPDX-License-Identifier: Apache-2.0
"""One run of distillation as a page: what was recorded, what the teacher saw, which of it the student came to trust,
and what the students before and after say of the same scans. No labels are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partdistill_ros.distillation.pipeline import Run
from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.evaluation.bundle_check import Answers, BundleCheck
from partdistill_ros.evaluation.unit_sheets import WORDS, contact_sheet, view_camera
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.page import embedded, figure, legend, page
from partdistill_ros.visualization.pictures import LOOK, draw_cloud

SHOWN = 12  # scans with pictures, spread evenly over the run: 25 kB each
SHEETS = 3  # scans whose units are drawn one by one
VIEWS = 4  # of a scan
PICTURE = (320, 240)


def write_run_page(
    path: Path, title: str, settings: Mapping[str, object], run: Run, acceptance: BundleCheck, verdict: str
) -> Path:
    """Write the page; returns its path.

    settings: what the run was told, shown as a table.  verdict: what became of the student.
    Raises PartDistillError where it cannot be written.
    """
    shown = [int(i) for i in np.unique(np.linspace(0, len(run.rescored) - 1, min(SHOWN, len(run.rescored))).round())]
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(verdict)}</p>",
        _table(("told", ""), [(name, str(value)) for name, value in settings.items() if value not in (None, "", ())]),
        *_recorded(run, shown),
        *_seen(run, shown),
        *_trusted(run, shown),
        *_before_after(run, acceptance, shown),
    ]
    with atomic_path(path) as temporary:
        temporary.write_text(page(title, body), encoding="utf-8")
    return path


def _recorded(run: Run, shown: Sequence[int]) -> list[str]:
    words = f"{len(run.samples)} scans were learned from, {len(run.left_out)} were left out."
    html = ['<h2 id="recorded">What was recorded</h2>', f"<p>{words}</p>"]
    if run.left_out:
        html.append("<ul>" + "".join(f"<li>{escape(one)}</li>" for one in run.left_out) + "</ul>")
    return [*html, _grid("answers", [(_plain(run.rescored[i]), run.rescored[i].name) for i in shown])]


def _seen(run: Run, shown: Sequence[int]) -> list[str]:
    parts = run.rescored[0].units.parts
    words = "What the teacher said of single views, in the colors of the parts; gray points it did not name."
    html = ['<h2 id="seen">What the teacher saw</h2>', f"<p>{words}</p>", legend(parts)]
    for i in shown:
        graded = run.rescored[i]
        views = np.unique(graded.units.view)
        views = views[np.unique(np.linspace(0, len(views) - 1, min(VIEWS, len(views))).round().astype(int))]
        html.append(f"<h4>{escape(graded.name)}</h4>")
        pictures = [(_view(graded, int(view)), f"view {view}") for view in views]
        html.append(_grid("views", pictures) if pictures else '<p class="soft">It named nothing here.</p>')
    return html


def _trusted(run: Run, shown: Sequence[int]) -> list[str]:
    html = ['<h2 id="trusted">What backward distillation trusted</h2>']
    if run.backward_from is None:
        return [*html, "<p>The student was not asked to grade the teacher: every unit kept its score.</p>"]
    html += [f"<p>From epoch {run.backward_from} on. {WORDS}</p>", _by_part(run.rescored)]
    for i in shown[:SHEETS]:
        sheet = contact_sheet(run.rescored[i], 12)
        html += [
            f"<h4>{escape(run.rescored[i].name)}</h4>",
            figure(embedded(sheet, f"units of {run.rescored[i].name}"), ""),
        ]
    return html


def _by_part(graded: Sequence[RescoredUnits]) -> str:
    part = np.concatenate([one.units.part for one in graded])
    old = np.concatenate([one.units.score for one in graded])
    new = np.concatenate([one.new_score for one in graded])
    rows = []
    for number, name in enumerate(graded[0].units.parts):
        mine = part == number
        if not mine.any():
            rows.append((name, "0", "", "", "", ""))
            continue
        lowered, raised = int((new[mine] < old[mine]).sum()), int((new[mine] > old[mine]).sum())
        means = f"{old[mine].mean():.2f}", f"{new[mine].mean():.2f}"
        rows.append((name, str(int(mine.sum())), *means, str(lowered), str(raised)))
    return _table(("part", "units", "teacher's score", "student's score", "lowered", "raised"), rows)


def _before_after(run: Run, acceptance: BundleCheck, shown: Sequence[int]) -> list[str]:
    new, before = acceptance.new, acceptance.before
    html = [
        '<h2 id="after">Before and after, on the same scans</h2>',
        "<p>Agreement with the teacher: the share of its units' points that get the units' names, weighed by the "
        "teacher's scores. It compares two students; it is no accuracy, since teachers err.</p>",
        legend(run.rescored[0].units.parts),
    ]
    rows = [(f"after: {new.name}", _percent(new.overall))]
    if before is not None:
        rows.insert(0, (f"before: {before.name}", _percent(before.overall)))
    else:
        html.append(f"<p>The student before cannot be compared: {escape(acceptance.no_comparison)}</p>")
    html.append(_table(("student", "agreement"), rows))
    for i in shown:
        pictures = [
            _answered(run.rescored[i], one, i, words) for words, one in (("before", before), ("after", new)) if one
        ]
        html += [f"<h4>{escape(run.rescored[i].name)}</h4>", _grid("answers", pictures)]
    return html


def _answered(graded: RescoredUnits, answers: Answers, i: int, words: str) -> tuple[Image.Image, str]:
    colors = part_colors(graded.units.parts)[answers.labels[i]]
    return _draw(graded, colors), f"{words}: {_percent(answers.agreements[i])}"


def _plain(graded: RescoredUnits) -> Image.Image:
    return _draw(graded, np.broadcast_to(np.array(LOOK.bare, np.uint8), graded.points.shape))


def _draw(graded: RescoredUnits, colors: NDArray[np.uint8]) -> Image.Image:
    """From the teacher's first view, which sees what was recorded."""
    return draw_cloud(graded.points, view_camera(graded, 0), PICTURE).paint(colors)


def _view(graded: RescoredUnits, view: int) -> Image.Image:
    """The points in the color of the surest unit of this view that holds them."""
    units = graded.units
    colors = np.broadcast_to(np.array(LOOK.bare, np.uint8), graded.points.shape).copy()
    for unit in sorted(np.flatnonzero(units.view == view), key=lambda one: float(units.score[one])):
        colors[units.points_of(int(unit))] = part_colors(units.parts)[units.part[unit]]
    return draw_cloud(graded.points, view_camera(graded, view), PICTURE).paint(colors)


def _percent(share: float) -> str:
    return "no units" if np.isnan(share) else f"{100 * share:.1f} %"


def _grid(kind: str, pictures: Sequence[tuple[Image.Image, str]]) -> str:
    figures = "".join(figure(embedded(picture, caption), caption) for picture, caption in pictures)
    return f'<div class="grid {kind}">{figures}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = [
        f'<tr><th scope="row">{escape(row[0])}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    ]
    return (
        f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>\n{chr(10).join(lines)}\n</tbody></table></div>'
    )
