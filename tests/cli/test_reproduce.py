# SPDX-License-Identifier: Apache-2.0
"""Every table runs to its end on data in the layout of its data set; a second run makes nothing anew."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")

from partdistill_ros.evaluation.tables import load_tables  # noqa: E402
from partdistill_ros.io.save import save_scan  # noqa: E402
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from tests.evaluation.datasets import test_coseg, test_partnete, test_prepared, test_shapenetpart  # noqa: E402
from tests.evaluation.methods.conftest import tiny_students  # noqa: E402, F401
from tests.teachers.conftest import clip_folder, open_clip, own_cache  # noqa: E402, F401

pytestmark = pytest.mark.usefixtures("tiny_students")


POINTS = 1500  # few points are drawn as large discs, which takes longer


@pytest.fixture(autouse=True)
def dense_clouds(monkeypatch):
    monkeypatch.setattr(test_shapenetpart, "cloud", partial(test_shapenetpart.cloud, count=POINTS))
    shapes = {"train": [("cap", "a1")], "val": [], "test": [("cap", "d4")]}
    monkeypatch.setattr(test_shapenetpart, "SHAPES", shapes)


def shapenetpart(folder):
    test_shapenetpart.write_normal(folder)


def prepared(folder):
    shapes = {"train": ["a1"], "test": ["b2"]}
    (folder / "train_test_split").mkdir(parents=True)
    for split, names in shapes.items():
        for name in names:
            test_prepared.write_shape(folder, "mug", name, points=POINTS)
        entries = [f"shape_data/{test_prepared.CATEGORIES['mug']['synset']}/{name}" for name in names]
        (folder / "train_test_split" / f"shuffled_{split}_file_list.json").write_text(json.dumps(entries))


def partnete(folder):
    (folder / "data").mkdir(parents=True)
    (folder / "PartNetE_meta.json").write_text(json.dumps({"Kettle": ["lid", "handle", "spout"]}))
    labels = list(np.arange(POINTS) % 4 - 1)
    test_partnete.write_shape(folder / "data" / "test" / "Kettle" / "101", labels)
    test_partnete.write_shape(folder / "data" / "few_shot" / "Kettle" / "55", labels, seed=1)


def coseg(folder):
    test_coseg.write_off(folder / "Large-Vases" / "shapes" / "1.off")
    test_coseg.write_numbers(folder / "Large-Vases" / "gt" / "1.seg", [1, 2, 4])


def generated(folder):
    shapenetpart(folder)
    for split in ("train", "test"):
        path = folder / "train_test_split" / f"shuffled_{split}_file_list.json"
        path.write_text(json.dumps([f"shape_data/{test_shapenetpart.CATEGORIES['chair']['synset']}/{split}"]))
        points, normals, labels = test_shapenetpart.cloud("chair", split)
        home = folder / test_shapenetpart.CATEGORIES["chair"]["synset"]
        home.mkdir(exist_ok=True)
        np.savetxt(home / f"{split}.txt", np.column_stack([points, normals, labels + 12]), fmt="%.6f")


def meshes(folder):
    folder.mkdir()
    for number in range(2):
        save_scan(folder / f"mug_{number}.npz", generate("mug", number))


CASES = {
    "shapenetpart-clip": (shapenetpart, "cap", "mini", ("--rows", "most", "PointCLIP", "vote", "PartD", "ours Pre,")),
    "shapenetpart-glip": (prepared, "mug", "mini", ("--rows", "vote", "forward", "ours Pre", "true")),
    "shapenetpart-mesh": (meshes, "mug", "mini", ("--train", "procedural:1", "--rows", "SATR", "ours TTA")),
    "generated": (generated, "chair", "mini", ("--generated", "procedural:1", "--rows", "generated", "both")),
    "partnete": (partnete, "kettle", "mini", ("--rows", "vote", "ours")),
    "coseg": (coseg, "vase", "mini", ("--rows", "most", "SATR", "ours")),
}


@pytest.mark.parametrize("table", CASES)
def test_a_table_is_filled_to_its_end(partdistill, tmp_path, table):
    write, category, teacher, more = CASES[table]
    write(tmp_path / "data")
    command = ("reproduce", table, "--data", tmp_path / "data", "--categories", category, "--teacher", teacher,
               "--epochs", 1, "--shapes", 1, "--device", "cpu", "--out", tmp_path / "out", *more)  # fmt: skip
    done = partdistill(*command, "--json")
    assert done.code == 0, done.err
    rows = {row["method"]: row["cells"] for row in done.json()["rows"]}
    only_clip = {"PointCLIP", "PointCLIP V2"}
    empty = {name for name, cells in rows.items() if cells[category]["mean"] is None}
    assert empty <= only_clip and all(0 <= rows[name]["class mean"]["mean"] <= 100 for name in rows.keys() - empty)
    assert len(done.json()["left_out"]) == bool(empty) and "to do on" in done.err
    page = (tmp_path / "out" / "table.html").read_text()
    assert all(row.name in page for row in load_tables()[table].rows if row.name in rows)
    cells = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").iterdir()}
    again = partdistill(*command)
    assert again.code == 0 and f"{len(empty)} of {len(rows)} trainings" in again.err and category in again.out
    assert cells == {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / "cells").iterdir()}


def test_clip_fills_the_rows_that_ask_it(partdistill, tmp_path, monkeypatch, clip_folder):  # noqa: F811
    from partdistill_ros.evaluation.methods import pointclip

    small = pointclip.Grid(side=56, depth=28, cut=5, pool=(3, 5))  # the real one takes seconds
    monkeypatch.setattr(pointclip, "Grid", lambda: small)
    shapenetpart(tmp_path / "data")
    done = partdistill("reproduce", "shapenetpart-clip", "--data", tmp_path / "data", "--categories", "cap",
                       "--teacher", f"clip,weights={clip_folder('vit')},scales=1", "--rows", "PointCLIP", "distilled",
                       "--epochs", 1, "--device", "cpu", "--out", tmp_path / "out", "--json")  # fmt: skip
    assert done.code == 0, done.err
    rows = {row["method"]: row["cells"] for row in done.json()["rows"]}
    assert set(rows) == {"PointCLIP", "PointCLIP V2", "distilled features (OpenScene)"}
    assert all(cells["cap"]["mean"] is not None for cells in rows.values())
    assert rows["PointCLIP V2"]["cap"]["published"] == 53.1


def test_the_cost_is_said_and_nothing_done(partdistill, tmp_path):
    shapenetpart(tmp_path / "data")
    done = partdistill("reproduce", "shapenetpart-clip", "--data", tmp_path / "data", "--categories", "cap",
                       "--teacher", "mini", "--rows", "vote", "true", "--seeds", 3, "--epochs", 2, "--device", "cpu",
                       "--out", tmp_path / "out", "--estimate", "--json")  # fmt: skip
    cost = done.json()
    assert cost["jobs"] == [4, 4] and cost["views"] == 10 and cost["shapes"] == 2 and cost["steps"] == 3 * 2 * 20
    assert cost["hours"] > 0 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "write, options, words",
    [
        (partnete, (), "holds PartNetE, the table is about ShapeNetPart"),
        (shapenetpart, ("--categories", "boat"), "has no 'boat' for this table: it has airplane"),
        (shapenetpart, ("--rows", "oracle"), "no row begins so; there are most frequent part, PointCLIP"),
        (lambda folder: folder.mkdir(), (), "holds neither ShapeNetPart as it is downloaded nor labeled shapes"),
        (lambda folder: None, (), "does not exist"),
    ],
)
def test_what_cannot_be_filled_is_said_at_once(partdistill, tmp_path, write, options, words):
    write(tmp_path / "data")
    command = ("reproduce", "shapenetpart-clip", "--data", tmp_path / "data", "--out", tmp_path / "out", *options)
    done = partdistill(*command, "--device", "cpu")
    assert done.code == 2 and words in done.err and not (tmp_path / "out").exists()


def test_shapes_without_splits_leave_out_what_wants_a_training_set(partdistill, tmp_path):
    (tmp_path / "data").mkdir()
    save_scan(tmp_path / "data" / "cup.npz", sample_surface(generate("mug", 3), 300))
    command = ("reproduce", "shapenetpart-clip", "--data", tmp_path / "data", "--teacher", "mini", "--device", "cpu")
    done = partdistill(*command, "--rows", "most", "true", "--out", tmp_path / "out")
    assert done.code == 0 and "true labels: labeled shapes without splits" in done.out
    other = partdistill(*command, "--rows", "most", "--out", tmp_path / "out", "--train", "procedural:1")
    assert "0 of 1 trainings" in other.err, "what is not learned does not depend on what is learned from"
    alone = partdistill(*command, "--rows", "true", "--out", tmp_path / "other")
    assert alone.code == 2 and "no cell of the table could be filled: labeled shapes without splits" in alone.err


def test_a_damaged_cell_is_named(partdistill, tmp_path):
    shapenetpart(tmp_path / "data")
    command = ("reproduce", "shapenetpart-clip", "--data", tmp_path / "data", "--categories", "cap", "--teacher",
               "mini", "--rows", "most", "--device", "cpu", "--out", tmp_path / "out")  # fmt: skip
    assert partdistill(*command).code == 0
    (cell,) = (tmp_path / "out" / "cells").iterdir()
    cell.write_text("{}")
    done = partdistill(*command)
    assert done.code == 2 and f"{cell.name} is no cell of a table" in done.err and "delete it" in done.err


def test_other_boxes_are_other_cells(partdistill, tmp_path):
    (tmp_path / "data").mkdir()
    save_scan(tmp_path / "data" / "cup.npz", sample_surface(generate("mug", 3), 300))
    views = [{"id": view, "width": 200, "height": 200, "file_name": f"view_{view:02d}.png"} for view in range(10)]
    found = {"images": views, "categories": [{"id": 0, "name": "cup"}]}
    where = ("--data", tmp_path / "data", "--teacher", f"boxes:{tmp_path / 'boxes.json'}", "--out", tmp_path / "out")
    command = ("reproduce", "shapenetpart-glip", *where, "--rows", "vote", "--device", "cpu")
    for score in (0.9, 0.8):
        box = {"image_id": 0, "category_id": 0, "bbox": [50, 50, 100, 100], "score": score}
        (tmp_path / "boxes.json").write_text(json.dumps({**found, "annotations": [box]}))
        assert partdistill(*command).code == 0 and "0 of 1 trainings" in partdistill(*command).err
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 2
