# SPDX-License-Identifier: Apache-2.0
"""The surface that an organized cloud shows: inverse depth at a working resolution, smoothed along it, and normals.

Inverse depth is affine in the picture on every plane, and its noise does not depend on the range (a depth camera
measures disparity): 1.5e-3 per meter, so that sigma(z) = 1.5e-3 z^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WORKING_WIDTH = 320  # columns, about: noise of a Kinect halves by the mean of 2 x 2 pixels, time falls to a quarter
DISPARITY_STEP = 2.9e-3  # 1/m, steps in which a Kinect reports it
STEEPEST = 5.0  # tangent of the angle at which a surface may be seen (79 degrees); a steeper one is a jump
PASSES = 20  # of smoothing; its width is sqrt(2 * PASSES * conductance) pixels
FULL_WIDTH_AT = 1.6  # meters; nearer, the width shrinks with the range, so that the noise of angles stays even


class NotAPicture(PartDistillError):
    """An organized cloud whose rows and columns are not those of a pinhole camera."""


@dataclass(frozen=True)
class Surface:
    """A picture `[h, w]` of the surface in the camera's own frame (x right, y down, z along the optical axis).

    step: pixels of the cloud to one of the picture; corner: row and column in the cloud of its first pixel.
    pixel: its angle in radians.  rotation: `[3, 3]` from the cloud's frame.
    measured: inverse depth in 1/m of the cloud's own pixels `[h * step, w * step]`, 0 where not usable.
    inverse: smoothed inverse depth, 0 where nothing was measured.  raw: before smoothing.
    points, normals: `[3, h, w]`, the normals toward the camera.
    missing: where the camera has no depth, as in the shadow that an object throws in the light of a projector.
    right, down: whether a pixel `[h, w - 1]`, `[h - 1, w]` and its neighbor lie on one surface.
    """

    step: int
    corner: tuple[int, int]
    pixel: float
    rotation: NDArray[np.float64]
    measured: Floats
    raw: Floats
    inverse: Floats
    points: Floats
    normals: Floats
    missing: Mask
    right: Mask
    down: Mask


def camera_of(scan: Scan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation `[3, 3]` from the cloud's frame to the camera's, and the matrix `[2, 3]` that takes `(column, row, 1)`
    to `(x/z, y/z)` there.

    From the directions of some hundred rays by the direct linear transform. Raises NotAPicture where they are
    not those of a pinhole camera.
    """
    assert scan.grid is not None and scan.viewpoint is not None
    height, width = scan.grid
    rows, columns = np.meshgrid(np.linspace(0, height - 1, 48).astype(int), np.linspace(0, width - 1, 64).astype(int))
    rays = scan.points[(rows * width + columns).ravel()].astype(np.float64) - scan.viewpoint
    seen = np.flatnonzero(np.isfinite(rays).all(1))
    seen = seen[:: max(1, len(seen) // 700)]
    rays, pixel = rays[seen], np.column_stack([columns.ravel(), rows.ravel()])[seen]
    if len(rays) < 30:
        raise NotAPicture(f"{scan.name}: too few points to tell the camera's rays")
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-9)
    to_unit = np.array([[2 / width, 0, -1], [0, 2 / width, -height / width], [0, 0, 1]])
    q = np.column_stack([pixel, np.ones(len(pixel))]) @ to_unit.T
    zero = np.zeros_like(q)
    equations = np.concatenate(
        [
            np.concatenate([zero, -rays[:, 2:] * q, rays[:, 1:2] * q], 1),
            np.concatenate([rays[:, 2:] * q, zero, -rays[:, :1] * q], 1),
            np.concatenate([-rays[:, 1:2] * q, rays[:, :1] * q, zero], 1),
        ]
    )
    matrix = np.linalg.eigh(equations.T @ equations)[1][:, 0].reshape(3, 3)
    guess = q @ matrix.T
    guess /= np.maximum(np.linalg.norm(guess, axis=1, keepdims=True), 1e-12)
    along = np.einsum("ij,ij->i", guess, rays)
    matrix *= np.sign(np.median(along))
    if np.mean(np.abs(along) > 1 - 2e-5) < 0.9:  # 0.4 degrees
        raise NotAPicture(f"{scan.name}: rows and columns are not those of a pinhole camera")
    matrix = matrix @ to_unit
    axis = np.cross(matrix[:, 0], matrix[:, 1])
    axis *= np.sign(axis @ rays.mean(0))
    axis /= np.linalg.norm(axis)
    first = matrix[:, 0] / np.linalg.norm(matrix[:, 0])
    rotation = np.stack([first, np.cross(axis, first), axis])
    local = rotation @ matrix
    return rotation, local[:2] / (local[2, 2])


def surface_of(scan: Scan, usable: Mask) -> Surface:
    """The surface shown by the pixels `usable [H, W]` of an organized cloud; the picture is cropped to them."""
    assert scan.grid is not None and scan.viewpoint is not None
    rotation, lens = camera_of(scan)
    height, width = scan.grid
    step = max(1, round(width / WORKING_WIDTH))
    rows, columns = np.flatnonzero(usable.any(1)), np.flatnonzero(usable.any(0))
    top, left = (rows[0] // step) * step, (columns[0] // step) * step
    h, w = (rows[-1] - top) // step + 1, (columns[-1] - left) // step + 1
    h, w = min(h, (height - top) // step), min(w, (width - left) // step)
    cut = np.s_[top : top + h * step, left : left + w * step]
    grid = scan.points.reshape(height, width, 3)[cut]
    axis = rotation[2].astype(np.float32)
    offset = np.float32(scan.viewpoint @ axis)
    with np.errstate(all="ignore"):
        depth = grid[..., 0] * axis[0] + grid[..., 1] * axis[1] + grid[..., 2] * axis[2] - offset
        inverse = np.where(usable[cut] & (depth > 0), 1 / depth, 0).astype(np.float32)
    raw = _means(inverse, step)
    missing = ~np.logical_or.reduce(_in_blocks(np.isfinite(depth), step))
    column = left + step * np.arange(w) + (step - 1) / 2
    row = top + step * np.arange(h) + (step - 1) / 2
    x = (lens[0, 0] * column + lens[0, 2]).astype(np.float32)[None] + (lens[0, 1] * row).astype(np.float32)[:, None]
    y = (lens[1, 1] * row + lens[1, 2]).astype(np.float32)[:, None] + (lens[1, 0] * column).astype(np.float32)[None]
    pixel = float(lens[0, 0]) * step
    right, down = _links(raw, pixel)
    smooth = _smoothed(raw, right, down)
    points, normals = _geometry(smooth, x, y, pixel, right, down)
    corner = int(top), int(left)
    return Surface(step, corner, pixel, rotation, inverse, raw, smooth, points, normals, missing, right, down)


def _in_blocks(picture: NDArray[Any], step: int) -> list[NDArray[Any]]:
    """The first, second, ... pixel of each block of `step` x `step` pixels, each `[h, w]`."""
    return [picture[i::step, j::step] for i in range(step) for j in range(step)]


def _means(inverse: Floats, step: int) -> Floats:
    """Mean inverse depth of the nearest surface in blocks of `step` x `step` pixels."""
    if step == 1:
        return inverse
    parts = _in_blocks(inverse, step)
    nearest = np.maximum.reduce(parts)
    floor = nearest - (3 * DISPARITY_STEP + np.float32(0.02) * nearest)
    total, count = np.zeros_like(nearest), np.zeros_like(nearest)
    for part in parts:
        on = part > floor
        total += part * on
        count += on
    return total / np.maximum(count, 1)


def _links(inverse: Floats, pixel: float) -> tuple[Mask, Mask]:
    """Whether pixels and their neighbors right and below lie on one surface: both measured, no jump between."""

    def linked(a: Floats, b: Floats) -> Mask:
        nearer = np.maximum(a, b)
        limit = np.float32(STEEPEST * pixel) * nearer + np.float32(2 * DISPARITY_STEP)
        return (np.abs(a - b) < limit) & (np.minimum(a, b) > 0)

    return linked(inverse[:, :-1], inverse[:, 1:]), linked(inverse[:-1], inverse[1:])


def _smoothed(inverse: Floats, right: Mask, down: Mask) -> Floats:
    """Diffusion over the links, wider with the range.

    A pixel moves along an axis only where it has a neighbor on both sides: a plane stays one up to its edges, which
    would bend toward the picture's plane otherwise.
    """
    z = 1 / np.maximum(inverse, 0.1)
    conductance = (0.24 * np.minimum(1, z / FULL_WIDTH_AT) ** 2).astype(np.float32)
    across = conductance[:, 1:-1] * (right[:, 1:] & right[:, :-1])
    along = conductance[1:-1] * (down[1:] & down[:-1])
    smooth = inverse.copy()
    for _ in range(PASSES):
        step = smooth[:, 1:] - smooth[:, :-1]
        curve_right = step[:, 1:] - step[:, :-1]
        curve_right *= across
        step = smooth[1:] - smooth[:-1]
        curve_down = step[1:] - step[:-1]
        curve_down *= along
        smooth[:, 1:-1] += curve_right
        smooth[1:-1] += curve_down
    return smooth


def _geometry(inverse: Floats, x: Floats, y: Floats, pixel: float, right: Mask, down: Mask) -> tuple[Floats, Floats]:
    """Points and normals: on the plane `a x + b y + c = 1/z` the normal is along `(a, b, c)`."""
    a = _slope(inverse, right, 1) / pixel
    b = _slope(inverse, down, 0) / pixel
    normals = np.stack([a, b, inverse - x * a - y * b])
    normals /= -np.maximum(np.sqrt(dot(normals, normals)), 1e-9)
    z = np.where(inverse > 0, 1 / np.maximum(inverse, 1e-6), np.nan).astype(np.float32)
    return np.stack([x * z, y * z, z]), normals


def dot(one: Floats, other: Floats) -> Floats:
    """Scalar products `[...]` of vectors `[3, ...]`."""
    product = one[0] * other[0]
    product += one[1] * other[1]
    product += one[2] * other[2]
    return product


def _slope(inverse: Floats, linked: Mask, axis: int) -> Floats:
    """Difference per pixel along an axis over the links on either side, or the one there is."""
    step = np.diff(inverse, axis=axis)
    step *= linked
    total, count = np.zeros_like(inverse), np.zeros_like(inverse)
    ahead, behind = (np.s_[:-1], np.s_[1:]) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
    total[ahead] += step
    total[behind] += step
    count[ahead] += linked
    count[behind] += linked
    return np.asarray(total / np.maximum(count, 1), np.float32)


def spread_to_cloud(surface: Surface, label: NDArray[np.int32], grid: tuple[int, int]) -> NDArray[np.int32]:
    """Labels `[h, w]` of the picture to all usable pixels of the cloud `[H, W]`: each takes that of its block, or of
    the neighboring block that is nearest to it in depth where its own lies on another surface."""
    step, (top, left), (h, w) = surface.step, surface.corner, label.shape
    spread = np.zeros(grid, np.int32)
    cut = spread[top : top + h * step, left : left + w * step]
    for mine, inverse in zip(_in_blocks(cut, step), _in_blocks(surface.measured, step), strict=True):
        on = np.abs(inverse - surface.raw) <= 2 * DISPARITY_STEP + np.float32(0.01) * inverse
        mine[:] = np.where(on & (inverse > 0), label, 0)
        off = np.flatnonzero((inverse > 0) & ~(on & (label > 0)))
        row, column = np.divmod(off, w)
        mine[row, column] = _nearest_label(surface, label, row, column, inverse[row, column])
    return spread


def _nearest_label(
    surface: Surface, label: NDArray[np.int32], row: NDArray[np.intp], column: NDArray[np.intp], inverse: Floats
) -> NDArray[np.int32]:
    """For pixels of this inverse depth `[M]` in the blocks `row, column [M]` the label of the block in reach that is
    nearest in depth, 0 where none is near."""
    h, w = label.shape
    best = np.full(len(row), np.inf, np.float32)
    found = np.zeros(len(row), np.int32)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            at = (row + down).clip(0, h - 1) * w + (column + right).clip(0, w - 1)
            theirs = label.take(at)
            distance = np.where(theirs > 0, np.abs(inverse - surface.raw.take(at)), np.inf)
            nearer = distance < best
            best, found = np.where(nearer, distance, best), np.where(nearer, theirs, found)
    return np.where(best < 4 * DISPARITY_STEP + np.float32(0.02) * inverse, found, 0)
