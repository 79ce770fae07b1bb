# SPDX-License-Identifier: Apache-2.0
"""Clouds and legends of a running node are brought together by their stamp."""

import importlib.util
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.nodes.label_subscriber import (
    LEGENDS_KEPT,
    LabelSubscriber,
    PairSubscriber,
    StampPairs,
    content_of_messages,
    legend_topic,
    read_labeled,
)
from partdistill_ros.pointcloud.layout import encode_labeled

HAS_ROS = importlib.util.find_spec("rclpy") and importlib.util.find_spec("partdistill_ros.msg")
needs_ros = pytest.mark.skipif(not HAS_ROS, reason="needs rclpy and the built interfaces: run make")


def test_a_pair_is_given_once_whichever_comes_first():
    pairs = StampPairs()
    assert pairs.take() is None
    pairs.add_cloud(1, "cloud 1")
    assert pairs.take() is None
    pairs.add_legend(1, "legend 1")
    assert pairs.take() == ("cloud 1", "legend 1")
    assert pairs.take() is None
    pairs.add_legend(2, "legend 2")
    pairs.add_cloud(2, "cloud 2")
    assert pairs.take() == ("cloud 2", "legend 2")


def test_the_newest_pair_wins_and_no_older_one_follows():
    pairs = StampPairs()
    for stamp in (1, 2, 3):
        pairs.add_cloud(stamp, f"cloud {stamp}")
    pairs.add_legend(1, "legend 1")
    pairs.add_legend(2, "legend 2")
    assert pairs.take() == ("cloud 2", "legend 2")
    assert pairs.take() is None, "cloud 1 is older than what was shown"
    pairs.add_legend(3, "legend 3")
    assert pairs.take() == ("cloud 3", "legend 3")


def test_a_cloud_is_never_named_by_a_legend_of_another_query():
    pairs = StampPairs()
    pairs.add_legend(0, "latched at the start")
    pairs.add_cloud(1, "cloud 1")
    assert pairs.take() is None


def test_equal_stamps_are_the_newest_message_and_memory_is_bounded():
    pairs = StampPairs()
    for number in range(1000):
        pairs.add_cloud(0, f"cloud {number}")
        pairs.add_cloud(number + 1, "other")
        pairs.add_legend(number, f"legend {number}")
    assert len(pairs) <= StampPairs.CLOUDS + LEGENDS_KEPT
    pairs.add_legend(0, "legend")
    assert pairs.take() == ("cloud 999", "legend")


@pytest.mark.parametrize(
    "topic, legend",
    [
        ("labeled_points", "part_legend"),
        ("/labeled_points", "/part_legend"),
        ("/left/arm/labeled_points", "/left/arm/part_legend"),
    ],
)
def test_the_legend_is_looked_for_beside_the_clouds(topic, legend):
    assert legend_topic(topic) == legend


def messages(number=1, names=("handle", "cup")):
    """A labeled cloud of 2 x 3 points and its legend."""
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    from partdistill_ros.inference.scene import SceneLabels
    from partdistill_ros.nodes.conversions import cloud_message, labeled_message, legend_message, read_cloud
    from partdistill_ros.pointcloud.scan import Scan

    header = Header(frame_id="camera", stamp=Time(sec=number))
    points = np.arange(18, dtype=np.float32).reshape(6, 3)
    cloud = read_cloud(cloud_message(Scan(points, grid=(2, 3)), header), "points")
    labels = np.array([0, 1, -1, -1, 1, 1], np.int16)
    answer = SceneLabels(labels, np.full(6, 0.5, np.float32), tuple(names), (), {}, None)
    return labeled_message(cloud, answer), legend_message(header, "q", "b", names, labels)


@needs_ros
def test_messages_become_a_cloud_to_look_at():
    content = content_of_messages(*messages())
    assert content.parts == ("handle", "cup") and list(content.labels) == [0, 1, -1, -1, 1, 1]
    assert content.scan.grid == (2, 3) and content.scan.name == "camera" and content.scan.points[1, 0] == 3
    assert content.confidence == pytest.approx(np.full(6, 0.5)) and content.scan.colors.shape == (6, 3)
    cloud, legend = messages()
    legend.names = ["handle"]
    with pytest.raises(PartDistillError, match="label 1 has no name"):
        content_of_messages(cloud, legend)
    legend.names = ["handle", "cup"]
    cloud.fields = cloud.fields[:4]
    with pytest.raises(PartDistillError, match="no field 'label'"):
        content_of_messages(cloud, legend)


def test_labeled_clouds_are_read_back_exactly():
    rng = np.random.default_rng(0)
    points = rng.random((12, 3)).astype(np.float32)
    points[3] = np.nan
    labels = rng.integers(-1, 5, 12).astype(np.int16)
    confidence = rng.random(12).astype(np.float32)
    packed = encode_labeled(points, np.zeros(12, np.uint32), labels, confidence)
    fields = [SimpleNamespace(name=n, offset=o, datatype=d, count=c) for n, o, d, c in packed.fields]
    message = SimpleNamespace(
        fields=fields, height=3, width=4, point_step=packed.point_step, row_step=4 * packed.point_step,
        is_bigendian=False, data=packed.data,
    )  # fmt: skip
    got = read_labeled(message, 0.5)
    assert np.array_equal(got.points, points, equal_nan=True)
    assert (got.labels == labels).all() and (got.confidence == confidence).all()
    assert (got.grid, got.delay) == ((3, 4), 0.5)
    message.fields = fields[:3]
    with pytest.raises(PartDistillError, match="no field 'label'"):
        read_labeled(message)


class Fake:
    """Stands for a node: ended, or silent."""

    name = "fake"

    def __init__(self, problem=""):
        self.problem = problem

    def check(self):
        if self.problem:
            raise CommandFailed(f"fake ended: {self.problem}")

    def tail(self):
        return "  ready"


@needs_ros
def test_waiting_ends_with_the_node_or_with_the_time():
    with LabelSubscriber("/nowhere/labeled_points", "/nowhere/part_legend") as subscriber:
        assert subscriber.until(lambda: 7, "nothing", 0) == 7
        subscriber.nodes = [Fake()]
        with pytest.raises(CommandFailed, match="(?s)a cloud did not come within 0 s; fake printed:.*ready"):
            subscriber.until(lambda: False, "a cloud", 0.2)
        subscriber.nodes = [Fake("no such bundle")]
        with pytest.raises(CommandFailed, match="fake ended: no such bundle"):
            subscriber.until(lambda: False, "a cloud", 5)


class Speaker:
    """Publishes labeled clouds under `/left` until told to stop."""

    def __init__(self, reliability):
        import rclpy
        from partdistill_ros.msg import PartLegend
        from sensor_msgs.msg import PointCloud2

        from partdistill_ros.nodes.qos import latched, profile

        self.context = rclpy.Context()
        rclpy.init(context=self.context, args=[])
        self.node = rclpy.create_node("speaker", context=self.context)
        self.clouds = self.node.create_publisher(PointCloud2, "/left/labeled_points", profile(reliability, 1))
        self.legends = self.node.create_publisher(PartLegend, "/left/part_legend", latched())
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.speak)

    def speak(self):
        number = 0
        while not self.ended.wait(0.1):
            number += 1
            cloud, legend = messages(number)
            self.clouds.publish(cloud)
            self.legends.publish(legend)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        import rclpy

        self.ended.set()
        self.thread.join()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)


@needs_ros
@pytest.mark.parametrize("reliability", ["reliable", "best_effort"])
def test_a_running_node_is_heard_whatever_its_reliability(reliability):
    with Speaker(reliability), PairSubscriber("/left/labeled_points", "/left/part_legend", pytest.fail) as subscriber:
        end = time.monotonic() + 60
        content = None
        while content is None and time.monotonic() < end:
            content = subscriber.newest(0.5)
        assert content is not None, subscriber.silence()
        assert content.parts == ("handle", "cup")


@needs_ros
def test_silence_is_explained_and_wrong_names_are_refused():
    with PairSubscriber("/nowhere/labeled_points", "/nowhere/part_legend", pytest.fail) as subscriber:
        assert subscriber.newest(0.1) is None
        words = subscriber.silence()
        assert "nobody publishes labeled clouds on /nowhere/labeled_points" in words and "part_legend" in words
    with pytest.raises(PartDistillError, match="ros2 topic list"), LabelSubscriber("no spaces"):
        pass
