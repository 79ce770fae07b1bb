# SPDX-License-Identifier: Apache-2.0
"""Means over categories, shapes, parts and seeds, worked out by hand; published numbers beside them."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")

from partdistill_ros.evaluation.miou import ShapeScore  # noqa: E402
from partdistill_ros.evaluation.reproduce import Cell, Results, Run  # noqa: E402
from partdistill_ros.evaluation.table_page import Entry, filled_rows, table_text, write_table  # noqa: E402
from partdistill_ros.evaluation.tables import Row, Table  # noqa: E402

ROW = Row("ours", "backward", "tta", published={"class mean": 60.0, "cap": 67.9})


def score(category, *iou):
    return ShapeScore(f"{category}_1", category, ("a", "b"), np.array(iou), ~np.isnan(np.array(iou)))


def cells(seed, cap=0.5):
    return [
        Cell("ours", "cap", seed, (score("cap", cap, 0.7), score("cap", 0.1, 0.3)), 1.0),
        Cell("ours", "mug", seed, (score("mug", 0.9, np.nan),), 1.0),
    ]


@pytest.fixture
def run(tmp_path):
    data = SimpleNamespace(categories=("cap", "mug"), name="ShapeNetPart", folder=tmp_path)
    return Run(Table("A table", [], "mini", "a paper", [ROW, Row("vote", "vote")]), data, tmp_path, "mini")


def test_means_and_spread(run):
    ours, vote = filled_rows(run, Results([*cells(0), *cells(1, cap=0.7)], {}))
    assert ours.seeds == 2 and ours.entries["cap"].mean == pytest.approx((40 + 45) / 2)
    assert ours.entries["cap"].spread == pytest.approx(5 / np.sqrt(2)) and ours.entries["cap"].published == 67.9
    assert ours.entries["mug"].mean == pytest.approx(95) and ours.entries["mug"].published is None
    assert ours.entries["class mean"].mean == pytest.approx((67.5 + 70) / 2)
    assert ours.entries["instance mean"].mean == pytest.approx((175 / 3 + 185 / 3) / 2)
    assert vote.seeds == 0 and vote.entries["cap"] == Entry()


def test_no_mean_over_some_of_the_categories(run):
    ours = filled_rows(run, Results(cells(0)[:1], {}))[0]
    assert ours.entries["cap"].mean == pytest.approx(40) and ours.entries["class mean"].mean is None


def test_a_published_mean_stands_beside_one_over_as_many_categories(run):
    for num_categories, published in ((2, 60.0), (16, None)):
        object.__setattr__(run, "table", replace(run.table, num_categories=num_categories))
        entries = filled_rows(run, Results(cells(0), {}))[0].entries
        assert entries["class mean"].published == published and entries["cap"].published == 67.9


def test_parts_count_where_the_truth_has_them(run):
    object.__setattr__(run, "table", Table("A table", [], "mini", "a paper", [ROW], "parts"))
    ours = filled_rows(run, Results(cells(0), {}))[0]
    assert ours.entries["mug"].mean == pytest.approx(90) and ours.entries["cap"].mean == pytest.approx(40)


def test_text_page_and_numbers(run, tmp_path):
    results = Results(cells(0), {("vote", "cap"): "<no> teacher", ("vote", "mug"): "<no> teacher"})
    text = table_text(run, results)
    assert "67.5 (60.0)" in text and "left out: vote: <no> teacher" in text
    page = write_table(run, results).read_text()
    assert "A table" in page and "&lt;no&gt; teacher" in page and "<small>67.9</small>" in page and "a paper" in page
    record = json.loads((tmp_path / "table.json").read_text())
    assert record["rows"][0]["cells"]["class mean"] == {"mean": 67.5, "spread": None, "published": 60.0}
    assert Entry(63.2, 0.44, 63.9).words() == "63.2 ± 0.4 (63.9)" and Entry().words() == "-"
