# SPDX-License-Identifier: Apache-2.0
"""Prepared knowledge through the command: what can be used is written, what cannot is named."""

import sys

import numpy as np
import pytest

pytest.importorskip("torch", reason="units need torch: the extra 'train'")
pytest.importorskip("h5py", reason="HDF5 files need h5py: the extra 'train'")

import h5py

from partdistill_ros.distillation.known_units import load_known

NAMES = ("--category", "Mug", "--parts", "handle, cup")


@pytest.fixture
def prepared(tmp_path):
    """A folder of the authors' layout with the shapes a, b and a broken one."""
    for name in ("a", "b", "broken"):
        folder = tmp_path / "03797390" / name / "extracted"
        folder.mkdir(parents=True)
        conf = np.zeros((100, 2, 2))
        conf[:40, 0, 0], conf[40:, 1, 1] = 0.6, 0.8
        with h5py.File(folder / "preprocess.h5", "w") as file:
            file["xyz"] = np.random.default_rng(0).random((100, 3))
            file["cls_bbox"], file["conf_bbox"] = np.array([[0, 1]]), conf
            file["cls_view"] = np.stack([np.zeros((100, 1), int), np.ones((100, 1), int)])
            file["conf_view"] = np.stack([conf[:, :1], conf[:, 1:]])
            if name == "broken":
                del file["cls_view"]
    return tmp_path / "03797390"


def test_a_folder_is_imported_and_the_broken_file_named(partdistill, prepared, tmp_path):
    done = partdistill("import-knowledge", prepared, *NAMES, "--up", "y", "--out", tmp_path / "mugs", "--json")
    content = done.json()
    assert done.code == 0 and [shape["units"] for shape in content["shapes"]] == [{"handle": 1, "cup": 1}] * 2
    assert [shape["with_view"] for shape in content["shapes"]] == [2, 2]
    (left,) = content["left_out"]
    assert "broken" in left["file"] and "'cls_view' is missing" in left["reason"] and left["reason"] in done.err
    assert sorted(path.name for path in (tmp_path / "mugs").iterdir()) == ["a.npz", "b.npz"]
    scan, units = load_known(tmp_path / "mugs" / "a.npz")
    assert (scan.category, scan.parts, scan.up.tolist()) == ("mug", ("handle", "cup"), [0, 1, 0])
    assert units.sizes().tolist() == [40, 60] and units.view.tolist() == [0, 1]


def test_text_counts_and_warns_of_an_order_that_looks_wrong(partdistill, prepared, tmp_path):
    path = prepared / "a" / "extracted" / "preprocess.h5"
    with h5py.File(path, "a") as file:
        file["cls_bbox"][...] = [[1, 0]]
    done = partdistill("import-knowledge", path, *NAMES, "--out", tmp_path / "mugs")
    assert done.code == 0 and ": 1, units: handle 1, cup 1" in done.out
    assert "2 units have their confidence under another" in done.out


def test_wrong_input(partdistill, prepared, tmp_path):
    (tmp_path / "empty").mkdir()
    for arguments, words in (
        ((prepared / "broken", *NAMES), "none of 1 files could be imported"),
        ((prepared, "--parts", "handle, cup, lid"), "is about 2 parts, but 3 were named"),
        ((prepared, "--parts", "handle, handle"), "given twice"),
        ((tmp_path / "gone.h5", *NAMES), "gone.h5 does not exist"),
        ((tmp_path / "empty", *NAMES), "no .h5 file below"),
        ((prepared, "--parts", "handle, cup", "--category", " "), "--category is empty"),
    ):
        done = partdistill("import-knowledge", *arguments, "--out", tmp_path / "out")
        assert done.code == 2 and words in done.err and not (tmp_path / "out").exists()


def test_two_shapes_of_one_name_are_refused(partdistill, prepared, tmp_path):
    other = tmp_path / "other" / "a" / "preprocess.h5"
    other.parent.mkdir(parents=True)
    other.write_bytes(b"")
    done = partdistill("import-knowledge", prepared, other, *NAMES, "--out", tmp_path / "out")
    assert done.code == 2 and "are both named 'a'" in done.err


def test_without_h5py_the_extra_is_named(partdistill, prepared, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    done = partdistill("import-knowledge", prepared, *NAMES, "--out", tmp_path / "out")
    assert done.code == 2 and "partdistill_ros[train]" in done.err
