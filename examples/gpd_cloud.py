# SPDX-License-Identifier: Apache-2.0
"""A handle for gpd: asks the live node where a part is, and has grasps looked for at its points only.

    python3 examples/gpd_cloud.py --ros-args -p part:=handle

Publishes gpd_ros/CloudIndexed on `cloud_indexed`: the points around the part, and which of them belong to it. Grasps
are sampled at those, and checked against the others. Clouds must be in meters.
"""

import sys
from collections import deque

import numpy as np
import rclpy
from geometry_msgs.msg import Point
from partdistill_ros.srv import FindPart
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Int64

WAIT_SECONDS = 10.0
CLOUDS_KEPT = 10


def message_types():
    """gpd's messages, or the end with a sentence."""
    try:
        from gpd_ros.msg import CloudIndexed, CloudSources
    except ImportError as error:
        sys.exit(f"error: {error.name} is not installed: build gpd_ros in a workspace and source it")
    return CloudIndexed, CloudSources


def xyz(cloud):
    """The coordinates `[N, 3]` of a labeled cloud."""
    offsets = {field.name: field.offset for field in cloud.fields}
    kind = np.dtype(
        {
            "names": ["x", "y", "z"],
            "formats": ["<f4"] * 3,
            "offsets": [offsets[axis] for axis in "xyz"],
            "itemsize": cloud.point_step,
        }
    )
    rows = np.frombuffer(cloud.data, kind)
    return np.stack([rows["x"], rows["y"], rows["z"]], axis=1)


def indexed_cloud(cloud, found, margin, types):
    """The points of a labeled cloud that are no farther than `margin` meters from the box of the found part, as a
    CloudIndexed; `indices` are those of the part among them. gpd takes neither NaN nor rows and columns."""
    CloudIndexed, CloudSources = types
    points = xyz(cloud)
    position = found.pose.position
    reach = np.linalg.norm([found.size.x, found.size.y, found.size.z]) / 2 + margin
    with np.errstate(invalid="ignore"):
        near = np.linalg.norm(points - [position.x, position.y, position.z], axis=1) <= reach  # False for NaN
    near[found.indices] = True
    place = np.cumsum(near) - 1
    data = np.frombuffer(cloud.data, np.uint8).reshape(-1, cloud.point_step)[near]
    part = PointCloud2(
        header=cloud.header,
        height=1,
        width=len(data),
        fields=cloud.fields,
        point_step=cloud.point_step,
        row_step=data.size,
        is_dense=True,
        data=data.tobytes(),
    )
    sources = CloudSources(
        cloud=part,
        camera_source=[Int64(data=0)] * len(data),  # each point seen by the first camera,
        view_points=[Point()],  # which stands at the origin of the cloud's frame
    )
    return CloudIndexed(cloud_sources=sources, indices=[Int64(data=int(i)) for i in place[found.indices]])


def find(node, client, name, clouds):
    """The answer of ~/find_part and the cloud that it is about; raises RuntimeError with what is wrong."""
    end = node.get_clock().now() + Duration(seconds=WAIT_SECONDS)
    if not client.wait_for_service(WAIT_SECONDS):
        raise RuntimeError(f"no {client.srv_name}: start part_segmenter, or remap it")
    while node.get_clock().now() < end:
        future = client.call_async(FindPart.Request(name=name))
        rclpy.spin_until_future_complete(node, future, timeout_sec=WAIT_SECONDS)
        if not future.done():
            break
        found = future.result()
        if not found.success:
            raise RuntimeError(found.message)
        for cloud in clouds:
            if cloud.header == found.header:
                return found, cloud
        rclpy.spin_once(node, timeout_sec=0.1)  # its cloud is on the way, or went before this node listened
    raise RuntimeError(f"no answer of {client.srv_name} about a cloud on labeled_points within {WAIT_SECONDS:g} s")


def main():
    types = message_types()
    rclpy.init()
    node = Node("gpd_cloud")
    part = node.declare_parameter("part", "handle").value
    margin = node.declare_parameter("margin", 0.05).value
    clouds = deque(maxlen=CLOUDS_KEPT)
    node.create_subscription(PointCloud2, "labeled_points", lambda cloud: clouds.append(cloud), 1)
    client = node.create_client(FindPart, "part_segmenter/find_part")
    publisher = node.create_publisher(types[0], "cloud_indexed", 10)
    try:
        found, cloud = find(node, client, part, clouds)
        message = indexed_cloud(cloud, found, margin, types)
        while not publisher.get_subscription_count():
            node.get_logger().info("waiting for gpd", throttle_duration_sec=5.0)
            rclpy.spin_once(node, timeout_sec=0.1)
        publisher.publish(message)
        publisher.wait_for_all_acked()
        node.get_logger().info(f"sent {found.message} among {message.cloud_sources.cloud.width}")
    except (RuntimeError, KeyboardInterrupt) as error:
        sys.exit(f"error: {error}" if str(error) else 1)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
