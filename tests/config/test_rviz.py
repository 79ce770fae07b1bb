# SPDX-License-Identifier: Apache-2.0
"""The RViz configuration shows what the node publishes, and asks for no more than it offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters

# What is published under which name, as docs/ros.md lists it: class of the display, and latched or not.
KINDS = {
    "points": ("PointCloud2", "Volatile"),
    "labeled_points": ("PointCloud2", "Volatile"),
    "part_markers": ("MarkerArray", "Volatile"),
    "part_legend_image": ("Image", "Transient Local"),
}


@pytest.fixture(scope="module")
def displays(repository: Path) -> list[dict[str, Any]]:
    content = YAML(typ="safe").load(repository / "config" / "segment.rviz")
    return [display for display in content["Visualization Manager"]["Displays"] if "Topic" in display]


def test_every_display_listens_to_a_topic_of_its_kind(displays):
    assert {display["Topic"]["Value"] for display in displays} == set(KINDS)
    for display in displays:
        kind, durability = KINDS[display["Topic"]["Value"]]
        assert display["Class"] == f"rviz_default_plugins/{kind}", display["Name"]
        assert display["Topic"]["Durability Policy"] == durability, display["Name"]


def test_topics_are_relative_so_that_a_namespace_and_remappings_hold(displays):
    assert not any(display["Topic"]["Value"].startswith("/") for display in displays)


def test_reliability_fits_what_the_node_offers_by_default(displays):
    offered = SegmenterParameters().qos
    for display in displays:
        asked = display["Topic"]["Reliability Policy"].lower().replace(" ", "_")
        if display["Topic"]["Value"] == "points":
            assert asked == "best_effort", "cameras publish with either"
        else:
            by_topic = getattr(offered, display["Topic"]["Value"], None)
            assert asked == (by_topic.reliability if by_topic is not None else "reliable"), display["Name"]


def test_cloud_boxes_names_and_legend_are_on_from_the_start(displays):
    shown = {display["Name"]: display for display in displays if display["Enabled"]}
    assert {"Parts", "Objects and parts", "Legend"} <= set(shown)
    namespaces = dict.fromkeys(("boxes", "names", "numbers", "objects"), True)
    assert shown["Objects and parts"]["Namespaces"] == namespaces
    assert shown["Parts"]["Color Transformer"] == "RGB8"


def test_channels_are_fields_of_the_labeled_cloud(displays):
    from partdistill_ros.pointcloud.layout import LABELED_FIELDS

    channels = {display["Channel Name"] for display in displays if "Channel Name" in display}
    assert channels and channels <= {name for name, *_ in LABELED_FIELDS}
