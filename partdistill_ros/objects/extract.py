# SPDX-License-Identifier: Apache-2.0
"""Objects standing on a plane: the support plane and one group of points for each object.

The steps: RANSAC for the plane on a thinned cloud; heights of all points over it; what rises from
the table's outline is cut into patches of its surface, on the picture of an organized cloud or on a neighbor graph,
and those that belong together are an object. By the method `clusters`, and where a cloud is too sparse to show its
surface, it goes into cells of a grid that lies on the table instead, and cells that touch are one object.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.objects.cells import grid_cells, join_cells
from partdistill_ros.objects.clusters import feet, number_objects, rejoin_fragments, seen_under
from partdistill_ros.objects.convex import MeasuredPatches, convex_objects, measure_patches
from partdistill_ros.objects.graph import graph_objects
from partdistill_ros.objects.groups import Groups
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.objects.plane import (
    NoTable,
    along,
    beyond_outline,
    face_objects,
    find_plane,
    inside_outline,
    is_face,
    noise_model,
    outline_of,
    picture_up,
    table_axes,
)
from partdistill_ros.objects.surface import NotAPicture
from partdistill_ros.pointcloud.scan import Scan


@dataclass(frozen=True)
class TabletopResult:
    """plane: `[4] f8` (unit normal, offset): `normal @ point + offset` is the height over the table,
    positive on the sensor's side; None where no table is in sight.
    objects: point indices `[n_i]` into `scan.points`, ascending; the object with most points first.
    """

    plane: NDArray[np.float64] | None
    objects: tuple[NDArray[np.intp], ...]

    @property
    def up(self) -> NDArray[np.float32] | None:
        """The plane's normal `[3]`: up, as far as the scan tells."""
        return None if self.plane is None else self.plane[:3].astype(np.float32)


def extract_objects(scan: Scan, params: TabletopParams | None = None) -> TabletopResult:
    """Find the table and what stands on it. Coordinates are meters.

    `scan.up`, where known, must be within 40 degrees of the table's normal; otherwise an organized
    cloud prefers planes that face up in its picture, so that a wall behind the table is not taken
    for it. Where no table is in sight, or only a side of a thing is flat, patches are joined to objects without one.
    Raises PartDistillError where no plane holds `min_support` of the points, and nothing else is found.
    """
    params = params or TabletopParams()
    try:
        table = _find_table(scan, params)
    except NoTable:
        objects = _without_table(scan, params)
        if not objects:
            raise
        return TabletopResult(None, objects)
    label = None
    if params.method != "clusters":
        label = _of_patches(scan, _usable(scan, table, params), table.plane, params)
    owner = _clusters(table, params) if label is None else _objects_on_table(label, scan, table, params)
    objects = _gather(table.raised.index, owner)
    if not objects and table.is_face and (objects := _without_table(scan, params)):
        return TabletopResult(None, objects)
    return TabletopResult(table.plane, objects)


def _without_table(scan: Scan, params: TabletopParams) -> tuple[NDArray[np.intp], ...]:
    """Things of a cloud that shows no table, cut as if one were below the lowest of them."""
    usable = np.isfinite(noise_model(scan, params).growth(scan.points))
    if params.method == "clusters" or not usable.any():
        return ()
    index = np.flatnonzero(usable)
    up = np.array([0.0, 0.0, 1.0])
    if scan.up is not None:
        up = scan.up.astype(np.float64)
    elif scan.grid is not None and scan.viewpoint is not None:
        up = picture_up((scan.points[index] - scan.viewpoint).astype(np.float64), index // scan.grid[1])
    label = _of_patches(scan, usable, np.array([*up, -np.percentile(scan.points[index] @ up, 1)]), params)
    if label is None:
        return ()
    label = label.take(index)
    groups, kept = Groups.of(label), np.zeros(int(label.max()) + 1, bool)
    size = np.maximum.reduce([groups.extent(axis) for axis in scan.points.take(index, axis=0).T])
    kept[groups.number] = (groups.count() >= params.min_points) & (size >= params.min_size) & (size <= params.max_size)
    return _gather(index, np.where(kept.take(label), label, 0).astype(np.int64) - 1)


def patches_on_table(scan: Scan) -> MeasuredPatches | None:
    """What the methods `convex` and `learned` decide by, for training and inspection; None without patches."""
    params = TabletopParams()
    table = _find_table(scan, params)
    return measure_patches(scan, _usable(scan, table, params), table.plane)


@dataclass(frozen=True)
class _Table:
    """The table of a cloud: plane `[4]`, its points `[T, 2]` along two axes of it (thinned), its outline in them, and
    the points above it, and whether it may as well be the side of a thing."""

    plane: NDArray[np.float64]
    points: NDArray[np.float32]
    outline: NDArray[np.float64]
    raised: _Raised
    is_face: bool


def _find_table(scan: Scan, params: TabletopParams) -> _Table:
    points = np.ascontiguousarray(scan.points, np.float32)
    noise = noise_model(scan, params)
    plane, support = find_plane(scan, points, noise, params)
    frame = np.vstack([table_axes(plane[:3]), plane[:3]]).astype(np.float32)
    table = points[support] @ frame[:2].T
    outline = outline_of(table)
    if scan.up_unknown:
        plane, frame = face_objects(points, plane, frame, outline, params)
    height = along(points, frame[2]) + np.float32(plane[3])
    with np.errstate(invalid="ignore"):
        raised = np.flatnonzero((height > params.foot) & (height < params.max_height))
    points, height = points.take(raised, axis=0), height.take(raised)  # a fourth of the time of points[raised]
    place = np.stack([along(points, axis) for axis in frame[:2]]).T
    above = _Raised(raised, place, height, noise.growth(points), beyond_outline(outline, place))
    return _Table(plane, table, outline, above, is_face(scan, support, table, outline, params.max_size))


@dataclass(frozen=True)
class _Raised:
    """Points over the table: `index [R]` in the cloud, `place [R, 2]` along the table, `height [R]` over it, how much
    more noise than at 1 m they have, `growth [R]`, and how far `beyond [R]` the table's outline they lie."""

    index: NDArray[np.intp]
    place: NDArray[np.float32]
    height: NDArray[np.float32]
    growth: NDArray[np.float32]
    beyond: NDArray[np.float32]

    def of(self, rows: NDArray[np.intp]) -> _Raised:
        """Some of the points."""
        place = np.stack([axis.take(rows) for axis in self.place.T]).T
        others = (each.take(rows) for each in (self.height, self.growth, self.beyond))
        return _Raised(self.index.take(rows), place, *others)


def _clusters(table: _Table, params: TabletopParams) -> NDArray[np.int64]:
    """Object `[R]` of each raised point, -1 for none: groups of cells that touch."""
    above, outline = table.raised, table.outline
    place, height = above.place, above.height
    clear = height > params.clearance * above.growth
    low = (height > params.foot * above.growth) & ~clear
    cells = grid_cells((place[clear, 0], place[clear, 1], height[clear]), params.cell)
    group = join_cells(cells, inside_outline(outline, (cells.index[:, :2] + 0.5) * params.cell, params.outline_margin))
    group = number_objects(cells, rejoin_fragments(cells, group, params), table.points, params)
    owner = np.full(len(place), -1, np.int64)
    owner[clear] = group[cells.of_point]
    owner[low] = feet(place[low], cells, group, params)
    return owner


def _usable(scan: Scan, table: _Table, params: TabletopParams) -> NDArray[np.bool_]:
    """Points `[N]` that may belong to things on the table."""
    above = table.raised
    near = (above.height > params.foot * above.growth) & (above.beyond <= params.overhang)
    usable = np.zeros(len(scan.points), bool)
    usable[above.index[near]] = True
    return usable


def _of_patches(
    scan: Scan, usable: NDArray[np.bool_], plane: NDArray[np.float64], params: TabletopParams
) -> NDArray[np.int32] | None:
    """Object `[N]` of each point, from 1, 0 for none, by patches of a picture, else of a neighbor graph; None for a
    cloud that is too sparse for them."""
    label = np.zeros(len(usable), np.int32)
    if not usable.any():
        return label
    if scan.grid is not None and scan.viewpoint is not None:
        try:
            return convex_objects(scan, usable, plane, params.method)
        except NotAPicture:
            pass  # a lidar's rings, or a cloud that was changed on its way
    found = graph_objects(scan.points[usable], plane, scan.viewpoint, params.method)
    if found is None:
        return None
    label[usable] = found
    return label


def _objects_on_table(label: NDArray[np.int32], scan: Scan, table: _Table, params: TabletopParams) -> NDArray[np.int64]:
    """Object `[R]` of each raised point, -1 for none: of the labeled ones `[N]` those that are things on the table."""
    owner = np.full(len(table.raised.index), -1, np.int64)
    label = label.take(table.raised.index)
    rows = np.flatnonzero(label)
    if not len(rows):
        return owner
    label, above = label.take(rows), table.raised.of(rows)
    label = _rejoined(label, scan.points.take(above.index, axis=0), above.height, params)
    groups = Groups.of(label)
    kept = np.zeros(int(label.max()) + 1, bool)
    kept[groups.number] = _are_objects(groups, above, table.points, params)
    owner[rows] = np.where(kept.take(label), label, 0) - 1
    return owner


def _rejoined(
    label: NDArray[np.int32], points: NDArray[np.float32], height: NDArray[np.float32], params: TabletopParams
) -> NDArray[np.int32]:
    """Labels `[L]`, from 1, after small pieces in the air have joined what is near: missing depth parts handles."""
    groups = Groups.of(label)
    count, rows = groups.count(), groups.rows()
    small = (groups.over(np.minimum, height) > params.rejoin / 2) & (count < params.fragment * count.max())
    if not small.any():
        return label
    low, high = (np.stack(ends, axis=1) for ends in zip(*map(groups.range, points.T), strict=True))
    joined, reach = np.arange(int(label.max()) + 1), params.rejoin + params.cell  # as far as in cells
    for piece in np.flatnonzero(small):
        from_, to = low[piece] - reach, high[piece] + reach
        larger = (params.fragment * count > count[piece]) & (high > from_).all(axis=1) & (low < to).all(axis=1)
        if not larger.any():
            continue
        near = np.sort(np.concatenate([rows[other] for other in np.flatnonzero(larger)]))
        others = points.take(near, axis=0)
        within = np.flatnonzero(((others > from_) & (others < to)).all(axis=1))
        if len(within):
            tree = cKDTree(others[within[::3]])
            distance, found = tree.query(points[rows[piece][::3]], distance_upper_bound=reach)
            # what touches was weighed already
            if params.cell < distance.min() < reach:
                joined[groups.number[piece]] = label[near[within[::3]][found[distance.argmin()]]]
    return _followed(joined)[label].astype(np.int32)


def _followed(joined: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each chain of joins ends; a fragment joins something larger only, so it does."""
    while (joined[joined] != joined).any():
        joined = joined[joined]
    return joined


def _are_objects(
    groups: Groups, above: _Raised, table: NDArray[np.float32], params: TabletopParams
) -> NDArray[np.bool_]:
    """Which groups `[G]` of raised points are things on the table: of a size to be one, on it, and not hanging."""
    inside = above.beyond <= params.outline_margin
    clear = inside & (above.height > params.clearance * above.growth)
    kept = groups.over(np.add, clear.astype(np.int32)) >= params.min_points
    kept &= groups.over(np.add, inside.astype(np.int32)) >= params.on_table * groups.count()
    length, width, tall = (groups.extent(values) for values in (*above.place.T, above.height))
    length = np.maximum(length, width)
    kept &= (np.maximum(length, tall) >= params.min_size) & (length <= params.max_size)
    rows, lowest = groups.rows(), groups.over(np.minimum, above.height)
    for number in np.flatnonzero(kept & (lowest > params.max_float)):
        cells = np.floor(above.place[rows[number]] / params.cell).astype(np.int64)
        kept[number] = seen_under(cells, table, params) <= params.max_under
    return kept


def _gather(index: NDArray[np.intp], owner: NDArray[np.int64]) -> tuple[NDArray[np.intp], ...]:
    """The indices of each object, ascending as `index` is; the object with most of them first."""
    kept = np.flatnonzero(owner >= 0)
    index = index.take(kept)
    return tuple(sorted((index.take(rows) for rows in Groups.of(owner.take(kept)).rows()), key=len, reverse=True))
