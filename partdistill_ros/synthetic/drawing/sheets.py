# SPDX-License-Identifier: Apache-2.0
"""Thin curved pieces - brims, shades, panels - made from a grid of points and a thickness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.synthetic.drawing.primitives import Solid

Array = NDArray[np.float64]


def grid_faces(rows: int, columns: int, *, closed: bool = False) -> NDArray[np.int64]:
    """Triangles of a `rows x columns` vertex grid; `closed` joins the last row to the first."""
    i, j = np.meshgrid(np.arange(rows if closed else rows - 1), np.arange(columns - 1), indexing="ij")
    after = (i + 1) % rows
    a, b, c, d = i * columns + j, after * columns + j, after * columns + j + 1, i * columns + j + 1
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def sheet(grid: Array, *, closed: bool = False) -> Solid:
    """Surface without thickness over `grid [U, V, 3]`; it faces the cross product of u and v."""
    rows, columns = grid.shape[:2]
    return grid.reshape(-1, 3), grid_faces(rows, columns, closed=closed)


def slab(grid: Array, thickness: float | Array, *, closed: bool = False) -> Solid:
    """Solid sheet over `grid [U, V, 3]`, thickened away from the side it faces by `thickness`
    (a length, or lengths `[U, V]`); `closed` joins the last row in u to the first."""
    rows, columns = grid.shape[:2]
    u = np.roll(grid, -1, 0) - np.roll(grid, 1, 0) if closed else np.gradient(grid, axis=0)
    normal = np.cross(u, np.gradient(grid, axis=1))
    length = np.linalg.norm(normal, axis=-1, keepdims=True)
    usual = normal.sum((0, 1)) / max(np.linalg.norm(normal.sum((0, 1))), 1e-12)
    normal = np.where(length > 1e-9, normal / np.maximum(length, 1e-12), usual)
    under = grid - normal * np.broadcast_to(np.asarray(thickness, float), (rows, columns))[..., None]
    upper = grid_faces(rows, columns, closed=closed)
    lower = upper[:, ::-1] + rows * columns
    vertices = np.concatenate([grid.reshape(-1, 3), under.reshape(-1, 3)])
    index = np.arange(rows * columns).reshape(rows, columns)
    if closed:
        edges = [np.append(index[:, 0], index[0, 0]), np.append(index[:, -1], index[0, -1])[::-1]]
    else:
        edges = [np.concatenate([index[:, 0], index[-1, 1:], index[:-1, -1][::-1], index[0, :-1][::-1]])]
    return vertices, np.concatenate([upper, lower, *[_skirt(edge, rows * columns) for edge in edges]])


def _skirt(edge: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    """Faces between an upper edge, walked with the sheet on its left, and the edge `offset` below."""
    a, b = edge[:-1], edge[1:]
    return np.concatenate([np.stack([a, a + offset, b + offset], -1), np.stack([a, b + offset, b], -1)])
