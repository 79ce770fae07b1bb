# SPDX-License-Identifier: Apache-2.0
"""docs/record.md: its commands are accepted, its parameters and services are there."""

from __future__ import annotations

import re
import shlex

import pytest

from partdistill_ros.cli.main import build_parser
from partdistill_ros.options import options_of


@pytest.fixture(scope="module")
def guide(repository) -> str:
    return (repository / "docs" / "record.md").read_text(encoding="utf-8")


def test_commands_are_accepted(guide) -> None:
    commands = re.findall(r"^partdistill (.*)$", guide, re.MULTILINE)
    assert len(commands) >= 7
    for command in commands:
        build_parser().parse_args(shlex.split(command))


def test_parameters_are_there(guide) -> None:
    pytest.importorskip("rclpy", reason="rclpy is not installed: source ROS 2 or run make")
    from partdistill_ros.nodes.recorder_parameters import RecorderParameters

    known = {one.name for one in options_of(RecorderParameters())}
    named = set(re.findall(r"`(\w+):=|-p (\w+):=", guide))
    assert {first or second for first, second in named} <= known and len(named) >= 5
