# SPDX-License-Identifier: Apache-2.0
"""Superpoints: the pieces that a surface falls into at its creases, concave ones first, as parts of things mostly do.

Small cells that keep to one side of every crease are joined, the smoothest border first, as in the region growing over
supervoxels of Stein et al. (Object Partitioning using Local Convexity, CVPR 2014). No teacher and no label is asked.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from partdistill_ros.pointcloud.normals import estimate_normals
from partdistill_ros.pointcloud.sampling import farthest_points


@dataclass(frozen=True)
class SuperpointConfig:
    """Numbers of the over-segmentation; a turn of the normal is 1 - cosine of its angle."""

    cells: int = 160  # at first
    neighbors: int = 12  # of a point, over which the surface is walked
    detour: float = 30.0  # how many times as long a step is that turns by 90 degrees: cells end at creases
    convex: float = 0.4  # what a convex turn counts beside a concave one, at which parts meet
    most_turn: float = 0.08  # mean turn over a border that still joins
    least: int = 40  # superpoints, at which joining ends: parts of smooth shapes have no crease between them
    smallest: float = 0.004  # of the points; what is smaller joins its smoothest neighbor whatever their turn


DEFAULT = SuperpointConfig()


def superpoints(points: NDArray[np.float32], config: SuperpointConfig = DEFAULT) -> NDArray[np.int32]:
    """The superpoint `[N]` of each of `points [N, 3]` (finite), numbered from 0, the largest first."""
    if len(points) <= config.cells:  # so few that each is one
        return np.arange(len(points), dtype=np.int32)
    cell, first, second, turn = _cells(points.astype(np.float64), config)
    joined = _join(cell, first, second, turn, config)
    size = np.bincount(joined)
    number = np.empty(len(size), np.int32)
    number[np.argsort(-size, kind="stable")] = np.arange(len(size), dtype=np.int32)
    return number[joined]


def piece_means(values: NDArray[np.floating], piece: NDArray[np.int32]) -> NDArray[np.float64]:
    """Mean `[K, C]` of `values [N, C]` over each superpoint."""
    sums = np.stack([np.bincount(piece, column) for column in values.T], axis=1)
    return np.asarray(sums / np.bincount(piece)[:, None])


def _cells(
    points: NDArray[np.float64], config: SuperpointConfig
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Cell `[N]` of each point; of each link between cells its two cells and the turn of the normal `[E]`."""
    count = len(points)
    normals = estimate_normals(points.astype(np.float32)).astype(np.float64)
    near = cKDTree(points).query(points, min(config.neighbors + 1, count))[1]
    start, end = np.repeat(np.arange(count), near.shape[1] - 1), near[:, 1:].ravel()
    step = points[end] - points[start]
    length = np.maximum(np.linalg.norm(step, axis=1), 1e-9)
    turn = 1 - np.einsum("ij,ij->i", normals[start], normals[end])
    convex = np.einsum("ij,ij->i", normals[end] - normals[start], step) >= 0
    turn = np.where(convex, config.convex, 1.0) * turn
    cost = length * (1 + config.detour * turn)
    graph = coo_array((cost, (start, end)), shape=(count, count)).tocsr()
    seeds = farthest_points(points.astype(np.float32), min(config.cells, count))
    piece = connected_components(graph, directed=False)[1]
    seeds = np.union1d(seeds, np.unique(piece, return_index=True)[1])  # so that each piece has one
    source = dijkstra(graph, directed=False, indices=seeds, min_only=True, return_predecessors=True)[2]
    cell = np.searchsorted(seeds, source)
    across = cell[start] != cell[end]
    return cell, cell[start[across]], cell[end[across]], turn[across]


def _join(
    cell: NDArray[np.intp],
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    turn: NDArray[np.float64],
    config: SuperpointConfig,
) -> NDArray[np.intp]:
    """The cells joined over borders that turn little, the smoothest first: the piece `[N]` of each point, no gaps."""
    size = np.bincount(cell).astype(float)
    borders: list[dict[int, list[float]]] = [{} for _ in size]  # neighbor -> links, sum of their turns
    for one, other, value in zip(first.tolist(), second.tolist(), turn.tolist(), strict=True):
        for a, b in ((one, other), (other, one)):
            own = borders[a].setdefault(b, [0.0, 0.0])
            own[0] += 1
            own[1] += value
    parent = list(range(len(size)))
    least, count = config.smallest * len(cell), len(size)
    waiting = [(own[1] / own[0], a, b, own[0]) for a in range(len(size)) for b, own in borders[a].items() if a < b]
    heapq.heapify(waiting)
    while waiting:
        mean, a, b, links = heapq.heappop(waiting)
        if parent[a] != a or parent[b] != b or borders[a].get(b, (0,))[0] != links:
            continue  # of before one of the two was joined
        if (mean > config.most_turn or count <= config.least) and min(size[a], size[b]) >= least:
            continue
        count -= 1
        parent[b] = a
        size[a] += size[b]
        for other, own in borders[b].items():
            if other == a:
                continue
            merged = borders[a].setdefault(other, [0.0, 0.0])
            merged[0] += own[0]
            merged[1] += own[1]
            borders[other].pop(b)
            borders[other][a] = merged
        borders[a].pop(b)
        for other, own in borders[a].items():
            heapq.heappush(waiting, (own[1] / own[0], a, other, own[0]))
    root = np.array([_root(parent, number) for number in range(len(parent))])
    return np.unique(root, return_inverse=True)[1][cell]


def _root(parent: list[int], number: int) -> int:
    while parent[number] != number:
        number = parent[number]
    return number
