# SPDX-License-Identifier: Apache-2.0
"""The verbs of `partdistill collection`, on valid and on damaged folders."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.io.load import load_scan
from partdistill_ros.io.recorded_scan import CLOUD
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection


def scan(name: str, seed: int = 0, count: int = 200) -> Scan:
    rng = np.random.default_rng(seed)
    return Scan(rng.normal(size=(count, 3)).astype(np.float32), category="mug", name=name)


@pytest.fixture
def mugs(tmp_path) -> Collection:
    """Members `a` (with an entry of knowledge), `b`, and `c`, whose cloud is cut off."""
    made = Collection.create(tmp_path / "mugs")
    for seed, name in enumerate("abc"):
        made.add(scan(name, seed), source={"bag": "monday", "cut": "tabletop"})
    (made.folder / "a" / "knowledge").mkdir()
    (made.folder / "a" / "knowledge" / "key.npz").write_bytes(b"units")
    cloud = made.folder / "c" / CLOUD
    cloud.write_bytes(cloud.read_bytes()[:-9])
    return made


def test_add_then_ls(partdistill, tmp_path) -> None:
    save_scan(tmp_path / "in" / "cup.pcd", scan("cup"))
    (tmp_path / "in" / "bad.ply").write_bytes(b"ply")
    done = partdistill(
        "collection", "add", tmp_path / "in", "--to", tmp_path / "c", "--category", " Tea  cup", "--json"
    )
    assert done.code == 0 and done.json()["added"] == ["cup"]
    assert list(done.json()["left_out"]) == [str(tmp_path / "in" / "bad.ply")]
    (row,) = partdistill("collection", "ls", tmp_path / "c", "--json").json()["scans"]
    assert (row["name"], row["category"], row["points"], row["views"]) == ("cup", "tea cup", 200, 0)


def test_ls_reads_manifests(partdistill, mugs) -> None:
    done = partdistill("collection", "ls", mugs.folder)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["scan", "category", "points", "views", "knowledge", "from"]
    assert lines[2].split() == ["a", "mug", "200", "0", "1", "monday", "(tabletop)"] and len(lines) == 5
    for json_first in (("collection", "--json", "ls"), ("collection", "ls", "--json")):
        assert len(partdistill(*json_first, mugs.folder).json()["scans"]) == 3


def test_ls_draws_a_picture(partdistill, mugs, tmp_path) -> None:
    assert partdistill("collection", "ls", mugs.folder, "--picture", tmp_path / "mugs.png").code == 0
    assert Image.open(tmp_path / "mugs.png").width > 900
    done = partdistill("collection", "ls", mugs.folder, "--picture", tmp_path / "mugs.txt")
    assert done.code == 2 and "choose a name that ends in .png" in done.err


def test_check_names_every_damaged_member(partdistill, mugs) -> None:
    shutil.copytree(mugs.folder / "a", mugs.folder / ".a.0f.tmp")
    (mugs.folder / "d").mkdir()
    done = partdistill("collection", "check", mugs.folder)
    assert done.code == 1 and "2 of 4 scans" in done.err and "damaged: c, d" in done.err
    assert "was cut off or changed; copy the folder again" in done.err
    for name in "cd":
        shutil.rmtree(mugs.folder / name)
    done = partdistill("collection", "check", mugs.folder)
    assert done.code == 0 and "2 scans, all valid" in done.out and ".a.0f.tmp" in done.out


def test_merge_is_repeated_without_harm(partdistill, mugs, tmp_path) -> None:
    other = Collection.create(tmp_path / "other")
    other.add(scan("a", 7))
    other.add(scan("also_b", 1))
    out = tmp_path / "all"
    done = partdistill("collection", "merge", mugs.folder, other.folder, "--out", out, "--json")
    assert done.code == 0 and done.json()["added"] == ["a", "b", "a_2"] and done.json()["known"] == ["b"]
    assert list(done.json()["damaged"]) == [str(mugs.folder / "c")]
    assert (out / "a" / "knowledge" / "key.npz").read_bytes() == b"units"
    (mugs.folder / "b" / "knowledge").mkdir()
    (mugs.folder / "b" / "knowledge" / "new.npz").write_bytes(b"more")
    again = partdistill("collection", "merge", mugs.folder, other.folder, "--out", out, "--json").json()
    assert again["added"] == [] and again["known"] == ["a", "b", "a_2", "b"]
    assert (out / "b" / "knowledge" / "new.npz").read_bytes() == b"more"
    np.testing.assert_array_equal(load_scan(out / "a_2").points, other.scans()[0].load().points)


def test_millimeters_become_meters(partdistill, tmp_path) -> None:
    save_scan(tmp_path / "a.npz", scan("a", 1).scaled(1000))
    done = partdistill("collection", "add", tmp_path / "a.npz", "--to", tmp_path / "c", "--unit", "mm")
    assert done.code == 0, done.err
    (kept,) = Collection.open(tmp_path / "c").scans()
    assert kept.load().points == pytest.approx(scan("a", 1).points, abs=1e-5)


def test_wrong_use_is_one_sentence(partdistill, mugs, tmp_path) -> None:
    (tmp_path / "plain").mkdir()
    for arguments, words in (
        (("ls", tmp_path / "plain"), "is no collection"),
        (("check", tmp_path / "gone"), "is no collection"),
        (("merge", mugs.folder, "--out", mugs.folder), "cannot be merged into itself"),
        (("merge", tmp_path / "plain", "--out", tmp_path / "x"), "is no collection"),
        (("add", mugs.folder, "--to", tmp_path), "holds other things"),
        (("add", tmp_path / "gone", "--to", tmp_path / "x"), "does not exist"),
        ((), "VERB"),
    ):
        done = partdistill("collection", *arguments)
        assert done.code == 2 and words in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("verb", ["ls", "check", "merge", "add"])
def test_each_verb_teaches(partdistill, verb) -> None:
    shown = partdistill("collection", verb, "--help").out
    assert f"partdistill collection {verb} " in shown and "examples:" in shown and "--json" in shown
    assert max(map(len, shown.splitlines())) <= 120
