# SPDX-License-Identifier: Apache-2.0
"""The support plane: RANSAC on a thinned cloud, least squares, its side, its outline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.scan import Scan


class NoTable(PartDistillError):
    """No plane is large enough to be what things stand on."""


def along(points: NDArray[np.float32], direction: NDArray[np.float32]) -> NDArray[np.float32]:
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
class NoiseModel:
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


def noise_model(scan: Scan, params: TabletopParams) -> NoiseModel:
    """The scan's noise; without a viewpoint, ranges are taken from the middle of the cloud and noise is even."""
    if scan.viewpoint is not None:
        return NoiseModel(scan.viewpoint.astype(np.float32), True, params.max_range)
    some = scan.points[:: max(1, len(scan.points) // params.thinned)]
    some = some[np.isfinite(some).all(axis=1)]
    middle = np.median(some, axis=0) if len(some) else np.zeros(3)
    return NoiseModel(middle.astype(np.float32), False, params.max_range)


def find_plane(
    scan: Scan, points: NDArray[np.float32], noise: NoiseModel, params: TabletopParams
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
        raise NoTable(
            f"{scan.name}: no plane holds {params.min_support:.0%} of the points; show more of the table, "
            "or segment the cloud as one object"
        )
    return plane, many[on_plane]


def _thinned(points: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Indices of `count` to twice as many finite points at even steps, or of all there are."""
    # Four times as many are looked at; the whole cloud only where most of it is NaN.
    for step in (max(1, len(points) // (4 * count)), 1):
        usable = np.flatnonzero(np.isfinite(along(points[::step], np.ones(3, np.float32)))) * step
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
        preference = 1 + side * (normals @ picture_up(cloud - scan.viewpoint, index // scan.grid[1]))
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


def picture_up(rays: NDArray[np.float64], row: NDArray[np.intp]) -> NDArray[np.float64]:
    """The direction `[3]` in which the rows of the picture decrease: regression of some unit rays on the row."""
    step = max(1, len(rays) // 2000)
    rays, row = rays[::step], row[::step]
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
        near = np.flatnonzero(np.abs(plane[:3] @ columns + plane[3]) < tolerance * share)
        if len(near) < 3:
            break
        local = columns.take(near, axis=1)
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


def table_axes(normal: NDArray[np.float64]) -> NDArray[np.float32]:
    """Two unit vectors `[2, 3]` along the table."""
    first = np.cross(normal, np.eye(3)[np.abs(normal).argmin()])
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(normal, first)]).astype(np.float32)


def outline_of(support: NDArray[np.float32]) -> NDArray[np.float64]:
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


def is_face(
    scan: Scan, support: NDArray[np.intp], place: NDArray[np.float32], outline: NDArray[np.float64], size: float
) -> bool:
    """Whether the plane of the points `support [T]`, at `place [T, 2]` along it, is all in sight in the picture and no
    larger than things of this size: a side of one of them, no table."""
    mine = inside_outline(outline, place, 0.02)
    if scan.grid is None or not mine.any() or max(np.ptp(axis[mine]) for axis in place.T) > size:
        return False
    row, column = np.divmod(support[mine], scan.grid[1])
    height, width = scan.grid
    margin = 0.02 * width
    border = (row < margin) | (row > height - margin) | (column < margin) | (column > width - margin)
    return bool(border.mean() < 0.02)


def inside_outline(outline: NDArray[np.float64], places: NDArray[np.floating], margin: float) -> NDArray[np.bool_]:
    """Whether the places `[N, 2]` lie no farther than `margin` beyond the outline."""
    return beyond_outline(outline, places) <= margin


def beyond_outline(outline: NDArray[np.float64], places: NDArray[np.floating]) -> NDArray[np.float32]:
    """How far beyond the outline the places `[N, 2]` lie, `[N]`; negative inside."""
    u, v = np.ascontiguousarray(places.T, np.float32)
    beyond, one, other = np.full(len(u), -np.inf, np.float32), np.empty_like(u), np.empty_like(u)
    for a, b, c in outline.astype(np.float32):
        np.multiply(u, a, out=one)
        np.multiply(v, b, out=other)
        one += other
        one += c
        np.maximum(beyond, one, out=beyond)
    return beyond


def face_objects(
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
    height = height[standing][inside_outline(outline, place[standing, :2], 0.0)]
    if np.count_nonzero(height < 0) <= np.count_nonzero(height > 0):
        return plane, frame
    return -plane, frame * np.array([[1], [1], [-1]], np.float32)
