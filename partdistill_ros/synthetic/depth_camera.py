# SPDX-License-Identifier: Apache-2.0
"""A simulated depth camera: what a Kinect-like sensor would record of some meshes, with its faults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import UNLABELED, Mesh, Scan
from partdistill_ros.rendering.cameras import camera_axes

Floats = NDArray[np.float64]
_CHUNK = 1_000_000  # candidate pixels handled at once: about 100 MB of work arrays
_EMPTY = np.iinfo(np.int64).max
_DEFAULT_COLOR = (180, 180, 180)


@dataclass(frozen=True)
class DepthCamera:
    """Pinhole camera in the optical frame (x right, y down, z forward) and how far it errs.

    fx, fy, cx, cy: pixels. near, far: range in meters.
    noise: scales every fault below; 0 is a perfect camera.
    depth_noise: axial standard deviation is `depth_floor + depth_noise * z^2` meters (measured on
        Kinects: 1.2 mm close by, about 3 mm at 1.4 m, growing with the square of the range).
    disparity_step: pixels; depth is quantized to steps of `z^2 * step / (fx * baseline)`.
    baseline: meters from camera to projector; what the projector cannot see has no return.
    edge_jitter: pixels by which outlines fray.
    edge_dropout, grazing_dropout, speckle: probability of no return next to a depth step, on
        surfaces seen at less than about 10 degrees, and anywhere.
    """

    width: int = 640
    height: int = 480
    fx: float = 525.0
    fy: float = 525.0
    cx: float = 319.5
    cy: float = 239.5
    near: float = 0.3
    far: float = 8.0
    noise: float = 1.0
    depth_floor: float = 0.0008
    depth_noise: float = 0.0012
    disparity_step: float = 0.125
    baseline: float = 0.075
    edge_jitter: float = 0.7
    edge_dropout: float = 0.3
    grazing_dropout: float = 0.7
    speckle: float = 0.002

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.fx <= 0 or self.fy <= 0 or not 0 < self.near < self.far:
            raise PartDistillError("depth camera: width, height, fx and fy must be positive and 0 < near < far")


def camera_pose(position: ArrayLike, target: ArrayLike, up: ArrayLike = (0, 0, 1)) -> Floats:
    """Pose `[4, 4]` (camera to world) of a camera at `position` that looks at `target`, image top toward `up`."""
    pose = np.eye(4)
    pose[:3, :3] = camera_axes(position, target, up)[0].T
    pose[:3, 3] = position
    return pose


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several; labels default to -1 and colors to gray where a mesh has none."""
    offsets = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes[:-1]])
    labels = [_labels(mesh) for mesh in meshes]
    colors = [_colors(mesh) for mesh in meshes]
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=True)]).astype(np.int32),
        np.concatenate(labels),
        np.concatenate(colors),
    )


def capture(
    meshes: Mesh | Sequence[Mesh],
    pose: Floats,
    rng: np.random.Generator,
    camera: DepthCamera | None = None,
    *,
    parts: Sequence[str] = (),
    name: str = "capture",
) -> Scan:
    """The organized scan of some meshes (world coordinates, meters) from a camera of `pose [4, 4]`
    (camera to world): points NaN where nothing came back, shaded colors, the faces' labels.

    The world's up is +z; points, `up` and `viewpoint` of the scan are in the camera's frame.
    Faces that reach nearer than `camera.near` are not seen. Raises PartDistillError without faces.
    """
    camera = camera or DepthCamera()
    mesh = merge([meshes] if isinstance(meshes, Mesh) else list(meshes)) if meshes else None
    if mesh is None or not len(mesh.faces):
        raise PartDistillError(f"{name}: the depth camera needs at least one mesh with faces")
    rotation, position = np.asarray(pose, float)[:3, :3], np.asarray(pose, float)[:3, 3]
    corners = ((mesh.vertices.astype(float) - position) @ rotation)[mesh.faces]
    face, depth = rasterize(corners, camera)
    normals = _unit(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    colors = _shade(camera, face, normals, _colors(mesh), rng)
    if camera.noise > 0:
        face, depth = _degrade(camera, face, depth, normals, rng)
    rays = _rays(camera)
    points = np.where(np.isfinite(depth)[..., None], rays * depth[..., None], np.nan).reshape(-1, 3)
    labels = np.where(np.isfinite(depth) & (face >= 0), _labels(mesh)[face], UNLABELED).ravel()
    up = rotation.T @ [0.0, 0.0, 1.0]
    return Scan(
        points=points.astype(np.float32),
        colors=colors.reshape(-1, 3),
        point_labels=labels.astype(np.int16),
        parts=tuple(parts),
        up=up.astype(np.float32),
        viewpoint=np.zeros(3, np.float32),
        grid=(camera.height, camera.width),
        name=name,
    )


def rasterize(corners: Floats, camera: DepthCamera) -> tuple[NDArray[np.int64], Floats]:
    """Nearest face `[H, W]` (-1 none) and its depth `[H, W]` (meters, inf none) of `corners [F, 3, 3]`
    in the camera frame; both sides of a face are seen."""
    buffer = np.full(camera.height * camera.width, _EMPTY, np.int64)
    for pixel, depth, face in _candidates(corners, camera):
        np.minimum.at(buffer, pixel, (depth.astype(np.float32).view(np.uint32).astype(np.int64) << 32) | face)
    hit = buffer != _EMPTY
    face_map = np.where(hit, buffer & 0xFFFFFFFF, -1).reshape(camera.height, camera.width)
    depth_map = np.where(hit, (buffer >> 32).astype(np.uint32).view(np.float32).astype(float), np.inf)
    return face_map, depth_map.reshape(camera.height, camera.width)


def _candidates(corners: Floats, camera: DepthCamera) -> Iterator[tuple[NDArray[np.int64], Floats, NDArray[np.int64]]]:
    """Pixels inside each projected face, in chunks: flat pixel, depth, face."""
    usable = np.flatnonzero((corners[..., 2] > camera.near).all(1) & np.isfinite(corners).all((1, 2)))
    inverse = 1 / corners[usable, :, 2]
    x = corners[usable, :, 0] * inverse * camera.fx + camera.cx
    y = corners[usable, :, 1] * inverse * camera.fy + camera.cy
    low_x, high_x = np.maximum(np.ceil(x.min(1)), 0), np.minimum(np.floor(x.max(1)), camera.width - 1)
    low_y, high_y = np.maximum(np.ceil(y.min(1)), 0), np.minimum(np.floor(y.max(1)), camera.height - 1)
    wide = np.maximum(high_x - low_x + 1, 0)
    count = (wide * np.maximum(high_y - low_y + 1, 0)).astype(np.int64)
    edges, plane, edge_on = _coefficients(x, y, inverse)
    count[edge_on] = 0
    order = np.flatnonzero(count)
    for some in np.split(order, np.flatnonzero(np.diff(np.cumsum(count[order]) // _CHUNK)) + 1):
        of = np.repeat(some, count[some])
        local = np.arange(len(of)) - np.repeat(np.cumsum(count[some]) - count[some], count[some])
        row, column = np.divmod(local, wide[of].astype(np.int64))
        column, row = column + low_x[of].astype(np.int64), row + low_y[of].astype(np.int64)
        inside = np.ones(len(of), bool)
        for edge in edges:
            inside &= edge[of, 0] * column + edge[of, 1] * row + edge[of, 2] >= 0
        of, column, row = of[inside], column[inside], row[inside]
        depth = 1 / np.maximum(plane[of, 0] * column + plane[of, 1] * row + plane[of, 2], 1e-9)
        yield row * camera.width + column, depth, usable[of]


def _coefficients(x: Floats, y: Floats, inverse: Floats) -> tuple[list[Floats], Floats, NDArray[np.bool_]]:
    """Per face: three edge functions and inverse depth, each `[F, 3]` as (a, b, c) of a*x + b*y + c,
    and a mask of the faces seen edge-on. The edge functions are barycentric coordinates, so both
    windings are positive inside; inverse depth is linear in the image."""
    edges = []
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        edges.append(np.stack([y[:, j] - y[:, k], x[:, k] - x[:, j], x[:, j] * y[:, k] - x[:, k] * y[:, j]], -1))
    area = sum(edge[:, 2] for edge in edges)
    edge_on = np.abs(area) < 1e-9
    scale = 1 / np.where(edge_on, 1, area)
    edges = [edge * scale[:, None] for edge in edges]
    plane = sum((edge * inverse[:, i, None] for i, edge in enumerate(edges)), np.zeros_like(edges[0]))
    return edges, plane, edge_on


def _degrade(
    camera: DepthCamera, face: NDArray[np.int64], depth: Floats, normals: Floats, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """The faults, in the order in which they arise."""
    face, depth = _fray(camera, face, depth, rng)
    lost = _shadow(camera, depth) | ~(depth < camera.far)
    lost |= _steps(depth) & (rng.random(depth.shape) < camera.edge_dropout * camera.noise)
    toward = np.abs((normals[face] * _rays(camera)).sum(-1)) / np.linalg.norm(_rays(camera), axis=-1)
    grazing = camera.grazing_dropout * camera.noise * np.clip(1 - toward / 0.18, 0, 1)
    lost |= _blocks(rng.random, depth.shape, 2) < grazing
    lost |= rng.random(depth.shape) < camera.speckle * camera.noise
    seen = np.where(lost, 1.0, depth)
    sigma = camera.noise * (camera.depth_floor + camera.depth_noise * seen**2)
    # half of it varies from pixel to pixel, half is shared by neighbors as block matching makes it
    ripple = 0.7 * rng.standard_normal(depth.shape) + 0.7 * _blocks(rng.standard_normal, depth.shape, 3)
    seen = seen + sigma * ripple
    step = camera.disparity_step * min(camera.noise, 1.0)
    if step > 0 and camera.baseline > 0:
        disparity = camera.fx * camera.baseline / np.maximum(seen, 0.05)
        seen = camera.fx * camera.baseline / np.maximum(np.round(disparity / step) * step, step)
    return face, np.where(lost, np.inf, seen)


def _fray(
    camera: DepthCamera, face: NDArray[np.int64], depth: Floats, rng: np.random.Generator
) -> tuple[NDArray[np.int64], Floats]:
    """Read faces near an outline from a pixel beside; depth inside a surface stays where it is."""
    row, column = np.indices(depth.shape)
    amount = camera.edge_jitter * camera.noise
    row = np.clip(row + np.rint(amount * _blocks(rng.standard_normal, depth.shape, 2)), 0, camera.height - 1)
    column = np.clip(column + np.rint(amount * _blocks(rng.standard_normal, depth.shape, 2)), 0, camera.width - 1)
    near_face, near_depth = face[row.astype(int), column.astype(int)], depth[row.astype(int), column.astype(int)]
    with np.errstate(invalid="ignore"):  # inf - inf outside of everything
        jumps = ~(np.abs(near_depth - depth) < 0.01 * depth)
    return np.where(jumps, near_face, face), np.where(jumps, near_depth, depth)


def _shadow(camera: DepthCamera, depth: Floats) -> NDArray[np.bool_]:
    """Pixels that the projector, `baseline` to the right as in a Kinect, cannot see past something nearer."""
    shape = depth.shape
    if camera.baseline <= 0:
        return np.zeros(shape, bool)
    disparity = np.where(np.isfinite(depth), camera.fx * camera.baseline / depth, 0.0)
    row, column = np.indices(shape)
    largest = int(np.ceil(disparity.max())) + 2
    projected = np.rint(column - disparity).astype(np.int64) + largest
    nearest = np.zeros((shape[0], shape[1] + largest))
    np.maximum.at(nearest, (row, projected), disparity)
    covered = np.maximum(nearest[row, projected], nearest[row, projected - 1])
    return covered > disparity + 2.0


def _steps(depth: Floats) -> NDArray[np.bool_]:
    """Pixels beside a jump in depth of more than 2 %."""
    filled = np.where(np.isfinite(depth), depth, 1e3)
    steps = np.zeros(depth.shape, bool)
    down = np.abs(np.diff(filled, axis=0)) > 0.02 * np.minimum(filled[1:], filled[:-1])
    right = np.abs(np.diff(filled, axis=1)) > 0.02 * np.minimum(filled[:, 1:], filled[:, :-1])
    steps[1:] |= down
    steps[:-1] |= down
    steps[:, 1:] |= right
    steps[:, :-1] |= right
    return steps


def _blocks(draw: object, shape: tuple[int, ...], size: int) -> Floats:
    """Random numbers `[H, W]` that are the same within squares of `size` pixels."""
    coarse = draw((-(-shape[0] // size), -(-shape[1] // size)))  # type: ignore[operator]
    return np.repeat(np.repeat(coarse, size, 0), size, 1)[: shape[0], : shape[1]]


def _shade(
    camera: DepthCamera, face: NDArray[np.int64], normals: Floats, colors: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Colors `[H, W, 3]` of the color camera: one light above the camera, some ambient, sensor noise."""
    light = _unit(np.array([[rng.normal(0, 0.5), -0.8, -0.8]]))[0]
    bright = rng.uniform(0.35, 0.55) + rng.uniform(0.4, 0.6) * np.abs(normals @ light)
    shaded = np.where((face >= 0)[..., None], colors[face] * bright[face][..., None], 12.0)
    grain = rng.normal(0, 3.0 * min(camera.noise, 1.0) + 1e-9, face.shape)[..., None]
    return (shaded + grain).clip(0, 255).astype(np.uint8)


def _rays(camera: DepthCamera) -> Floats:
    """Directions `[H, W, 3]` through the pixels' centers with z = 1."""
    row, column = np.indices((camera.height, camera.width))
    return np.stack([(column - camera.cx) / camera.fx, (row - camera.cy) / camera.fy, np.ones(row.shape)], -1)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))


def _labels(mesh: Mesh) -> NDArray[np.int16]:
    return np.full(len(mesh.faces), UNLABELED, np.int16) if mesh.face_labels is None else mesh.face_labels


def _colors(mesh: Mesh) -> NDArray[np.uint8]:
    default = np.tile(np.array(_DEFAULT_COLOR, np.uint8), (len(mesh.faces), 1))
    return default if mesh.face_colors is None else mesh.face_colors
