# SPDX-License-Identifier: Apache-2.0
"""The recorder as its users meet it: a process of its own, clouds, tf and services on real DDS."""

from __future__ import annotations

import signal
import time
from functools import cache
from pathlib import Path

import numpy as np
import orbit
import pytest

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection

pytest.importorskip("std_srvs", reason="std_srvs is not installed: run make or source ROS 2")
pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def view():
    """`view(degrees, take=0)`: a mug on a table, see `orbit.py`."""
    return cache(orbit.view)


@pytest.fixture
def mugs(tmp_path) -> Path:
    return tmp_path / "mugs"


class Robot:
    """A camera that publishes clouds, and tf; and somebody who calls the recorder."""

    def __init__(self, peer, node) -> None:
        self.peer, self.node = peer, node
        node.wait_for("ready: ")
        peer.until(lambda: peer.points.get_subscription_count(), "the recorder's subscription")

    def call(self, name: str) -> tuple[bool, str]:
        from std_srvs.srv import Trigger

        answer = self.peer.call(Trigger, f"scan_recorder/{name}")
        return answer.success, answer.message

    def show(self, scan: Scan, words: str, before=lambda stamp: None) -> None:
        """Publishes a cloud until the recorder has printed `words` once more often."""
        seen = self.node.output().count(words)
        end = time.monotonic() + 60

        def said() -> bool:
            return self.node.output().count(words) > seen

        while not said() and time.monotonic() < end:
            time.sleep(0.25)  # tf of two views must not overlap
            message = self.peer.cloud(scan)
            before(message.header.stamp)
            self.peer.points.publish(message)
            until = time.monotonic() + 5.0
            while time.monotonic() < until and not said():
                self.peer.spin(0.02)
        assert said(), self.node.output()

    def tf(self):
        """A function that publishes where the camera is in `world`, around a time."""
        from geometry_msgs.msg import TransformStamped
        from scipy.spatial.transform import Rotation

        tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs is not installed: run make or source ROS 2")
        publisher = self.peer.node.create_publisher(tf2_msgs.TFMessage, "/tf", 100)
        self.peer.until(publisher.get_subscription_count, "the recorder's subscription to tf")

        def send(pose: np.ndarray, stamp) -> None:
            now = stamp.sec * 10**9 + stamp.nanosec
            for when in (now - 10**8, now + 10**8):
                one = TransformStamped(child_frame_id="camera")
                one.header.frame_id = "world"
                one.header.stamp.sec, one.header.stamp.nanosec = divmod(when, 10**9)
                moved, turned = one.transform.translation, one.transform.rotation
                moved.x, moved.y, moved.z = pose[:3, 3].tolist()
                turned.x, turned.y, turned.z, turned.w = Rotation.from_matrix(pose[:3, :3]).as_quat().tolist()
                publisher.publish(tf2_msgs.TFMessage(transforms=[one]))

        return send


def test_start_stop_discard(run_node, peer, view, mugs) -> None:
    robot = Robot(peer, run_node("scan_recorder", collection=str(mugs), name="mug", category="Mug", period=0.0))
    assert robot.call("stop") == (False, "no recording is under way: call ~/start first")
    assert robot.call("start") == (True, f"recording /points into {mugs}")
    assert robot.call("start")[0] is False
    for angle, name in ((0, "mug: "), (40, "mug_2: ")):
        robot.show(view(angle).scan, name)
    success, words = robot.call("stop")
    assert success and words.startswith("2 scans of ")
    assert robot.call("start")[0]
    robot.show(view(80).scan, "mug_3: ")
    assert robot.call("discard") == (True, "discarded: mug_3")
    collection = Collection.open(mugs)
    assert [(member.name, member.manifest.category) for member in collection.scans()] == [
        ("mug", "mug"),
        ("mug_2", "mug"),
    ]
    member, scan = next(collection.load())
    assert scan.colors is not None and scan.up is not None and 1000 < len(scan.points) < 4000
    assert (member.folder / "picture.png").is_file() and (member.folder / "views" / "00.png").is_file()
    assert member.manifest.captures[0].frame == "camera" and member.manifest.source["topic"] == "/points"


def test_parameters_count_from_the_next_start_on(run_node, peer, view, mugs) -> None:
    from rcl_interfaces.srv import SetParametersAtomically
    from rclpy.parameter import Parameter

    robot = Robot(peer, run_node("scan_recorder", collection=str(mugs), name="mug", period=0.0))
    assert robot.call("start")[0]
    changes = {"name": "cup", "collection": str(mugs.with_name("cups")), "cut": "none", "period": 3600.0, "unit": "mm"}
    messages = [Parameter(name, value=value).to_parameter_msg() for name, value in changes.items()]
    name = "scan_recorder/set_parameters_atomically"
    assert peer.call(SetParametersAtomically, name, parameters=messages).result.successful
    robot.show(view(0).scan, "mug: ")
    robot.show(view(40).scan, "mug_2: ")
    assert robot.call("stop")[0]
    assert [member.name for member in Collection.open(mugs).scans()] == ["mug", "mug_2"]
    assert robot.call("start")[1] == f"recording /points into {mugs.with_name('cups')}"


def test_tf_joins_views_and_ctrl_c_writes_them(run_node, peer, view, mugs) -> None:
    pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")
    node = run_node("scan_recorder", collection=str(mugs), object_frame="world", name="mug", period=0.0, tf_wait=10.0)
    robot = Robot(peer, node)
    send = robot.tf()
    assert robot.call("start")[0]
    angles = range(0, 300, 60)
    for angle in angles:
        seen = view(angle)
        robot.show(seen.scan, "view ", lambda stamp, pose=seen.pose: send(pose, stamp))
    assert Collection.open(mugs).scans() == []
    code = node.end(signal.SIGINT)
    assert (code, "Traceback" in node.output()) == (0, False), node.output()
    ((member, scan),) = Collection.open(mugs).load()
    assert len(member.manifest.captures) == len(angles) and "1 scan of " in node.output()
    np.testing.assert_allclose(member.manifest.captures[0].pose, view(0).pose, atol=1e-6)
    assert scan.viewpoint is None and np.ptp(scan.points, axis=0).max() < 0.25


def test_without_tf_views_stay_single_and_that_is_said(run_node, peer, view, mugs) -> None:
    for module in ("small_gicp", "tf2_msgs"):
        pytest.importorskip(module, reason=f"{module} is not installed: run make")
    node = run_node("scan_recorder", collection=str(mugs), object_frame="turntable", tf_wait=0.1, period=0.0)
    robot = Robot(peer, node)
    assert robot.call("start")[0]
    robot.show(view(0).scan, "scan: ")
    assert "a view is not joined: no transform from the cloud's frame 'camera' to 'turntable'" in node.output()
    assert robot.call("stop")[0] and len(Collection.open(mugs).scans()) == 1


def test_bad_clouds_are_told_and_the_rest_goes_on(run_node, peer, view, mugs) -> None:
    robot = Robot(peer, run_node("scan_recorder", collection=str(mugs), period=0.0))
    assert robot.call("start")[0]
    nothing = Scan(np.full((4000, 3), np.nan, np.float32))
    robot.show(nothing, "left out: ")
    broken = peer.cloud(nothing)
    broken.row_step = 1
    peer.points.publish(broken)
    peer.until(lambda: "row_step is 1" in robot.node.output(), "the sentence about row_step")
    robot.show(view(0).scan, "scan: ")
    assert robot.call("stop")[1].startswith("1 scan of ")
    assert "Traceback" not in robot.node.output()


@pytest.mark.parametrize(("parameters", "words"), [
    ({}, "set the parameter 'collection' to a folder"),
    ({"collection": "c", "crop__min_z": 2.0, "cut": "crop"}, "min_z must be the smaller"),
    ({"collection": "c", "cut": "magic"}, "'cut'"),
])  # fmt: skip
def test_what_cannot_work_is_one_sentence(run_node, parameters, words) -> None:
    node = run_node("scan_recorder", **parameters)
    assert node.process.wait(90) == 1
    assert words in node.output() and "Traceback" not in node.output()


def test_a_folder_of_other_things_is_refused_and_the_node_goes_on(run_node, peer, mugs) -> None:
    mugs.mkdir()
    (mugs / "letter.txt").touch()
    robot = Robot(peer, run_node("scan_recorder", collection=str(mugs)))
    success, words = robot.call("start")
    assert not success and "holds other things than a collection" in words
    (mugs / "letter.txt").unlink()
    assert robot.call("start")[0]
    code = robot.node.end(signal.SIGTERM)
    assert code == 0 and "Traceback" not in robot.node.output()
