# SPDX-License-Identifier: Apache-2.0
"""Normals of a bare cloud: local planes, turned to one side of the surface."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.spatial import cKDTree


def estimate_normals(
    points: NDArray[np.float32], neighbors: int = 16, viewpoint: ArrayLike | None = None
) -> NDArray[np.float32]:
    """Unit normals `[N, 3]` of `points [N, 3]` by least-squares planes through `neighbors` points.

    With a `viewpoint [3]` (a scan seen from one side) they point towards it. Without, neighbors
    are made to agree along the minimum spanning tree of |n . n'| (Hoppe et al. 1992) and every
    connected piece is turned outward. Rows that are not finite get a zero normal.
    """
    points = np.asarray(points, np.float32)
    usable = np.isfinite(points).all(axis=1)
    normals = np.zeros_like(points)
    cloud = points[usable].astype(np.float64)
    if len(cloud) < 3:
        return normals
    nearest = cKDTree(cloud).query(cloud, k=min(neighbors, len(cloud)))[1]
    local = cloud[nearest] - cloud[nearest].mean(1, keepdims=True)
    directions = np.linalg.eigh(np.einsum("nki,nkj->nij", local, local))[1][:, :, 0]
    if viewpoint is not None:
        outward = ((np.asarray(viewpoint, np.float64) - cloud) * directions).sum(1)
        directions[outward < 0] *= -1
    else:
        directions *= _consistent_signs(cloud, directions, nearest)[:, None]
    normals[usable] = directions
    return normals


def _consistent_signs(
    cloud: NDArray[np.float64], normals: NDArray[np.float64], nearest: NDArray[np.intp]
) -> NDArray[np.float64]:
    """A sign for each normal so that neighbors agree and every piece encloses a positive volume."""
    count = len(cloud)
    row = np.repeat(np.arange(count), nearest.shape[1] - 1)
    column = nearest[:, 1:].ravel()
    weight = 1.001 - np.abs((normals[row] * normals[column]).sum(1))
    tree = minimum_spanning_tree(csr_matrix((weight, (row, column)), shape=(count, count)))
    pieces, piece = connected_components(tree, directed=False)
    parent = _parents(tree, piece, pieces)
    agree = np.where((normals * normals[parent]).sum(1) < 0, -1.0, 1.0)
    sign = np.where(parent == np.arange(count), 1.0, agree)
    # Pointer jumping: each round doubles the stretch of the path to the root that is accounted for.
    for _ in range(int(np.ceil(np.log2(count))) + 1):
        sign, parent = sign * sign[parent], parent[parent]
    size = np.bincount(piece, minlength=pieces)
    center = np.stack([np.bincount(piece, cloud[:, axis], pieces) / size for axis in range(3)], -1)
    volume = np.bincount(piece, ((cloud - center[piece]) * normals).sum(1) * sign, pieces)
    return sign * np.where(volume < 0, -1.0, 1.0)[piece]


def _parents(tree: csr_matrix, piece: NDArray[np.int32], pieces: int) -> NDArray[np.intp]:
    """Parent of each node in a forest, roots being their own: one search from a node above all roots."""
    count = len(piece)
    roots = np.unique(piece, return_index=True)[1]
    edges = tree.tocoo()
    row = np.concatenate([edges.row, np.full(pieces, count)])
    column = np.concatenate([edges.col, roots])
    weight = np.ones(len(row))
    above = csr_matrix((weight, (row, column)), shape=(count + 1, count + 1))
    parent = breadth_first_order(above, count, directed=False)[1][:count].astype(np.intp)
    return np.where(parent == count, np.arange(count), parent)
