# SPDX-License-Identifier: Apache-2.0
"""The demo runs real nodes; where it cannot, it says what to do."""

import importlib.util
import json
import os

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.cli import demo
from partdistill_ros.errors import CommandFailed
from partdistill_ros.io.load import load_scan
from partdistill_ros.nodes.label_subscriber import LabeledCloud, Received
from partdistill_ros.synthetic.clutter_scene import make_clutter

HAS_ROS = importlib.util.find_spec("rclpy") and importlib.util.find_spec("partdistill_ros.msg")
needs_ros = pytest.mark.skipif(not HAS_ROS, reason="needs rclpy and the built interfaces: run make")


@pytest.fixture(autouse=True)
def same_environment_after(monkeypatch):
    """The demo moves its process to a private ROS domain."""
    for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", "FASTDDS_BUILTIN_TRANSPORTS"):
        monkeypatch.setenv(name, os.environ.get(name, ""))
        if not os.environ[name]:
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def scene():
    return make_clutter(demo.SEED, demo.FAMILIES, count=demo.THINGS, always=demo.FAMILIES)


def cloud_of(scene, labels):
    scan = scene.scan
    return LabeledCloud(scan.points, labels, np.ones(len(labels), np.float32), scan.grid, 0.1)


def test_other_points_or_another_order_fail(scene):
    good = cloud_of(scene, scene.scan.point_labels)
    demo.check_order(scene.scan, Received([good]))
    shuffled = LabeledCloud(good.points[::-1], good.labels, good.confidence, good.grid, 0.1)
    with pytest.raises(CommandFailed, match="in another order"):
        demo.check_order(scene.scan, Received([good, shuffled]))


def test_without_ros_it_says_what_to_do(partdistill, monkeypatch, tmp_path):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "rclpy" else find(name, *rest))
    done = partdistill("demo", "--out", tmp_path / "demo", "--json")
    assert done.code == 2 and "rclpy" in done.json()["error"] and "make" in done.json()["error"]
    assert not (tmp_path / "demo").exists()


@needs_ros
def test_wrong_input_before_any_node_starts(partdistill, toy_bundle, tmp_path):
    (tmp_path / "file").touch()
    for arguments, words in (
        (("--out", tmp_path / "file"), "is a file"),
        (("--out", tmp_path / "d", "--bundle", tmp_path), "bundle.json"),
        (("--out", tmp_path / "d", "--bundle", toy_bundle, "--query", "wing"), "wing"),
        (("--timeout", "0"), "whole number"),
    ):
        done = partdistill("demo", *arguments)
        assert done.code == 2 and words in done.err
    assert not (tmp_path / "d").exists()


@needs_ros
def test_the_whole_demo(partdistill, toy_bundle, tmp_path):
    out = tmp_path / "demo"
    done = partdistill("demo", "--bundle", toy_bundle, "--query", "top, bottom", "--clouds", 2, "--out", out, "--json")
    assert done.code == 0, done.err
    record = done.json()
    assert record == json.loads((out / "timings.json").read_text())
    assert record["clouds"] >= 2 and record["points"] == 307_200 and record["labeled_points"] > 5000
    assert {"decode", "extract", "network", "total", "published to labeled"} <= set(record["milliseconds"])
    assert len(set(record["processes"].values()) | {os.getpid()}) == 3, "three processes"
    assert record["node_megabytes"] < 500
    assert not any(os.path.exists(f"/proc/{pid}") for pid in record["processes"].values())
    assert Image.open(out / "before_after.png").width > 1000
    scene, labeled = load_scan(out / "scene.pcd"), load_scan(out / "labeled.ply")
    assert np.array_equal(labeled.points, scene.points, equal_nan=True)
    assert labeled.parts == ("top", "bottom") and (labeled.point_labels >= 0).sum() == record["labeled_points"]


@needs_ros
def test_a_node_that_cannot_start_is_quoted(partdistill, toy_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "RATE", 1e6)  # beyond what the publisher takes
    done = partdistill("demo", "--bundle", toy_bundle, "--query", "top, bottom", "--out", tmp_path / "demo")
    assert done.code == 1 and "scan_publisher ended with code 1" in done.err and "rate" in done.err
