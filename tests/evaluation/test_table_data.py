# SPDX-License-Identifier: Apache-2.0
"""Shapes of a table: splits of a data set, or what is named beside loose shapes."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")

from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.evaluation.table_data import TableData  # noqa: E402
from partdistill_ros.evaluation.tables import load_tables  # noqa: E402
from partdistill_ros.io.save import save_scan  # noqa: E402
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from tests.evaluation.datasets import test_coseg  # noqa: E402
from tests.evaluation.datasets.test_shapenetpart import write_normal  # noqa: E402

TABLE = load_tables()["shapenetpart-clip"]


def names(shapes):
    return [shape.question.name for shape in shapes]


def test_the_splits_of_a_data_set(tmp_path):
    write_normal(tmp_path)
    data = TableData(TABLE, tmp_path, generated="procedural:2")
    assert data.name == "ShapeNetPart" and len(data.categories) == 16
    assert names(data.test("cap")) == ["cap_d4"] and names(data.train("cap")) == ["cap_a1"]
    assert {shape.question.category for shape in data.generated("lamp")} == {"lamp"}
    with pytest.raises(PartDistillError, match="has points only: name the folder of ShapeNetCore too, --meshes"):
        TableData(load_tables()["shapenetpart-mesh"], tmp_path)
    with pytest.raises(PartDistillError, match="has no model.obj .* get ShapeNetCore"):
        TableData(load_tables()["shapenetpart-mesh"], tmp_path, meshes=tmp_path).test("cap")
    assert TableData(load_tables()["generated"], tmp_path).categories == ("airplane", "chair", "guitar")


def test_other_files_of_a_data_set_or_of_its_meshes_are_other_cells(tmp_path):
    write_normal(tmp_path / "data")
    mesh = tmp_path / "meshes" / "model.obj"
    mesh.parent.mkdir()
    mesh.write_text("v 0 0 0")
    table = load_tables()["shapenetpart-mesh"]

    def identity():
        return TableData(table, tmp_path / "data", meshes=tmp_path / "meshes").identity

    keys = [identity()]
    assert identity() == keys[0]
    mesh.write_text("v 0 0 0.5")
    keys.append(identity())
    shape = next((tmp_path / "data").rglob("*.txt"))
    shape.write_text(shape.read_text() + "0 0 0 0 0 1 0\n")
    assert identity() not in keys and keys[0] != keys[1]


def test_other_part_names_are_other_cells(tmp_path):
    home = tmp_path / "vases"
    home.mkdir()
    test_coseg.write_off(home / "1.off")
    coseg = load_tables()["coseg"]
    before = TableData(coseg, tmp_path).identity
    (tmp_path / "parts.json").write_text(json.dumps({"vase": ["base", "belly", "handle", "neck"]}))
    assert TableData(coseg, tmp_path).identity != before


def test_loose_shapes_and_others_to_learn_from(tmp_path):
    home = tmp_path / "data"
    home.mkdir()
    for category in ("mug", "bottle"):
        for seed in range(2):
            save_scan(home / f"{category}_{seed}.npz", sample_surface(generate(category, seed), 200))
    before = TableData(TABLE, home).identity
    assert TableData(TABLE, home).identity == before
    save_scan(home / "mug_0.npz", sample_surface(generate("mug", 5), 200))
    assert TableData(TABLE, home).identity != before, "cells of other shapes"
    data = TableData(TABLE, home, train=["procedural:3"], categories=["mug"], most=1)
    assert data.categories == ("mug",) and len(data.test("mug")) == len(data.train("mug")) == 1
    with pytest.raises(PartDistillError, match="no generated shapes"):
        data.generated("mug")
    with pytest.raises(PartDistillError, match="name others to learn from, --train PATH"):
        TableData(TABLE, home).train("mug")
    folder = tmp_path / "made" / "mug"
    folder.mkdir(parents=True)
    save_scan(folder / "own.ply", sample_surface(generate("mug", 7), 200).with_(point_labels=None, parts=()))
    made = TableData(TABLE, home, categories=["mug"], generated=str(tmp_path / "made"))
    before = made.sources
    save_scan(folder / "other.ply", sample_surface(generate("mug", 8), 200).with_(point_labels=None, parts=()))
    assert TableData(TABLE, home, generated=str(tmp_path / "made")).sources != before, "cells of other students"
    (folder / "other.ply").unlink()
    assert names(made.generated("mug")) == ["own"] and (made.generated("mug")[0].truth == -1).all()
