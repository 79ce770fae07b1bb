# SPDX-License-Identifier: Apache-2.0
"""Softer building blocks for furniture, aircraft and tools, and the last touches on a whole shape.

A shape under construction is a list of `Piece`s, so that it can be bent as a whole before it goes
into a `MeshBuilder`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, loft, smooth, tube

Piece = tuple[str, Solid]
Floats = NDArray[np.float64]


def chance(rng: np.random.Generator, probability: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < probability)


def pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """One key, drawn in proportion to its weight."""
    names = list(weights)
    weight = np.array([weights[name] for name in names], float)
    return names[int(rng.choice(len(names), p=weight / weight.sum()))]


def mirrored(solid: Solid) -> Solid:
    """The solid on the other side of the plane y = 0."""
    vertices, faces = solid
    return vertices * [1.0, -1.0, 1.0], faces[:, ::-1]


def up_by(height: float) -> Floats:
    """The vector `[3]` straight up."""
    return np.array([0.0, 0.0, height])


def knots(*points: ArrayLike) -> Floats:
    """Some points as one array `[K, D]`."""
    return np.stack([np.asarray(point, float) for point in points])


def line(start: ArrayLike, end: ArrayLike, count: int = 8) -> Floats:
    """Points `[count, 3]` on a segment."""
    t = np.linspace(0, 1, count)[:, None]
    return np.asarray(start, float) * (1 - t) + np.asarray(end, float) * t


def bar(
    start: ArrayLike,
    end: ArrayLike,
    radius: ArrayLike,
    *,
    squareness: float = 2.0,
    aspect: float = 1.0,
    normal: ArrayLike | None = None,
    count: int = 8,
    segments: int = 12,
) -> Solid:
    """Straight rod; `radius` is one number or the knots of a profile from start to end."""
    knots = np.atleast_1d(np.asarray(radius, float))
    profile = np.full(count, knots[0]) if len(knots) == 1 else smooth(knots[:, None], count)[:, 0]
    return tube(line(start, end, count), profile, segments, squareness=squareness, aspect=aspect, normal=normal)


def leg_radii(rng: np.random.Generator, radius: float) -> Floats:
    """Knots of a leg's radius from top to floor: straight, tapered, swelling, footed or turned."""
    kind = pick(rng, {"straight": 3, "tapered": 3, "cone": 1, "turned": 1, "foot": 1})
    if kind == "straight":
        return np.array([radius])
    if kind == "tapered":
        return radius * np.array([1.15, rng.uniform(0.5, 0.9)])
    if kind == "cone":
        return radius * np.array([0.6, 1.3])
    if kind == "foot":
        return radius * np.array([1.2, 0.9, 0.8, 0.75, 1.3])
    return radius * rng.uniform(0.7, 1.35, 9)


def rounded_path(corners: ArrayLike, radius: float, *, closed: bool = False, per_corner: int = 5) -> Floats:
    """Polyline `[N, 3]` through `corners [K, 3]` with each corner rounded off by about `radius`."""
    corners = np.asarray(corners, float)
    count = len(corners)
    points: list[Floats] = []
    for index in range(count):
        here = corners[index]
        if not closed and index in (0, count - 1):
            points.append(here[None])
            continue
        before, after = corners[index - 1] - here, corners[(index + 1) % count] - here
        reach = [min(radius, 0.48 * float(np.linalg.norm(v))) for v in (before, after)]
        a = here + before / max(np.linalg.norm(before), 1e-9) * reach[0]
        b = here + after / max(np.linalg.norm(after), 1e-9) * reach[1]
        t = np.linspace(0, 1, per_corner)[:, None]
        points.append(a * (1 - t) ** 2 + 2 * here * t * (1 - t) + b * t**2)
    return np.concatenate(points)


def dense_path(path: ArrayLike, count: int, *, closed: bool = False) -> Floats:
    """The polyline `path [K, 3]` resampled to `count` points at equal steps."""
    path = np.asarray(path, float)
    if closed:
        path = np.concatenate([path, path[:1]])
    reach = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    at = np.linspace(0, reach[-1], count, endpoint=not closed)
    return np.stack([np.interp(at, reach, path[:, axis]) for axis in range(path.shape[1])], -1)


def outward(outline: Floats) -> Floats:
    """Unit normals `[K, 2]` of a counter-clockwise closed outline `[K, 2]`."""
    along = np.roll(outline, -1, 0) - np.roll(outline, 1, 0)
    normal = np.stack([along[:, 1], -along[:, 0]], -1)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def slab(
    outline: ArrayLike,
    thickness: float,
    *,
    edge: float = 0.3,
    top_dome: float = 0.0,
    bottom_dome: float = 0.0,
    rings: int = 5,
) -> Solid:
    """Horizontal plate over a star-shaped counter-clockwise `outline [K, 2]`, centered on z = 0.

    edge: rounding of the rim as a fraction of the thickness, 0 (sharp) to 0.5 (half round).
    top_dome, bottom_dome: how far the middle stands out above or below (negative: dished).
    """
    outline = np.asarray(outline, float)
    middle, normal, half = outline.mean(0), outward(outline), thickness / 2
    bevel = np.clip(edge, 0.02, 0.5) * thickness
    turn = np.linspace(0, np.pi / 2, 4)
    inset = np.concatenate([bevel * (1 - np.sin(turn)), bevel * (1 - np.cos(turn))])
    height = np.concatenate([-half + bevel * (1 - np.cos(turn)), half - bevel + bevel * np.sin(turn)])
    rim = [
        np.column_stack([outline - normal * i, np.full(len(outline), z)]) for i, z in zip(inset, height, strict=True)
    ]

    def cap(level: float, dome: float) -> list[Floats]:
        inner = outline - normal * bevel
        shrink = np.linspace(0.06, 1, rings, endpoint=False)
        return [
            np.column_stack([middle + (inner - middle) * s, np.full(len(outline), level + dome * (1 - s**2))])
            for s in shrink
        ]

    return loft(np.stack(cap(-half, -bottom_dome) + rim + cap(half, top_dome)[::-1]))


def sheet(middle: ArrayLike, thickness: ArrayLike, *, edge: float = 0.5) -> Solid:
    """Thick curved plate around the grid `middle [M, N, 3]`.

    thickness: one number or `[M, N]`.  edge: how thin the outermost rows are (1 keeps a square rim).
    The plate is closed around its rim.
    """
    middle = np.asarray(middle, float)
    rows, columns = middle.shape[:2]
    normal = np.cross(np.gradient(middle, axis=0), np.gradient(middle, axis=1))
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
    half = np.broadcast_to(np.asarray(thickness, float), (rows, columns)).copy() / 2
    half[[0, -1]] *= edge
    half[1:-1, [0, -1]] *= edge
    vertices = np.concatenate([(middle + normal * half[..., None]), (middle - normal * half[..., None])]).reshape(-1, 3)
    index = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    front = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    rim = np.concatenate([index[:-1, 0], index[-1, :-1], index[:0:-1, -1], index[0, :0:-1]])
    after, under = np.roll(rim, -1), rows * columns
    sides = np.concatenate([np.stack([rim, rim + under, after + under], -1), np.stack([rim, after + under, after], -1)])
    return vertices, np.concatenate([front, front[:, ::-1] + under, sides])


def cut(solid: Solid, labels: Callable[[Floats], Sequence[str] | NDArray[np.str_]]) -> list[Piece]:
    """Give the faces of one solid to several parts: `labels` maps face centers `[F, 3]` to part names `[F]`."""
    vertices, faces = solid
    names = np.asarray(labels(vertices[faces].mean(1)))
    return [(str(name), (vertices, faces[names == name])) for name in np.unique(names)]


def without(solid: Solid, hidden: Callable[[Floats], NDArray[np.bool_]]) -> Solid:
    """Drop the faces whose centers `[F, 3]` lie hidden inside something else."""
    vertices, faces = solid
    return vertices, faces[~hidden(vertices[faces].mean(1))]


def weathered(pieces: Sequence[Piece], rng: np.random.Generator, strength: float = 1.0) -> list[Piece]:
    """The shape with low-frequency waves, a slight bend and a slight taper, as hand-made things have.

    Half of the shapes stay exact. Amplitudes are at most 2.5 % of the shape's extent.
    """
    if chance(rng, 0.5):
        return list(pieces)
    every = np.concatenate([vertices for _, (vertices, _) in pieces])
    low, high = every.min(0), every.max(0)
    extent = float((high - low).max())
    waves = rng.normal(0, 1, (3, 4, 3)) * rng.uniform(2, 6, (3, 4, 1))
    phase, gain = rng.uniform(0, 2 * np.pi, (3, 4)), strength * rng.uniform(0, 0.005) * extent

    def bend(vertices: Floats) -> Floats:
        local = (vertices - low) / extent
        offset = np.stack([np.sin(local @ waves[axis].T + phase[axis]).sum(1) for axis in range(3)], -1)
        return vertices + gain * offset

    return [(part, (bend(vertices), faces)) for part, (vertices, faces) in pieces]


def assemble(parts: Sequence[str], pieces: Sequence[Piece]) -> MeshBuilder:
    """A builder with all pieces added; vertices that no face of a piece uses are dropped."""
    builder = MeshBuilder(parts)
    for part, (vertices, faces) in pieces:
        used, packed = np.unique(faces, return_inverse=True)
        if len(used):
            builder.add(part, (np.asarray(vertices, float)[used], packed.reshape(-1, 3)))
    return builder
