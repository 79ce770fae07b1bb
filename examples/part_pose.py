# SPDX-License-Identifier: Apache-2.0
"""Where is the handle? A consumer of labeled clouds that needs nothing of this package but its messages.

    python3 examples/part_pose.py --ros-args -p part:=handle

Publishes the middle of a part as geometry_msgs/PoseStamped on `part_pose` (a goal for MoveIt), and the
points of that part as sensor_msgs/PointCloud2 on `part_points` (an observation source for Nav2).
"""

import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from partdistill_ros.msg import PartLegend
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import PointCloud2

NUMPY_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 8: "f8"}  # by PointField.datatype


class PartPose(Node):
    """Joins clouds and legends by their stamp, since a label means what the legend of its cloud says."""

    def __init__(self, **options):
        super().__init__("part_pose", **options)
        self.part = self.declare_parameter("part", "handle").value
        self.min_confidence = self.declare_parameter("min_confidence", 0.5).value
        self.min_points = self.declare_parameter("min_points", 30).value
        self.legends = {}
        latched = QoSProfile(depth=20, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(PartLegend, "part_legend", self.on_legend, latched)
        self.create_subscription(PointCloud2, "labeled_points", self.on_cloud, 1)
        self.pose = self.create_publisher(PoseStamped, "part_pose", 1)
        self.points = self.create_publisher(PointCloud2, "part_points", 1)

    def on_legend(self, legend):
        """The node sends it just before its cloud."""
        self.legends[stamp(legend)] = list(legend.names)
        while len(self.legends) > 20:
            del self.legends[next(iter(self.legends))]

    def on_cloud(self, cloud):
        names = self.legends.get(stamp(cloud), [])
        if self.part not in names:
            return
        rows = structured(cloud)
        rows = rows[(rows["label"] == names.index(self.part)) & (rows["confidence"] >= self.min_confidence)]
        xyz = np.stack([rows["x"], rows["y"], rows["z"]], axis=1)
        if len(xyz) < self.min_points:
            return
        pose = PoseStamped(header=cloud.header)
        # The median: a few wrong points far away do not move it.
        middle = np.median(xyz, axis=0).tolist()
        pose.pose.position.x, pose.pose.position.y, pose.pose.position.z = middle
        pose.pose.orientation.w = 1.0
        self.pose.publish(pose)
        self.points.publish(selected(cloud, rows))


def structured(cloud):
    """The points of a cloud as a numpy array with a named field each, without a copy."""
    kind = np.dtype(
        {
            "names": [field.name for field in cloud.fields],
            "formats": [NUMPY_TYPES[field.datatype] for field in cloud.fields],
            "offsets": [field.offset for field in cloud.fields],
            "itemsize": cloud.point_step,
        }
    )
    return np.frombuffer(cloud.data, kind)


def selected(cloud, rows):
    """A cloud of some of its points."""
    size = len(rows) * cloud.point_step
    return PointCloud2(
        header=cloud.header,
        height=1,
        width=len(rows),
        fields=cloud.fields,
        point_step=cloud.point_step,
        row_step=size,
        is_dense=True,
        data=rows.tobytes(),
    )


def stamp(message):
    return message.header.stamp.sec, message.header.stamp.nanosec


def main():
    rclpy.init()
    try:
        rclpy.spin(PartPose())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass


if __name__ == "__main__":
    main()
