# SPDX-License-Identifier: Apache-2.0
"""The logic of the launch files, with stand-ins for `launch`; test_real_launch.py has the real one."""

from __future__ import annotations

import importlib.util
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.publisher_parameters import PublisherParameters
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.options import options_of

MODULES = {
    "launch": ["LaunchDescription"],
    "launch.actions": [
        "DeclareLaunchArgument", "IncludeLaunchDescription", "OpaqueFunction", "SetEnvironmentVariable",
    ],
    "launch.conditions": ["IfCondition"],
    "launch.launch_description_sources": ["PythonLaunchDescriptionSource"],
    "launch.substitutions": ["LaunchConfiguration"],
    "launch_ros": [],
    "launch_ros.actions": ["Node"],
    "launch_ros.parameter_descriptions": ["ParameterValue"],
}  # fmt: skip


class Recorded:
    """Keeps what it was made with; a LaunchConfiguration looks its value up in the context."""

    def __init__(self, *values: Any, **named: Any) -> None:
        self.values, self.named = values, named

    def perform(self, context: dict[str, str]) -> str:
        return context[self.values[0]]


@pytest.fixture
def stand_ins(monkeypatch):
    for name, members in MODULES.items():
        module = ModuleType(name)
        for member in members:
            setattr(module, member, type(member, (Recorded,), {}))
        monkeypatch.setitem(sys.modules, name, module)


def load(repository: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name.split(".")[0], repository / "launch" / name)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def declared(actions) -> dict[str, Recorded]:
    return {action.values[0]: action for action in actions if type(action).__name__ == "DeclareLaunchArgument"}


def context_of(actions, **given: str) -> dict[str, str]:
    defaults = {name: argument.named["default_value"] for name, argument in declared(actions).items()}
    assert set(given) <= set(defaults)
    return defaults | given


@pytest.mark.parametrize("name", ["segment.launch.py", "demo.launch.py", "distill.launch.py"])
def test_every_argument_is_described(stand_ins, repository, name):
    arguments = declared(load(repository, name).arguments())
    assert arguments
    for argument, described in arguments.items():
        assert len(described.named["description"]) > 10, argument


def test_every_parameter_is_an_argument(stand_ins, repository):
    arguments = declared(load(repository, "segment.launch.py").generate_launch_description().values[0])
    assert {known.name for known in options_of(SegmenterParameters())} <= set(arguments)


def test_the_node_gets_what_was_given_and_the_file_for_the_rest(stand_ins, repository):
    module = load(repository, "segment.launch.py")
    context = context_of(module.arguments(), points_topic="/cam/points", enable="false", threads="4")
    (node,) = module.segmenter(context)
    assert (node.named["package"], node.named["executable"]) == ("partdistill_ros", "part_segmenter")
    file, _, given = node.named["parameters"]
    assert Path(file.perform(context)) == repository / "config" / "segment.yaml"
    assert given == {"enable": False, "threads": 4}
    remapped = {old: new.perform(context) for old, new in node.named["remappings"]}
    assert remapped["points"] == "/cam/points" and remapped["labeled_points"] == "labeled_points"


def test_a_wrong_argument_is_refused_before_anything_starts(stand_ins, repository):
    module = load(repository, "segment.launch.py")
    with pytest.raises(PartDistillError, match="'scene_mode' is 'shelf'"):
        module.segmenter(context_of(module.arguments(), scene_mode="shelf"))


def test_the_transports_are_set(stand_ins, repository, monkeypatch):
    for name in ("FASTDDS_BUILTIN_TRANSPORTS", "FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    actions = load(repository, "segment.launch.py").generate_launch_description().values[0]
    names = {action.values[0] for action in actions if type(action).__name__ == "SetEnvironmentVariable"}
    assert names & {"FASTDDS_BUILTIN_TRANSPORTS", "FASTDDS_DEFAULT_PROFILES_FILE"}


def test_the_demo_plays_a_made_up_scene_unless_told(stand_ins, repository, tmp_path, monkeypatch):
    module, ends = load(repository, "demo.launch.py"), []
    monkeypatch.setattr("atexit.register", lambda end, *given, **named: ends.append(partial(end, *given, **named)))
    arguments = declared(module.arguments())
    wanted = {known.name for known in options_of(PublisherParameters()) if not known.name.startswith("qos.")}
    assert set(arguments) == wanted
    (node,) = module.publisher(context_of(module.arguments(), source=str(tmp_path), rate="5"))
    assert node.named["parameters"] == [{"source": str(tmp_path), "rate": 5.0}]
    (node,) = module.publisher(context_of(module.arguments()))
    scene = Path(node.named["parameters"][0]["source"])
    assert scene.stat().st_size > 100_000
    for end in ends:
        end()
    assert not scene.parent.exists()


def test_rviz_shows_the_topics_under_the_names_that_they_have_here(stand_ins, repository):
    module = load(repository, "segment.launch.py")
    (node,) = module.viewer(context_of(module.arguments(), rviz_frame="map"))
    assert node.named["arguments"] == ["-d", str(repository / "config" / "segment.rviz"), "-f", "map"]
    assert [old for old, _ in node.named["remappings"]] == list(module.TOPICS)
    (node,) = module.viewer(context_of(module.arguments()))
    assert "-f" not in node.named["arguments"]


def test_the_trainer_gets_a_parameter_file_only_where_there_is_one(stand_ins, repository, tmp_path):
    module = load(repository, "distill.launch.py")
    (node,) = module.trainer(context_of(module.arguments(), params_file="/my/distill.yaml", namespace="left"))
    assert (node.named["executable"], node.named["parameters"]) == ("distill_trainer", ["/my/distill.yaml"])
    (node,) = module.trainer(context_of(module.arguments(), params_file=""))
    assert node.named["parameters"] == []
    default = declared(module.arguments())["params_file"].named["default_value"]
    assert default == "" or Path(default).is_file()
