# SPDX-License-Identifier: Apache-2.0
"""One run of distillation as a page: what was recorded, what the teacher saw, which of it the student came to trust,
and what the students before and after say of the same scans. No labels are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partdistill_ros.distillation.pipeline import Run
from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.evaluation.bundle_check import Answers, BundleCheck
from partdistill_ros.evaluation.unit_sheets import WORDS, unit_sheet, view_camera
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.html_pages import Panel, write_page
from partdistill_ros.visualization.pictures import LOOK, draw_cloud

TEMPLATE = Path(__file__).with_name("templates") / "run.html"
SHOWN = 12  # scans with pictures, spread evenly over the run: 25 kB each
SHEETS = 3  # scans whose units are drawn one by one
VIEWS = 4  # of a scan
PICTURE = (320, 240)


def write_run_page(
    path: Path, title: str, settings: Mapping[str, object], run: Run, check: BundleCheck, verdict: str
) -> Path:
    """Write the page; returns its path.

    settings: the options of the run, shown as a table.  verdict: what became of the student.
    Raises PartDistillError where it cannot be written.
    """
    count = len(run.rescored)
    shown = [int(i) for i in np.unique(np.linspace(0, count - 1, min(SHOWN, count)).round())]
    scans = [run.rescored[i] for i in shown]
    students = [("after", check.new)] if check.before is None else [("before", check.before), ("after", check.new)]
    write_page(
        path,
        TEMPLATE,
        title,
        verdict=verdict,
        settings=[(name, str(value)) for name, value in settings.items() if value not in (None, "", ())],
        num_samples=len(run.samples),
        left_out=run.left_out,
        parts=run.rescored[0].units.parts,
        recorded=[Panel(scan.name, _draw(scan, _bare(scan))) for scan in scans],
        scans=[
            {
                "name": scan.name,
                "views": _views(scan),
                "answers": [_answer(scan, answers, i, words) for words, answers in students],
            }
            for i, scan in zip(shown, scans, strict=True)
        ],
        backward_from=run.backward_from,
        unit_words=WORDS,
        scores_by_part=_scores_by_part(run.rescored),
        unit_sheets=[Panel(scan.name, unit_sheet(scan, 12)) for scan in scans[:SHEETS]],
        no_comparison=check.no_comparison if check.before is None else "",
        agreements=[(f"{words}: {answers.name}", _percent(answers.overall)) for words, answers in students],
    )
    return path


def _scores_by_part(scans: Sequence[RescoredUnits]) -> list[tuple[object, ...]]:
    """Per part: units, mean score of the teacher and of the student, how many fell and rose."""
    part = np.concatenate([one.units.part for one in scans])
    old = np.concatenate([one.units.score for one in scans])
    new = np.concatenate([one.new_score for one in scans])
    rows: list[tuple[object, ...]] = []
    for number, name in enumerate(scans[0].units.parts):
        own = part == number
        if own.any():
            means = f"{old[own].mean():.2f}", f"{new[own].mean():.2f}"
            rows.append((name, own.sum(), *means, (new[own] < old[own]).sum(), (new[own] > old[own]).sum()))
        else:
            rows.append((name, 0, "", "", "", ""))
    return rows


def _views(scan: RescoredUnits) -> list[Panel]:
    """Some of the views in which the teacher named something, in the colors of the parts."""
    views = np.unique(scan.units.view)
    views = views[np.unique(np.linspace(0, len(views) - 1, min(VIEWS, len(views))).round().astype(int))]
    return [Panel(f"view {view}", _draw(scan, _named(scan, int(view)), int(view))) for view in views]


def _named(scan: RescoredUnits, view: int) -> NDArray[np.uint8]:
    """Each point in the color of the surest unit of this view that holds it."""
    units, colors = scan.units, _bare(scan).copy()
    for unit in sorted(np.flatnonzero(units.view == view), key=lambda one: float(units.score[one])):
        colors[units.points_of(int(unit))] = part_colors(units.parts)[units.part[unit]]
    return colors


def _answer(scan: RescoredUnits, answers: Answers, i: int, words: str) -> Panel:
    picture = _draw(scan, part_colors(scan.units.parts)[answers.labels[i]])
    return Panel(f"{words}: {_percent(answers.agreements[i])}", picture)


def _bare(scan: RescoredUnits) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(LOOK.bare, np.uint8), scan.points.shape)


def _draw(scan: RescoredUnits, colors: NDArray[np.uint8], view: int = 0) -> Image.Image:
    """As a view of the teacher shows it; the first sees what was recorded."""
    return draw_cloud(scan.points, view_camera(scan, view), PICTURE).paint(colors)


def _percent(fraction: float) -> str:
    return "no units" if np.isnan(fraction) else f"{100 * fraction:.1f} %"
