# SPDX-License-Identifier: Apache-2.0
"""Versions are listed with what is wrong with them, and going back says what to load."""

import shutil

import pytest

from partdistill_ros.inference.bundle_store import BundleStore


@pytest.fixture
def store(tmp_path, toy_bundle):
    """`mugs` in three versions, the third active, and `tools` in one."""
    made = BundleStore(tmp_path / "store")
    for name in ("mugs", "mugs", "mugs", "tools"):
        shutil.copytree(toy_bundle, tmp_path / "copy")
        made.adopt(name, tmp_path / "copy")
    made.set_current("mugs", "v0003")
    return made


def test_ls(partdistill, store):
    (store.root / "mugs" / "v0002" / "student.onnx").write_bytes(b"damaged")
    found = partdistill("bundles", "ls", store.root, "--json").json()["versions"]
    assert [(one["name"], one["version"], one["current"]) for one in found] == [
        ("mugs", "v0001", False),
        ("mugs", "v0002", False),
        ("mugs", "v0003", True),
        ("tools", "v0001", False),
    ]
    assert [one["problem"] is None for one in found] == [True, False, True, True]
    shown = partdistill("bundles", "ls", store.root, "mugs").out
    assert "current" in shown and "sha256" in shown and "tools" not in shown


def test_rollback(partdistill, store):
    done = partdistill("bundles", "rollback", store.root, "mugs", "--json").json()
    assert (done["before"], done["current"]) == ("v0003", "v0002")
    done = partdistill("bundles", "rollback", store.root, "mugs", "--to", "v0003")
    assert done.code == 0 and str(store.root / "mugs" / "current") in done.out
    assert store.current("mugs").name == "v0003"


@pytest.mark.parametrize(
    "words, problem",
    [
        (["rollback"], "needs the name"),
        (["rollback", "jugs"], "no bundle 'jugs'"),
        (["rollback", "mugs", "--to", "v0009"], "no version 'v0009'"),
        (["rollback", "tools"], "no active version"),
        (["ls", "--to", "v0001"], "--to belongs to rollback"),
    ],
)
def test_what_cannot_be_is_refused(partdistill, store, words, problem):
    action, *rest = words
    done = partdistill("bundles", action, store.root, *rest)
    assert done.code == 2 and problem in done.err
    assert store.current("mugs").name == "v0003"


def test_a_folder_without_bundles_is_named(partdistill, tmp_path):
    done = partdistill("bundles", "ls", tmp_path)
    assert done.code == 2 and str(tmp_path) in done.err
