# SPDX-License-Identifier: Apache-2.0
"""Re-scored units as contact sheets, a table and a page that shows them."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import cKDTree

from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.html_pages import write_page
from partdistill_ros.visualization.pictures import LOOK, Camera, Drawing, camera_for, draw_cloud

TEMPLATE = Path(__file__).with_name("templates") / "units.html"
CELL = (216, 168)  # pixels of a unit's picture
STRIP = 46  # pixels below it: words and bars
GAP, HEAD, COLUMNS = 12, 34, 6
SMALL = 0.03  # fraction of the object's pixels under which a unit gets a ring
TRACK, OLD = (226, 223, 217), (150, 150, 150)
COLUMN_NAMES = ("scan", "category", "unit", "view", "part", "points", "old_score", "new_score", "change")
WORDS = """\
Each picture is a unit in its own view: the points that the teacher named, in the color of the part. Gray bar: the \
teacher's score. Colored bar: the score that the student gave in backward distillation."""


@dataclass(frozen=True)
class Sheet:
    """A contact sheet that lies in a file, and the numbers of its scan's units."""

    file: str
    scan: str
    category: str
    parts: tuple[str, ...]
    units: int
    lowered: int
    raised: int

    @classmethod
    def of(cls, rescored: RescoredUnits, file: str) -> Sheet:
        """The numbers of `rescored`."""
        change = rescored.change()
        counts = len(change), int((change < 0).sum()), int((change > 0).sum())
        return cls(file, rescored.name, rescored.category, rescored.units.parts, *counts)


def most_changed(rescored: RescoredUnits, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Units whose score fell most and rose most, at most `count` in all, the largest change first.

    Either side gives its room to the other where it has fewer; units that kept their score fill up
    neither.
    """
    change = rescored.change()
    order = np.argsort(change, kind="stable")
    lowered, raised = order[change[order] < 0], order[::-1][change[order[::-1]] > 0]
    low = min(len(lowered), max(count - count // 2, count - len(raised)))
    return lowered[:low], raised[: count - low]


def unit_sheet(rescored: RescoredUnits, count: int = 24) -> Image.Image:
    """The units of `most_changed`, each in its own view: its points in the part's color, the teacher's
    score as a gray bar and the student's as a colored one."""
    groups = [
        (words, rows)
        for words, rows in zip(("most lowered", "most raised"), most_changed(rescored, count), strict=True)
    ]
    groups = [(words, rows) for words, rows in groups if len(rows)]
    tall, wide = CELL[1] + STRIP + GAP, CELL[0] + GAP
    lines = sum(-(-len(rows) // COLUMNS) for _, rows in groups)
    sheet = Image.new(
        "RGB", (COLUMNS * wide + GAP, max(lines * tall + HEAD * max(len(groups), 1), 80)), LOOK.background
    )
    pen = ImageDraw.Draw(sheet)
    if not groups:
        words = "no score has changed" if len(rescored.units) else "the teacher saw no part in any view"
        pen.text((GAP, GAP), words, fill=LOOK.ink, font=ImageFont.load_default(17))
    drawings: dict[int, Drawing] = {}
    top = 0
    for words, rows in groups:
        pen.text((GAP, top + 9), words, fill=LOOK.ink, font=ImageFont.load_default(17))
        top += HEAD
        for place, unit in enumerate(rows):
            corner = (GAP + place % COLUMNS * wide, top + place // COLUMNS * tall)
            sheet.paste(unit_picture(rescored, int(unit), drawings), corner)
        top += -(-len(rows) // COLUMNS) * tall
    return sheet


def unit_picture(rescored: RescoredUnits, unit: int, drawings: dict[int, Drawing] | None = None) -> Image.Image:
    """One unit over its caption.  drawings: kept from one unit to the next, by view."""
    units, view = rescored.units, int(rescored.units.view[unit])
    kept = {} if drawings is None else drawings
    if view not in kept:
        kept[view] = draw_cloud(rescored.points, view_camera(rescored, view), CELL)
    tint = part_colors(units.parts)[units.part[unit]]
    shown = _shown(rescored.points, units.points_of(unit), kept[view].index)
    colors = np.broadcast_to(np.array(LOOK.bare, np.uint8), rescored.points.shape).copy()
    colors[shown] = tint
    picture = Image.new("RGB", (CELL[0], CELL[1] + STRIP), LOOK.background)
    picture.paste(kept[view].paint(colors), (0, 0))
    pen = ImageDraw.Draw(picture)
    _ring(pen, kept[view].index, shown)
    pen.rectangle((0, 0, CELL[0] - 1, CELL[1] - 1), outline=(222, 221, 217))
    old, new = float(units.score[unit]), float(rescored.new_score[unit])
    numbers = f"{old:.2f} > {new:.2f}"
    font = ImageFont.load_default(14)
    room = CELL[0] - font.getlength(numbers) - 8
    name = units.parts[units.part[unit]]
    while len(name) > 1 and font.getlength(name) > room:
        name = name[:-2] + "." if name.endswith(".") else name[:-1] + "."
    pen.text((1, CELL[1] + 3), name, fill=LOOK.ink, font=font)
    pen.text((CELL[0] - 1, CELL[1] + 3), numbers, fill=LOOK.ink, font=font, anchor="ra")
    _bar(pen, CELL[1] + 24, old, OLD)
    _bar(pen, CELL[1] + 33, new, (int(tint[0]), int(tint[1]), int(tint[2])))
    return picture


def _shown(points: NDArray[np.float32], samples: NDArray[np.int32], index: NDArray[np.int64]) -> NDArray[np.int64]:
    """Members, and for each the nearest point that has a pixel in `index`: discs of neighbors hide some
    of a unit's points in a small picture, all of a unit of three."""
    drawn = np.unique(index[index >= 0])
    if not len(drawn) or not len(samples):
        return samples.astype(np.int64)
    return np.union1d(samples, drawn[cKDTree(points[drawn]).query(points[samples])[1]])


def _ring(pen: ImageDraw.ImageDraw, index: NDArray[np.int64], shown: NDArray[np.int64]) -> None:
    """A circle around a unit that would be overlooked."""
    rows, columns = np.nonzero(np.isin(index, shown))
    if not 0 < len(rows) < SMALL * (index >= 0).sum():
        return
    x, y = columns.mean() / LOOK.supersample, rows.mean() / LOOK.supersample
    radius = max(np.ptp(columns), np.ptp(rows)) / LOOK.supersample / 2 + 9
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), outline=LOOK.ink, width=1)


def _bar(pen: ImageDraw.ImageDraw, top: int, score: float, color: tuple[int, int, int]) -> None:
    """A score on a track from 0 to 1; more than 1 fills it."""
    pen.rectangle((0, top, CELL[0] - 1, top + 6), fill=TRACK)
    if score > 0:
        pen.rectangle((0, top, max(1, round(min(score, 1) * (CELL[0] - 1))), top + 6), fill=color)


def view_camera(rescored: RescoredUnits, view: int) -> Camera:
    """The unit's own view; where the cameras are not known, one from front right and above."""
    if 0 <= view < len(rescored.views):
        return Camera(
            rescored.views.position[view].astype(np.float64), rescored.views.rotation[view].astype(np.float64)
        )
    return camera_for(Scan(rescored.points, name=rescored.name))


def unit_rows(rescored: RescoredUnits) -> list[tuple[Any, ...]]:
    """A row for every unit, as `COLUMN_NAMES` says."""
    units, sizes, change = rescored.units, rescored.units.sizes(), rescored.change()
    return [
        (
            rescored.name,
            rescored.category,
            unit,
            int(units.view[unit]),
            units.parts[units.part[unit]],
            int(sizes[unit]),
            round(float(units.score[unit]), 4),
            round(float(rescored.new_score[unit]), 4),
            round(float(change[unit]), 4),
        )
        for unit in range(len(units))
    ]


def write_csv(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    """A table of all units. Raises PartDistillError where it cannot be written."""
    with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMN_NAMES)
        writer.writerows(rows)


def write_index(path: Path, sheets: Sequence[Sheet]) -> None:
    """A page with the sheets, files beside it, by category. Raises PartDistillError where it cannot be
    written."""
    categories: dict[str, list[Sheet]] = {}
    for sheet in sheets:
        categories.setdefault(sheet.category, []).append(sheet)
    write_page(path, TEMPLATE, "Re-scored units", "'self' file:", categories=categories, unit_words=WORDS)
