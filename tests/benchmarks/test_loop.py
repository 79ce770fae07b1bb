# SPDX-License-Identifier: Apache-2.0
"""The loop on a handful of small recordings, over DDS; the goblets and the detector that it is made of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from _pytest.monkeypatch import MonkeyPatch

from partdistill_ros.synthetic.families import FAMILIES


@pytest.fixture(scope="module")
def goblets():
    import importlib

    patch = MonkeyPatch()
    patch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    yield importlib.import_module("goblets")
    patch.undo()


def test_goblets_show_all_their_parts_and_stay_out_of_the_families(goblets) -> None:
    one = goblets.record(3, 320)
    again = goblets.record(3, 320)
    np.testing.assert_array_equal(one.scan.points, again.scan.points)
    counts = np.bincount(one.labels[one.labels >= 0], minlength=3)
    assert counts.min() >= goblets.LEAST_SHARE * counts.sum() and counts.sum() > 200
    assert goblets.NAME not in FAMILIES


def test_miou_counts_misses_and_spill(goblets) -> None:
    truth = np.array([0, 0, 1, 1, 2, 2, -1, -1], np.int16)
    assert goblets.miou(truth, truth) == 1
    assert goblets.miou(np.array([0, 0, 1, 1, -1, -1, 2, 2], np.int16), truth) == pytest.approx(2 / 3)
    assert goblets.miou(np.array([0, -1, 1, 1, 2, 2, 0, -1], np.int16), truth) == pytest.approx((1 / 3 + 2) / 3)


def test_the_detector_writes_boxes_that_the_teacher_reads(goblets, load_benchmark, tmp_path: Path) -> None:
    from partdistill_ros.recording.collection import Collection
    from partdistill_ros.teachers.boxes import BoxFileTeacher

    detections = load_benchmark("detections")
    one = goblets.record(3, 320)
    mine = np.flatnonzero(one.labels >= 0)
    collection = Collection.create(tmp_path / "goblets")
    collection.add(one.scan.select(mine).with_(grid=None, point_labels=None, parts=(), name="a"))
    truth = one.labels[mine]
    path = detections.detect(collection, goblets.PARTS, goblets.NAME, lambda source, scan: truth, tmp_path / "d.json")
    teacher = BoxFileTeacher.load(path)
    assert {found.part for found in teacher.detections} == set(goblets.PARTS)
    assert {found.scan for found in teacher.detections} == {"a"}
    assert teacher.size == detections.SIZE


@pytest.mark.timeout(300)
def test_goblets_shown_to_the_recorder_become_a_collection(load_benchmark, goblets, tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="source ROS 2 or run make")
    pytest.importorskip("std_srvs", reason="std_srvs is not installed: run make or source ROS 2")
    from partdistill_ros.nodes.node_process import go_private
    from partdistill_ros.recording.collection import Collection

    loop = load_benchmark("loop")
    loop.prepare()
    recorded = [goblets.record(seed, 320) for seed in (3, 4)]
    collection = loop.record_live(tmp_path, recorded, go_private())
    assert len(Collection.open(collection).scans()) == 2
    boxes = json.loads(loop.simulated_boxes(collection, recorded, tmp_path / "boxes.json").read_text())
    assert {one["category"] for one in boxes["annotations"]} == set(goblets.PARTS)
    with pytest.raises(loop.CommandFailed, match="nothing that the camera recorded"):
        loop.simulated_boxes(collection, recorded[:1], tmp_path / "other.json")


@pytest.mark.timeout(900)
def test_the_whole_loop(load_benchmark, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rclpy", reason="source ROS 2 or run make")
    loop = load_benchmark("loop")
    few = ["--recordings", "2", "--tests", "1", "--width", "320", "--epochs", "1", "--rate-seconds", "0.5"]
    code = loop.main([*few, "--niceness", "0", "--out", str(tmp_path / "loop"), "--json"])
    shown = capsys.readouterr()
    result = json.loads(shown.out.strip().splitlines()[-1])
    assert result["collected"] == 2 and 0 <= result["miou_before"] <= 100 and result["rate_free"] > 0
    assert {"teach", "forward", "export", "evaluate"} <= set(result["stages"])
    assert Path(result["report"]).is_file() and result["reached"]["time"]
    assert code == (0 if all(result["reached"].values()) else 1)
    assert loop.main(["--out", str(tmp_path / "loop")]) == 2
