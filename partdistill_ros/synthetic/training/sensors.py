# SPDX-License-Identifier: Apache-2.0
"""A shape as sensors on a robot see it: from one side, occluded, cropped, beside neighbors, with noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, cKDTree

from partdistill_ros.distillation.augmentation import AugmentedCloud, draw_clutter, random_turn, sample_unevenly
from partdistill_ros.distillation.config import Augmentation
from partdistill_ros.distillation.samples import partial_view_masks
from partdistill_ros.pointcloud.frames import center_max_radius, rotation_to_z
from partdistill_ros.pointcloud.sampling import farthest_points, resample
from partdistill_ros.pointcloud.scan import Scan

LEAST_LEFT = 256  # points that a view or a cut leaves at least
UPSIDE_DOWN = 0.35  # of things that do not stand: people put cups so, which seldom come to lie so by chance
HULL_POINTS = 600  # of a shape that tell on which sides it can rest


@dataclass(frozen=True)
class Sensing:
    """Chances of what happens to a cloud, and how much at most; lengths in units of the object's radius."""

    dropped: float = 0.25  # it rests as it came to lie, on its side or upside down
    one_sided: float = 0.55  # as one camera sees it
    cut: float = 0.25  # occluded by something, or cropped at the picture's edge
    cut_fraction: float = 0.35  # of the points that a cut takes at most
    neighbor: float = 0.25  # points of a neighbor that imperfect cutting has left in
    neighbor_reach: float = 0.35  # how far from the object they lie at most
    few: float = 0.25  # a cloud of few points
    fewest: int = 300
    steps: float = 0.3  # depth in steps, as structured light and stereo give it
    step: float = 0.03  # largest of these
    welded: float = 0.2  # its joins and edges are round, as of cast, sewn and reconstructed things
    waves: float = 0.02  # largest height of slow bumps, which a scan of many views has
    free_rotation: float = 0.25  # of a thing that stands
    free_rotation_up_unknown: float = 0.45  # of a thing without an up of its own
    how: Augmentation = Augmentation(noise=0.02)  # stretch, tilt, outliers, table, noise


def sensed(
    rng: np.random.Generator,
    points: NDArray[np.floating],
    seen: NDArray[np.bool_],
    neighbor: NDArray[np.floating],
    up_unknown: bool,
    sensing: Sensing,
    count: int,
    num_centers: int,
) -> AugmentedCloud:
    """One cloud of `count` points of a shape `points [M, 3]` (up = +z, in the unit ball).

    seen: `[V, M]` by single cameras.  neighbor: `[L, 3]`, another thing that may stand beside it.
    """
    how, rows = sensing.how, np.arange(len(points))
    if rng.random() < sensing.dropped:
        points = points @ resting_turn(rng, points).T.astype(points.dtype)
        # a camera on a robot looks down at what lies there, too: the views of the upright shape hold other sides
        views = partial_view_masks(Scan(points), int(rng.integers(2**31)), 1)
        seen = seen if views is None else views
    if rng.random() < sensing.one_sided:
        visible = np.flatnonzero(seen[rng.integers(len(seen))])
        rows = visible if len(visible) >= LEAST_LEFT else rows
    if rng.random() < sensing.cut:
        rows = _cut(rng, points, rows, sensing.cut_fraction)
    cloud = points[rows].astype(np.float64) * rng.uniform(1 - how.stretch, 1 + how.stretch, 3)
    if up_unknown and rng.random() < 0.5:  # it may as well lie on the other side
        cloud = cloud * [1, -1, -1]
    cloud = cloud @ random_turn(rng, 0.0, how.roll_pitch).T
    extra = draw_clutter(rng, cloud, how)
    if rng.random() < sensing.neighbor:
        extra = np.concatenate([extra, _beside(rng, cloud, neighbor, sensing.neighbor_reach)])
    fewest = min(sensing.fewest, count)
    few = int(np.exp(rng.uniform(np.log(fewest), np.log(count)))) if rng.random() < sensing.few else count
    chosen = sample_unevenly(rng, cloud, few - min(len(extra), few // 4))
    extra = extra[rng.permutation(len(extra))[: few - len(chosen)]]
    own = welded(rng, cloud[chosen]) if rng.random() < sensing.welded else cloud[chosen]
    cloud = np.concatenate([own, extra])
    source = np.concatenate([rows[chosen], np.full(len(extra), -1)])
    order = rng.permutation(len(cloud))
    cloud, source = cloud[order], source[order]
    cloud = _measured(rng, cloud, sensing)
    free = sensing.free_rotation_up_unknown if up_unknown else sensing.free_rotation
    if rng.random() < free:  # with table and neighbors: it is the camera that is turned
        cloud = cloud @ random_turn(rng, 1.0, 0.0).T
    every = resample(cloud, count)
    final = center_max_radius(cloud[every])
    return AugmentedCloud(final, farthest_points(final, num_centers), source[every])


def resting_turn(rng: np.random.Generator, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """The rotation `[3, 3]` of a thing that was dropped, or set down upside down: from its first pose it rolls on, from
    facet to facet of its hull, to one that its center of mass lies over; that one is at the bottom (-z).

    Slow motion without bounces, as in Goldberg et al., Part Pose Statistics, IJRR 1999.
    """
    chosen = points[rng.permutation(len(points))[:HULL_POINTS]].astype(np.float64)
    planes = ConvexHull(chosen).equations
    height = -(planes[:, :3] @ chosen.mean(0) + planes[:, 3])  # of the center of mass over each facet
    down = np.array([0.0, 0.0, 1.0]) if rng.random() < UPSIDE_DOWN else rng.normal(size=3)
    while True:
        toward = planes[:, :3] @ down
        facet = np.where(toward > 1e-9, height / np.maximum(toward, 1e-9), np.inf).argmin()
        if toward[facet] > 1 - 1e-9:
            break
        down = planes[facet, :3]
    return rotation_to_z(-down)


def welded(rng: np.random.Generator, cloud: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cloud with its joins and edges rounded off: each point lies nearer to the mean of its neighbors."""
    near = cKDTree(cloud).query(cloud, int(rng.integers(6, 20)))[1]
    weight = rng.uniform(0.5, 1.0)
    return (1 - weight) * cloud + weight * cloud[near].mean(axis=1)


def _cut(
    rng: np.random.Generator, points: NDArray[np.floating], rows: NDArray[np.int64], most: float
) -> NDArray[np.int64]:
    """`rows` without those on one side of a plane, or within a band."""
    direction = rng.normal(size=3)
    rank = (points[rows] @ direction).argsort().argsort() / len(rows)
    width = rng.uniform(0.03, most)
    start = 0.0 if rng.random() < 0.6 else rng.uniform(0, 1 - width)
    kept = rows[(rank < start) | (rank > start + width)]
    return kept if len(kept) >= LEAST_LEFT else rows


def _beside(
    rng: np.random.Generator, cloud: NDArray[np.float64], other: NDArray[np.floating], reach: float
) -> NDArray[np.float64]:
    """Points of a thing that stands beside the object on the same floor, those within `reach` of it."""
    thing = other.astype(np.float64) @ random_turn(rng, 0.0, 0.1).T * rng.uniform(0.4, 1.5)
    angle = rng.uniform(0, 2 * np.pi)
    toward = np.array([np.cos(angle), np.sin(angle), 0])
    end, start = (cloud @ toward).max(), (thing @ toward).min()
    thing = thing + toward * (end - start + rng.uniform(-0.1, 0.1))
    thing[:, 2] += cloud[:, 2].min() - thing[:, 2].min()
    near = (thing @ toward) < end + rng.uniform(0.05, reach)
    return thing[near]


def _measured(rng: np.random.Generator, cloud: NDArray[np.float64], sensing: Sensing) -> NDArray[np.float64]:
    """Noise of all directions, and depth in steps along a line of sight."""
    if rng.random() < 0.7:
        cloud = cloud + rng.normal(0, rng.uniform(0, sensing.how.noise), cloud.shape)
    if rng.random() < 0.3:
        directions, phase = rng.normal(size=(6, 3)) * rng.uniform(2, 10, (6, 1)), rng.uniform(0, 2 * np.pi, 6)
        bumps = np.sin(cloud @ directions.T + phase) @ rng.normal(0, 1 / 6, (6, 3))
        cloud = cloud + rng.uniform(0, sensing.waves) * bumps / max(np.abs(bumps).max(), 1e-9)
    if rng.random() < sensing.steps:
        sight = rng.normal(size=3)
        sight /= np.linalg.norm(sight)
        depth, step = cloud @ sight, rng.uniform(0.005, sensing.step)
        cloud = cloud + np.outer(np.round(depth / step) * step - depth, sight)
    return cloud
