# SPDX-License-Identifier: Apache-2.0
"""~/find_part answers a grasp planner, through real DDS, with what stands in the cloud that it was asked about."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytestmark = pytest.mark.ros
pytest.importorskip("tf2_msgs", reason="tf2_msgs is not installed: run make or source ROS 2")

NAME = "/part_segmenter/find_part"


@pytest.fixture
def ask(run_node, peer, toy_bundle_path):
    """Asks a running node for a part."""
    node = run_node("part_segmenter", bundle=str(toy_bundle_path), query="post: top, bottom", threads=1)
    node.wait_for("labeling 'post: top, bottom' on /points")
    peer.connect()

    def call(name, near=None, frame="camera", within=0.0):
        from geometry_msgs.msg import Point, PointStamped
        from partdistill_ros.srv import FindPart
        from std_msgs.msg import Header

        point = PointStamped()
        if near is not None:
            x, y, z = map(float, near)
            point = PointStamped(header=Header(frame_id=frame), point=Point(x=x, y=y, z=z))
        return peer.call(FindPart, NAME, name=name, near=point, within=within)

    return call


def near_in_another_frame(ask, peer):
    import tf2_msgs.msg as tf2_msgs
    from geometry_msgs.msg import TransformStamped

    from partdistill_ros.nodes.qos import latched

    one = TransformStamped(child_frame_id="camera")
    one.header.frame_id = "base_link"
    one.transform.translation.x, one.transform.translation.z = 1.0, 2.0
    one.transform.rotation.z = one.transform.rotation.w = float(np.sqrt(0.5))  # x of the camera is y of the base
    publisher = peer.node.create_publisher(tf2_msgs.TFMessage, "/tf_static", latched(1))
    publisher.publish(tf2_msgs.TFMessage(transforms=[one]))
    there = (1.0 - 1.1, 0.25, 2.0 - 0.35)
    found = ask("top", near=there, frame="base_link", within=0.1)
    assert found.success, found.message
    assert abs(found.pose.position.x - 0.25) < 0.05 and abs(found.pose.position.y - 1.1) < 0.06


def near_in_a_frame_that_tf_tells_of_from_now_on(ask, peer, table_scene):
    """As where the first question subscribes to tf: its cloud was seen before."""
    import tf2_msgs.msg as tf2_msgs
    from geometry_msgs.msg import TransformStamped

    publisher = peer.node.create_publisher(tf2_msgs.TFMessage, "/tf", 10)
    begin = peer.node.get_clock().now()

    def send() -> None:
        one = TransformStamped(child_frame_id="camera")
        one.header.frame_id, one.header.stamp = "wrist", peer.node.get_clock().now().to_msg()
        publisher.publish(tf2_msgs.TFMessage(transforms=[one]))

    moves = peer.node.create_timer(0.02, send)
    sees = peer.node.create_timer(0.3, lambda: peer.points.publish(peer.cloud(table_scene)))
    found = ask("top", near=(0.25, 1.1, -0.35), frame="wrist", within=0.1)
    peer.node.destroy_timer(moves)
    peer.node.destroy_timer(sees)
    assert found.success, found.message
    stamp = found.header.stamp
    assert stamp.sec * 10**9 + stamp.nanosec > begin.nanoseconds


def answers_are_of_the_active_query(ask, peer, table_scene):
    from partdistill_ros.srv import SetQuery

    assert peer.call(SetQuery, "/part_segmenter/set_query", query="lid, bottom").success
    late = ask("lid")
    assert not late.success and "no cloud was labeled with the query 'lid, bottom' yet" in late.message
    assert "ros2 topic echo /diagnostics" in late.message
    peer.ask(peer.cloud(table_scene))
    found = ask("lid")
    assert found.success and (found.part, found.category) == ("lid", "")


def a_node_that_does_not_look_finds_nothing(ask, peer):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    asleep = Transition(id=Transition.TRANSITION_DEACTIVATE)
    assert peer.call(ChangeState, "/part_segmenter/change_state", transition=asleep).success
    found = ask("lid")
    assert not found.success and "no cloud was labeled" in found.message


def test_a_part_comes_with_pose_box_points_and_indices(ask, peer, table_scene):
    from partdistill_ros.nodes.conversions import read_cloud

    cloud = peer.cloud(table_scene)
    peer.ask(cloud)
    second = (0.25, 1.1, -0.35)
    found = ask("post: top", near=second)
    assert found.success, found.message
    assert (found.part, found.category, found.header) == ("top", "post", cloud.header)
    assert found.object in (1, 2) and 0.5 < found.score <= 1 and f"object {found.object}, " in found.message
    np.testing.assert_array_equal(read_cloud(found.points, "points").scan.points, table_scene.points[found.indices])
    assert found.points.header == cloud.header and len(found.indices) == found.points.width > 100

    middle = np.array([found.pose.position.x, found.pose.position.y, found.pose.position.z])
    assert np.linalg.norm(middle - second) < 0.05
    orientation = found.pose.orientation
    axes = Rotation.from_quat([orientation.x, orientation.y, orientation.z, orientation.w]).as_matrix()
    size = np.array([found.size.x, found.size.y, found.size.z])
    assert size[0] >= size[1] >= size[2] > 0.01 and size[0] < 0.15
    inside = np.abs((table_scene.points[found.indices] - middle) @ axes) <= size / 2 + 1e-3
    assert inside.all(axis=1).mean() > 0.9

    other = ask("top", near=(-0.2, 0.9, -0.35))
    assert other.success and {found.object, other.object} == {1, 2}
    whole = ask("post:", near=second)
    assert whole.success and whole.part == "" and set(found.indices) < set(whole.indices)

    for request, words in (
        ({"name": "lid"}, "no 'lid' in the newest cloud, where top, bottom were looked for"),
        ({"name": "top", "near": (0, 0, 5), "within": 0.1}, "farther than the 0.1 m"),
        ({"name": "top", "near": (0, 0, np.nan)}, "near must be a point in meters"),
        ({"name": "top", "within": -1.0}, "within must be meters"),
        ({"name": ""}, "name the part to find"),
        ({"name": "top", "near": second, "frame": "base_link"}, "or give `near` in the frame 'camera'"),
    ):
        refused = ask(**request)
        assert not refused.success and words in refused.message and len(refused.indices) == 0

    near_in_a_frame_that_tf_tells_of_from_now_on(ask, peer, table_scene)
    near_in_another_frame(ask, peer)
    answers_are_of_the_active_query(ask, peer, table_scene)
    a_node_that_does_not_look_finds_nothing(ask, peer)
