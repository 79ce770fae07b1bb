# SPDX-License-Identifier: Apache-2.0
"""docs/ros.md and the README name the topics and services that the running node really has."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from partdistill_ros.errors import CommandFailed

KINDS = ("in", "out", "service")
ROW = re.compile(r"^\| (in|out|service) \| (.+?) \| (\S+?)(?: \|| ?:|,)", re.MULTILINE)
OF_ROS = ("rcl_interfaces/", "lifecycle_msgs/", "type_description_interfaces/")
"""Every managed node has these."""


def documented(page: str) -> dict[str, dict[str, str]]:
    """Type by name for each of `KINDS`, of the live node."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind, names, type_name in ROW.findall(page):
        for name in re.findall(r"`([^`]+)`", names):
            if not name.startswith("distill_trainer/"):
                found[kind][name] = type_name
    return found


@pytest.fixture(scope="module")
def table(repository):
    return documented((repository / "docs" / "ros.md").read_text())


def test_the_readme_names_nothing_else(repository, table):
    shown = documented((repository / "README.md").read_text())
    for kind in KINDS:
        assert shown[kind]
        assert set(shown[kind]) <= set(table[kind])


@pytest.mark.ros
def test_the_page_names_what_there_is(run_node, peer, toy_bundle_path, table):
    from partdistill_ros.nodes.outputs import STAGES

    debug = table["out"]["~/debug/<stage>_ms"]
    expected = {**table, "out": table["out"] | {f"~/debug/{stage}_ms": debug for stage in STAGES}}
    del expected["out"]["~/debug/<stage>_ms"]
    if importlib.util.find_spec("vision_msgs") is None:
        expected["out"] = {name: one for name, one in expected["out"].items() if not one.startswith("vision_msgs/")}
    said = {kind: {_resolved(name): one for name, one in expected[kind].items()} for kind in KINDS}

    run_node("part_segmenter", bundle=str(toy_bundle_path), query="top, bottom").wait_for("labeling")
    with contextlib.suppress(CommandFailed):  # the last of them is discovered after a while
        peer.until(lambda: _offered(peer.node) == said, "the same as on the page", 20)
    assert _offered(peer.node) == said


def _offered(node: Any) -> dict[str, dict[str, str]]:
    """What `part_segmenter` has, as far as it is discovered."""
    if "part_segmenter" not in node.get_node_names():
        return {}
    asked = {
        "in": node.get_subscriber_names_and_types_by_node,
        "out": node.get_publisher_names_and_types_by_node,
        "service": node.get_service_names_and_types_by_node,
    }
    return {
        kind: {name: types[0] for name, types in ask("part_segmenter", "/") if not types[0].startswith(OF_ROS)}
        for kind, ask in asked.items()
    }


def _resolved(name: str) -> str:
    return name.replace("~", "/part_segmenter") if name.startswith(("~", "/")) else f"/{name}"


@pytest.mark.ros
@pytest.mark.parametrize("page", ["ros.md", "consumers.md", "recipes.md", "train.md"])
def test_service_calls_of_the_pages_have_the_fields_of_their_types(repository, page):
    text = (repository / "docs" / page).read_text().replace("\\\n", " ")
    calls = re.findall(r'^ros2 service call \S+ +partdistill_ros/srv/(\w+) +"(\{.+\})"', text, re.MULTILINE)
    assert len(calls) == len(re.findall(r"^ros2 service call .* partdistill_ros/srv/", text, re.MULTILINE))
    for kind, values in calls:
        _fill(getattr(importlib.import_module("partdistill_ros.srv"), kind).Request(), YAML(typ="safe").load(values))


def _fill(message: Any, values: dict[str, Any]) -> None:
    """Sets the fields, as `ros2 service call` does; raises where one is not there or does not fit."""
    for name, value in values.items():
        if isinstance(value, dict):
            _fill(getattr(message, name), value)
        else:
            setattr(message, name, value)
