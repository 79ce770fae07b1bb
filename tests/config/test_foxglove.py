# SPDX-License-Identifier: Apache-2.0
"""The Foxglove layout, and RViz's, ask for topics that docs/ros.md lists, and every panel stands in the layout once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML


@pytest.fixture(scope="module")
def layout(repository: Path) -> dict[str, Any]:
    return json.loads((repository / "config" / "foxglove.json").read_text())


@pytest.fixture(scope="module")
def listed(repository: Path) -> dict[str, str]:
    """Type by topic, as the node resolves it, of docs/ros.md."""
    found = {}
    for names, kind in re.findall(
        r"^\| (?:in|out) \| (.+?) \| (\S+) \|", (repository / "docs/ros.md").read_text(), re.M
    ):
        for name in re.findall(r"`([^`]+)`", names):
            found["/" + name.replace("~", "part_segmenter").lstrip("/")] = kind
    return found


def panels(tree: Any) -> Iterator[str]:
    """The panels of a layout, each a branch's `first` or `second`."""
    if isinstance(tree, str):
        yield tree
        return
    assert tree["direction"] in ("row", "column") and 0 < tree["splitPercentage"] < 100
    yield from panels(tree["first"])
    yield from panels(tree["second"])


def test_every_panel_stands_in_the_layout_once(layout):
    assert sorted(panels(layout["layout"])) == sorted(layout["configById"])
    assert {panel.split("!")[0] for panel in layout["configById"]} == {"3D", "Image", "Plot", "DiagnosticSummary"}


def test_the_scene_shows_parts_and_objects_of_listed_topics(layout, listed):
    topics = layout["configById"]["3D!parts"]["topics"]
    assert set(topics) <= set(listed)
    assert {topic for topic, shown in topics.items() if shown["visible"]} == {"/labeled_points", "/part_markers"}
    for topic, shown in topics.items():
        assert ("colorField" in shown) == (listed[topic] == "sensor_msgs/msg/PointCloud2"), topic


def test_legend_times_and_diagnostics_come_from_listed_topics(layout, listed):
    pytest.importorskip("rclpy", reason="rclpy is not installed: source ROS 2 or run make")
    from partdistill_ros.nodes.outputs import STAGES

    configurations = layout["configById"]
    assert listed[configurations["Image!legend"]["imageMode"]["imageTopic"]] == "sensor_msgs/msg/Image"
    assert configurations["DiagnosticSummary!node"]["topicToRender"] in listed
    assert listed["/part_segmenter/debug/<stage>_ms"] == "std_msgs/msg/Float64"
    for path in configurations["Plot!times"]["paths"]:
        stage = re.fullmatch(r"/part_segmenter/debug/(\w+)_ms\.data", path["value"])
        assert path["enabled"] and stage is not None and stage[1] in STAGES


def test_rviz_asks_for_listed_topics(repository, listed):
    displays = YAML(typ="safe").load(repository / "config/segment.rviz")["Visualization Manager"]["Displays"]
    topics = {f"/{display['Topic']['Value']}": display["Class"] for display in displays if "Topic" in display}
    assert {"/labeled_points", "/part_markers", "/part_legend_image"} <= set(topics) <= set(listed)
    for topic, display in topics.items():
        assert display.split("/")[1] == listed[topic].split("/")[2], topic
