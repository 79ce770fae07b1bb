# SPDX-License-Identifier: Apache-2.0
"""A file appears whole or not at all, and nothing temporary stays behind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_folder, atomic_path


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "cloud.npz"
    with atomic_path(target) as temporary:
        assert temporary.suffix == ".npz" and temporary.parent == target.parent
        np.savez(temporary, points=np.zeros((1, 3)))
        assert not target.exists()
    assert target.is_file()
    assert list(target.parent.iterdir()) == [target]


def test_failure_keeps_the_old_content(tmp_path: Path) -> None:
    target = tmp_path / "cloud.ply"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_old_content_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "cloud.ply"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "cloud.ply"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"


def test_long_names_stay_within_the_limit_of_file_systems(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 251 + ".npz")
    with atomic_path(target) as temporary:
        temporary.write_text("x")
    assert target.read_text() == "x"


@pytest.mark.parametrize("kind", ["folder", "file in the way", "nothing written"])
def test_places_that_cannot_be_written_are_named(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "out.npz"
    if kind == "folder":
        target.mkdir()
    elif kind == "file in the way":
        target.write_text("")
        target = target / "cloud.npz"
    with pytest.raises(PartDistillError, match="out.npz.*choose"), atomic_path(target) as temporary:
        if kind != "nothing written":
            temporary.write_text("x")


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with atomic_folder(tmp_path / "deep" / "made") as folder:
        (folder / "one").write_text("1")
        assert not (tmp_path / "deep" / "made").exists()
    assert (tmp_path / "deep" / "made" / "one").read_text() == "1"
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "deep" / "other") as folder:
        (folder / "one").write_text("1")
        raise ZeroDivisionError
    for taken in ("made", "file"):
        (tmp_path / "deep" / "file").touch()
        with pytest.raises(FileExistsError), atomic_folder(tmp_path / "deep" / taken) as folder:
            (folder / "two").write_text("2")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "file", "made", "one"]


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(PartDistillError, match="cannot write .*inside.*write permission"):
        with atomic_folder(tmp_path / "file" / "inside"):
            pass
