# SPDX-License-Identifier: Apache-2.0
"""A mug in the middle of a table, a camera on a circle around it, and bags of what it saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from scipy.spatial.transform import Rotation

from partdistill_ros.pointcloud.layout import encode, pack_colors
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture
from partdistill_ros.synthetic.families import generate

CAMERA = DepthCamera(width=320, height=240, fx=262.5, fy=262.5, cx=159.5, cy=119.5)
STORE = get_typestore(Stores.ROS2_KILTED)
TYPES = STORE.types
CLOUD, TRANSFORMS = "sensor_msgs/msg/PointCloud2", "tf2_msgs/msg/TFMessage"
SECOND = 10**9


@dataclass(frozen=True)
class Seen:
    """A cloud in the camera's frame, and the camera's pose `[4, 4]` in the world, whose z is up."""

    scan: Scan
    pose: np.ndarray


def mug() -> Mesh:
    """A mug that stands on z = 0."""
    mesh = generate("mug", 3).mesh
    assert mesh is not None
    return Mesh(mesh.vertices - [0, 0, mesh.vertices[:, 2].min()], mesh.faces, mesh.face_labels)


def view(degrees: float, take: int = 0, shift: float = 0.0, turn: float = 0.0) -> Seen:
    """From 0.7 m at an elevation of 35 degrees; `take` draws other noise, `shift` and `turn` move the mug along x
    (meters) and about z (degrees)."""
    around, up = np.deg2rad([degrees, 35])
    eye = 0.7 * np.array([np.cos(around) * np.cos(up), np.sin(around) * np.cos(up), np.sin(up)])
    pose = camera_pose(eye, (0, 0, 0.04))
    object_ = mug()
    vertices = object_.vertices @ Rotation.from_euler("z", turn, degrees=True).as_matrix().T + [shift, 0, 0]
    moved = Mesh(vertices.astype(np.float32), object_.faces)
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 12), np.linspace(-0.5, 0.5, 12), indexing="ij")
    corners = np.arange(132).reshape(11, 12)[:, :11].ravel()
    squares = np.stack([corners, corners + 1, corners + 13, corners + 12], -1)
    faces = np.concatenate([squares[:, :3], squares[:, [0, 2, 3]]]).astype(np.int32)
    table = Mesh(np.stack([x, y, 0 * x], -1).reshape(-1, 3).astype(np.float32), faces)
    rng = np.random.default_rng([int(degrees), take])
    scan = capture([moved, table], pose, rng, CAMERA, name=f"view_{degrees:g}")
    return Seen(scan.with_(up=None, point_labels=None), pose)


def cloud_message(scan: Scan, stamp: int, frame: str = "camera") -> Any:
    """A scan as a message of rosbags."""
    packed = encode(scan.points, None if scan.colors is None else pack_colors(scan.colors))
    height, width = scan.grid or (1, len(scan.points))
    fields = [TYPES["sensor_msgs/msg/PointField"](*field) for field in packed.fields]
    data = np.frombuffer(packed.data, np.uint8)
    step = packed.point_step
    return TYPES[CLOUD](header(stamp, frame), height, width, fields, False, step, step * width, data, False)


def header(stamp: int, frame: str) -> Any:
    """A header at `stamp` nanoseconds."""
    return TYPES["std_msgs/msg/Header"](TYPES["builtin_interfaces/msg/Time"](*divmod(stamp, SECOND)), frame)


def transform_message(parent: str, child: str, stamp: int, pose: np.ndarray) -> Any:
    """A transform as a message of rosbags."""
    vector, quaternion = TYPES["geometry_msgs/msg/Vector3"], TYPES["geometry_msgs/msg/Quaternion"]
    turn = Rotation.from_matrix(pose[:3, :3]).as_quat()
    one = TYPES["geometry_msgs/msg/Transform"](vector(*pose[:3, 3]), quaternion(*turn))
    return TYPES[TRANSFORMS]([TYPES["geometry_msgs/msg/TransformStamped"](header(stamp, parent), child, one)])


def record(
    bag: Path,
    seen: Sequence[Seen],
    *,
    storage: str = "mcap",
    compression: str = "none",
    tf: bool = False,
    start: int = 100,
) -> Path:
    """A bag of one cloud a second on /camera/points, one small cloud on /lidar, and the camera's pose in `world`."""
    writer = Writer(bag, version=9, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[compression.upper()], CompressionFormat.ZSTD)
    with writer:
        clouds = writer.add_connection("/camera/points", CLOUD, typestore=STORE)
        lidar = writer.add_connection("/lidar", CLOUD, typestore=STORE)
        poses = writer.add_connection("/tf", TRANSFORMS, typestore=STORE)
        frames = writer.add_connection("/tf_static", TRANSFORMS, typestore=STORE)
        fixed = transform_message("camera_link", "camera", 0, np.eye(4))
        if tf:
            writer.write(frames, start * SECOND, STORE.serialize_cdr(fixed, TRANSFORMS))
        writer.write(lidar, start * SECOND, STORE.serialize_cdr(cloud_message(Scan(np.eye(3, dtype="f4")), 1), CLOUD))
        for number, one in enumerate(seen):
            stamp = (start + number) * SECOND
            if tf:
                for when in (stamp - SECOND // 20, stamp + SECOND // 20):
                    message = transform_message("world", "camera_link", when, one.pose)
                    writer.write(poses, when, STORE.serialize_cdr(message, TRANSFORMS))
            writer.write(clouds, stamp, STORE.serialize_cdr(cloud_message(one.scan, stamp), CLOUD))
    return bag
