# SPDX-License-Identifier: Apache-2.0
"""Scans go in and come out whole; what is damaged is named, and the rest goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.recorded_scan import CLOUD, MANIFEST, MARK, Capture
from partdistill_ros.recording.collection import Collection, check, merge, plain_name, valid_scans


def test_what_goes_in_comes_out(tmp_path: Path, make_scan) -> None:
    scan = make_scan("mug")
    captures = [Capture(5, "camera", np.eye(4).tolist()), Capture(6, "camera")]
    pictures = [Image.new("RGB", (8, 6)), None]
    collection = Collection.create(tmp_path / "mugs")
    made = collection.add(scan, source={"bag": "a.mcap"}, captures=list(zip(captures, pictures, strict=True)))
    (recorded,) = Collection.open(tmp_path / "mugs").scans()
    assert (
        recorded == made
        and recorded.manifest.source == {"bag": "a.mcap"}
        and recorded.manifest.points == len(scan.points)
    )
    assert [capture.picture for capture in recorded.manifest.captures] == ["views/00.png", None]
    assert Image.open(recorded.folder / "views/00.png").size == (8, 6)
    assert Image.open(recorded.folder / "picture.png").size == (480, 360)
    back = recorded.load()
    for name in ("points", "colors", "up", "viewpoint"):
        np.testing.assert_array_equal(getattr(back, name), getattr(scan, name))
    assert (back.name, back.category) == ("mug", "mug")


def test_taken_names_get_numbers_and_odd_ones_become_plain(tmp_path: Path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    names = [collection.add(make_scan(name)).name for name in ("mug", "mug", "../a b/ü c", ".hidden")]
    assert names == ["mug", "mug_2", "ü_c", "hidden"]
    assert plain_name("...") == "scan" and len(plain_name("x" * 300)) == 100


def test_a_moved_and_renamed_scan_is_whole(tmp_path: Path, make_scan) -> None:
    first, second = (Collection.create(tmp_path / name) for name in "ab")
    first.add(make_scan("mug"))
    shutil.move(tmp_path / "a" / "mug", tmp_path / "b" / "cup")
    assert [(recorded.name, scan.name) for recorded, scan in second.load()] == [("cup", "cup")]
    assert first.scans() == []


def test_a_failed_addition_leaves_nothing(tmp_path: Path, make_scan, monkeypatch) -> None:
    collection = Collection.create(tmp_path / "c")
    monkeypatch.setattr("partdistill_ros.recording.collection.draw_cloud", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        collection.add(make_scan("mug"))
    assert [path.name for path in (tmp_path / "c").iterdir()] == [MARK]
    with pytest.raises(PartDistillError, match="no finite point"):
        collection.add(make_scan("mug").with_(points=np.full((20, 3), np.nan, np.float32), colors=None))


def test_unfinished_work_of_a_killed_writer_is_no_scan(tmp_path: Path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    collection.add(make_scan("mug"))
    shutil.copytree(tmp_path / "c" / "mug", tmp_path / "c" / ".cup.0123.tmp")
    assert [recorded.name for recorded in collection.scans()] == ["mug"]


def test_two_writers_do_not_replace_each_other(tmp_path: Path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    writers = [threading.Thread(target=lambda: [collection.add(make_scan("mug")) for _ in range(5)]) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(list(collection.load())) == 10


def test_remove(tmp_path: Path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    collection.add(make_scan("mug"))
    collection.remove("mug")
    assert [path.name for path in (tmp_path / "c").iterdir()] == [MARK]
    for name in ("mug", "..", MARK):
        with pytest.raises(PartDistillError, match="has no scan"):
            collection.remove(name)


def test_other_folders_are_no_collections(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(PartDistillError, match="holds other things"):
        Collection.create(tmp_path / "full")
    with pytest.raises(PartDistillError, match="is no collection.*collection add"):
        Collection.open(tmp_path / "full")
    newer = Collection.create(tmp_path / "newer")
    (newer.folder / MARK).write_text(json.dumps({"schema": 2}))
    with pytest.raises(PartDistillError, match="'schema' is 2"):
        Collection.open(newer.folder)


def test_every_damaged_scan_is_named_and_the_rest_goes_on(damaged_collection) -> None:
    collection, damaged = damaged_collection
    told: dict[str, str] = {}
    names = [recorded.name for recorded, _ in collection.load(lambda path, error: told.update({path.name: str(error)}))]
    assert names == ["valid_0", "valid_1", "valid_2"]
    assert told.keys() == damaged.keys()
    for name, words in damaged.items():
        assert words in told[name] and str(collection.folder / name) in told[name]


@pytest.mark.parametrize(("change", "words"), [
    ({"points": "many"}, "Expected `int`, got `str` - at `$.points`"),
    ({"captures": [7]}, "Expected `object`, got `int` - at `$.captures[0]`"),
    ({"captures": [{"stamp": 1, "frame": "a", "pose": 3, "picture": None}]}, "got `int` - at `$.captures[0].pose`"),
    ({"sha256": None}, "Expected `str`, got `null` - at `$.sha256`"),
    ({"schema": "1"}, "'schema' is '1'"),
])  # fmt: skip
def test_a_manifest_is_checked_field_by_field(tmp_path: Path, make_scan, change, words) -> None:
    collection = Collection.create(tmp_path / "c")
    path = collection.add(make_scan("mug")).folder / MANIFEST
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    told: list[str] = []
    assert collection.scans(lambda _, error: told.append(str(error))) == []
    assert len(told) == 1 and words in told[0] and str(path) in told[0]


def test_a_merge_follows_no_links(tmp_path: Path, make_scan) -> None:
    source, secret = Collection.create(tmp_path / "a"), tmp_path / "secret"
    secret.mkdir()
    (secret / "key.png").write_text("secret")
    for name in ("itself", "outside", "file", "whole", "cloud"):
        source.add(make_scan(name, len(name)))
    (source.folder / "itself" / "loop").symlink_to(".")
    (source.folder / "outside" / "views").symlink_to(secret)
    (source.folder / "file" / "knowledge").mkdir()
    (source.folder / "file" / "knowledge" / "a.npz").symlink_to(secret / "key.png")
    (source.folder / "cloud" / CLOUD).rename(secret / CLOUD)
    (source.folder / "cloud" / CLOUD).symlink_to(secret / CLOUD)
    (source.folder / "linked").symlink_to(source.folder / "whole")
    (source.folder / "whole" / "notes.txt").write_text("mine")
    reported: dict[str, str] = {}
    merged = merge([source.folder], tmp_path / "b", lambda path, error: reported.update({path.name: str(error)}))
    assert merged.added == ["whole"] and set(reported) == {"itself", "outside", "file", "cloud", "linked"}
    assert all("is a link and not copied" in words for words in reported.values())
    assert "itself/loop" in reported["itself"] and "views" in reported["outside"]
    copied = {path.relative_to(tmp_path / "b").as_posix() for path in (tmp_path / "b").rglob("*")}
    assert copied == {MARK, "whole", f"whole/{CLOUD}", f"whole/{MANIFEST}", "whole/picture.png"}


def test_a_merge_that_is_ended_leaves_no_temporary_folder(tmp_path: Path, make_scan) -> None:
    source = Collection.create(tmp_path / "a")
    source.add(make_scan("mug"))
    program = (
        "import shutil, sys, time\n"
        "from partdistill_ros.cli.main import main\n"
        "def copy(source, target):\n"
        "    print('copying', flush=True, file=sys.__stdout__)\n"
        "    time.sleep(60)\n"
        "shutil.copyfile = copy\n"
        f"sys.exit(main(['collection', 'merge', {str(source.folder)!r}, '--out', {str(tmp_path / 'b')!r}]))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"copying\n"
    assert any(path.name.endswith(".tmp") for path in (tmp_path / "b").iterdir())
    process.terminate()
    assert process.wait(30) == 1
    process.stdout.close()
    assert [path.name for path in (tmp_path / "b").iterdir()] == [MARK]


def test_a_cut_cloud_anywhere_is_noticed(tmp_path: Path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    path = collection.add(make_scan("mug")).folder / CLOUD
    whole = path.read_bytes()
    for length in np.random.default_rng(0).integers(0, len(whole), 25):
        path.write_bytes(whole[:length])
        assert list(collection.load(lambda _, error: None)) == []
    path.write_bytes(whole)
    assert len(list(collection.load())) == 1


def test_check_finds_every_damaged_scan(damaged_collection) -> None:
    collection, damaged = damaged_collection
    (collection.folder / ".cup.00.tmp").mkdir()
    found = check(collection.folder)
    assert found.valid == ["valid_0", "valid_1", "valid_2"] and found.damaged.keys() == damaged.keys()
    assert all(words in found.damaged[name] for name, words in damaged.items())
    assert found.unfinished == [".cup.00.tmp"]


def test_collections_become_their_valid_scans_and_other_paths_stay(damaged_collection, tmp_path) -> None:
    collection, damaged = damaged_collection
    paths, problems = valid_scans([tmp_path / "other.ply", collection.folder])
    assert paths == [tmp_path / "other.ply", *(collection.folder / f"valid_{number}" for number in range(3))]
    assert problems.keys() == {str(collection.folder / name) for name in damaged}


def test_nothing_valid_is_an_error(tmp_path) -> None:
    with pytest.raises(PartDistillError, match="holds no valid scan; see"):
        valid_scans([Collection.create(tmp_path / "empty").folder])
