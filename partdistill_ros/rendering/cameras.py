# SPDX-License-Identifier: Apache-2.0
"""Where the pictures are taken from: `Views` and the usual sets of them.

Camera frame: x right, y down, z forward (depth); pixel `(row, column)` has its center at
`(row + 0.5, column + 0.5)`. A camera-frame point `(x, y, z)` falls on

    column = size / 2 * (1 + focal * x / z),   row = size / 2 * (1 + focal * y / z)

and, where `orthographic`, the same without the division by z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan

# (elevation, azimuth) in degrees of the ten views in use by PartSLIP and PartDistill (CVPR 2024).
TEN_VIEWS = (
    (10.0, 0.0), (10.0, 90.0), (10.0, 180.0), (10.0, 270.0),
    (40.0, 0.0), (40.0, 120.0), (40.0, 240.0),
    (-20.0, 60.0), (-20.0, 180.0), (-20.0, 300.0),
)  # fmt: skip
DISTANCE = 2.2  # camera to center, in radii of the object's bounding sphere
NEAR_VIEWS, NEAR_ANGLE = 7, 15.0  # of a scan from one side: how many, and degrees off the recording viewpoint
MARGIN = 1.04  # room for the splatted discs around the outline of the bounding sphere


@dataclass(frozen=True)
class Views:
    """V cameras in the frame of the scan.

    rotation: `[V, 3, 3] f4` world to camera.  position: `[V, 3] f4` camera centers, scan units.
    focal: `[V] f4` in halves of the picture: `1 / tan(fov / 2)` for perspective cameras, picture
        halves per scan unit for orthographic ones.
    """

    rotation: NDArray[np.float32]
    position: NDArray[np.float32]
    focal: NDArray[np.float32]
    orthographic: bool = False
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.rotation)
        shapes = (self.rotation.shape, self.position.shape, self.focal.shape)
        if shapes != ((count, 3, 3), (count, 3), (count,)):
            raise PartDistillError(f"views need rotation [V,3,3], position [V,3] and focal [V], got {shapes}")

    @classmethod
    def none(cls) -> Views:
        """No camera at all, where those of a knowledge are unknown."""
        return cls(np.zeros((0, 3, 3), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return len(self.rotation)

    def to_camera(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """World points `[N, 3]` in every camera's frame, `[V, N, 3]`."""
        return np.einsum("vij,vnj->vni", self.rotation, points[None] - self.position[:, None]).astype(np.float32)


def bounding_sphere(points: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
    """Center `[3]` of the bounding box of the finite points and the largest distance from it.

    Raises PartDistillError where no point is finite.
    """
    usable = points[np.isfinite(points).all(axis=1)]
    if not len(usable):
        raise PartDistillError("the cloud has no finite points to point a camera at")
    center = (usable.min(0) + usable.max(0)) / 2
    radius = float(np.linalg.norm(usable - center, axis=1).max())
    return center.astype(np.float32), max(radius, 1e-6)


def look_at(position: ArrayLike, target: ArrayLike, up: ArrayLike = (0, 0, 1)) -> NDArray[np.float32]:
    """World-to-camera rotations `[V, 3, 3]` of cameras at `position [V, 3]` that look at `target`
    with `up` pointing up in the picture (any other direction where they look along `up`)."""
    return camera_axes(position, target, up).astype(np.float32)


def camera_axes(position: ArrayLike, target: ArrayLike, up: ArrayLike = (0, 0, 1)) -> NDArray[np.float64]:
    """The rotations of `look_at` in double precision: rows are a camera's right, down and forward."""
    position = np.atleast_2d(np.asarray(position, np.float64))
    forward = np.asarray(target, np.float64) - position
    forward /= np.maximum(np.linalg.norm(forward, axis=1, keepdims=True), 1e-12)
    vertical = np.broadcast_to(np.asarray(up, np.float64), forward.shape)
    right = np.cross(forward, vertical)
    along = np.linalg.norm(right, axis=1) < 1e-6
    right[along] = np.cross(forward[along], np.eye(3)[np.abs(forward[along]).argmin(axis=1)])
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def orbit_views(
    elevation: ArrayLike,
    azimuth: ArrayLike,
    *,
    up: ArrayLike | None = None,
    center: ArrayLike = (0, 0, 0),
    radius: float = 1.0,
    distance: float = DISTANCE,
    names: Sequence[str] = (),
) -> Views:
    """Cameras around a bounding sphere that fills the picture.

    elevation, azimuth: degrees `[V]` above the plane across `up` and around it; distance: in radii
    (more than 1). Raises PartDistillError for cameras inside the sphere.
    """
    if distance <= 1:
        raise PartDistillError(f"the camera distance must exceed 1 radius of the object, got {distance}")
    elevation, azimuth = np.broadcast_arrays(np.radians(elevation), np.radians(azimuth))
    axis, first, second = _frame(np.asarray([0, 0, 1] if up is None else up, np.float64))
    level = np.cos(azimuth)[:, None] * first + np.sin(azimuth)[:, None] * second
    outward = np.cos(elevation)[:, None] * level + np.sin(elevation)[:, None] * axis
    middle = np.asarray(center, np.float64)
    position = middle + distance * radius * outward
    focal = np.full(len(position), _filling_focal(distance), np.float32)
    return Views(look_at(position, middle, axis), position.astype(np.float32), focal, names=tuple(names))


def ten_views(
    up: ArrayLike | None = None, center: ArrayLike = (0, 0, 0), radius: float = 1.0, distance: float = DISTANCE
) -> Views:
    """The ten views of the method, `up` defaults to +z; `center` and `radius` from `bounding_sphere`."""
    elevation, azimuth = np.array(TEN_VIEWS).T
    names = [f"e{e:+.0f}_a{a:03.0f}" for e, a in TEN_VIEWS]
    return orbit_views(elevation, azimuth, up=up, center=center, radius=radius, distance=distance, names=names)


def near_views(viewpoint: ArrayLike, center: ArrayLike, radius: float, up: ArrayLike | None = None) -> Views:
    """Seven cameras near the recording viewpoint of a scan seen from one side: the viewpoint itself and six on a cone
    of 15 degrees around it, all at the recording distance (at least 1.5 radii). The roll keeps `up` upright; unknown,
    it defaults to -y of an optical frame."""
    middle = np.asarray(center, np.float64)
    ray = np.asarray(viewpoint, np.float64) - middle
    distance = max(float(np.linalg.norm(ray)), 1.5 * radius)
    axis, first, second = _frame(ray if np.linalg.norm(ray) > 1e-9 else np.array([0.0, 0.0, -1.0]))
    turn = np.linspace(0, 2 * np.pi, NEAR_VIEWS - 1, endpoint=False)[:, None]
    angle = np.radians(NEAR_ANGLE)
    cone = np.cos(angle) * axis + np.sin(angle) * (np.cos(turn) * first + np.sin(turn) * second)
    position = middle + distance * np.concatenate([axis[None], cone])
    focal = np.full(len(position), _filling_focal(distance / radius), np.float32)
    rotation = look_at(position, middle, (0, -1, 0) if up is None else up)
    names = ("near", *(f"near_{index}" for index in range(1, NEAR_VIEWS)))
    return Views(rotation, position.astype(np.float32), focal, names=names)


def views_for(scan: Scan) -> Views:
    """The views that suit a scan: near its viewpoint where it was seen from one side, else the ten.

    Raises PartDistillError where no point is finite.
    """
    center, radius = bounding_sphere(scan.points)
    if scan.viewpoint is None:
        return ten_views(scan.up, center, radius)
    return near_views(scan.viewpoint, center, radius, scan.up)


def random_views(
    rng: np.random.Generator,
    count: int,
    *,
    center: ArrayLike = (0, 0, 0),
    radius: float = 1.0,
    elevation: tuple[float, float] = (-35.0, 70.0),
    distance: float = DISTANCE,
) -> Views:
    """Cameras at random azimuths and elevations (degrees, uniform in the range)."""
    turned = rng.uniform(0, 360, count)
    raised = rng.uniform(*elevation, count)
    return orbit_views(raised, turned, center=center, radius=radius, distance=distance)


def _filling_focal(distance: float) -> float:
    """Focal length at which a unit sphere `distance` away just fits: its outline is at asin(1 / d)."""
    return float(np.sqrt(distance * distance - 1) / MARGIN)


def _frame(axis: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Right-handed unit vectors (axis, first, second); first is +x where the axis is +z."""
    axis = axis / np.linalg.norm(axis)
    helper = np.eye(3)[0] if abs(axis[0]) < 0.9 else np.eye(3)[1]
    first = helper - axis * (helper @ axis)
    first /= np.linalg.norm(first)
    return axis, first, np.cross(axis, first)
