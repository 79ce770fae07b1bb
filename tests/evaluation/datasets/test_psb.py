# SPDX-License-Identifier: Apache-2.0
"""The Princeton benchmark as it unpacks, with the names that its segments lack."""

from __future__ import annotations

import json

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets import categories_of, data_set, read_dataset
from partdistill_ros.evaluation.datasets.psb import read_psb

OFF = "OFF\n4 3 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 2 3\n3 1 0 3\n"


@pytest.fixture
def folder(tmp_path):
    for number in (21, 201):
        (tmp_path / "data" / "seg" / "Benchmark" / str(number)).mkdir(parents=True)
        (tmp_path / "data" / "seg" / "Benchmark" / str(number) / f"{number}_0.seg").write_text("0\n1\n2\n")
        (tmp_path / "data" / "off").mkdir(exist_ok=True)
        (tmp_path / "data" / "off" / f"{number}.off").write_text(OFF)
    names = {"201": ["handle", "jaw", "handle"], "21": ["cup", "cup", "handle"]}
    (tmp_path / "parts.json").write_text(json.dumps(names))
    return tmp_path


def test_segments_become_named_parts(folder):
    assert data_set(folder).name == "PSB" and set(categories_of(folder)) == {"pliers", "cup"}
    cup, pliers = read_dataset(folder, "test")
    assert (cup.name, cup.parts, cup.mesh.face_labels.tolist()) == ("cup_21", ("cup", "handle"), [0, 0, 1])
    assert (pliers.name, pliers.mesh.face_labels.tolist(), pliers.up) == ("pliers_201", [0, 1, 0], None)
    assert [scan.name for scan in read_psb(folder, "test", ["pliers"])] == ["pliers_201"]


def test_what_is_missing_or_does_not_fit_is_said(folder):
    with pytest.raises(PartDistillError, match="no split 'train'"):
        read_psb(folder, "train")
    with pytest.raises(PartDistillError, match="names no 'boat': it has pliers, cup"):
        read_psb(folder, "test", ["boat"])
    (folder / "data" / "off" / "21.off").unlink()
    with pytest.raises(PartDistillError, match=r"21\.off.*MeshsegBenchmark-1\.0\.zip"):
        read_psb(folder)
    for names, words in (
        ({"201": ["handle"]}, "segments up to 2, and 1 of them"),
        ({"boat": ["hull"]}, "'boat' is no mesh of the benchmark"),
        ({"270": ["coil"]}, "'270' is no mesh"),
        ({}, "must hold the names"),
    ):
        (folder / "parts.json").write_text(json.dumps(names))
        with pytest.raises(PartDistillError, match=words):
            read_psb(folder)
    (folder / "parts.json").unlink()
    with pytest.raises(PartDistillError, match="segments have no names; write there"):
        read_psb(folder)
