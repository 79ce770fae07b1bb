# SPDX-License-Identifier: Apache-2.0
"""From a cloud to the points that the network takes, and from its answer for them back to every point."""

from __future__ import annotations

import fpsample
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

SAMPLING_VOXELS = 96  # along the longest side: 300k points -> at most 40k, 1/3 of the samples' spacing
FARTHEST_POOL = 4  # farthest-point sampling sees this many times the points it keeps
TABLE_VOXELS = 256  # along a side; up to here a table of all voxels (64 MB) is faster than sorting the points
MAX_VOXELS = 1 << 20  # along a side; with more, the number of a voxel does not fit into 64 bits

EXACT_UP_TO = 4_096  # points; larger clouds are looked up by voxel: 300k in 30 ms instead of 200 ms
INTERPOLATION_VOXELS = 64  # along the longest side: about the spacing of 2,048 samples, a third cheaper than 96
WORTH_THREADS = 8_192  # points; for fewer, starting threads takes longer than looking up


def finite_rows(points: NDArray[np.floating]) -> NDArray[np.intp]:
    """Indices of the rows of `points [N, 3]` without NaN or infinity."""
    # 300k points: 0.8 ms; isfinite(...).all(axis=1) takes 6.4 ms
    with np.errstate(invalid="ignore", over="ignore"):
        return np.flatnonzero(np.isfinite(points[:, 0] + points[:, 1] + points[:, 2]))


def voxel_downsample(
    points: NDArray[np.floating], *, voxels: int = SAMPLING_VOXELS, edge: float | None = None
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """One point per occupied voxel of a grid with `voxels` along the longest side, or of cubes of this `edge`.

    Returns the representatives `[R]` (indices into `points [N, 3]`, finite, `N >= 1`) and, for each point, the
    position of its representative in that list `[N]`. 300k points take 5 ms, a million 17 ms.
    """
    columns = np.ascontiguousarray(points.T)
    low = columns.min(axis=1)
    with np.errstate(over="ignore"):
        extent = float((columns.max(axis=1) - low).max())
    scale = (voxels - 1e-3) / max(extent, 1e-20) if edge is None else 1 / edge
    if not 0 <= extent * scale < MAX_VOXELS:  # coordinates so far apart that every point has a voxel of its own
        return np.arange(len(points)), np.arange(len(points))
    voxels = voxels if edge is None else int(extent * scale) + 1
    voxel = np.zeros(len(points), np.int32 if voxels <= TABLE_VOXELS else np.int64)
    for column, least in zip(columns, low, strict=True):
        voxel *= voxels
        voxel += np.minimum((column - least) * column.dtype.type(scale), voxels - 1).astype(voxel.dtype)
    if voxels > TABLE_VOXELS:
        return np.unique(voxel, return_index=True, return_inverse=True)[1:]
    table = np.full(voxels**3, -1, np.int32)
    table[voxel] = np.arange(len(points), dtype=np.int32)
    occupied = np.flatnonzero(table >= 0)
    representatives = table[occupied].astype(np.intp)
    table[occupied] = np.arange(len(occupied), dtype=np.int32)
    return representatives, table[voxel].astype(np.intp)


def resample(points: NDArray[np.floating], count: int, *, method: str = "random", seed: int = 0) -> NDArray[np.intp]:
    """Indices `[count]` of a sample of the finite cloud `points [N, 3]`, `N >= 1`.

    Exactly `count` points are kept in their order; fewer are all kept and repeated. From more,
    `random` draws evenly among the points (0.1 ms for any N). `farthest` spreads them evenly over the
    surface by farthest-point sampling, of a downsampled random pool where the cloud is larger than that:
    6 ms (of all of 300k points it would take 76 to 370 ms, of a million over 250 ms).
    """
    size = len(points)
    if size <= count:
        return np.resize(np.arange(size), count)
    rng = np.random.default_rng(seed)
    if method == "random":
        return rng.choice(size, count, replace=False, shuffle=False)
    pool = np.arange(size)
    if size > FARTHEST_POOL * count:
        downsampled = voxel_downsample(points)[0]
        pool = downsampled if len(downsampled) >= FARTHEST_POOL * count else pool
        pool = rng.choice(pool, FARTHEST_POOL * count, replace=False, shuffle=False)
    return pool[farthest_points(points[pool], count)]


def farthest_points(points: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Indices `[count]` of farthest-point samples of `points [N, 3]` in sampling order, `count <= N`.

    Repeatable, but the first is an arbitrary point: start_idx of fpsample 1.0 counts the points in the
    order of its k-d tree, not in ours.

    2,048 -> 128 takes 0.5 ms (bucketed k-d tree of the compiled fpsample; numpy takes 6 to 16 ms).
    """
    local = points - points.mean(axis=0, dtype=np.float64)
    local = np.ascontiguousarray(local / max(np.abs(local).max(), 1e-30), dtype=np.float32)
    height = 3 if len(points) <= 4096 else 5  # the faster tree depth at 2k and at 8k points
    return fpsample.bucket_fps_kdline_sampling(local, count, h=height, start_idx=0).astype(np.int64)


def interpolate_labels(
    points: NDArray[np.floating], sampled: NDArray[np.floating], values: NDArray[np.float32], *, workers: int = 1
) -> NDArray[np.float32]:
    """Carry `values [S, P]` of the sampled points `[S, 3]` to all finite `points [N, 3]`: `[N, P]`.

    Each point takes the values of the nearest sampled point. In clouds over 4,096 points those in one voxel
    (1/64 of the longest side) get the answer of one of them, unless the cloud is so uneven that hardly any voxels
    would be left.
    """
    if points is sampled:
        return values
    of_point: NDArray[np.intp] | slice = slice(None)
    if len(points) > EXACT_UP_TO:
        representatives, owner = voxel_downsample(points, voxels=INTERPOLATION_VOXELS)
        if len(representatives) >= len(sampled):
            points, of_point = points[representatives], owner
    nearest = cKDTree(sampled).query(points, workers=workers if len(points) > WORTH_THREADS else 1)[1]
    return values[nearest][of_point]
