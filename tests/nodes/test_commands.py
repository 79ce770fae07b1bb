# SPDX-License-Identifier: Apache-2.0
"""Every node is a command, and ends quietly whenever it is interrupted."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes import commands

NODES = ("part_segmenter", "scan_publisher", "scan_recorder", "distill_trainer")


def test_the_commands_are_those_of_both_ways_to_install(repository):
    project, cmake = (repository / name for name in ("pyproject.toml", "CMakeLists.txt"))
    for node in NODES:
        assert callable(getattr(commands, node))
        assert f'{node} = "partdistill_ros.nodes.commands:{node}"' in project.read_text()
    assert f"foreach(node {' '.join(NODES)})" in cmake.read_text()


def test_nothing_heavy_is_imported_before_the_signals_are_minded(ros_environment):
    code = "import sys, partdistill_ros.nodes.commands; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=ros_environment, capture_output=True, text=True, check=True)
    assert not {"numpy", "onnxruntime", "rclpy"} & set(done.stdout.split())


@pytest.mark.ros
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_of_the_start_is_a_clean_end(ros_environment, tmp_path, number):
    program = (
        "import sys; from partdistill_ros.nodes.commands import part_segmenter;"
        "print('minded', flush=True); sys.exit(part_segmenter())"
    )
    moments = random.Random(int(number))
    for _ in range(4):
        node = subprocess.Popen(
            [sys.executable, "-c", program],
            env=os.environ | ros_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert node.stdout.readline() == "minded\n"
        time.sleep(0.05 + moments.uniform(0, 1.5))
        node.send_signal(number)
        said, _ = node.communicate(timeout=30)
        assert node.returncode == 0, said
        assert "Traceback" not in said and "[ERROR]" not in said


SMALL_NODE = """
import sys
from rclpy.node import Node
from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.commands import NodeEnded, run_node

class Small(Node):
    def __init__(self):
        super().__init__("small")
        if sys.argv[1] == "refuses":
            raise PartDistillError("the bundle is damaged: fetch it again")
        self.create_timer(0.01, self.tick)

    def start(self):
        return sys.argv[1] != "fails"

    def stop(self):
        print("stopping", flush=True)
        return sys.argv[1] != "hangs"

    def tick(self):
        raise KeyboardInterrupt if sys.argv[1] == "interrupted" else NodeEnded

sys.exit(run_node(Small, []))
"""


@pytest.mark.ros
@pytest.mark.parametrize(("case", "code", "words"), [
    ("ends", 0, "stopping"),
    ("interrupted", 0, "stopping"),
    ("hangs", 0, "stopping"),
    ("fails", 1, "stopping"),
    ("refuses", 1, "error: the bundle is damaged: fetch it again"),
])  # fmt: skip
def test_exit_codes(ros_environment, case, code, words):
    done = subprocess.run(
        [sys.executable, "-c", SMALL_NODE, case],
        env=os.environ | ros_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stderr
    assert words in done.stdout + done.stderr and "Traceback" not in done.stderr


@pytest.mark.ros
def test_ros_arguments_that_cannot_be_read_are_told_and_no_clean_end(ros_environment, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("part_segmenter: [")
    for arguments, words in ((["--params-file", str(broken)], "broken.yaml"), (["--fly"], "--fly")):
        start = f"main(['--ros-args', *{arguments}])"
        code = f"from partdistill_ros.nodes.part_segmenter import main; raise SystemExit({start})"
        done = subprocess.run(
            [sys.executable, "-c", code], env=ros_environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1, done.stderr
        assert "error: what stands behind --ros-args cannot be used: " in done.stderr and words in done.stderr


def shared_memory(process) -> list[Path]:
    """The segments that a running process keeps locked, one for each of its DDS participants."""
    links = [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir() if link.exists()]
    return [Path(link.removesuffix("_el")) for link in links if link.endswith("_el") and "_port" not in link]


@pytest.mark.ros
@pytest.mark.parametrize("node", NODES)
def test_a_clean_end_gives_its_shared_memory_back(run_node, toy_bundle_path, table_scene, tmp_path, node):
    save_scan(tmp_path / "scene.npz", table_scene)
    parameters, words = {
        "part_segmenter": ({"bundle": str(toy_bundle_path), "query": "top, bottom"}, "labeling"),
        "scan_publisher": ({"source": str(tmp_path / "scene.npz")}, "playing"),
        "scan_recorder": ({"collection": str(tmp_path / "scans")}, "ready"),
        "distill_trainer": ({"store": str(tmp_path / "store")}, "ready"),
    }[node]
    for number in (signal.SIGINT, signal.SIGTERM):
        started = run_node(node, **parameters)
        started.wait_for(words)
        segments = shared_memory(started.process)
        assert segments and all(segment.exists() for segment in segments)
        assert started.end(number) == 0
        assert not [segment for segment in segments if segment.exists()]


@pytest.mark.ros
def test_an_end_in_the_middle_of_work_gives_its_shared_memory_back(run_node, peer, toy_bundle_path, table_scene):
    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query="top, bottom", diagnostics_period=0.1)
    node.wait_for("labeling")
    peer.connect()
    segments = shared_memory(node.process)
    huge = table_scene.select(np.tile(np.arange(len(table_scene.points)), 53)[:1_000_000])
    peer.points.publish(peer.cloud(huge))

    def received():
        values = {one.key: one.value for array in peer.messages["/diagnostics"] for one in array.status[0].values}
        return values.get("clouds received") == "1"

    peer.until(received, "the cloud")
    assert node.end() == 0
    assert segments and not [segment for segment in segments if segment.exists()]


@pytest.mark.ros
@pytest.mark.parametrize("home", [None, "/dev/null"])
def test_a_node_without_a_home_starts_and_says_where_it_logs(ros_environment, run_node, tmp_path, home):
    for name in ("HOME", "ROS_HOME", "ROS_LOG_DIR"):
        ros_environment.pop(name, None)
    ros_environment["TMPDIR"] = str(tmp_path)
    if home is not None:
        ros_environment["HOME"] = home
    node = run_node("scan_recorder", collection=str(tmp_path / "scans"))
    node.wait_for("ready")
    assert node.end() == 0
    assert f"ROS logs to {tmp_path}/ros_log_" in node.output() and "Traceback" not in node.output()
    assert any(tmp_path.glob("ros_log_*/*.log"))
