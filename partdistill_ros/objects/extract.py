# SPDX-License-Identifier: Apache-2.0
"""Objects standing on a plane: the support plane and one group of points for each object.

The steps: RANSAC for the plane on a thinned cloud; heights of all points over it; what rises from
the table's outline goes into cells of a grid that lies on the table; cells that touch are one
object. Organized and unorganized clouds take the same way: cells join over missing depth and part
at depth jumps by themselves, which pixel neighborhoods do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.objects.cells import grid_cells, join_cells
from partdistill_ros.objects.clusters import feet, number_objects, rejoin_fragments
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.objects.plane import (
    along,
    face_objects,
    find_plane,
    inside_outline,
    noise_model,
    outline_of,
    table_axes,
)
from partdistill_ros.pointcloud.scan import Scan


@dataclass(frozen=True)
class TabletopResult:
    """plane: `[4] f8` (unit normal, offset): `normal @ point + offset` is the height over the table,
    positive on the sensor's side.
    objects: point indices `[n_i]` into `scan.points`, ascending; the object with most points first.
    """

    plane: NDArray[np.float64]
    objects: tuple[NDArray[np.intp], ...]

    @property
    def up(self) -> NDArray[np.float32]:
        """The plane's normal `[3]`: up, as far as the scan tells."""
        return self.plane[:3].astype(np.float32)


def extract_objects(scan: Scan, params: TabletopParams | None = None) -> TabletopResult:
    """Find the table and what stands on it. Coordinates are meters.

    `scan.up`, where known, must be within 40 degrees of the table's normal; otherwise an organized
    cloud prefers planes that face up in its picture, so that a wall behind the table is not taken
    for it. Raises PartDistillError where no plane holds `min_support` of the points.
    """
    params = params or TabletopParams()
    points = np.ascontiguousarray(scan.points, np.float32)
    noise = noise_model(scan, params)
    plane, support = find_plane(scan, points, noise, params)
    frame = np.vstack([table_axes(plane[:3]), plane[:3]]).astype(np.float32)
    table = points[support] @ frame[:2].T
    outline = outline_of(table)
    if scan.viewpoint is None and scan.up is None:
        plane, frame = face_objects(points, plane, frame, outline, params)
    height = along(points, frame[2]) + np.float32(plane[3])
    with np.errstate(invalid="ignore"):
        raised = np.flatnonzero((height > params.foot) & (height < params.max_height))
    points, height = points[raised], height[raised]
    growth = noise.growth(points)
    place = np.column_stack([along(points, axis) for axis in frame[:2]])
    clear = height > params.clearance * growth
    low = (height > params.foot * growth) & ~clear
    cells = grid_cells((place[clear, 0], place[clear, 1], height[clear]), params.cell)
    group = join_cells(cells, inside_outline(outline, (cells.index[:, :2] + 0.5) * params.cell, params.outline_margin))
    group = number_objects(cells, rejoin_fragments(cells, group, params), table, params)
    owner = np.full(len(raised), -1, np.int64)
    owner[clear] = group[cells.of_point]
    owner[low] = feet(place[low], cells, group, params)
    return TabletopResult(plane, _gather(raised, owner))


def _gather(index: NDArray[np.intp], owner: NDArray[np.int64]) -> tuple[NDArray[np.intp], ...]:
    """The indices of each object, ascending as `index` is; the object with most of them first."""
    kept = owner >= 0
    if not kept.any():
        return ()
    index = index[kept]
    # Numbers of two bytes are sorted by radix, a tenth of the time.
    owner = owner[kept].astype(np.int16 if owner.max() < 2**15 else np.int64)
    order = np.argsort(owner, kind="stable")
    objects = np.split(index[order], np.cumsum(np.bincount(owner))[:-1])
    return tuple(sorted(objects, key=len, reverse=True))
