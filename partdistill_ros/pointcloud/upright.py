# SPDX-License-Identifier: Apache-2.0
"""Which way a thing stands when nothing tells: directions worth trying, and how likely each is up."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.pointcloud.frames import rotation_to_z
from partdistill_ros.pointcloud.perceptron import load_perceptron, perceptron

WEIGHTS = Path(__file__).parents[1] / "models" / "upright" / "upright.npz"  # made by synthetic.training.upright
SEEN = 512  # points that are looked at
SAME_PLANE = np.cos(np.radians(8))  # faces of the hull that lean less against each other carry an object together
SAME_DIRECTION = np.cos(np.radians(8))  # candidates closer than this are one
FILLED = np.cos(np.radians(14))  # no axis all round so close to a better one
PEAK = np.cos(np.radians(18))  # those closer speak for each other
CARRYING = 7  # planes of the hull that are tried, by each of two orders
EVENLY = 45  # axes all round, 20 degrees apart: for what stands on something that no camera saw
SLICES, RINGS = 12, 6  # of a candidate's height and of the distance from its vertical axis
TURNS = 4  # harmonics about the vertical: off to a side, elongated, three- and fourfold

Floats = NDArray[np.float64]


def likely_ups(points: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Directions `[D, 3]` that may be up of finite `points [N, 3]`, the likeliest first, with the probability `[D]` of
    each; +z alone for points without a volume. They lie apart; each is the mean of the candidates around it.
    Raises PartDistillError where the network that knows cannot be read."""
    some = looked_at(points)
    if some is None:
        return np.array([[0.0, 0, 1]]), np.ones(1)
    ups, standing = candidates(some)
    logits = perceptron(_weights(), features(some, ups, standing))
    probability = np.exp(logits - logits.max(), dtype=np.float64)
    return peaks(ups, probability / probability.sum())


def peaks(ups: Floats, probability: Floats) -> tuple[Floats, Floats]:
    """The candidates `[C, 3]` gathered around the likeliest of them: directions `[D, 3]` and their shares `[D]`."""
    near = ups @ ups.T > PEAK
    found, shares = [], []
    left = probability.copy()
    while (best := int(left.argmax())) >= 0 and left[best] > 0:
        own = left * near[best]
        mean = own @ ups
        found.append(mean / np.linalg.norm(mean))
        shares.append(own.sum())
        left[near[best]] = 0
    order = np.argsort(shares)[::-1]
    return np.array(found)[order], np.array(shares)[order]


def looked_at(points: NDArray[np.floating]) -> Floats | None:
    """At most `SEEN` of the points, centered, in units of their largest radius; None for points without a volume."""
    if len(points) < 4:
        return None
    if len(points) > SEEN:
        points = points[np.random.default_rng(0).choice(len(points), SEEN, replace=False)]
    centered = np.asarray(points, np.float64) - np.mean(points, axis=0, dtype=np.float64)
    extents = np.linalg.svd(centered, compute_uv=False)
    return centered / np.linalg.norm(centered, axis=1).max() if extents[-1] > 1e-5 * extents[0] else None


def candidates(points: Floats) -> tuple[Floats, Floats]:
    """Directions `[2 A, 3]` worth trying, those of A axes and then their opposites, and how firmly the thing stands on
    each `[2 A, 2]`: the share of the hull's surface that carries it, and that over the height of the center of mass.

    The axes of the frame, normals of the planes that the convex hull can stand on, the largest and the steadiest first,
    the principal axes, and evenly all round what lies between these.
    """
    from scipy.spatial import ConvexHull  # not above: 60 ms that `partdistill --help` need not wait for

    hull = ConvexHull(points)
    normals, offsets = hull.equations[:, :3], hull.equations[:, 3]
    corners = hull.points[hull.simplices]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    area /= area.sum()
    together = normals @ normals.T > SAME_PLANE
    carried = together @ area
    steady = carried / np.maximum(-offsets, 0.05)  # the center of mass is the origin
    planes = (together * area) @ normals
    planes /= np.linalg.norm(planes, axis=1, keepdims=True)
    axes = np.eye(3)
    for more, most in (
        (planes[np.argsort(-carried)], CARRYING),
        (planes[np.argsort(-steady)], CARRYING),
        (np.linalg.eigh(points.T @ points)[1].T, 3),
    ):
        axes = _with_others(axes, more, most)
    even = _evenly(EVENLY)
    axes = np.concatenate([axes, even[np.abs(even @ axes.T).max(1) < FILLED]])
    ups = np.concatenate([axes, -axes])
    near = -ups @ normals.T > SAME_PLANE
    return ups, np.stack([near @ area, (near * steady).max(1)], 1)


def _with_others(axes: Floats, more: Floats, most: int) -> Floats:
    """`axes [A, 3]` and the first `most` of the unit vectors `more [M, 3]` that are near none of them."""
    least = len(axes) + most
    while len(axes) < least and len(more := more[np.abs(more @ axes.T).max(1) < SAME_DIRECTION]):
        axes = np.concatenate([axes, more[:1]])
    return axes


@cache
def _evenly(count: int) -> Floats:
    """Axes `[count, 3]` spread over the half sphere on a Fibonacci spiral."""
    z = 1 - (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - np.sqrt(5))
    return np.stack([*(np.sqrt(1 - z**2) * (np.cos(angle), np.sin(angle))), z], 1)


def features(points: Floats, ups: Floats, standing: Floats) -> NDArray[np.float32]:
    """What is measured of the points `[N, 3]` about each of the `candidates`: `[2 A, F]`, the same however they are
    turned about it. Of each slice of the height: how many points lie in each ring, harmonics about the axis."""
    axes = ups[: len(ups) // 2]
    count = len(axes)
    turned = (np.stack([rotation_to_z(axis) for axis in axes]) @ points.T).astype(np.float32)  # [A, 3, N]
    flat = turned[:, 0] + np.complex64(1j) * turned[:, 1]
    away = np.abs(flat)
    few = len(points) // 100  # outliers on each side
    low, high = np.partition(turned[:, 2], (few, len(points) - 1 - few), axis=1)[:, [few, -1 - few]].T[..., None]
    wide = np.partition(away, len(points) - 1 - few, axis=1)[:, -1 - few][:, None] + np.float32(1e-6)
    height = np.clip((turned[:, 2] - low) / np.maximum(high - low, 1e-6), 0, 1)
    level = np.minimum(height * SLICES, SLICES - 1).astype(np.intp) + SLICES * np.arange(count)[:, None]
    ring = np.minimum(away / wide * RINGS, RINGS - 1).astype(np.intp)
    filled = np.bincount((level * RINGS + ring).ravel(), minlength=count * SLICES * RINGS).reshape(count, SLICES, RINGS)
    unit, wave = flat / np.maximum(away, 1e-9), away / wide
    around = [wave]
    for _ in range(TURNS):
        wave = wave * unit
        around += [wave.real, wave.imag]
    sums = np.stack([np.bincount(level.ravel(), one.ravel(), count * SLICES) for one in around])
    sums = sums.reshape(-1, count, SLICES) / np.maximum(filled.sum(2), 1)
    slices = np.concatenate(
        [np.sqrt(filled / len(points)), sums[0][..., None], np.moveaxis(np.hypot(sums[1::2], sums[2::2]), 0, -1)], 2
    )
    both = np.concatenate([slices, slices[:, ::-1]]).reshape(len(ups), -1)  # upside down the slices are the same
    middle = np.concatenate([height.mean(1), 1 - height.mean(1)])
    in_frame = np.abs(axes).max(1) > np.cos(np.radians(1))  # files mostly have up along an axis
    sizes = np.stack([(high - low)[:, 0], wide[:, 0], height.std(1), in_frame], 1)
    return np.concatenate([both, middle[:, None], sizes[[*range(count)] * 2], standing], 1).astype(np.float32)


@cache
def _weights() -> dict[str, NDArray[np.float32]]:
    return load_perceptron(
        WEIGHTS, "the network of upright poses", "state the up direction, or install the package again"
    )
