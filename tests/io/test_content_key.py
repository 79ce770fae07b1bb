# SPDX-License-Identifier: Apache-2.0
"""A key that changes with every field and every entry, and with nothing else."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.io.content_key import content_key, files_key, listing_key


@dataclass(frozen=True)
class Inner:
    numbers: np.ndarray
    word: str = "a"


@dataclass(frozen=True)
class Outer:
    inner: Inner
    rate: float = 0.5
    names: tuple[str, ...] = ("a", "b")
    path: Path | None = None


WHOLE = Outer(Inner(np.arange(4, dtype=np.int16)))
CHANGES = {"inner": Inner(np.arange(4, dtype=np.int32)), "rate": 0.25, "names": ("ab",), "path": Path("x")}


def test_every_field_counts_and_equal_content_is_equal():
    assert content_key(WHOLE) == content_key(Outer(Inner(np.arange(4, dtype=np.int16))))
    assert {field.name for field in fields(Outer)} == set(CHANGES)
    keys = {content_key(replace(WHOLE, **{name: value})) for name, value in CHANGES.items()}
    assert len(keys | {content_key(WHOLE)}) == 1 + len(CHANGES)


def test_what_looks_alike_differs():
    arrays = [(np.zeros((2, 3)),), (np.zeros((3, 2)),)]
    alike = [("a", "bc"), ("ab", "c"), (["a"], "bc"), (1, 1.0), (True, 1), (None, "None"), *arrays]
    assert len({content_key(*values) for values in alike}) == len(alike)


def test_other_things_are_refused():
    with pytest.raises(TypeError, match="cannot hold a object"):
        content_key(object())


def test_files_count_by_their_content(tmp_path: Path):
    (tmp_path / "bundle").mkdir()
    file = tmp_path / "bundle" / "student.pt"
    file.write_bytes(b"one")
    first = files_key(tmp_path / "bundle")
    file.write_bytes(b"two")
    assert files_key(tmp_path / "bundle") != first != files_key(file)


def test_a_listing_tells_new_other_and_missing_files(tmp_path: Path):
    keys = [listing_key(tmp_path)]
    file = tmp_path / "a" / "scan.ply"
    file.parent.mkdir()
    for content in (b"one", b"other"):
        file.write_bytes(content)
        assert listing_key(tmp_path) == listing_key(tmp_path)
        keys.append(listing_key(tmp_path))
    os.utime(file, (1, 1))
    keys.append(listing_key(file))
    assert len(set(keys)) == len(keys) and listing_key(tmp_path / "none") == listing_key(tmp_path / "neither")
