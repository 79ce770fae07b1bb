# SPDX-License-Identifier: Apache-2.0
"""The live benchmark on a small scene whose answer is known."""

from __future__ import annotations

import importlib.util
import json
import sys

import numpy as np
import pytest

from partdistill_ros.scans.save import save_scan


@pytest.fixture
def live_scene(repository, monkeypatch):
    spec = importlib.util.spec_from_file_location("live_scene", repository / "benchmarks" / "live_scene.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "live_scene", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def mug_scene(table_scene):
    """The first post stands in for the mug: its upper part is the cup, its lower one the handle."""
    height = table_scene.points[:, 2] + 0.5
    on_first = np.linalg.norm(table_scene.points[:, :2] - (-0.2, 0.9), axis=1) < 0.06
    labels = np.where(on_first & (height > 0.004), np.where(height > 0.1, 1, 2), 0).astype(np.int16)
    return table_scene.with_(point_labels=labels, parts=("0", "30", "31"))


def test_miou_counts_misses_and_spill(live_scene, mug_scene):
    truth = np.select([mug_scene.point_labels == 2, mug_scene.point_labels == 1], [0, 1], -1).astype(np.int16)
    parts = ("handle", "cup")
    assert live_scene.mug_miou(mug_scene, truth, parts) == {"cup": 1.0, "handle": 1.0, "mean": 1.0}
    everywhere = np.ones_like(truth)
    scores = live_scene.mug_miou(mug_scene, everywhere, parts)
    assert scores["handle"] == 0 and scores["cup"] == pytest.approx((truth == 1).mean())
    assert live_scene.mug_miou(mug_scene, truth, ("lid", "cup")) is None
    where = live_scene.mug_object(mug_scene, [np.arange(5), np.flatnonzero(truth >= 0)[:-3]])
    np.testing.assert_array_equal(where, truth >= 0)


@pytest.mark.ros
def test_the_whole_benchmark(live_scene, mug_scene, toy_bundle_path, tmp_path, capsys, monkeypatch, ros_environment):
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "PYTHONPATH"):
        monkeypatch.setenv(name, ros_environment[name])
    # What the toy calls top and bottom are the two parts here.
    monkeypatch.setattr(live_scene, "TRUTH", {"top": "30", "bottom": "31"})
    save_scan(tmp_path / "scene.pcd", mug_scene)
    arguments = ["--scan", str(tmp_path / "scene.pcd"), "--bundle", str(toy_bundle_path), "--threads", "1"]
    code = live_scene.main([*arguments, "--query", "post: top, bottom", "--count", "2", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert code == 0
    assert result["points"] == 19200 and result["same_points"] and result["objects"] == 2
    assert result["mug_live"]["mean"] > 0.9 and result["mug_live"] == result["mug_direct"]
    assert result["whole_scene"]["mean"] < result["mug_live"]["mean"]
    assert 0 < result["milliseconds"]["median"] <= result["milliseconds"]["max"]
    assert 50 < result["node_megabytes"] < 500
    assert "network median (ms)" in result["stages"]


def test_bad_input_is_one_sentence(live_scene, tmp_path, capsys):
    assert live_scene.main(["--scan", str(tmp_path / "none.pcd")]) == 2
    assert "none.pcd" in capsys.readouterr().err
