# SPDX-License-Identifier: Apache-2.0
"""Rescored units: what comes back, and files that hold something else."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.distillation.rescored_units import RescoredUnits, find_rescored
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.cameras import ten_views


@pytest.fixture
def graded():
    units = KnowledgeUnits(
        np.array([0, 1], np.int16),
        np.array([0.5, 0.9], np.float32),
        np.array([3, 9], np.int16),
        np.array([0, 2, 3], np.int64),
        np.array([4, 5, 0], np.int32),
        7,
        ("handle", "Körper"),
    )
    points = np.random.default_rng(0).random((7, 3), np.float32)
    return RescoredUnits("mug 1", "mug", points, units, np.array([0.75, 0.1], np.float32), ten_views())


def test_everything_comes_back(graded, tmp_path):
    path = tmp_path / "backward" / "mug_1.npz"
    graded.save(path)
    again = RescoredUnits.load(path)
    assert (again.name, again.category, again.units.parts) == ("mug 1", "mug", ("handle", "Körper"))
    for owner, names in (("units", ("part", "score", "view", "indptr", "indices")), ("views", ("rotation", "focal"))):
        for name in names:
            np.testing.assert_array_equal(getattr(getattr(again, owner), name), getattr(getattr(graded, owner), name))
    np.testing.assert_array_equal(again.points, graded.points)
    assert again.change() == pytest.approx([0.25, -0.8]) and again.views.names == graded.views.names
    assert [file.name for file in path.parent.iterdir()] == ["mug_1.npz"]


@pytest.mark.parametrize("damage", ["empty", "truncate", "text", "foreign", "nan"])
def test_another_or_a_damaged_file_is_named(graded, tmp_path, damage):
    path = tmp_path / "a.npz"
    graded.save(path)
    whole = path.read_bytes()
    if damage == "foreign":
        np.savez(path, points=graded.points)
    elif damage == "nan":
        replace(graded, new_score=np.array([np.nan, 1], np.float32)).save(path)
    else:
        path.write_bytes({"empty": b"", "truncate": whole[: len(whole) // 2], "text": b"no zip"}[damage])
    with pytest.raises(PartDistillError, match="a.npz"):
        RescoredUnits.load(path)
    with pytest.raises(PartDistillError, match="does not exist"):
        RescoredUnits.load(tmp_path / "gone.npz")


def test_arrays_that_do_not_fit_are_refused(graded):
    with pytest.raises(PartDistillError, match="mug 1: points"):
        replace(graded, points=graded.points[:5])
    with pytest.raises(PartDistillError, match="new_score"):
        replace(graded, new_score=graded.new_score[:1])


def test_a_work_folder_stands_for_its_graded_files(graded, tmp_path):
    for name in ("b.npz", "a.npz"):
        graded.save(tmp_path / "backward" / name)
    (tmp_path / "backward" / "broken.npz").write_bytes(b"x")
    np.savez(tmp_path / "backward" / "other.npz", points=graded.points)
    assert [path.name for path in find_rescored(tmp_path)] == ["a.npz", "b.npz", "broken.npz"]
    assert find_rescored(tmp_path / "backward") == find_rescored(tmp_path)
    assert find_rescored(tmp_path / "x.npz") == [tmp_path / "x.npz"]
