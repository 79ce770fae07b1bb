# SPDX-License-Identifier: Apache-2.0
"""Files find their reader by suffix; folders and bags expand; bad files are told and left out."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import SUFFIXES, expand, load_scan, load_scans
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan


def write(path: Path, seed: int = 0) -> Path:
    save_scan(path, Scan(np.random.default_rng(seed).normal(size=(20, 3)).astype(np.float32)))
    return path


def test_suffix_in_capitals(tmp_path: Path) -> None:
    path = write(tmp_path / "cloud.ply").rename(tmp_path / "CLOUD.PLY")
    assert load_scan(path).name == "CLOUD"


def test_up_given_outranks_the_file(tmp_path: Path) -> None:
    points = np.eye(3, dtype=np.float32)
    save_scan(tmp_path / "cloud.npz", Scan(points, up=np.array([0, 0, 1], np.float32)))
    assert load_scan(tmp_path / "cloud.npz", up="-y").up is not None
    np.testing.assert_array_equal(load_scan(tmp_path / "cloud.npz", up="-y").up, [0, -1, 0])  # type: ignore[arg-type]
    np.testing.assert_array_equal(load_scan(tmp_path / "cloud.npz").up, [0, 0, 1])  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_file_folder_and_suffix(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(PartDistillError, match=f"cannot open .*gone{suffix}: No such file.*check the path"):
        load_scan(tmp_path / f"gone{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(PartDistillError, match=f"cannot open .*folder{suffix}"):
        load_scan(tmp_path / f"folder{suffix}")


def test_a_folder_is_named_one(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match=f"{tmp_path.name} is a folder; name one of its files: .npz, .ply"):
        load_scan(tmp_path)


def test_unknown_kind_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match=r"scan.xyz: cannot read '.xyz'.*\.npz, \.ply, \.pcd"):
        load_scan(tmp_path / "scan.xyz")


def test_bag_is_not_one_scan(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match="partdistill bag"):
        load_scan(tmp_path / "recording.mcap")


def test_folders_expand_in_order_and_hidden_files_stay_out(tmp_path: Path) -> None:
    for name in ("b/two.pcd", "a.npz", "b/one.ply", ".half.tmp.npz"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    single = write(tmp_path / "z" / "single.npz")
    found = [path.relative_to(tmp_path).as_posix() for path in expand([single, tmp_path])]
    assert found == ["z/single.npz", "a.npz", "b/one.ply", "b/two.pcd", "z/single.npz"]


def test_bad_files_are_left_out_with_a_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes(b"PK")
    write(tmp_path / "c.ply")
    told: list[tuple[str, str]] = []
    scans = list(load_scans([tmp_path], on_skip=lambda path, error: told.append((path.name, str(error)))))
    assert [scan.name for scan in scans] == ["a", "c"]
    assert len(told) == 1 and told[0][0] == "b.npz" and "b.npz cannot be read" in told[0][1]
    with caplog.at_level(logging.WARNING):
        assert len(list(load_scans([tmp_path]))) == 2
    assert "b.npz" in caplog.text


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match="no files were found"):
        list(load_scans([tmp_path]))
    with pytest.raises(PartDistillError, match="all 1 files were left out"):
        list(load_scans([tmp_path / "gone.ply"], on_skip=lambda path, error: None))


def test_all_evaluation_shapes_load(data_dir: Path) -> None:
    scans = list(load_scans([data_dir / "shapes"]))
    assert len(scans) >= 50
    for scan in scans:
        assert scan.category and scan.parts
        assert scan.point_labels is not None or scan.mesh is not None and scan.mesh.face_labels is not None
        assert scan.up is None or abs(np.linalg.norm(scan.up) - 1) < 1e-5


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A collection of the scans `a` and `b` in a folder beside a scan file."""
    from partdistill_ros.recording.collection import Collection

    made = Collection.create(tmp_path / "data" / "mugs")
    for number, name in enumerate("ab"):
        made.add(Scan(number + np.eye(3, dtype=np.float32), name=name))
    save_scan(tmp_path / "data" / "loose.npz", Scan(np.full((20, 3), 7, np.float32)))
    return made.folder


def test_a_collection_stands_for_its_members(collection: Path) -> None:
    assert [(scan.name, scan.points[0, 0]) for scan in load_scans([collection])] == [("a", 1), ("b", 2)]
    assert load_scan(collection / "b").name == "b"
    assert [scan.name for scan in load_scans([collection.parent])] == ["loose", "a", "b"]
    assert expand([collection / "b"]) == [collection / "b"]


def test_what_is_no_member_of_a_collection_is_left_out(collection: Path) -> None:
    save_scan(collection / "c.npz", Scan(np.zeros((20, 3), np.float32)))
    (collection / "d").mkdir()
    (collection / "README.md").write_text("mugs of the kitchen")
    told: list[str] = []
    scans = list(load_scans([collection], on_skip=lambda path, error: told.append(f"{path.name}: {error}")))
    assert [scan.name for scan in scans] == ["a", "b"]
    assert [text.split(":")[0] for text in told] == ["c.npz", "d"]
    assert "a recorded scan is a folder" in told[0] and "add cloud.ply to the collection again" in told[1]


def test_damaged_files_of_a_folder_do_not_stop_the_others(tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d"):
        np.savez_compressed(tmp_path / f"{name}.npz", points=np.zeros((5000, 3)) + [[0], [1], [2], [3], [5]] * 1000)
    for name, damage in (("b", b"\xff" * 8), ("c", b"\x07\x00\x01")):
        content = bytearray((tmp_path / f"{name}.npz").read_bytes())
        content[64 : 64 + len(damage)] = damage
        (tmp_path / f"{name}.npz").write_bytes(content)
    left_out: list[str] = []
    scans = list(load_scans([tmp_path], on_skip=lambda path, error: left_out.append(path.name)))
    assert [scan.name for scan in scans] == ["a", "d"] and left_out == ["b.npz", "c.npz"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pipe_is_refused_before_it_blocks(tmp_path: Path, suffix: str) -> None:
    os.mkfifo(tmp_path / f"scan{suffix}")
    with pytest.raises(PartDistillError, match=f"scan{suffix} is a pipe or a device"):
        load_scan(tmp_path / f"scan{suffix}")


def test_millimeters(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    meters = np.random.default_rng(0).uniform((-0.2, -0.2, 0.5), (0.2, 0.2, 0.9), (500, 3)).astype(np.float32)
    save_scan(tmp_path / "m.npz", Scan(meters, viewpoint=np.zeros(3, np.float32)))
    save_scan(tmp_path / "mm.npz", Scan(1000 * meters, viewpoint=np.zeros(3, np.float32)))
    with caplog.at_level(logging.WARNING):
        load_scan(tmp_path / "m.npz")
        (scan,) = load_scans([tmp_path / "mm.npz"], unit="mm")
        assert caplog.text == ""
        load_scan(tmp_path / "mm.npz")
    np.testing.assert_allclose(scan.points, meters, rtol=1e-6)
    assert "mm.npz: its numbers look like millimeters" in caplog.text and "give the unit mm" in caplog.text
    with pytest.raises(PartDistillError, match="unit must be one of m, mm; it is 'inch'"):
        load_scan(tmp_path / "m.npz", unit="inch")


@pytest.mark.parametrize(("points", "words"), [
    (np.full((600, 3), 0.7), "all 600 points are in one place"),
    (np.linspace(0, 1, 600)[:, None] * [1, 2, 3], "all 600 points are on one line"),
    (np.random.default_rng(0).random((600, 3)) + [0, 5e6, 0], "it is 1 large and so far from the origin"),
])  # fmt: skip
def test_points_without_a_shape_are_told(tmp_path: Path, points: np.ndarray, words: str, caplog) -> None:
    save_scan(tmp_path / "a.ply", Scan(points.astype(np.float32)))
    with caplog.at_level(logging.WARNING):
        load_scan(tmp_path / "a.ply")
    assert f"a.ply: {words}" in caplog.text
