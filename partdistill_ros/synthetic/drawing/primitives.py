# SPDX-License-Identifier: Apache-2.0
"""Solids that the shape families are put together from, and the builder that labels them.

Every solid is `(vertices [V, 3] f8, faces [F, 3] i8)` with faces counter-clockwise from outside.
Shapes stand along +z.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.pointcloud.scan import Mesh

Solid = tuple[NDArray[np.float64], NDArray[np.int64]]


class MeshBuilder:
    """Collects labeled solids into one mesh; `parts` is the family's whole list, in label order."""

    def __init__(self, parts: Sequence[str]) -> None:
        self.parts = tuple(parts)
        self._vertices: list[NDArray[np.float64]] = []
        self._faces: list[NDArray[np.int64]] = []
        self._labels: list[NDArray[np.int16]] = []
        self._count = 0

    def add(self, part: str, solid: Solid) -> None:
        """Add a solid that belongs to `part`."""
        vertices, faces = solid
        self._vertices.append(np.asarray(vertices, float))
        self._faces.append(np.asarray(faces) + self._count)
        self._labels.append(np.full(len(faces), self.parts.index(part), np.int16))
        self._count += len(vertices)

    def build(self) -> Mesh:
        """The labeled mesh of everything added."""
        return Mesh(
            np.concatenate(self._vertices).astype(np.float32),
            np.concatenate(self._faces).astype(np.int32),
            np.concatenate(self._labels),
        )


def rotation(axis: ArrayLike, angle: float) -> NDArray[np.float64]:
    """Rotation matrix `[3, 3]` about `axis` by `angle` radians (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def transform(
    solid: Solid, *, scale: ArrayLike = 1.0, rotate: NDArray[np.float64] | None = None, move: ArrayLike = 0.0
) -> Solid:
    """Scale (per axis), then rotate, then move; a mirroring scale flips the faces."""
    vertices, faces = solid
    factors = np.broadcast_to(np.asarray(scale, float), 3)
    vertices = vertices * factors
    if rotate is not None:
        vertices = vertices @ rotate.T
    return vertices + np.asarray(move, float), faces[:, ::-1] if np.prod(factors) < 0 else faces


def box(size: ArrayLike, center: ArrayLike = (0, 0, 0)) -> Solid:
    """Axis-aligned box of edge lengths `size`."""
    half = np.asarray(size, float) / 2
    outline = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half[:2]
    return transform(extrude(outline, 2 * half[2]), move=np.asarray(center, float))


def loft(rings: NDArray[np.float64], *, caps: bool = True, closed: bool = False) -> Solid:
    """Skin over `rings [R, K, 3]`, each counter-clockwise seen against the direction of travel.

    `caps` closes both ends with fans around their centroids; `closed` joins the last to the first.
    """
    rings = np.asarray(rings, float)
    count, size = rings.shape[:2]
    vertices = rings.reshape(-1, 3)
    steps = np.arange(count if closed else count - 1)[:, None]
    at, after = np.arange(size)[None], (np.arange(size)[None] + 1) % size
    low, high = steps * size, (steps + 1) % count * size
    a, b, c, d = low + at, low + after, high + after, high + at
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    if closed or not caps:
        return vertices, faces
    first, last = len(vertices), len(vertices) + 1
    vertices = np.concatenate([vertices, rings[0].mean(0, keepdims=True), rings[-1].mean(0, keepdims=True)])
    top = (count - 1) * size
    bottom_fan = np.stack([np.full(size, first), after[0], at[0]], -1)
    top_fan = np.stack([np.full(size, last), top + at[0], top + after[0]], -1)
    return vertices, np.concatenate([faces, bottom_fan, top_fan])


def circle(radius: float = 1.0, segments: int = 32, squareness: float = 2.0) -> NDArray[np.float64]:
    """Counter-clockwise outline `[segments, 2]`; a superellipse of exponent `squareness` (2 is round)."""
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    outline = np.stack([np.cos(angle), np.sin(angle)], -1)
    return radius * np.sign(outline) * np.abs(outline) ** (2 / squareness)


def extrude(outline: ArrayLike, height: float) -> Solid:
    """Prism over a star-shaped counter-clockwise `outline [K, 2]`, centered on z = 0."""
    outline = np.asarray(outline, float)
    ring = np.column_stack([outline, np.zeros(len(outline))])
    return loft(np.stack([ring - [0, 0, height / 2], ring + [0, 0, height / 2]]))


def revolve(profile: ArrayLike, segments: int = 48, squareness: float = 2.0, aspect: float = 1.0) -> Solid:
    """Turn a profile `[K, 2]` of (radius, z) about the z axis, from bottom to top on the outside.

    For a vessel with a wall, let the profile come back down inside. Radii of zero close the ends.
    """
    profile = np.asarray(profile, float)
    base = circle(1.0, segments, squareness) * [1.0, aspect]
    rings = np.stack([np.column_stack([base * max(r, 1e-6), np.full(segments, z)]) for r, z in profile])
    return loft(rings)


def cylinder(radius: float, height: float, segments: int = 32, radius_top: float | None = None) -> Solid:
    """Cylinder or cone frustum along z, centered on the origin."""
    top = radius if radius_top is None else radius_top
    return revolve([(radius, -height / 2), (top, height / 2)], segments)


def ellipsoid(radii: ArrayLike, segments: int = 32, rings: int = 16, squareness: float = 2.0) -> Solid:
    """(Super)ellipsoid of the three `radii`, centered on the origin."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    power = 2 / squareness
    profile = np.stack([np.cos(angle).clip(0) ** power, np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power], -1)
    return transform(revolve(profile, segments, squareness), scale=radii)


def tube(
    path: ArrayLike,
    radius: ArrayLike,
    segments: int = 16,
    *,
    aspect: float = 1.0,
    squareness: float = 2.0,
    closed: bool = False,
    normal: ArrayLike | None = None,
) -> Solid:
    """Sweep a (super)ellipse along `path [K, 3]`.

    radius: one number or one per path point. aspect: the section's size along `normal` over its
    size across it. normal: a direction to keep the section level with (e.g. the normal of a flat
    curve); without it the frame is carried along the curve with least twist.
    """
    path = np.asarray(path, float)
    radius = np.broadcast_to(np.asarray(radius, float), len(path))
    if closed:
        tangents = np.roll(path, -1, 0) - np.roll(path, 1, 0)
    else:
        tangents = np.gradient(path, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-12)
    side = np.asarray(normal if normal is not None else np.eye(3)[np.abs(tangents[0]).argmin()], float)
    section = circle(1.0, segments, squareness)
    rings = []
    for point, tangent, r in zip(path, tangents, radius, strict=True):
        across = side - tangent * (side @ tangent)
        across /= max(np.linalg.norm(across), 1e-12)
        if normal is None:
            side = across
        rings.append(point + r * (section[:, :1] * np.cross(across, tangent) + section[:, 1:] * aspect * across))

    return loft(np.stack(rings), closed=closed)


def bezier(control: ArrayLike, count: int = 24) -> NDArray[np.float64]:
    """Points `[count, D]` on the Bezier curve of `control [K, D]` (de Casteljau)."""
    t = np.linspace(0, 1, count)[:, None, None]
    points = np.broadcast_to(np.asarray(control, float), (count, *np.shape(control)))
    while points.shape[1] > 1:
        points = points[:, :-1] * (1 - t) + points[:, 1:] * t
    return points[:, 0]


def smooth(points: ArrayLike, count: int = 32) -> NDArray[np.float64]:
    """A monotone-in-parameter smooth curve `[count, D]` through `points [K, D]` (PCHIP, no overshoot)."""
    from scipy.interpolate import PchipInterpolator

    points = np.asarray(points, float)
    return PchipInterpolator(np.linspace(0, 1, len(points)), points, axis=0)(np.linspace(0, 1, count))
