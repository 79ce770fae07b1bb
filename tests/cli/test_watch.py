# SPDX-License-Identifier: Apache-2.0
"""Clouds and legends of a running node are brought together by their stamp."""

import importlib.util
import threading
import time

import numpy as np
import pytest

from partdistill_ros.cli.watch import Pairing, Watch, content_of_messages, legend_topic
from partdistill_ros.errors import PartDistillError

HAS_ROS = importlib.util.find_spec("rclpy") and importlib.util.find_spec("partdistill_ros.msg")
needs_ros = pytest.mark.skipif(not HAS_ROS, reason="needs rclpy and the built interfaces: run make")


def test_a_pair_is_given_once_whichever_comes_first():
    pairing = Pairing()
    assert pairing.take() is None
    pairing.cloud(1, "cloud 1")
    assert pairing.take() is None
    pairing.legend(1, "legend 1")
    assert pairing.take() == ("cloud 1", "legend 1")
    assert pairing.take() is None
    pairing.legend(2, "legend 2")
    pairing.cloud(2, "cloud 2")
    assert pairing.take() == ("cloud 2", "legend 2")


def test_the_newest_pair_wins_and_no_older_one_follows():
    pairing = Pairing()
    for stamp in (1, 2, 3):
        pairing.cloud(stamp, f"cloud {stamp}")
    pairing.legend(1, "legend 1")
    pairing.legend(2, "legend 2")
    assert pairing.take() == ("cloud 2", "legend 2")
    assert pairing.take() is None, "cloud 1 is older than what was shown"
    pairing.legend(3, "legend 3")
    assert pairing.take() == ("cloud 3", "legend 3")


def test_a_cloud_is_never_named_by_a_legend_of_another_query():
    pairing = Pairing()
    pairing.legend(0, "latched at the start")
    pairing.cloud(1, "cloud 1")
    assert pairing.take() is None


def test_equal_stamps_are_the_newest_message_and_memory_is_bounded():
    pairing = Pairing()
    for number in range(1000):
        pairing.cloud(0, f"cloud {number}")
        pairing.cloud(number + 1, "other")
        pairing.legend(number, f"legend {number}")
    assert len(pairing._clouds) <= Pairing.CLOUDS and len(pairing._legends) <= Pairing.LEGENDS
    pairing.legend(0, "legend")
    assert pairing.take() == ("cloud 999", "legend")


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
    with Speaker(reliability), Watch("/left/labeled_points", "/left/part_legend") as watch:
        end = time.monotonic() + 60
        content = None
        while content is None and time.monotonic() < end:
            content = watch.newest(0.5)
        assert content is not None, watch.silence()
        assert content.parts == ("handle", "cup")


@needs_ros
def test_silence_is_explained_and_wrong_names_are_refused():
    with Watch("/nowhere/labeled_points", "/nowhere/part_legend") as watch:
        assert watch.newest(0.1) is None
        words = watch.silence()
        assert "nobody publishes labeled clouds on /nowhere/labeled_points" in words and "part_legend" in words
    with pytest.raises(PartDistillError, match="ros2 topic list"), Watch("no spaces", "part_legend"):
        pass
