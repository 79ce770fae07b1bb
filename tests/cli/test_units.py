# SPDX-License-Identifier: Apache-2.0
"""The command that shows re-scored units: pictures, table, page; damaged files named."""

import csv

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.rendering.cameras import ten_views


@pytest.fixture
def work(post, tmp_path):
    """A work folder with the graded units of two scans."""
    cloud = sample_surface(post, 800)
    halves = [np.flatnonzero(cloud.point_labels == part) for part in (0, 1, 0)]
    units = KnowledgeUnits(
        np.array([0, 1, 0], np.int16), np.array([0.5, 0.5, 0.5], np.float32), np.array([0, 1, 2], np.int16),
        np.cumsum([0, *map(len, halves)]).astype(np.int64), np.concatenate(halves).astype(np.int32), 800,
        ("top", "bottom"),
    )  # fmt: skip
    new = np.array([0.9, 0.2, 0.5], np.float32)
    for name in ("one", "two"):
        graded = RescoredUnits(name, "post", cloud.points, units, new, ten_views(center=(0, 0, 1)))
        graded.save(tmp_path / "posts.work" / "backward" / f"{name}.npz")
    return tmp_path / "posts.work"


def test_a_work_folder_becomes_sheets_a_table_and_a_page(partdistill, work, tmp_path):
    done = partdistill("units", work, "--out", tmp_path / "out", "--json")
    assert done.code == 0
    content = done.json()
    assert [one["scan"] for one in content["scans"]] == ["one", "two"] and content["left_out"] == []
    assert content["scans"][0] | {"units": 3, "lowered": 1, "raised": 1} == content["scans"][0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "index.html",
        "one.png",
        "two.png",
        "units.csv",
    ]
    assert Image.open(tmp_path / "out" / "one.png").width > 1000
    with open(tmp_path / "out" / "units.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 6


def test_a_damaged_file_of_a_folder_is_left_out_and_a_named_one_is_an_error(partdistill, work, tmp_path):
    broken = work / "backward" / "broken.npz"
    broken.write_bytes(b"PK no")
    done = partdistill("units", work, "--out", tmp_path / "out", "--json")
    assert done.code == 0 and done.json()["left_out"] == [str(broken)] and "broken.npz" in done.err
    done = partdistill("units", broken, "--out", tmp_path / "other")
    assert done.code == 2 and "broken.npz" in done.err and not (tmp_path / "other").exists()


def test_files_of_one_name_keep_a_sheet_each(partdistill, work, tmp_path):
    again = tmp_path / "again"
    again.mkdir()
    (again / "one.npz").write_bytes((work / "backward" / "one.npz").read_bytes())
    done = partdistill("units", work / "backward" / "one.npz", again / "one.npz", "--out", tmp_path / "out", "--json")
    assert [one["file"] for one in done.json()["scans"]] == ["one.png", "one_2.png"]


def test_wrong_input(partdistill, work, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ((tmp_path / "gone", "--out", tmp_path / "o"), "gone does not exist"),
        ((tmp_path / "empty", "--out", tmp_path / "o"), "reached backward"),
        ((work, "--out", work / "backward" / "one.npz"), "is a file"),
        ((work, "--out", tmp_path / "o", "--count", "0"), "invalid whole number"),
    ):
        done = partdistill("units", *arguments)
        assert done.code == 2 and words in done.err
