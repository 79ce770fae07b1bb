# SPDX-License-Identifier: Apache-2.0
"""Objects and parts reach a subscriber of vision_msgs through real DDS; without that package the node says so."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.ros


def test_objects_and_parts_arrive_as_detections(run_node, peer, toy_bundle_path, table_scene):
    vision_msgs = pytest.importorskip("vision_msgs.msg", reason="vision_msgs is not installed")
    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query="post: top, bottom", threads=1)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()
    arrays = {"objects": [], "parts": []}
    for topic, heard in arrays.items():
        peer.until(lambda topic=topic: peer.node.count_publishers(topic), topic)
        peer.node.create_subscription(vision_msgs.Detection3DArray, topic, heard.append, 10)

    clouds = []

    def seen_twice():
        clouds.append(peer.cloud(table_scene))
        peer.ask(clouds[-1])
        return min(map(len, arrays.values())) >= 2

    peer.until(seen_twice, "two clouds of detections")
    for topic, ids in (("objects", ["1", "2"]), ("parts", ["1/bottom", "1/top", "2/bottom", "2/top"])):
        for array in arrays[topic]:
            assert array.header in [cloud.header for cloud in clouds]
            assert sorted(one.id for one in array.detections) == ids
            assert all(one.header == array.header for one in array.detections)
    by_id = {one.id: one for topic in arrays for one in arrays[topic][-1].detections}
    post, top = by_id["1"], by_id["1/top"]
    assert post.results[0].hypothesis.class_id == "post" and top.results[0].hypothesis.class_id == "top"
    assert 0.5 < top.results[0].hypothesis.score <= 1 and top.results[0].pose.pose == top.bbox.center
    size = post.bbox.size
    np.testing.assert_allclose((size.x, size.y, size.z), (0.1, 0.1, 0.2), atol=0.03)
    assert top.bbox.size.z < 0.7 * size.z and top.bbox.center.position.z > post.bbox.center.position.z


def test_boxes_are_in_meters_whatever_the_unit(table_scene):
    pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")
    from std_msgs.msg import Header

    from partdistill_ros.inference.parts import Boxes
    from partdistill_ros.inference.scene import SceneLabels, SceneObject
    from partdistill_ros.nodes.conversions import Cloud
    from partdistill_ros.nodes.detections import object_detections

    cloud = Cloud(table_scene, None, Header(frame_id="camera"), False, unit="mm", points=table_scene.points * 1000)
    unlabeled, no = np.full(len(table_scene.points), -1, np.int16), np.zeros(len(table_scene.points), np.float32)
    index = np.flatnonzero(table_scene.finite())
    answer = SceneLabels(unlabeled, no, ("top",), (SceneObject(index, None, None, 65_535),), {})
    (one,) = object_detections(cloud, Boxes(table_scene.points, answer)).detections
    assert (one.id, one.results[0].hypothesis.class_id, one.results[0].hypothesis.score) == ("65535", "object", 0.0)
    assert 0.5 < one.bbox.size.x < 1.5


def test_a_missing_package_is_told_and_the_node_goes_on(run_node, toy_bundle_path, tmp_path, ros_environment):
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDE)
    ros_environment["PYTHONPATH"] = f"{hidden}:{ros_environment['PYTHONPATH']}"
    said = run_node("part_segmenter", bundle=str(toy_bundle_path), query="top, bottom").wait_for("labeling 'top, ")
    assert "not installed: apt install ros-$ROS_DISTRO-vision-msgs, or set detections to false" in said


HIDE = """
import importlib.util

known = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "vision_msgs" else known(name, *more)
"""
