# SPDX-License-Identifier: Apache-2.0
"""Views of one object from several sides into one cloud: poses from tf, refined by ICP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from partdistill_ros.errors import MissingDependencyError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.transforms import Pose, move


@dataclass(frozen=True)
class Joining:
    """Limits of the refinement; lengths in meters.

    reach, far_reach: points of two views farther apart than this are not taken for the same, in the last and in the
        first `steps` steps of ICP.
    tf_shift, tf_turn: usual errors of tf (meters, degrees; standard deviations of the prior). Refined with these,
        twelve views of a mug whose tf was off by 8 mm and 2 degrees lie 1.3 mm off the true surface instead of 2.8
        (with perfect poses: 1.1).
    weight: of a point against the prior: small_gicp counts 1/500 of a residual of 2 mm, and of 20 neighboring
        points of a depth camera about one is independent.
    spacing: the views are thinned to this for the refinement.
    least_shared: share of the points of a view that must have a partner for the refinement to be believed; views
        from opposite sides share too little, and keep the pose that tf gave.
    largest_shift, largest_turn: (meters, degrees) corrections beyond these are no error of tf: the object was moved.
    voxel: the joined cloud has one point in each cube of this edge.
    all_round: degrees between the directions of two views from which the cloud counts as seen from all sides.
    """

    reach: float = 0.008
    far_reach: float = 0.04
    steps: int = 10
    tf_shift: float = 0.005
    tf_turn: float = 1.0
    weight: float = 25.0
    spacing: float = 0.003
    least_shared: float = 0.3
    largest_shift: float = 0.02
    largest_turn: float = 6.0
    voxel: float = 0.002
    all_round: float = 100.0


class ObjectMoved(Exception):
    """The object is not any more where the views before saw it; the message says by how much."""


@dataclass(frozen=True)
class View:
    """One view `scan` in the object's frame, the sensor's `pose [4, 4]` in that frame after the refinement, and by
    how many meters that moved the object's middle (None: tf's pose was kept)."""

    scan: Scan
    pose: Pose
    correction: float | None


class JoinedObject:
    """Grows view by view."""

    def __init__(self, joining: Joining | None = None) -> None:
        self.joining = joining or Joining()
        self.views: list[View] = []

    def middle(self) -> NDArray[np.float64]:
        """The middle of what was seen so far `[3]`, in the object's frame."""
        return np.concatenate([view.scan.points for view in self.views]).astype(float).mean(0)

    def add(self, scan: Scan, pose: Pose) -> View:
        """Take in a view in the sensor's frame (finite points), whose `pose` in the object's frame tf gave.

        Raises ObjectMoved, having added nothing, and MissingDependencyError where small_gicp is not installed.
        """
        correction = None
        if self.views:
            pose, correction = self._refined(move(scan.points, pose), pose)
        view = View(placed(scan, pose), pose, correction)
        self.views.append(view)
        return view

    def scan(self, name: str) -> Scan:
        """All views as one cloud in the object's frame, up = +z, thinned; its viewpoint is that of the first view
        unless it was seen from all round."""
        points = np.concatenate([view.scan.points for view in self.views])
        colors = [view.scan.colors for view in self.views]
        known = [color for color in colors if color is not None]
        thinned, mixed = thin(points, np.concatenate(known) if len(known) == len(colors) else None, self.joining.voxel)
        eye = None if self._is_all_round() else self.views[0].pose[:3, 3].astype(np.float32)
        first = self.views[0].scan
        return Scan(thinned, mixed, up=first.up, viewpoint=eye, category=first.category, name=name)

    def _refined(self, points: NDArray[np.float32], pose: Pose) -> tuple[Pose, float | None]:
        limits = self.joining
        target = np.concatenate([view.scan.points for view in self.views])
        correction, shared = align(target, points, limits)
        if shared < limits.least_shared:
            return pose, None
        middle = points.astype(float).mean(0)
        shift = float(np.linalg.norm(correction[:3, :3] @ middle + correction[:3, 3] - middle))
        turn = float(np.rad2deg(Rotation.from_matrix(correction[:3, :3]).magnitude()))
        if shift > limits.largest_shift or turn > limits.largest_turn:
            raise ObjectMoved(f"the object has moved by {100 * shift:.1f} cm and {turn:.0f} degrees")
        return correction @ pose, shift

    def _is_all_round(self) -> bool:
        middle = self.middle()
        toward = np.stack([view.pose[:3, 3] - middle for view in self.views])
        toward /= np.maximum(np.linalg.norm(toward, axis=1, keepdims=True), 1e-9)
        return float((toward @ toward.T).min()) < np.cos(np.deg2rad(self.joining.all_round))


def align(target: NDArray[np.float32], points: NDArray[np.float32], joining: Joining) -> tuple[Pose, float]:
    """The transform `[4, 4]` by which `points [N, 3]` fit `target [M, 3]` best and that tf's errors make likely, and
    the share of them, thinned, that has a partner within reach.

    Generalized ICP (Segal et al. 2009) with a Gaussian prior on the correction: without it one view of a mug slides
    around the mug's axis by up to 30 degrees. H and b of each step are those of small_gicp, about the middle of the
    points: d = -(w H + P)^-1 (w b + P x) for the correction x so far and the prior's precision P.
    """
    small_gicp = require_library()
    middle = points.astype(float).mean(0)
    cloud, tree = small_gicp.preprocess_points(target - middle, joining.spacing)
    source, _ = small_gicp.preprocess_points(points - middle, joining.spacing)
    prior = np.diag([np.deg2rad(joining.tf_turn) ** -2.0] * 3 + [joining.tf_shift**-2.0] * 3)
    pose, shared = np.eye(4), 0.0
    for reach in np.repeat([joining.far_reach, joining.reach], joining.steps):
        result = small_gicp.align(
            cloud, source, tree, pose, "GICP", max_correspondence_distance=reach, max_iterations=1
        )
        shared = result.num_inliers / max(source.size(), 1)
        correction = np.concatenate([Rotation.from_matrix(pose[:3, :3]).as_rotvec(), pose[:3, :3].T @ pose[:3, 3]])
        weight = joining.weight
        step = -np.linalg.solve(weight * result.H + prior, weight * result.b + prior @ correction)
        pose = pose @ _exponential(step)
    about = np.eye(4)
    about[:3, 3] = middle
    moved: Pose = about @ pose @ np.linalg.inv(about)
    return moved, shared


def require_library() -> Any:
    """The module small_gicp. Raises MissingDependencyError where it is not installed."""
    try:
        import small_gicp
    except ImportError as error:
        raise MissingDependencyError("small_gicp", "record", "joining views") from error
    return small_gicp


def _exponential(step: NDArray[np.float64]) -> Pose:
    """The small motion of a rotation vector and a translation `[6]`."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec(step[:3]).as_matrix()
    pose[:3, 3] = step[3:]
    return pose


def placed(scan: Scan, pose: Pose) -> Scan:
    """The scan in the frame to which `pose` takes its points."""
    turn = pose[:3, :3]
    eye = np.zeros(3) if scan.viewpoint is None else scan.viewpoint
    return scan.with_(
        points=move(scan.points, pose),
        normals=None if scan.normals is None else (scan.normals @ turn.T).astype(np.float32),
        up=None if scan.up is None else (turn @ scan.up).astype(np.float32),
        viewpoint=(turn @ eye + pose[:3, 3]).astype(np.float32),
    )


def thin(
    points: NDArray[np.float32], colors: NDArray[np.uint8] | None, voxel: float
) -> tuple[NDArray[np.float32], NDArray[np.uint8] | None]:
    """One point in each cube of edge `voxel`: the mean of those in it, and of their colors."""
    cube = np.floor((points - points.min(0)) / voxel).astype(np.int64)
    _, owner, count = np.unique(cube, axis=0, return_inverse=True, return_counts=True)
    owner = owner.reshape(-1)
    mean = _means(points, owner, count).astype(np.float32)
    return mean, None if colors is None else np.rint(_means(colors, owner, count)).astype(np.uint8)


def _means(
    values: NDArray[np.float32] | NDArray[np.uint8], owner: NDArray[np.intp], count: NDArray[np.intp]
) -> NDArray[np.float64]:
    columns = [np.bincount(owner, values[:, axis].astype(np.float64)) for axis in range(values.shape[1])]
    return np.asarray(np.stack(columns, -1) / count[:, None], np.float64)
