# SPDX-License-Identifier: Apache-2.0
"""The middleware is set up for clouds unless somebody chose otherwise."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

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


@pytest.mark.parametrize(("variables", "problem"), [
    ({}, "HOME is not set"),
    ({"HOME": "{blocked}"}, "the log folder {blocked}/.ros/log cannot be written"),
    ({"HOME": "{home}", "ROS_LOG_DIR": "{blocked}/log"}, "the log folder {blocked}/log cannot be written"),
    ({"HOME": "{home}"}, ""),
    ({"HOME": "{blocked}", "ROS_HOME": "{home}"}, ""),
])  # fmt: skip
def test_a_log_folder_that_works(tmp_path, capsys, monkeypatch, variables, problem):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "blocked").write_text("a file, under which nobody can make a folder, root neither")
    paths = {"blocked": tmp_path / "blocked", "home": tmp_path / "home"}
    added = environment.log_folder({name: value.format(**paths) for name, value in variables.items()})
    told = capsys.readouterr().err
    if problem:
        folder = Path(added["ROS_LOG_DIR"])
        assert folder.parent == tmp_path and folder.is_dir()
        assert problem.format(**paths) in told and f"ROS logs to {folder}; set ROS_LOG_DIR" in told
    else:
        assert added == {} and told == "" and (tmp_path / "home").is_dir()


def test_no_log_folder_at_all_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "blocked").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "blocked"))
    with pytest.raises(PartDistillError, match="HOME is not set: set ROS_LOG_DIR to a folder that can be written"):
        environment.log_folder({})


def test_full_shared_memory_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "SHARED_MEMORY", tmp_path)
    environment.check_shared_memory()
    monkeypatch.setattr(environment, "_shared_memory", lambda: 12_000)
    with pytest.raises(PartDistillError, match=r"is full \(12 kB are free\).*fastdds shm clean.*--shm-size"):
        environment.check_shared_memory()
    monkeypatch.setattr(environment, "SHARED_MEMORY", tmp_path / "nothing")
    environment.check_shared_memory()
