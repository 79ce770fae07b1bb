# SPDX-License-Identifier: Apache-2.0
"""How a shape stands when views are taken of it: the one rule of `distill`, `render`, `evaluate` and its methods."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import rotation_to_z
from partdistill_ros.pointcloud.sampling import finite_rows
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.pointcloud.upright import likely_ups
from partdistill_ros.rendering.cameras import Views, views_for
from partdistill_ros.students.names import LEAST_POINTS

FILE = "boxes"  # the teacher that answers from a file


def posed(cloud: Scan, teacher: str = "") -> Scan:
    """The cloud (finite points) with an up: its own; else the likeliest. One that was seen from one side keeps its
    frame.

    teacher: name of who is queried. The detections of a file belong to pictures that were rendered before, with +z up
    where no up is known: such a cloud stays as it is.
    """
    if cloud.up is None and teacher == FILE:
        return cloud.with_(up=np.array([0, 0, 1], np.float32))
    if cloud.up_unknown:
        return cloud.with_(up=likely_ups(cloud.points)[0][0].astype(np.float32))
    return cloud


def surface_cloud(scan: Scan, count: int, seed: int = 0) -> Scan:
    """A cloud of at most `count` surface points. Raises PartDistillError as `usable_rows` does for one without mesh."""
    return sample_surface(scan, count if scan.mesh is not None else min(count, len(usable_rows(scan))), seed)


def usable_rows(scan: Scan) -> NDArray[np.int64]:
    """Rows of the finite points. Raises PartDistillError for fewer than `LEAST_POINTS`."""
    rows = finite_rows(scan.points)
    if len(rows) < LEAST_POINTS:
        raise PartDistillError(
            f"{scan.name}: {len(rows)} finite points, {LEAST_POINTS} at least are needed: scan it closer"
        )
    return rows


@dataclass(frozen=True)
class Pose:
    """The motion `x -> (rotation @ x - center) / radius` that turns a cloud upright and into the unit ball."""

    rotation: NDArray[np.float64]
    center: NDArray[np.float64]
    radius: float

    @classmethod
    def of(cls, cloud: Scan) -> Pose:
        """That of a cloud which knows its up, or keeps its frame."""
        rotation = np.eye(3) if cloud.up is None else rotation_to_z(cloud.up)
        points = cloud.points.astype(np.float64) @ rotation.T
        center = (points.min(0) + points.max(0)) / 2
        return cls(rotation, center, max(float(np.linalg.norm(points - center, axis=1).max()), 1e-12))

    def apply(self, scan: Scan) -> Scan:
        """A scan (its mesh too) moved; its up is +z then."""
        mesh = None if scan.mesh is None else replace(scan.mesh, vertices=self.move(scan.mesh.vertices))
        return scan.with_(
            points=self.move(scan.points),
            mesh=mesh,
            normals=None if scan.normals is None else (scan.normals @ self.rotation.T).astype(np.float32),
            viewpoint=None if scan.viewpoint is None else self.move(scan.viewpoint),
            up=np.array([0, 0, 1], np.float32),
        )

    def move(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points `[..., 3]` moved."""
        moved = (points.astype(np.float64) @ self.rotation.T - self.center) / self.radius
        return moved.astype(np.float32)

    def views_after(self, views: Views) -> Views:
        """The perspective cameras `views` of the shape before, in the frame of the moved one."""
        rotation = views.rotation @ self.rotation.T
        return replace(views, rotation=rotation.astype(np.float32), position=self.move(views.position))

    def views_before(self, views: Views) -> Views:
        """The perspective cameras `views` of the moved shape, in the frame before: they show the same pictures."""
        position = (views.position * self.radius + self.center) @ self.rotation
        rotation = views.rotation @ self.rotation
        return replace(views, rotation=rotation.astype(np.float32), position=position.astype(np.float32))


def views_of_file(scan: Scan, count: int = DistillConfig.cloud_points) -> tuple[Pose, Views]:
    """The motion and, in the frame after it, the cameras of `partdistill render`. They stand as for the cloud that
    `distill` samples; mesh and points beyond it move along, so that boxes around them mean the same points there."""
    cloud = posed(surface_cloud(scan, count), FILE)
    pose = Pose.of(cloud)
    return pose, views_for(pose.apply(cloud))
