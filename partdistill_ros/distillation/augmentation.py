# SPDX-License-Identifier: Apache-2.0
"""What turns one cloud of a collection into the many clouds a robot may meet: turns, partial views,
sensor noise, uneven density, leftovers of the table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.config import Augmentation
from partdistill_ros.pointcloud.frames import center_max_radius, turn_about_z
from partdistill_ros.pointcloud.sampling import farthest_points

# As PartDistill's authors train: scale 0.9 to 1.1 of each axis and jitter; their shift by 0.1 is undone by centering.
ALIGNED = Augmentation(
    partial_view=0, free_rotation=0, free_rotation_up_unknown=0, yaw=0, roll_pitch=0, stretch=0.1, noise=0.02,
    density_bias=0, outliers=0, table=0,
)  # fmt: skip


@dataclass(frozen=True)
class AugmentedCloud:
    """One training cloud: points `[N, 3]` normalized, centers `[G]`, source `[N]` rows of the sample's
    points, -1 for points that belong to no object."""

    points: NDArray[np.float32]
    centers: NDArray[np.int64]
    source: NDArray[np.int64]


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Uniform rotation matrix `[3, 3]` (QR of a Gaussian matrix)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else q[:, [1, 0, 2]]


def random_turn(
    rng: np.random.Generator, free_rotation: float, roll_pitch: float, yaw: float = Augmentation.yaw
) -> NDArray[np.float64]:
    """A rotation about the vertical by at most `yaw` with some roll and pitch (radians, one sigma), or with chance
    `free_rotation` any rotation."""
    if rng.random() < free_rotation:
        return random_rotation(rng)
    about_vertical = turn_about_z(rng.uniform(0, yaw))
    lean = rng.normal(0, roll_pitch, 2)
    tilted = np.array([[1, 0, lean[0]], [0, 1, lean[1]], [-lean[0], -lean[1], 1]])
    q, _ = np.linalg.qr(tilted)
    q *= np.sign(np.diag(q))
    rotation: NDArray[np.float64] = q @ about_vertical
    return rotation


def sample_unevenly(
    rng: np.random.Generator, points: NDArray[np.floating], count: int, bias: float = Augmentation.density_bias
) -> NDArray[np.int64]:
    """Rows of `count` points, half of the time denser towards a random side (up to exp(bias) : 1)."""
    if len(points) < count:
        return np.concatenate([rng.permutation(len(points)), rng.integers(0, len(points), count - len(points))])
    weight = np.ones(len(points))
    if rng.random() < 0.5:
        direction = rng.normal(size=3)
        side = points @ direction / np.linalg.norm(direction)
        weight = np.exp(rng.uniform(0, bias) * (side - side.min()) / max(np.ptp(side), 1e-9))
    keys = rng.random(len(points)) ** (1 / weight)
    return np.argpartition(-keys, count - 1)[:count]


def draw_clutter(rng: np.random.Generator, points: NDArray[np.floating], how: Augmentation) -> NDArray[np.float64]:
    """Points of no object: a few anywhere, and at times a strip of the table under it."""
    low, high = points.min(0), points.max(0)
    loose = rng.uniform(low, high, (int(rng.uniform(0, how.outliers) * len(points)), 3))
    if rng.random() > 0.4:
        return loose
    strip = rng.uniform(low - 0.1, high + 0.1, (int(rng.uniform(0, how.table) * len(points)), 3))
    strip[:, 2] = low[2] + rng.normal(0, 0.01, len(strip))
    return np.concatenate([loose, strip])


def augment(
    rng: np.random.Generator,
    points: NDArray[np.float32],
    partial_views: NDArray[np.bool_] | None,
    up_unknown: bool,
    how: Augmentation,
    count: int,
    num_centers: int,
) -> AugmentedCloud:
    """A random cloud of `count` points of a sample's `points [M, 3]` (up = +z).

    partial_views: `[V, M]` what V cameras see, None for scans that are partial views already.  num_centers: 0 where
    nobody wants them, which changes no random number.
    """
    rows = np.arange(len(points))
    if partial_views is not None and rng.random() < how.partial_view:
        seen = np.flatnonzero(partial_views[rng.integers(len(partial_views))])
        rows = seen if len(seen) >= 256 else rows
    cloud = points[rows].astype(np.float64) * rng.uniform(1 - how.stretch, 1 + how.stretch, 3)
    if up_unknown and rng.random() < 0.5:  # it may as well lie on the other side
        cloud = cloud * [1, -1, -1]
    free_rotation = how.free_rotation_up_unknown if up_unknown else how.free_rotation
    cloud = cloud @ random_turn(rng, free_rotation, how.roll_pitch, how.yaw).T
    extra = draw_clutter(rng, cloud, how)
    chosen = sample_unevenly(rng, cloud, count - min(len(extra), count // 4), how.density_bias)
    extra = extra[: count - len(chosen)]
    cloud = np.concatenate([cloud[chosen], extra])
    source = np.concatenate([rows[chosen], np.full(len(extra), -1)])
    order = rng.permutation(len(cloud))
    cloud, source = cloud[order], source[order]
    if rng.random() < 0.7:
        cloud = cloud + rng.normal(0, rng.uniform(0, how.noise), cloud.shape)
    final = center_max_radius(cloud)
    centers = farthest_points(final, num_centers) if num_centers else np.zeros(0, np.int64)
    return AugmentedCloud(final, centers, source)
