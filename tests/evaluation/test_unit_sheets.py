# SPDX-License-Identifier: Apache-2.0
"""Contact sheets: the units that changed most, in their own view, and a table with all of them."""

import csv
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.evaluation.unit_sheets import (
    CELL,
    Sheet,
    most_changed,
    unit_picture,
    unit_rows,
    unit_sheet,
    write_csv,
    write_index,
)
from partdistill_ros.rendering.cameras import Views, ten_views
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.pictures import LOOK

PARTS = ("left", "right")
NO_VIEWS = Views(np.zeros((0, 3, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))


def make(old, new, views=None, view=None):
    """A plate in the plane x = 0, a unit for each score; samples of even units lie at y < 0, of odd ones at y > 0."""
    rng = np.random.default_rng(0)
    points = np.column_stack([np.zeros(600), rng.uniform(-1, 1, 600), rng.uniform(-1, 1, 600)]).astype(np.float32)
    halves = [np.flatnonzero(points[:, 1] < 0), np.flatnonzero(points[:, 1] > 0)]
    samples = [halves[unit % 2] for unit in range(len(old))]
    units = KnowledgeUnits(
        np.arange(len(old), dtype=np.int16) % 2,
        np.array(old, np.float32),
        np.zeros(len(old), np.int16) if view is None else np.array(view, np.int16),
        np.cumsum([0, *map(len, samples)]).astype(np.int64),
        np.concatenate([*samples, []]).astype(np.int32),
        len(points),
        PARTS,
    )
    return RescoredUnits(
        "plate", "dish", points, units, np.array(new, np.float32), ten_views() if views is None else views
    )


def middle_color(picture, side):
    """Mean color of a patch of the left (0) or right (1) half of the unit's picture."""
    column = CELL[0] // 2 + (20 if side else -20)
    pixels = np.asarray(picture, float)[CELL[1] // 2 - 5 : CELL[1] // 2 + 5, column - 5 : column + 5]
    return pixels.mean((0, 1))


def test_the_largest_changes_come_first_and_sides_share_the_room():
    graded = make([0.5] * 6, [0.4, 0.9, 0.5, 0.1, 0.6, 0.3])
    lowered, raised = most_changed(graded, 4)
    assert lowered.tolist() == [3, 5] and raised.tolist() == [1, 4]
    lowered, raised = most_changed(graded, 99)
    assert lowered.tolist() == [3, 5, 0] and raised.tolist() == [1, 4]
    lowered, raised = most_changed(make([0.5] * 3, [0.4, 0.3, 0.2]), 2)
    assert lowered.tolist() == [2, 1] and not len(raised)
    assert [len(rows) for rows in most_changed(make([0.5] * 5, [0.4, 0.6, 0.7, 0.8, 0.9]), 4)] == [1, 3]


def test_a_unit_is_seen_in_its_own_view():
    color = part_colors(PARTS)[0].astype(float)
    front, back = (unit_picture(make([0.5], [0.9], view=[view]), 0) for view in (0, 2))  # azimuth 0 and 180

    def is_part(rgb):
        own, wanted = rgb - rgb.mean(), color - color.mean()
        return np.linalg.norm(own) > 20 and own @ wanted / np.linalg.norm(own) / np.linalg.norm(wanted) > 0.95

    assert [is_part(middle_color(front, side)) for side in (0, 1)] == [True, False]
    assert [is_part(middle_color(back, side)) for side in (0, 1)] == [False, True]


def test_a_unit_of_one_hidden_point_is_marked():
    graded = make([0.5], [0.9], view=[0])
    hidden = graded.points.copy()
    hidden[0] = (-0.01, 0, 0)  # just behind the plate as the first view sees it
    units = replace(graded.units, indptr=np.array([0, 1]), indices=np.zeros(1, np.int32))
    picture = np.asarray(unit_picture(replace(graded, points=hidden, units=units), 0), float)[: CELL[1]]
    own, wanted = picture - picture.mean(-1, keepdims=True), part_colors(PARTS)[0] - part_colors(PARTS)[0].mean()
    alike = (own @ wanted / (np.linalg.norm(own, axis=-1) * np.linalg.norm(wanted) + 1e-9) > 0.9) & (own.max(-1) > 20)
    assert 1 <= alike.sum() < 0.03 * alike.size
    assert (picture == LOOK.ink).all(-1).sum() > 20, "the ring"


def test_bars_are_as_long_as_the_scores():
    pixels = np.asarray(unit_picture(make([0.25], [1.7]), 0))
    old, new = pixels[CELL[1] + 27], pixels[CELL[1] + 36]
    assert (old == (150, 150, 150)).all(1).mean() == pytest.approx(0.25, abs=0.02)
    assert (new == part_colors(PARTS)[0]).all(1).mean() == pytest.approx(1, abs=0.02)


def test_sheets_grow_with_the_units_and_say_when_there_are_none():
    few, many = (unit_sheet(make([0.5] * n, [0.4] * n)) for n in (3, 20))
    assert few.width == many.width and many.height > 3 * few.height
    for graded in (make([], []), make([0.5], [0.5])):
        assert np.ptp(np.asarray(unit_sheet(graded).convert("L"))) > 100, "a sentence stands there"


def test_without_cameras_the_units_are_drawn_all_the_same():
    sheet = unit_sheet(make([0.5, 0.5], [0.1, 0.9], views=NO_VIEWS, view=[-1, 4]))
    assert np.ptp(np.asarray(sheet.convert("L"))) > 100


def test_the_table_holds_every_unit(tmp_path):
    rows = unit_rows(make([0.5, 0.25, 0.5], [0.5, 1.0, 0.1]))
    write_csv(tmp_path / "units.csv", rows)
    with open(tmp_path / "units.csv", newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert head == "scan,category,unit,view,part,points,old_score,new_score,change".split(",") and len(lines) == 3
    assert lines[1][:5] == ["plate", "dish", "1", "0", "right"] and lines[1][6:] == ["0.25", "1.0", "0.75"]


def test_the_index_shows_the_sheets_and_escapes_names(tmp_path):
    sheets = [Sheet("a b#1.png", "<b>scan", "mug", PARTS, 3, 1, 2), Sheet("c.png", "other", "", ("x",), 1, 0, 0)]
    write_index(tmp_path / "index.html", sheets)
    text = (tmp_path / "index.html").read_text()
    assert 'src="a%20b%231.png"' in text and "&lt;b&gt;scan" in text and "<b>scan" not in text
    assert "3 units, 1 lowered, 2 raised" in text and "units.csv" in text and "objects" in text
