# SPDX-License-Identifier: Apache-2.0
"""Files, folders and loops give the scans in order; what is broken is left out and told."""

from __future__ import annotations

import importlib.util
from itertools import islice

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.playlist import play
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Mesh, Scan


def scan(value: float, count: int = 5) -> Scan:
    return Scan(np.full((count, 3), value, np.float32))


def values(scans):
    return [float(one.points[0, 0]) for one in scans]


@pytest.fixture
def folder(tmp_path):
    for number in range(3):
        save_scan(tmp_path / f"scan_{number}.npz", scan(number))
    (tmp_path / "scan_1b.npz").write_bytes(b"damaged")
    return tmp_path


def test_a_folder_in_order_without_the_damaged(folder):
    told = []
    assert values(play(str(folder), loop=False, skip=told.append)) == [0, 1, 2]
    assert len(told) == 1 and "scan_1b.npz" in told[0]


def test_a_folder_again_and_again(folder):
    assert values(islice(play(str(folder), skip=lambda told: None), 7)) == [0, 1, 2, 0, 1, 2, 0]


def test_one_file(folder):
    path = str(folder / "scan_2.npz")
    assert values(play(path, loop=False)) == [2]
    assert values(islice(play(path), 3)) == [2, 2, 2]


def test_organized_clouds_stay_organized(tmp_path, table_scene):
    for suffix in ("pcd", "npz"):
        save_scan(tmp_path / f"scene.{suffix}", table_scene)
        played = next(play(str(tmp_path / f"scene.{suffix}")))
        assert played.grid == table_scene.grid
        np.testing.assert_array_equal(played.points, table_scene.points)


def test_meshes_are_sampled(tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
    mesh = Mesh(vertices, np.array([[0, 1, 2]], np.int32))
    save_scan(tmp_path / "triangle.npz", Scan(vertices, mesh=mesh))
    assert len(next(play(str(tmp_path / "triangle.npz"), samples=500)).points) == 500


def test_a_recording_and_its_topics(tmp_path, repository):
    spec = importlib.util.spec_from_file_location("bags", repository / "tests" / "io" / "readers" / "test_bag.py")
    assert spec is not None and spec.loader is not None
    bags = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bags)
    topics = {"/a": [bags.message(bags.points(k)) for k in range(2)], "/b": [bags.message(bags.points(9))]}
    path = str(bags.record(tmp_path, ".mcap", topics))
    assert values(islice(play(path, topic="/a"), 5)) == [0, 1, 0, 1, 0]
    assert values(play(path, topic="b", loop=False)) == [9]
    told = []
    with pytest.raises(PartDistillError, match="nothing that can be played"):
        next(play(path, skip=told.append))
    assert "choose a topic of clouds or depth images" in told[0]


def test_a_source_that_cannot_be_played(folder, tmp_path):
    for source, words in (("", "'source'"), (str(tmp_path / "none"), "does not exist")):
        with pytest.raises(PartDistillError, match=words):
            next(play(source))
    with pytest.raises(PartDistillError, match=r"scan_1b\.npz"):
        next(play(str(folder / "scan_1b.npz")))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PartDistillError, match="nothing that can be played"):
        next(play(str(empty)))
