# SPDX-License-Identifier: Apache-2.0
"""Objects of which each stands free on the table: groups of cells that touch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.objects.cells import Cells, describe
from partdistill_ros.objects.params import TabletopParams


def rejoin_fragments(cells: Cells, group: NDArray[np.int64], params: TabletopParams) -> NDArray[np.int64]:
    """Groups `[M]` after small ones within `rejoin` of a large one have joined the nearest such."""
    groups = describe(cells, group)
    low, high, weight = groups.low, groups.high, groups.weight
    reach = params.rejoin / params.cell
    joined = np.arange(len(weight))
    for small in np.argsort(weight):
        gap = np.maximum(low - high[small], low[small] - high).max(axis=1, initial=0)
        partners = np.flatnonzero((gap <= reach) & (weight * params.fragment > weight[small]))
        if not len(partners):
            continue
        tree = cKDTree(groups.cells[small])
        distances = []
        for partner in partners:
            index = groups.cells[partner]
            close = ((index >= low[small] - reach) & (index <= high[small] + reach)).all(axis=1)
            distances.append(tree.query(index[close])[0].min(initial=np.inf))
        if min(distances) <= reach:
            joined[small] = partners[int(np.argmin(distances))]
    return _follow(joined, group)


def _follow(joined: NDArray[np.intp], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups after joins; a fragment joins something heavier only, so following ends."""
    while (joined[joined] != joined).any():
        joined = joined[joined]
    return np.where(group >= 0, np.append(joined, -1)[group], -1)


def number_objects(
    cells: Cells, group: NDArray[np.int64], table: NDArray[np.float32], params: TabletopParams
) -> NDArray[np.int64]:
    """Object number `[M]` of each cell, without gaps; -1 for groups that are no objects on the table,
    some of whose own points `[T, 2]` are given."""
    group = np.unique(np.append(group, -1), return_inverse=True)[1][:-1] - 1
    groups = describe(cells, group)
    size = (groups.high - groups.low + 1) * params.cell
    kept = groups.weight >= params.min_points
    kept &= (size.max(axis=1) >= params.min_size) & (size[:, :2].max(axis=1) <= params.max_size)
    for floating in np.flatnonzero(kept & (groups.low[:, 2] * params.cell > params.max_float)):
        kept[floating] = seen_under(groups.cells[floating], table, params) <= params.max_under
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    return number[group]


def seen_under(index: NDArray[np.int64], table: NDArray[np.float32], params: TabletopParams) -> float:
    """The share of the ground under these cells `[C, 3]` on which a point of the table `[T, 2]` is seen."""
    # twice the cell: the table's points are thinned, one or two to a cell
    ground = index[:, 0] // 2, index[:, 1] // 2
    low = np.array([along.min() for along in ground])
    under = np.zeros([along.max() - least + 1 for along, least in zip(ground, low, strict=True)], bool)
    under[ground[0] - low[0], ground[1] - low[1]] = True
    seen = np.floor(table / np.float32(2 * params.cell)).astype(np.int64) - low
    seen = seen[((seen >= 0) & (seen < under.shape)).all(axis=1)]
    filled = np.zeros_like(under)
    filled[seen[:, 0], seen[:, 1]] = True
    return float(filled[under].mean())


def feet(
    places: NDArray[np.float32], cells: Cells, group: NDArray[np.int64], params: TabletopParams
) -> NDArray[np.int64]:
    """Object `[L]` to whose foot each low point `[L, 2]` belongs: one with cells above it, or next to it,
    that reach down to the table; else -1."""
    standing = np.flatnonzero((group >= 0) & (cells.index[:, 2] * params.cell < 0.03))
    if not len(standing) or not len(places):
        return np.full(len(places), -1)
    index = np.floor(places / np.float32(params.cell)).astype(np.int64)
    around = np.array([(x, y) for x in (-1, 0, 1) for y in (-1, 0, 1)])
    occupied = (cells.index[standing, None, :2] + around).reshape(-1, 2)
    owner = np.repeat(group[standing], len(around))
    width = np.int64(2**31)
    key, first = np.unique(occupied @ np.array([width, 1]), return_index=True)
    wanted = index @ np.array([width, 1])
    found = np.minimum(np.searchsorted(key, wanted), len(key) - 1)
    return np.where(key[found] == wanted, owner[first[found]], -1)
