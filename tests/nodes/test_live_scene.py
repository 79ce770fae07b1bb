# SPDX-License-Identifier: Apache-2.0
"""The live benchmark on a small scene whose answer is known, through real nodes."""

from __future__ import annotations

import importlib
import json

import numpy as np
import pytest

from partdistill_ros.io.save import save_scan


@pytest.fixture
def benchmark(repository, monkeypatch):
    """Modules of `benchmarks/` by name."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def mug_scene(table_scene):
    """The first post stands in for the mug: its upper part is the cup, its lower one the handle."""
    height = table_scene.points[:, 2] + 0.5
    on_first = np.linalg.norm(table_scene.points[:, :2] - (-0.2, 0.9), axis=1) < 0.06
    labels = np.where(on_first & (height > 0.004), np.where(height > 0.1, 1, 2), 0).astype(np.int16)
    return table_scene.with_(point_labels=labels, parts=("0", "30", "31"))


@pytest.fixture
def arguments(mug_scene, toy_bundle_path, tmp_path):
    save_scan(tmp_path / "scene.pcd", mug_scene)
    shared = ["--scan", str(tmp_path / "scene.pcd"), "--bundle", str(toy_bundle_path), "--threads", "1", "--json"]
    return [*shared, "--query", "post: top, bottom", "--clouds", "3"]


@pytest.mark.ros
def test_scene_and_object_through_the_node(
    benchmark, mug_scene, arguments, capsys, monkeypatch, ros_environment, toy_bundle_path
):
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "PYTHONPATH"):
        monkeypatch.setenv(name, ros_environment[name])
    # What the toy calls top and bottom are the two parts here, of both posts: at best each is half right.
    monkeypatch.setattr(benchmark("live_quality"), "TRUTH", {"top": "30", "bottom": "31"})
    live_scene = benchmark("live_scene")
    monkeypatch.setattr(live_scene, "TRUTH", {"top": "30", "bottom": "31"})
    live_scene.main([*arguments, "--rate", "5", "--only", "scene", "object"])
    result = json.loads(capsys.readouterr().out)
    scene, thing = result["scene"], result["object"]
    assert scene["answered"] == 3 and thing["answered"] == 9
    assert scene["published"] >= scene["answered"] and scene["lost"] == scene["published"] - scene["answered"]
    assert scene["same_points"] and 0.3 < scene["mug"]["mean"] <= 0.6 and scene["labeled elsewhere"] == 0
    assert 0 < scene["delay_median"] <= scene["delay_p95"] and scene["rate"] > 0
    assert {"decode", "extract", "recall", "network", "spread", "encode", "publish"} <= set(scene["stages"])
    assert 50 < scene["megabytes"] < 500
    assert scene["processor"]["part_segmenter"] > 0 and set(scene["processor"]) > {"scan_publisher"}
    verdicts = {target["what"]: target["reached"] for target in result["targets"]}
    assert verdicts["same points in the same order (1: yes)"] is True
    assert verdicts["results a second"] is (scene["rate"] >= 8)


def test_a_missed_target_is_said_and_ends_with_1(benchmark, arguments, capsys, monkeypatch):
    live_scene = benchmark("live_scene")
    made = [
        live_scene.Target("speed", 3.0, 2.0),
        live_scene.Target("speed", 3.0, 2.0, at_least=True),
        live_scene.Target("speed", float("nan"), 2.0),
    ]
    assert [target.reached for target in made] == [False, True, None]
    assert [target.words().split()[0] for target in made] == ["MISSED", "reached", "not"]
    for targets, code in ((made, 1), (made[1:], 0)):
        section = live_scene.Section({"number": 1}, targets, ["what was seen"])
        monkeypatch.setitem(live_scene.SECTIONS, "limits", lambda setup, section=section: section)
        assert live_scene.main([*arguments[:-5], *arguments[-4:], "--only", "limits"]) == code
        assert "what was seen" in capsys.readouterr().out


def test_bad_input_is_one_sentence(benchmark, tmp_path, capsys):
    assert benchmark("live_scene").main(["--scan", str(tmp_path / "none.pcd")]) == 2
    assert "none.pcd" in capsys.readouterr().err
