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
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull, QhullError, cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan

DENSE_CELLS = 4_000_000  # cells of a grid that is counted in a table, 32 MB


@dataclass(frozen=True)
class TabletopParams:
    """Limits of the extraction; lengths in meters.

    plane_tolerance: distance within which a point supports the plane; a Kinect bends a flat table by
        up to 5 mm within 1.5 m of it.
    clearance: height from which a point starts an object; below it the table's own unevenness lies.
    foot: height from which a point next to an object's foot belongs to it; table noise is 1-2 mm
        at 1 m.
        These three grow with the square of the range beyond 1 m, as the noise of depth cameras does.
    max_range: points farther from the sensor (or, where its position is unknown, from the middle of the
        cloud) are ignored; at 4 m a Kinect's noise is 3 cm.
    max_height: how far above the table an object may reach.
    max_float, max_under: a thing whose lowest visible point is higher than this hangs, if the table is
        seen under more than that share of it: a lamp, a robot's arm. A thing whose foot is out of sight,
        behind clutter or right under the camera, hides the table below it as well.
    outline_margin: how far an object may stick out over the table's edge.
    cell: edge of the cells; points closer than this are always one object, farther apart than
        about three cells never.
    rejoin: a fragment this close to an object belongs to it, as a handle does that missing depth cut off.
    fragment: size of a fragment at most, as a share of the object that it joins.
    min_points, min_size: objects with fewer points, or with a smaller largest extent, are noise.
    max_size: things with a larger extent along the table are walls or people.
    step_up: a parallel plane this much above the largest is taken instead when it has at least
        `step_share` of its support: the table, not the floor that it stands on. Lower ones are
        the tops of boxes.
    min_support: share of the points in range that the plane must hold.
    hypotheses, tried_on: planes tried, and points that they are tried on; 500 find a plane of 20 % of the
        points 49 times out of 50.
    thinned: points that the plane is fitted to in the end, and its outline drawn from.
    """

    plane_tolerance: float = 0.010
    clearance: float = 0.006
    foot: float = 0.004
    max_range: float = 4.0
    max_height: float = 0.60
    max_float: float = 0.10
    max_under: float = 0.40
    outline_margin: float = 0.03
    cell: float = 0.010
    rejoin: float = 0.025
    fragment: float = 0.25
    min_points: int = 150
    min_size: float = 0.03
    max_size: float = 0.70
    step_up: float = 0.25
    step_share: float = 0.15
    min_support: float = 0.05
    hypotheses: int = 500
    tried_on: int = 1500
    thinned: int = 12_000

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise PartDistillError(f"tabletop parameter {name} must be above zero, it is {value}")


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


@dataclass(frozen=True)
class _Cells:
    """Occupied cells of a grid on the table: `index [M, 3]` along, across and above it; `key [M]` their
    ascending numbers, `stride [3]` the step of a number along each axis; `of_point [N]`, `count [M]`."""

    index: NDArray[np.int64]
    key: NDArray[np.int64]
    stride: NDArray[np.int64]
    of_point: NDArray[np.intp]
    count: NDArray[np.intp]


def extract_objects(scan: Scan, params: TabletopParams | None = None) -> TabletopResult:
    """Find the table and what stands on it. Coordinates are meters.

    `scan.up`, where known, must be within 40 degrees of the table's normal; otherwise an organized
    cloud prefers planes that face up in its picture, so that a wall behind the table is not taken
    for it. Raises PartDistillError where no plane holds `min_support` of the points.
    """
    params = params or TabletopParams()
    points = np.ascontiguousarray(scan.points, np.float32)
    noise = _noise_model(scan, params)
    plane, support = _find_plane(scan, points, noise, params)
    frame = np.vstack([_table_axes(plane[:3]), plane[:3]]).astype(np.float32)
    table = points[support] @ frame[:2].T
    outline = _outline(table)
    if scan.viewpoint is None and scan.up is None:
        plane, frame = _face_objects(points, plane, frame, outline, params)
    height = _along(points, frame[2]) + np.float32(plane[3])
    with np.errstate(invalid="ignore"):
        raised = np.flatnonzero((height > params.foot) & (height < params.max_height))
    points, height = points[raised], height[raised]
    growth = noise.growth(points)
    place = np.column_stack([_along(points, axis) for axis in frame[:2]])
    clear = height > params.clearance * growth
    low = (height > params.foot * growth) & ~clear
    cells = _grid_cells((place[clear, 0], place[clear, 1], height[clear]), params.cell)
    group = _join_cells(cells, _inside(outline, (cells.index[:, :2] + 0.5) * params.cell, params.outline_margin))
    group = _number_objects(cells, _rejoin_fragments(cells, group, params), table, params)
    owner = np.full(len(raised), -1, np.int64)
    owner[clear] = group[cells.of_point]
    owner[low] = _feet(place[low], cells, group, params)
    return TabletopResult(plane, _gather(raised, owner))


def _along(points: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float32]:
    """How far the points `[N, 3]` lie along `direction [3]`, `[N]`.

    By columns: 307,200 points take 0.4 ms, with `@` 1.3 and on a busy machine 4, where the threads of BLAS
    wait for each other; so did those that tried the planes, for 5 ms instead of 0.3.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        along = points[:, 0] * direction[0]
        along += points[:, 1] * direction[1]
        along += points[:, 2] * direction[2]
    return along


@dataclass(frozen=True)
class _NoiseModel:
    """Noise of depth grows with the squared range from `origin [3]`, where the sensor's position is known."""

    origin: NDArray[np.float32]
    known: bool
    max_range: float

    def growth(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """How much more noise than at 1 m each point has, `[N]`, at least 1; infinite out of range and for NaN."""
        ray = points - self.origin
        with np.errstate(invalid="ignore", over="ignore"):
            squared = np.einsum("ij,ij->i", ray, ray)
            growth = np.maximum(squared, np.float32(1)) if self.known else np.float32(1)
            return np.where(squared < self.max_range**2, growth, np.float32(np.inf))


def _noise_model(scan: Scan, params: TabletopParams) -> _NoiseModel:
    """The scan's noise; without a viewpoint, ranges are taken from the middle of the cloud and noise is even."""
    if scan.viewpoint is not None:
        return _NoiseModel(scan.viewpoint.astype(np.float32), True, params.max_range)
    some = scan.points[:: max(1, len(scan.points) // params.thinned)]
    some = some[np.isfinite(some).all(axis=1)]
    middle = np.median(some, axis=0) if len(some) else np.zeros(3)
    return _NoiseModel(middle.astype(np.float32), False, params.max_range)


def _find_plane(
    scan: Scan, points: NDArray[np.float32], noise: _NoiseModel, params: TabletopParams
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """The support plane and the (thinned) points that lie on it."""
    many = _thinned(points, params.thinned)
    growth = noise.growth(points[many])
    many, growth = many[np.isfinite(growth)], growth[np.isfinite(growth)]
    if len(many) < 3:
        raise PartDistillError(
            f"{scan.name}: fewer than 3 finite points lie within {params.max_range} m, too few to find a table; "
            "bring the sensor closer"
        )
    cloud, tolerance = points[many].astype(np.float64), params.plane_tolerance * growth
    plane = _ransac(scan, cloud, many, tolerance, params)
    plane, on_plane = _refine(plane, cloud, tolerance)
    higher = _higher_plane(plane, cloud, on_plane, scan.viewpoint, params)
    if higher is not None:
        plane, on_plane = _refine(higher, cloud, tolerance)
    if on_plane.sum() < max(3, params.min_support * len(many)):
        raise PartDistillError(
            f"{scan.name}: no plane holds {params.min_support:.0%} of the points; show more of the table, "
            "or segment the cloud as one object"
        )
    return plane, many[on_plane]


def _thinned(points: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Indices of `count` to twice as many finite points at even steps, or of all there are."""
    # Four times as many are looked at; the whole cloud only where most of it is NaN.
    for step in (max(1, len(points) // (4 * count)), 1):
        usable = np.flatnonzero(np.isfinite(_along(points[::step], np.ones(3, np.float32)))) * step
        if len(usable) >= count:
            break
    return usable[:: max(1, len(usable) // count)]


def _ransac(
    scan: Scan,
    cloud: NDArray[np.float64],
    index: NDArray[np.intp],
    tolerance: NDArray[np.float32],
    params: TabletopParams,
) -> NDArray[np.float64]:
    """The best of `hypotheses` planes through three random points, turned up or to the sensor."""
    rng = np.random.default_rng(0)
    few = rng.permutation(len(cloud))[: params.tried_on]
    corners = cloud[rng.integers(len(cloud), size=(params.hypotheses, 3))]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1)
    normals[length > 0] /= length[length > 0, None]
    offsets = -np.einsum("ij,ij->i", normals, corners[:, 0])
    planes = np.column_stack([normals, offsets]).astype(np.float32)
    side, preference = np.ones(len(normals)), np.ones(len(normals))
    if scan.viewpoint is not None:
        side = np.where(normals @ scan.viewpoint + offsets >= 0, 1.0, -1.0)
    if scan.up is not None:
        tilt = normals @ scan.up
        side = np.where(tilt >= 0, 1.0, -1.0)
        preference = (np.abs(tilt) > np.cos(np.radians(40))).astype(float)
    elif scan.grid is not None and scan.viewpoint is not None:
        # a camera that looks down at a table has the walls behind it facing down in its picture
        preference = 1 + side * (normals @ _picture_up(cloud - scan.viewpoint, index // scan.grid[1]))
    preference *= length > 0
    # All planes on a fifth of the points, then the better fifth of them on all: a third of the time.
    rough = _support(planes, cloud[few[::5]], tolerance[few[::5]]) * preference
    better = np.argsort(-rough, kind="stable")[: max(1, len(planes) // 5)]
    support = _support(planes[better], cloud[few], tolerance[few]) * preference[better]
    best = better[int(np.argmax(support))]
    return side[best] * np.array([*normals[best], offsets[best]])


def _support(
    planes: NDArray[np.float32], cloud: NDArray[np.float64], tolerance: NDArray[np.float32]
) -> NDArray[np.intp]:
    """How many of the points `[N, 3]` lie within their tolerance `[N]` of each plane `[H, 4]`."""
    distance = planes[:, 3:] + sum(planes[:, axis, None] * cloud[:, axis].astype(np.float32) for axis in range(3))
    return np.count_nonzero(np.abs(distance, out=distance) < tolerance, axis=1)


def _picture_up(rays: NDArray[np.float64], row: NDArray[np.intp]) -> NDArray[np.float64]:
    """The direction `[3]` in which the rows of the picture decrease: regression of unit rays on the row."""
    rays = rays / np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-9)
    slope = (row - row.mean()) @ (rays - rays.mean(axis=0))
    return -slope / max(float(np.linalg.norm(slope)), 1e-9)


def _refine(
    plane: NDArray[np.float64], cloud: NDArray[np.float64], tolerance: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Least squares over the points near the plane; the plane and the mask of the points within `tolerance`.

    Nearer and nearer ones are used: flat things lying on the table would tilt the plane otherwise
    (0.26 degrees in a scene with a laptop, 0.0x so).
    """
    columns = np.ascontiguousarray(cloud.T)  # means along the rows take a fifth of the time
    for share in (1.0, 0.6, 0.4, 0.3):
        near = np.abs(plane[:3] @ columns + plane[3]) < tolerance * share
        if np.count_nonzero(near) < 3:
            break
        local = columns[:, near]
        center = local.mean(axis=1, keepdims=True)
        local -= center
        normal = np.linalg.eigh(local @ local.T)[1][:, 0]
        normal *= 1 if normal @ plane[:3] >= 0 else -1
        plane = np.array([*normal, -normal @ center[:, 0]])
    return plane, np.abs(plane[:3] @ columns + plane[3]) < tolerance


def _higher_plane(
    plane: NDArray[np.float64],
    cloud: NDArray[np.float64],
    on_plane: NDArray[np.bool_],
    viewpoint: NDArray[np.float32] | None,
    params: TabletopParams,
) -> NDArray[np.float64] | None:
    """A parallel plane above this one that holds enough points to be the real table, or None."""
    height = cloud @ plane[:3] + plane[3]
    ceiling = np.inf if viewpoint is None else float(viewpoint @ plane[:3] + plane[3])
    height = np.sort(height[(height > params.step_up) & (height < ceiling)])
    if not len(height):
        return None
    within = np.searchsorted(height, height + 2 * params.plane_tolerance) - np.arange(len(height))
    first = int(np.argmax(within))
    if within[first] < params.step_share * on_plane.sum():
        return None
    return np.array([*plane[:3], plane[3] - height[first] - params.plane_tolerance])


def _table_axes(normal: NDArray[np.float64]) -> NDArray[np.float32]:
    """Two unit vectors `[2, 3]` along the table."""
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)]).astype(np.float32)


def _outline(support: NDArray[np.float32]) -> NDArray[np.float64]:
    """Edges `[E, 3]` of the convex outline of the table, `a u + b v + c <= 0` inside.

    Of the points `[N, 2]` on the plane only the largest patch counts: the plane also cuts through
    other things far behind the table.
    """
    corner, step = support.min(axis=0), 0.02
    index = ((support - corner) / step).astype(np.intp)
    filled = np.zeros(index.max(axis=0) + 1, bool)
    filled[index[:, 0], index[:, 1]] = True
    # two cells of dilation join patches 8 cm apart: shadows of objects, and the thinning far away
    patches, _ = ndimage.label(ndimage.binary_dilation(filled, iterations=2))
    patch = patches[index[:, 0], index[:, 1]]
    largest = np.argwhere(filled & (patches == np.bincount(patch).argmax()))
    try:
        edges = ConvexHull((largest + 0.5) * step + corner).equations
    except (QhullError, ValueError):  # all on one line: nothing is inside
        return np.array([[0.0, 0.0, np.inf]])
    return np.asarray(edges, np.float64)


def _inside(outline: NDArray[np.float64], places: NDArray[np.floating], margin: float) -> NDArray[np.bool_]:
    inside = np.ones(len(places), bool)
    for a, b, c in outline:
        inside &= places[:, 0] * a + places[:, 1] * b + c <= margin
    return inside


def _face_objects(
    points: NDArray[np.float32],
    plane: NDArray[np.float64],
    frame: NDArray[np.float32],
    outline: NDArray[np.float64],
    params: TabletopParams,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Plane and frame turned to the side on which more things stand on the table, for a cloud that says
    neither where its sensor was nor what is up."""
    place = points[:: max(1, len(points) // params.thinned)] @ frame.T
    height = place[:, 2] + np.float32(plane[3])
    with np.errstate(invalid="ignore"):
        standing = (np.abs(height) > params.clearance) & (np.abs(height) < params.max_height)
    height = height[standing][_inside(outline, place[standing, :2], 0.0)]
    if np.count_nonzero(height < 0) <= np.count_nonzero(height > 0):
        return plane, frame
    return -plane, frame * np.array([[1], [1], [-1]], np.float32)


def _grid_cells(position: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]], edge: float) -> _Cells:
    """Cells of the points with these coordinates, `[N]` each, along, across and above the table."""
    if not len(position[0]):
        empty = np.empty(0, np.int64)
        return _Cells(np.empty((0, 3), np.int64), empty, np.ones(3, np.int64), empty, empty)
    columns = [np.floor(along * np.float32(1 / edge)).astype(np.int64) for along in position]
    # a rim of one cell, so that a neighbor's number is never that of a cell in another row
    low = np.array([column.min() - 1 for column in columns])
    size = np.array([column.max() + 2 for column in columns]) - low
    stride = np.array([size[1] * size[2], size[2], 1])
    key = sum(((column - start) * step for column, start, step in zip(columns, low, stride, strict=True)), np.int64(0))
    key, of_point, count = _counted(key, int(size.prod()))
    index = np.stack([key // stride[0], key // stride[1] % size[1], key % size[2]], axis=-1) + low
    return _Cells(index, key, stride, of_point, count)


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


def _join_cells(cells: _Cells, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
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
class _Groups:
    """Cells of each connected group, how many points it has `[G]`, its lowest and highest cell `[G, 3]`."""

    cells: list[NDArray[np.int64]]
    weight: NDArray[np.float64]
    low: NDArray[np.int64]
    high: NDArray[np.int64]


def _describe(cells: _Cells, group: NDArray[np.int64]) -> _Groups:
    chosen = np.flatnonzero(group >= 0)
    if not len(chosen):
        none = np.empty((0, 3), np.int64)
        return _Groups([], np.empty(0), none, none)
    order = chosen[np.argsort(group[chosen], kind="stable")]
    size = np.bincount(group[chosen])
    index, start = cells.index[order], np.cumsum(size) - size
    return _Groups(
        np.split(index, start[1:]),
        np.bincount(group[chosen], cells.count[chosen]).astype(np.float64),
        np.minimum.reduceat(index, start),
        np.maximum.reduceat(index, start),
    )


def _rejoin_fragments(cells: _Cells, group: NDArray[np.int64], params: TabletopParams) -> NDArray[np.int64]:
    """Groups `[M]` after small ones within `rejoin` of a large one have joined the nearest such."""
    groups = _describe(cells, group)
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


def _number_objects(
    cells: _Cells, group: NDArray[np.int64], table: NDArray[np.float32], params: TabletopParams
) -> NDArray[np.int64]:
    """Object number `[M]` of each cell, without gaps; -1 for groups that are no objects on the table,
    some of whose own points `[T, 2]` are given."""
    group = np.unique(np.append(group, -1), return_inverse=True)[1][:-1] - 1
    groups = _describe(cells, group)
    size = (groups.high - groups.low + 1) * params.cell
    kept = groups.weight >= params.min_points
    kept &= (size.max(axis=1) >= params.min_size) & (size[:, :2].max(axis=1) <= params.max_size)
    for floating in np.flatnonzero(kept & (groups.low[:, 2] * params.cell > params.max_float)):
        kept[floating] = _seen_under(groups.cells[floating], table, params) <= params.max_under
    number = np.append(np.where(kept, np.cumsum(kept) - 1, -1), -1)
    return number[group]


def _seen_under(index: NDArray[np.int64], table: NDArray[np.float32], params: TabletopParams) -> float:
    """The share of the ground under these cells `[C, 3]` on which a point of the table `[T, 2]` is seen."""
    # twice the cell: the table's points are thinned, one or two to a cell
    ground = np.unique(index[:, :2] // 2, axis=0)
    seen = np.floor(table / np.float32(2 * params.cell)).astype(np.int64)
    low, width = ground.min(axis=0), ground.max(axis=0) - ground.min(axis=0) + 1
    seen = seen[((seen >= low) & (seen < low + width)).all(axis=1)] - low
    filled = np.zeros(width, bool)
    filled[seen[:, 0], seen[:, 1]] = True
    return float(filled[tuple((ground - low).T)].mean())


def _feet(
    places: NDArray[np.float32], cells: _Cells, group: NDArray[np.int64], params: TabletopParams
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
