# SPDX-License-Identifier: Apache-2.0
"""Depth images as input, over real DDS: what belongs together is joined, what does not is told."""

from __future__ import annotations

import array
import time

import numpy as np
import orbit
import pytest

from partdistill_ros.nodes.conversions import colors_of, read_cloud
from partdistill_ros.nodes.inputs import COLOR, DEPTH, INFO, DepthInput, DepthSubscription
from partdistill_ros.nodes.qos import InputQos
from partdistill_ros.pointcloud.layout import UNLABELED_CODE, CloudLayout

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def scan():
    """A mug on a table before a depth camera, see `orbit.py`."""
    return orbit.view(40).scan


class Camera:
    """Publishes what a camera would, on a node that is given; `send` answers the header."""

    def __init__(self, node, scan, reliable: bool = True) -> None:
        from rclpy.qos import QoSProfile, ReliabilityPolicy
        from sensor_msgs.msg import CameraInfo, Image

        policy = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self.node, self.camera, self.scan = node, orbit.CAMERA, scan
        self.kinds = {DEPTH: Image, INFO: CameraInfo, COLOR: Image}
        self.qos = QoSProfile(depth=5, reliability=policy)
        self.publishers = {}
        for name in (DEPTH, INFO):
            self.offer(name)

    def offer(self, name: str):
        self.publishers[name] = self.node.create_publisher(self.kinds[name], name, self.qos)

    def image(self, encoding: str, pixels: np.ndarray, stamp, frame: str = "optical"):
        from sensor_msgs.msg import Image

        message = Image(height=pixels.shape[0], width=pixels.shape[1], encoding=encoding)
        message.header.stamp, message.header.frame_id = stamp, frame
        message.step = pixels[0].nbytes
        message.data = array.array("B", pixels.tobytes())
        return message

    def messages(self, encoding: str = "16UC1", shift: float = 0.0, **intrinsics: float):
        """Depth image, camera_info, color image of now; the stamps of those beside depth are `shift` seconds late."""
        from rclpy.duration import Duration
        from sensor_msgs.msg import CameraInfo

        now = self.node.get_clock().now()
        stamp, other = now.to_msg(), (now + Duration(seconds=shift)).to_msg()
        depth = np.nan_to_num(self.scan.points[:, 2].reshape(self.scan.grid))
        pixels = np.round(depth * 1000).astype("<u2") if encoding == "16UC1" else depth.astype("<f4")
        one = self.camera
        matrix = {"fx": one.fx, "fy": one.fy} | intrinsics
        info = CameraInfo(width=one.width, height=one.height)
        info.p = [matrix["fx"], 0.0, one.cx, 0.0, 0.0, matrix["fy"], one.cy, 0.0, 0.0, 0.0, 1.0, 0.0]
        info.header.stamp, info.header.frame_id = other, "optical"
        color = self.image("rgb8", self.scan.colors.reshape(*self.scan.grid, 3), other)
        return {DEPTH: self.image(encoding, pixels, stamp), INFO: info, COLOR: color}

    def send(self, messages):
        for name, publisher in self.publishers.items():
            publisher.publish(messages[name])
        return messages[DEPTH].header


@pytest.fixture
def listening(node, scan):
    """`listening(...)`: a camera, what was received of it, what was told, and a spin until something is."""

    def start(reliable: bool = True, tolerance=lambda: 0.02):
        received, told = [], []
        subscription = DepthSubscription(
            node, InputQos(), lambda: DepthInput(tolerance()), received.append, told.append
        )
        camera = Camera(node, scan, reliable)

        def until(done, seconds: float = 20.0) -> None:
            end = time.monotonic() + seconds
            while not done() and time.monotonic() < end:
                node.executor.spin_once(0.02)
            assert done(), told

        until(lambda: all(one.get_subscription_count() for one in camera.publishers.values()))
        return camera, subscription, received, told, until

    return start


def test_what_belongs_together_becomes_a_cloud(listening, scan):
    camera, _, received, told, until = listening()
    camera.offer(COLOR)
    until(lambda: camera.publishers[COLOR].get_subscription_count())
    for encoding in ("16UC1", "32FC1"):
        received.clear()
        messages = camera.messages(encoding)
        camera.send(messages)
        until(lambda: received)
        cloud = read_cloud(received[0], "/depth/image_rect")
        assert cloud.header == messages[DEPTH].header and cloud.scan.grid == scan.grid
        np.testing.assert_allclose(cloud.scan.points, scan.points, atol=1e-3)
        np.testing.assert_array_equal(colors_of(cloud), scan.colors)
    assert not told


def test_the_newest_whole_one_is_taken_and_late_color_is_waited_for(listening):
    camera, _, received, _, until = listening()
    camera.offer(COLOR)
    until(lambda: camera.publishers[COLOR].get_subscription_count())
    series = [camera.messages() for _ in range(4) if not time.sleep(0.03)]
    for messages in series:
        for name in (DEPTH, INFO):
            camera.publishers[name].publish(messages[name])
    camera.node.executor.spin_once(0.2)
    camera.publishers[COLOR].publish(series[2][COLOR])
    until(lambda: received)
    assert [one.depth.header.stamp for one in received] == [series[2][DEPTH].header.stamp]
    camera.publishers[COLOR].publish(series[1][COLOR])  # of an image before: left out
    camera.publishers[COLOR].publish(series[3][COLOR])
    until(lambda: len(received) > 1)
    assert received[1].color.header.stamp == series[3][DEPTH].header.stamp


def test_a_best_effort_camera_without_color(listening):
    camera, _, received, told, until = listening(reliable=False)

    def heard() -> bool:
        camera.send(camera.messages())
        return bool(received)

    until(heard)
    assert received[0].color is None and not told


def test_a_camera_info_of_another_time_is_told_until_one_fits(listening):
    tolerance = [0.02]
    camera, subscription, received, told, until = listening(tolerance=lambda: tolerance[0])

    def is_told() -> bool:
        camera.send(camera.messages(shift=0.5))
        return bool(told)

    until(is_told)
    assert not received
    assert "/depth/camera_info has none of their time, the nearest is about 0." in subscription.problem
    tolerance[0] = 1.0  # what the message tells to do, while it listens
    camera.send(camera.messages(shift=0.5))
    until(lambda: received)
    assert not subscription.problem


def test_without_color_of_the_same_time_depth_goes_alone_and_that_is_told(listening):
    camera, _, received, told, until = listening()
    camera.offer(COLOR)
    until(lambda: camera.publishers[COLOR].get_subscription_count())

    def goes() -> bool:
        messages = camera.messages()
        camera.publishers[DEPTH].publish(messages[DEPTH])
        camera.publishers[INFO].publish(messages[INFO])
        return bool(received)

    until(goes)
    assert received[0].color is None and "no color: nothing arrives on /color/image_rect" in told[0]

    def send(messages, *names) -> None:
        for name in names:
            camera.publishers[name].publish(messages[name])
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            camera.node.executor.spin_once(0.02)

    send({})  # what is still on its way is of another time than the color that follows
    send(camera.messages(), COLOR)
    received.clear()
    later = camera.messages()
    send(later, DEPTH, INFO)
    assert not received  # color comes again, and is waited for again
    send(later, COLOR)
    until(lambda: received)
    assert received[0].color is not None


def test_the_live_node_labels_a_depth_camera(run_node, peer, toy_bundle_path, scan):
    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query="top, bottom", input="depth", threads=1,
                    diagnostics_period=0.2)  # fmt: skip
    node.wait_for("labeling 'top, bottom' on /depth/image_rect")
    camera = Camera(peer.node, scan)
    camera.offer(COLOR)
    peer.until(lambda: all(one.get_subscription_count() for one in camera.publishers.values()), "the subscriptions")
    peer.until(lambda: peer.node.count_publishers("labeled_points"), "the output")
    header = camera.send(camera.messages())

    def answer():
        return [one for one in peer.messages["labeled_points"] if one.header == header]

    labeled = peer.until(answer, "the labeled cloud")[0]
    layout = CloudLayout.of(labeled)
    assert (labeled.height, labeled.width) == scan.grid
    np.testing.assert_allclose(layout.points(labeled.data), scan.points, atol=1e-3)
    labels = layout.column(labeled.data, "label").reshape(-1)
    assert 500 < (labels != UNLABELED_CODE).sum() < len(labels) / 4
    for _ in range(3):
        camera.send(camera.messages(fx=0.0))
        peer.spin(0.1)
    said = node.wait_for("the focal lengths 0 and 262.5: calibrate the camera")
    peer.until(lambda: "focal lengths" in "".join(one.status[0].message for one in peer.messages["/diagnostics"]),
               "the same on /diagnostics")  # fmt: skip
    camera.node.destroy_publisher(camera.publishers.pop(INFO))
    time.sleep(0.1)  # the last camera_info is too old now
    camera.send(camera.messages())
    said = node.wait_for("nobody publishes /depth/camera_info")
    assert said.count("focal lengths") == 1
    peer.until(lambda: "nobody publishes /depth" in peer.messages["/diagnostics"][-1].status[0].message, "diagnostics")


def test_the_recorder_records_a_depth_camera(run_node, peer, scan, tmp_path):
    std_srvs = pytest.importorskip("std_srvs.srv", reason="std_srvs is not installed: run make or source ROS 2")
    from partdistill_ros.recording.collection import Collection

    mugs = tmp_path / "mugs"
    node = run_node("scan_recorder", collection=str(mugs), name="mug", period=0.0, input="depth")
    node.wait_for("ready: ")
    camera = Camera(peer.node, scan)
    camera.offer(COLOR)
    peer.until(lambda: all(one.get_subscription_count() for one in camera.publishers.values()), "the subscriptions")
    assert peer.call(std_srvs.Trigger, "scan_recorder/start").message.startswith("recording /depth/image_rect into")
    camera.send(camera.messages())
    node.wait_for("mug: ")
    assert peer.call(std_srvs.Trigger, "scan_recorder/stop").success
    ((member, kept),) = Collection.open(mugs).load()
    assert kept.colors is not None and 1000 < len(kept.points) < 4000
    assert member.manifest.captures[0].frame == "optical" and member.manifest.source["topic"] == "/depth/image_rect"
