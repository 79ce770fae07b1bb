# SPDX-License-Identifier: Apache-2.0
"""Versions are numbered, never replaced, made active by one rename and rolled back."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import MODEL, Bundle
from partdistill_ros.inference.bundle_store import BundleStore


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(tmp_path / "bundles")


@pytest.fixture
def adopt(store: BundleStore, toy_path: Path):
    """Stores a copy of the toy as the next version of `mugs`."""

    def run() -> Path:
        made = store.folder("mugs") / "next"
        shutil.copytree(toy_path, made)
        return store.adopt("mugs", made)

    return run


def test_versions_count_up_and_current_moves_only_when_told(store, adopt) -> None:
    assert store.names() == [] and store.versions("mugs") == [] and store.current("mugs") is None
    first, second = adopt(), adopt()
    assert [first.name, second.name] == ["v0001", "v0002"] and not (store.folder("mugs") / "next").exists()
    assert store.current("mugs") is None and store.names() == ["mugs"]
    store.set_current("mugs", "v0002")
    assert store.current("mugs") == second
    assert [(one.label, one.current) for one in store.versions("mugs")] == [("v0001", False), ("v0002", True)]
    assert Bundle.load(store.root / "mugs" / "current").name == "toy"


def test_rolling_back_takes_the_newest_sound_version_before(store, adopt) -> None:
    for _ in range(3):
        adopt()
    store.set_current("mugs", "v0003")
    (store.root / "mugs" / "v0002" / MODEL).write_bytes(b"damaged")
    assert store.roll_back("mugs").name == "v0001"
    assert "sha256" in str(store.versions("mugs")[1].problem)
    with pytest.raises(PartDistillError, match="no valid version older"):
        store.roll_back("mugs")
    with pytest.raises(PartDistillError, match="sha256"):
        store.set_current("mugs", "v0002")
    assert store.current("mugs").name == "v0001"


def test_numbers_are_not_given_twice_even_where_one_was_only_begun(store, adopt) -> None:
    adopt()
    (store.root / "mugs" / "v0002").mkdir()  # of a process that was killed here
    assert adopt().name == "v0003"
    assert [one.label for one in store.versions("mugs")] == ["v0001", "v0003"]


def test_what_is_no_bundle_is_not_adopted_and_stays(store, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PartDistillError, match=r"no bundle\.json"):
        store.adopt("mugs", tmp_path / "empty")
    assert (tmp_path / "empty").is_dir() and store.versions("mugs") == []


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "-x", "x" * 65, "a b"])
def test_names_that_could_leave_the_store_are_refused(store, name: str) -> None:
    with pytest.raises(PartDistillError, match="cannot name a bundle"):
        store.folder(name)


def test_unknown_versions_are_refused_with_those_there_are(store, adopt) -> None:
    adopt()
    with pytest.raises(PartDistillError, match="no version 'v0009': there are v0001"):
        store.set_current("mugs", "v0009")
    with pytest.raises(PartDistillError, match="no active version"):
        store.roll_back("mugs")


def test_a_link_that_leads_out_of_the_store_is_no_version(store, adopt, tmp_path: Path) -> None:
    adopt()
    (store.root / "mugs" / "current").symlink_to(tmp_path)
    assert store.current("mugs") is None
