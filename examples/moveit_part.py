# SPDX-License-Identifier: Apache-2.0
"""A handle for MoveIt: asks the live node where a part is, and puts it into the planning scene.

    python3 examples/moveit_part.py --ros-args -p part:=handle -p rest:=cup

Publishes moveit_msgs/CollisionObject on `collision_object`, where the planning scene listens: one box for the part,
which the gripper may be allowed to touch, and one for the rest of the same object, which it must not. The pose of a box
has x along its longest axis and z along its thinnest: a gripper closes along z. Its header is that of the cloud, so tf
must know the camera's frame.
"""

import sys

import rclpy
from geometry_msgs.msg import PointStamped, Pose
from partdistill_ros.srv import FindPart
from rclpy.node import Node

WAIT_SECONDS = 10.0
REACH = 0.2  # meters between a part and the rest of its object


def message_types():
    """MoveIt's messages, or the end with a sentence."""
    try:
        from moveit_msgs.msg import CollisionObject
        from shape_msgs.msg import SolidPrimitive
    except ImportError as error:
        sys.exit(
            f"error: {error.name} is not installed: apt install ros-$ROS_DISTRO-moveit-msgs, or source the workspace "
            "that has MoveIt"
        )
    return CollisionObject, SolidPrimitive


def collision_object(found, types):
    """The box of a found part as a CollisionObject `mug_3_handle`; a later one of that name replaces it."""
    CollisionObject, SolidPrimitive = types
    names = (found.category or "object", str(found.object), found.part)
    box = SolidPrimitive(type=SolidPrimitive.BOX, dimensions=[found.size.x, found.size.y, found.size.z])
    return CollisionObject(
        header=found.header,
        id="_".join(name.replace(" ", "_") for name in names if name),
        pose=found.pose,
        primitives=[box],
        primitive_poses=[Pose()],
        operation=CollisionObject.ADD,
    )


def ask(node, client, name, near=None, within=0.0):
    """The answer of ~/find_part; raises RuntimeError with what is wrong."""
    request = FindPart.Request(name=name, within=within)
    if near is not None:
        request.near = near
    future = client.call_async(request)
    rclpy.spin_until_future_complete(node, future, timeout_sec=WAIT_SECONDS)
    if not future.done():
        raise RuntimeError(f"{client.srv_name} did not answer within {WAIT_SECONDS:g} s")
    if not future.result().success:
        raise RuntimeError(future.result().message)
    return future.result()


def find(node, client, part, rest):
    """The part, and the rest of the same object where it is named and seen."""
    found = ask(node, client, part)
    if not rest:
        return [found]
    near = PointStamped(header=found.header, point=found.pose.position)
    other = ask(node, client, rest, near, within=REACH)
    return [found, other] if other.object == found.object else [found]


def main():
    types = message_types()
    rclpy.init()
    node = Node("moveit_part")
    part = node.declare_parameter("part", "handle").value
    rest = node.declare_parameter("rest", "").value
    client = node.create_client(FindPart, "part_segmenter/find_part")
    publisher = node.create_publisher(types[0], "collision_object", 10)
    try:
        if not client.wait_for_service(WAIT_SECONDS):
            raise RuntimeError(f"no {client.srv_name}: start part_segmenter, or remap it")
        found = find(node, client, part, rest)
        while not publisher.get_subscription_count():
            node.get_logger().info("waiting for MoveIt's planning scene", throttle_duration_sec=5.0)
            rclpy.spin_once(node, timeout_sec=0.1)
        for one in found:
            publisher.publish(collision_object(one, types))
            node.get_logger().info(f"sent {one.message}")
        publisher.wait_for_all_acked()
    except (RuntimeError, KeyboardInterrupt) as error:
        sys.exit(f"error: {error}" if str(error) else 1)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
