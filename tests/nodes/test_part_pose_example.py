# SPDX-License-Identifier: Apache-2.0
"""examples/part_pose.py consumes what the node publishes, and joins it by its stamp."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from partdistill_ros.inference.scene import SceneLabels
from partdistill_ros.pointcloud.scan import Scan

pytestmark = pytest.mark.ros


@pytest.fixture(scope="module")
def example(repository) -> ModuleType:
    spec = importlib.util.spec_from_file_location("part_pose", repository / "examples" / "part_pose.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def consumer(example):
    import rclpy

    published: dict[str, list] = {"pose": [], "points": []}
    context = rclpy.Context()
    rclpy.init(context=context, args=[])
    node = example.PartPose(context=context)
    node.pose.publish = published["pose"].append
    node.points.publish = published["points"].append
    yield node, published
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def messages(second, names=("cup", "handle"), confidence=0.9):
    """100 points: 40 of the first name around the origin, 40 of the second around (1, 2, 3), 20 unlabeled."""
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import cloud_message, labeled_message, legend_message, read_cloud

    header = Header(frame_id="camera", stamp=Time(sec=second))
    points = np.random.default_rng(0).normal(0, 0.01, (100, 3)).astype(np.float32)
    points[40:80] += (1, 2, 3)
    labels = np.repeat([0, 1, -1], [40, 40, 20]).astype(np.int16)
    cloud = read_cloud(cloud_message(Scan(points), header), "points")
    answer = SceneLabels(labels, np.full(100, confidence, np.float32), tuple(names), (), {})
    return labeled_message(cloud, answer), legend_message(header, "query", "bundle", names, labels)


def test_the_middle_and_the_points_of_the_part(consumer):
    node, published = consumer
    cloud, legend = messages(1)
    node.on_legend(legend)
    node.on_cloud(cloud)
    (pose,), (points,) = published["pose"], published["points"]
    middle = pose.pose.position
    assert (middle.x, middle.y, middle.z) == pytest.approx((1, 2, 3), abs=0.02)
    assert pose.header == points.header == cloud.header and points.width == 40
    from partdistill_ros.nodes.conversions import read_cloud

    assert read_cloud(points, "part_points").scan.points.mean(0) == pytest.approx([1, 2, 3], abs=0.02)


def test_labels_are_read_by_the_legend_of_their_own_cloud(consumer):
    node, published = consumer
    first, _ = messages(1)
    _, other = messages(2, names=("handle", "cup"))
    node.on_legend(other)
    node.on_cloud(first)
    assert not published["pose"], "the legend of another cloud was used"


def test_no_pose_of_a_part_that_is_not_there_or_not_believed(consumer):
    node, published = consumer
    for second, kind in enumerate(({"names": ("cup", "lid")}, {"confidence": 0.1})):
        cloud, legend = messages(second, **kind)
        node.on_legend(legend)
        node.on_cloud(cloud)
    assert not published["pose"]
