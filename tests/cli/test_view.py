# SPDX-License-Identifier: Apache-2.0
"""Looking at clouds: what is refused before any work, turntables, and the page."""

import importlib.util
import sys

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.cli import view
from partdistill_ros.io.load import load_scan
from partdistill_ros.visualization.browser import BrowserViewer

HAS_ROS = importlib.util.find_spec("rclpy") and importlib.util.find_spec("partdistill_ros.msg")
needs_ros = pytest.mark.skipif(not HAS_ROS, reason="needs rclpy and the built interfaces: run make")
needs_viser = pytest.mark.skipif(
    importlib.util.find_spec("viser") is None, reason="viser is not installed: it comes with the extra 'view'"
)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "either a FILE or a --topic"),
        (("FILE", "--topic", "labeled_points"), "either a FILE or a --topic"),
        (("FILE", "--legend", "part_legend"), "--legend needs --topic"),
        (("--topic", "labeled_points", "--query", "cup"), "part_query"),
        (("FILE", "--scene", "tabletop"), "--scene needs --query"),
        (("FILE", "--query", "cup", "--join-parts"), "--join-parts need --scene tabletop"),
        (("FILE", "--bundle", "default"), "--bundle needs --query"),
        (("FILE", "--query", "cup", "--scene", "tabletop", "--up", "z"), "--up does not go with"),
        (("FILE", "--frames", "3"), "--frames needs --turntable"),
        (("FILE", "--turntable", "out.mp4"), "ends in .gif or .webp or .png"),
        (("FILE", "--port", "70000"), "below 65536"),
        (("--topic", "labeled_points", "--unit", "mm"), "parameter 'unit'"),
        (("FILE", "--unit", "inch"), "invalid choice"),
        (("FILE", "--port", "0"), "whole number from 1"),
        (("missing.ply", "--turntable", "out.gif"), "missing.ply"),
    ],
)
def test_wrong_usage_is_refused_with_the_remedy(partdistill, cloud_file, arguments, words):
    done = partdistill("view", *(cloud_file if word == "FILE" else word for word in arguments))
    assert done.code == 2 and words in done.err


def test_without_viser_the_extra_is_named_and_turntables_work(partdistill, cloud_file, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    done = partdistill("view", cloud_file, "--json")
    assert done.code == 2 and "partdistill_ros[view]" in done.json()["error"]
    assert partdistill("view", cloud_file, "--turntable", tmp_path / "out.png", "--frames", 1).code == 0


def test_a_turntable_of_a_labeled_file(partdistill, cloud_file, tmp_path):
    out = tmp_path / "post.gif"
    done = partdistill("view", cloud_file, "--turntable", out, "--frames", 5, "--json")
    assert done.code == 0, done.err
    labels = load_scan(cloud_file).point_labels
    assert done.json() == {
        "source": str(cloud_file),
        "out": str(out),
        "frames": 5,
        "points": 3000,
        "parts": {"top": int((labels == 0).sum()), "bottom": int((labels == 1).sum())},
    }
    with Image.open(out) as picture:
        assert picture.n_frames == 5


@pytest.mark.parametrize("kind", ["cloud", "mesh"])
def test_a_turntable_of_a_students_answer(partdistill, kind, cloud_file, mesh_file, toy_bundle, tmp_path):
    file = cloud_file if kind == "cloud" else mesh_file
    asked = ("--query", "top, bottom", "--bundle", toy_bundle, "--up", "z", "--turntable", tmp_path / "post.png")
    done = partdistill("view", file, *asked, "--json")
    assert done.code == 0, done.err
    record = done.json()
    assert record["frames"] == view.STILL_FRAMES and Image.open(record["out"]).width > 4 * 400
    top, bottom = record["parts"]["top"], record["parts"]["bottom"]
    assert top + bottom > 0.9 * record["points"] and 0.8 < top / bottom < 1.25


@pytest.mark.parametrize("command", ["view", "segment"])
def test_a_name_without_rivals_is_told_of(partdistill, command, cloud_file, toy_bundle, tmp_path):
    out = ("--turntable", tmp_path / "post.png") if command == "view" else ("--out", tmp_path / "labeled.npz")
    done = partdistill(command, cloud_file, "--query", "tower: top", "--bundle", toy_bundle, *out)
    assert done.code == 0 and "nothing competes with 'top'" in done.err


@needs_viser
def test_a_file_is_shown_until_it_is_time_to_end(partdistill, cloud_file, monkeypatch):
    shown = []
    monkeypatch.setattr(BrowserViewer, "show", lambda self, content: shown.append(content))
    done = partdistill("view", cloud_file, "--seconds", 1, "--port", 8790, "--json")
    assert done.code == 0, done.err
    record = done.json()
    assert record["shown"] == len(shown) == 1 and record["url"].startswith("http://127.0.0.1:")
    assert np.array_equal(shown[0].labels, load_scan(cloud_file).point_labels)
    assert record["url"] in done.err


@needs_viser
def test_ctrl_c_is_the_ordinary_end(partdistill, cloud_file, monkeypatch):
    def interrupted(self, content):
        raise KeyboardInterrupt

    monkeypatch.setattr(BrowserViewer, "show", interrupted)
    done = partdistill("view", cloud_file, "--port", 8790)
    assert done.code == 0 and "ended" in done.err


@needs_ros
def test_a_silent_topic_gives_no_turntable(partdistill, tmp_path):
    out = tmp_path / "live.gif"
    done = partdistill("view", "--topic", "/nowhere/labeled_points", "--seconds", 1, "--turntable", out)
    assert done.code == 1 and "no labeled cloud came on /nowhere/labeled_points within 1 s" in done.err
    assert not out.exists()
