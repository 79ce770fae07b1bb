# SPDX-License-Identifier: Apache-2.0
"""Scans that carry their knowledge: one file, read by every command as a scan, refused where damaged."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.distillation.known_units import (
    is_known,
    load_known,
    save_known,
    select_points,
    split_known,
    with_parts,
)
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan


@pytest.fixture
def units():
    return KnowledgeUnits(
        np.array([0, 1, 1], np.int16),
        np.array([0.5, 1, 0.25], np.float32),
        np.array([3, -1, 9], np.int16),
        np.array([0, 2, 3, 6], np.int64),
        np.array([4, 5, 0, 1, 4, 6], np.int32),
        7,
        ("handle", "Körper"),
    )


@pytest.fixture
def scan():
    rng = np.random.default_rng(0)
    up = np.array([0, 1, 0], np.float32)
    return Scan(rng.random((7, 3), np.float32), point_labels=np.zeros(7, np.int16), category="mug", up=up, name="a1")


def test_scan_and_units_come_back_without_labels(scan, units, tmp_path):
    path = tmp_path / "a1.npz"
    save_known(path, scan, units)
    again, known = load_known(path)
    assert (again.name, again.category, again.parts) == ("a1", "mug", ("handle", "Körper"))
    assert again.point_labels is None and again.up.tolist() == [0, 1, 0]
    np.testing.assert_array_equal(again.points, scan.points)
    for name in ("part", "score", "view", "indptr", "indices"):
        assert getattr(known, name).dtype == getattr(units, name).dtype
        np.testing.assert_array_equal(getattr(known, name), getattr(units, name))
    np.testing.assert_array_equal(load_scan(path).points, scan.points)


def test_known_files_are_told_from_scans(scan, units, tmp_path):
    save_known(tmp_path / "b.npz", scan, units)
    save_scan(tmp_path / "a.npz", scan.with_(parts=("x",)))
    save_scan(tmp_path / "c.ply", scan.with_(point_labels=None))
    (tmp_path / "d.npz").write_bytes(b"no zip")
    known, others = split_known([tmp_path])
    assert [path.name for path in known] == ["b.npz"]
    assert [path.name for path in others] == ["a.npz", "c.ply", "d.npz"]
    assert is_known(tmp_path / "b.npz") and not is_known(tmp_path / "gone.npz")
    with pytest.raises(PartDistillError, match="a.npz carries no knowledge"):
        load_known(tmp_path / "a.npz")


@pytest.mark.parametrize("damage", ["truncate", "index", "float", "score", "length"])
def test_damaged_files_are_named(scan, units, tmp_path, damage):
    path = tmp_path / "a1.npz"
    save_known(path, scan, units)
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        arrays = dict(np.load(path))
        arrays |= {
            "index": {"unit_indices": arrays["unit_indices"] + 2},
            "float": {"unit_part": arrays["unit_part"] + 0.5},
            "score": {"unit_score": arrays["unit_score"] * np.float32(3)},
            "length": {"unit_view": arrays["unit_view"][:2]},
        }[damage]
        np.savez(path, **arrays)
    with pytest.raises(PartDistillError, match="a1.npz"):
        load_known(path)


def test_units_of_other_points_are_not_written(scan, units, tmp_path):
    with pytest.raises(PartDistillError, match="7 points"):
        save_known(tmp_path / "a.npz", scan.select(np.arange(5)), units)
    assert not list(tmp_path.iterdir())


def test_selected_points_keep_their_units(units):
    index = np.array([6, 4, 1, 2])
    few = select_points(units, index)
    assert few.n_points == 4 and few.part.tolist() == [0, 1] and few.score.tolist() == [0.5, 0.25]
    assert [set(index[few.points_of(unit)]) for unit in range(2)] == [{4}, {1, 4, 6}], "the unit of point 0 is gone"
    same = select_points(units, np.arange(7))
    np.testing.assert_array_equal(same.indices, units.indices)
    assert len(select_points(replace(units), np.zeros(0, np.int64))) == 0


def test_parts_are_matched_by_name(units):
    turned = with_parts(units, ("Körper", "lid", "handle"), "a1.npz")
    assert turned.part.tolist() == [2, 0, 0] and turned.parts == ("Körper", "lid", "handle")
    with pytest.raises(PartDistillError, match="a1.npz.*'handle' is not among"):
        with_parts(units, ("Körper", "lid"), "a1.npz")
