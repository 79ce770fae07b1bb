# SPDX-License-Identifier: Apache-2.0
"""The launch files under the real `launch` and `launch_ros`, as `ros2 launch` runs them."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.label_subscriber import LabelSubscriber
from partdistill_ros.synthetic.table_scene import make_scene


def missing_launch() -> str:
    """Why these tests cannot run; empty where they can."""
    # The folder launch/ of the repository is importable too, as an empty namespace: ask for a member.
    try:
        import launch.actions  # noqa: F401
        import launch_ros.actions  # noqa: F401
    except ImportError:
        return "launch and launch_ros are part of a ROS 2 installation"
    if importlib.util.find_spec("partdistill_ros.msg") is None:
        return "the interfaces of partdistill_ros are not built: run make or colcon build"
    return ""


pytestmark = pytest.mark.skipif(bool(missing_launch()), reason=missing_launch())

LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import AnyLaunchDescriptionSource

source = AnyLaunchDescriptionSource(sys.argv[1])
arguments = [tuple(word.split(":=", 1)) for word in sys.argv[2:]]
service = LaunchService()
service.include_launch_description(LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments)]))
sys.exit(service.run())
"""


def start(repository: Path, name: str, log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A launch file in a process group of its own, as a shell would start it."""
    path = os.pathsep.join([str(repository), *filter(None, [os.environ.get("PYTHONPATH", "")])])
    with open(log, "wb") as output:
        return subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(repository / "launch" / name), *arguments],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "ROS_LOG_DIR": str(log.parent)},
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@pytest.mark.parametrize("name", ["segment.launch.py", "demo.launch.py", "distill.launch.py"])
def test_every_argument_is_declared_and_described(repository, name):
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    from launch import LaunchContext

    source = AnyLaunchDescriptionSource(str(repository / "launch" / name))
    arguments = source.get_launch_description(LaunchContext()).get_launch_arguments()
    assert {"namespace", "log_level"} <= {argument.name for argument in arguments}
    assert all(len(argument.description) > 10 for argument in arguments)


@pytest.mark.parametrize(
    "name, argument, words",
    [
        ("segment.launch.py", "scene_mode:=shelf", "must be one of"),
        ("segment.launch.py", "log_level:=loud", "Valid options are"),
        ("distill.launch.py", "log_level:=loud", "Valid options are"),
        ("demo.launch.py", "rate:=fast", "must be a number"),
    ],
)
def test_a_wrong_argument_ends_the_launch_with_a_sentence(repository, tmp_path, name, argument, words):
    log = tmp_path / "launch.log"
    assert start(repository, name, log, argument).wait(60) == 1
    assert words in log.read_text()


def test_the_demo_labels_clouds_and_ends_with_ctrl_c(repository, tmp_path):
    installed = pytest.importorskip("ament_index_python.packages").get_packages_with_prefixes()
    if "partdistill_ros" not in installed:
        pytest.skip("partdistill_ros is not installed in an ament prefix: run make or colcon build")
    log, scene = tmp_path / "launch.log", tmp_path / "scene.pcd"
    save_scan(scene, make_scene(3).scan)
    topics = ["namespace:=left", "points_topic:=/camera/points", "labeled_points_topic:=/labeled_points"]
    running = start(repository, "demo.launch.py", log, f"source:={scene}", *topics)
    try:
        with LabelSubscriber(domain=int(os.environ["ROS_DOMAIN_ID"])) as subscriber:
            subscriber.until(lambda: bool(subscriber.received.clouds), "a labeled cloud", 120)
    finally:
        os.killpg(running.pid, signal.SIGINT)
        code = running.wait(60)
    printed = log.read_text()
    assert (subscriber.received.clouds[0].labels >= 0).sum() > 100
    assert code == 0, printed
    assert "labeling 'mug: handle, cup' on /camera/points" in printed
    assert printed.count("process has finished cleanly") == 2 and "Traceback" not in printed, printed
