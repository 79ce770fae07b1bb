# SPDX-License-Identifier: Apache-2.0
"""Bags of a mug on a table become a collection."""

from __future__ import annotations

from pathlib import Path

import orbit
import pytest

from partdistill_ros.recording.collection import Collection


@pytest.fixture(scope="module")
def bags(tmp_path_factory) -> Path:
    """`still` shows a mug three times the same, `round` from six sides with tf, `broken` is cut off."""
    folder = tmp_path_factory.mktemp("bags")
    orbit.record(folder / "still", [orbit.view(0, take) for take in range(3)])
    orbit.record(folder / "round", [orbit.view(angle) for angle in range(0, 360, 60)], storage="sqlite3", tf=True)
    orbit.record(folder / "broken", [orbit.view(0)])
    file = folder / "broken" / "broken.mcap"
    file.write_bytes(file.read_bytes()[:5000])
    return folder


def test_bags_become_a_collection_and_a_broken_one_is_named(partdistill, bags, tmp_path) -> None:
    out = tmp_path / "mugs"
    topic = ("--topic", "/camera/points", "--category", "Mug", "--every", 2)
    done = partdistill("collect", bags / "still", bags / "broken", bags / "round", "--out", out, *topic, "--json")
    assert done.code == 0, done.err
    record = done.json()
    assert record["scans"] == ["still_000000", "round_000000", "round_000002", "round_000004"]
    assert len(record["left_out"]) == 1 and "broken cannot be read" in record["left_out"][0]
    assert [(bag["clouds"], bag["still"], bag["written"]) for bag in record["bags"]] == [(2, 1, 1), (3, 0, 3)]
    assert {recorded.manifest.category for recorded in Collection.open(out).scans()} == {"mug"}
    again = partdistill("collect", bags / "still", "--out", out, *topic)
    assert again.code == 0 and "0 scans added" in again.out and "1 there already" in again.out


def test_join(partdistill, bags, tmp_path) -> None:
    pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")
    frame = ("--object-frame", "world", "--join", "--cut", "crop", "--box", -0.15, -0.15, 0.006, 0.15, 0.15, 0.3)
    done = partdistill("collect", bags / "round", "--out", tmp_path / "c", "--topic", "/camera/points", *frame)
    assert done.code == 0, done.err
    (recorded,) = Collection.open(tmp_path / "c").scans()
    assert len(recorded.manifest.captures) == 6


def test_wrong_use_is_refused_before_anything_is_made(partdistill, bags, tmp_path) -> None:
    out = ("--out", tmp_path / "c")
    for arguments, words in (
        ((bags / "still", *out, "--cut", "crop"), "--cut crop and --box belong together"),
        ((bags / "still", *out, "--box", 0, 0, 0, 1, 1, 1), "--cut crop and --box belong together"),
        ((bags / "still", *out, "--cut", "crop", "--box", 1, 0, 0, 0, 1, 1), "must be the smaller"),
        ((bags / "still", *out, "--join"), "--join needs --object-frame"),
        ((bags / "still", *out, "--join", "--object-frame", "a", "--pick", "all"), "leave out --pick all"),
        ((bags / "gone", *out), "does not exist"),
    ):
        done = partdistill("collect", *arguments)
        assert done.code == 2 and words in done.err and not (tmp_path / "c").exists()
    for arguments, words in (
        ((bags / "still", *out), "choose a topic of clouds or depth images"),
        ((bags / "still", *out, "--topic", "/imu"), "no topic '/imu' of clouds or depth images"),
        ((bags / "broken", *out), "broken cannot be read as a rosbag2 recording"),
        ((bags / "still", *out, "--topic", "/camera/points", "--object-frame", "map"), "has no tf"),
    ):
        done = partdistill("collect", *arguments)
        assert done.code == 2 and words in done.err and "Traceback" not in done.err
