# SPDX-License-Identifier: Apache-2.0
"""The middleware is set up for clouds unless somebody chose otherwise."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import time
import xml.etree.ElementTree as ElementTree

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes import environment


@pytest.mark.parametrize(("distribution", "variable"), [
    ("", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ("kilted", "FASTDDS_DEFAULT_PROFILES_FILE"),
    ("jazzy", "FASTRTPS_DEFAULT_PROFILES_FILE"),
])  # fmt: skip
def test_a_profile_with_room_for_clouds(monkeypatch, distribution, variable):
    monkeypatch.setattr(environment, "_shared_memory", lambda: environment.ROOM)
    added = environment.cloud_transports({"ROS_DISTRO": distribution})
    assert added == {variable: str(environment.PROFILE)}
    size = ElementTree.parse(environment.PROFILE).find(".//{*}segment_size")
    assert 1.5 * 307_200 * 32 < int(size.text) < environment.ROOM / 2


def test_little_shared_memory(monkeypatch):
    monkeypatch.setattr(environment, "_shared_memory", lambda: environment.ROOM - 1)
    assert environment.cloud_transports({}) == {"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"}


def test_no_shared_memory_at_all(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "SHARED_MEMORY", tmp_path / "nothing")
    assert environment.cloud_transports({}) == {"FASTDDS_BUILTIN_TRANSPORTS": "LARGE_DATA"}


@pytest.mark.parametrize("name", [environment.TRANSPORTS, *environment.PROFILE_VARIABLES])
def test_a_choice_made_stays(name):
    assert environment.cloud_transports({name: "mine"}) == {}


@pytest.mark.parametrize(
    ("missing", "words"), [("rclpy", "ROS 2's Python client"), ("partdistill_ros.msg", "not built")]
)
def test_what_is_missing_is_named_with_its_remedy(monkeypatch, missing, words):
    find = importlib.util.find_spec
    present = importlib.util.find_spec("json")
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == missing else present if name in ("rclpy", "partdistill_ros.msg") else find(name),
    )
    monkeypatch.setenv(environment.TRANSPORTS, "DEFAULT")
    with pytest.raises(PartDistillError, match=words):
        environment.prepare()


def segment(folder, name, megabytes, age=60.0):
    """A segment as Fast DDS makes it; its lock file, open."""
    (folder / name).write_bytes(bytes(megabytes * 10**6))
    lock = open(folder / f"{name}_el", "wb")  # noqa: SIM115
    os.utime(lock.name, (time.time() - age,) * 2)
    return lock


def test_what_killed_programs_left_in_shared_memory_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "SHARED_MEMORY", tmp_path)
    assert environment.dead_segments() == ""
    with segment(tmp_path, "fastdds_0123456789abcdef", 9) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # its program lives
        segment(tmp_path, "fastdds_port7412", 1).close()  # of many programs
        segment(tmp_path, "fastdds_00000000000000aa", 5, age=0.0).close()  # perhaps just being made
        assert environment.dead_segments() == ""
    segment(tmp_path, "fastrtps_fedcba9876543210", 3).close()
    told = environment.dead_segments()
    assert "12 MB" in told and "2 segments" in told and "fastdds shm clean" in told


def test_own_segments_are_those_whose_lock_is_held(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "SHARED_MEMORY", tmp_path)
    segment(tmp_path, "fastdds_0123456789abcdef", 1).close()
    with segment(tmp_path, "fastdds_00000000000000aa", 1), segment(tmp_path, "fastdds_port7412", 1):
        environment.remove_own_segments()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "fastdds_0123456789abcdef", "fastdds_0123456789abcdef_el", "fastdds_port7412", "fastdds_port7412_el",
    ]  # fmt: skip
