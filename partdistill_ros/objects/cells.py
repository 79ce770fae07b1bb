# SPDX-License-Identifier: Apache-2.0
"""Cells of a grid that lies on the table, and the groups of cells that touch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

DENSE_CELLS = 4_000_000  # cells of a grid that is counted in a table, 32 MB


@dataclass(frozen=True)
class Cells:
    """Occupied cells of a grid on the table: `index [M, 3]` along, across and above it; `key [M]` their
    ascending numbers, `stride [3]` the step of a number along each axis; `of_point [N]`, `count [M]`."""

    index: NDArray[np.int64]
    key: NDArray[np.int64]
    stride: NDArray[np.int64]
    of_point: NDArray[np.intp]
    count: NDArray[np.intp]


def grid_cells(position: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], edge: float) -> Cells:
    """Cells of the points with these coordinates, `[N]` each, along, across and above the table."""
    if not len(position[0]):
        empty = np.empty(0, np.int64)
        return Cells(np.empty((0, 3), np.int64), empty, np.ones(3, np.int64), empty, empty)
    columns = [np.floor(along * np.float32(1 / edge)).astype(np.int64) for along in position]
    # a rim of one cell, so that a neighbor's number is never that of a cell in another row
    low = np.array([column.min() - 1 for column in columns])
    size = np.array([column.max() + 2 for column in columns]) - low
    stride = np.array([size[1] * size[2], size[2], 1])
    key = sum(((column - start) * step for column, start, step in zip(columns, low, stride, strict=True)), np.int64(0))
    key, of_point, count = _counted(key, int(size.prod()))
    index = np.stack([key // stride[0], key // stride[1] % size[1], key % size[2]], axis=-1) + low
    return Cells(index, key, stride, of_point, count)


def _counted(key: NDArray[np.int64], space: int) -> tuple[NDArray[np.int64], NDArray[np.intp], NDArray[np.intp]]:
    """Different keys `[M]` in 0..space, ascending; the position `[N]` of each key among them; how often `[M]`."""
    if space > DENSE_CELLS:
        return np.unique(key, return_inverse=True, return_counts=True)
    # A table of all cells takes a third of the time that sorting takes.
    table = np.bincount(key, minlength=space)
    occupied = np.flatnonzero(table)
    count = table[occupied]
    table[occupied] = np.arange(len(occupied))
    return occupied, table[key], count


def join_cells(cells: Cells, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Number `[M]` of the connected group of each chosen cell (26 neighbors), -1 for the others."""
    pick = np.flatnonzero(chosen)
    group = np.full(len(chosen), -1, np.int64)
    if not len(pick):
        return group
    key = cells.key[pick]
    steps = [(x, y, z) for x in (0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if (x, y, z) > (0, 0, 0)]
    starts, ends = [], []
    for step in steps:
        wanted = key + np.array(step) @ cells.stride
        found = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
        hit = np.flatnonzero(key[found] == wanted)
        starts.append(hit)
        ends.append(found[hit])
    start, end = np.concatenate(starts), np.concatenate(ends)
    links = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(len(key), len(key)))
    group[pick] = connected_components(links, directed=False)[1]
    return group


@dataclass(frozen=True)
class Groups:
    """Cells of each connected group, how many points it has `[G]`, its lowest and highest cell `[G, 3]`."""

    cells: list[NDArray[np.int64]]
    weight: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def describe(cells: Cells, group: NDArray[np.int64]) -> Groups:
    chosen = np.flatnonzero(group >= 0)
    if not len(chosen):
        none = np.empty((0, 3), np.int64)
        return Groups([], np.empty(0), none, none)
    order = chosen[np.argsort(group[chosen], kind="stable")]
    size = np.bincount(group[chosen])
    index, start = cells.index[order], np.cumsum(size) - size
    return Groups(
        np.split(index, start[1:]),
        np.bincount(group[chosen], cells.count[chosen]).astype(np.float64),
        np.minimum.reduceat(index, start),
        np.maximum.reduceat(index, start),
    )
