# SPDX-License-Identifier: Apache-2.0
"""A list on disk is a list, but for what is changed without being set."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from partdistill_ros.distillation.disk_list import DiskList, Each, Picked
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.content_key import content_key


def test_it_holds_what_it_was_given() -> None:
    items = [np.arange(3), "two", None, {"four": np.eye(2, dtype=np.float16)}]
    kept = DiskList(iter(items))
    kept.append("five")
    assert len(kept) == 5 and kept[1] == "two" and kept[-1] == "five" and kept[2] is None
    np.testing.assert_array_equal(kept[3]["four"], np.eye(2))
    assert list(kept[1:3]) == ["two", None]
    with pytest.raises(IndexError):
        kept[5]
    assert content_key(DiskList([1, "x"])) == content_key([1, "x"]) == content_key((1, "x"))


def test_items_are_set_in_place_where_they_fit() -> None:
    kept = DiskList(["a" * 100, "b"])
    file = kept.num_bytes
    kept[0] = "c" * 90
    assert list(kept) == ["c" * 90, "b"] and kept.num_bytes == file
    kept[0] = "d" * 1000
    kept[-1] = "e"
    assert list(kept) == ["d" * 1000, "e"]
    kept[0] = "f" * 990
    assert kept[0] == "f" * 990 and kept.num_bytes < file + 1100


def test_changes_of_what_was_read_are_not_kept() -> None:
    kept = DiskList([np.zeros(2)])
    kept[0][:] = 1
    assert (kept[0] == 0).all()


def test_picked_and_each_are_made_when_asked_for() -> None:
    made: list[int] = []
    doubled = Each(lambda one, other: made.append(one) or one + other, range(5), DiskList(range(5)))
    picked = Picked(doubled, [4, 1])
    assert len(doubled) == 5 and len(picked) == 2 and not made
    assert list(picked) == [8, 2] and made == [4, 1] and list(picked[:1]) == [8]


def test_a_sample_stays_what_it_was(samples: list[Sample]) -> None:
    assert content_key(DiskList(samples)) == content_key(samples)
    kept = DiskList([samples[0]])[0]
    assert kept.num_visible is None and kept.units.points_of(0).tolist() == samples[0].units.points_of(0).tolist()


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(PartDistillError, match="No space left on device; set TMPDIR"):
        DiskList(["something"])
