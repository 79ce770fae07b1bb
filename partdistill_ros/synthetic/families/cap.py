# SPDX-License-Identifier: Apache-2.0
"""Caps and hats: a crown that is hollow from below, and a visor or a brim around it."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, ellipsoid, rotation, smooth, transform
from partdistill_ros.synthetic.drawing.sheets import sheet, slab
from partdistill_ros.synthetic.drawing.vessel import Array, pick

PARTS = ("crown", "visor")


def build(rng: np.random.Generator) -> MeshBuilder:
    """One cap whose rim is about 2 long; its visor points toward +x."""
    style = pick(rng, {"baseball": 9, "officer": 1.2, "bucket": 1.2, "brimmed": 1.2, "beanie": 0.5, "band": 0.4})
    grid = _crown(rng, style)
    wall = rng.uniform(0.012, 0.06)
    pieces = [("crown", sheet(grid, closed=True) if rng.random() < 0.2 else slab(grid, wall, closed=True))]
    if style in ("baseball", "officer") and rng.random() < 0.45:
        size = rng.uniform(0.03, 0.09)
        pieces.append(("crown", transform(ellipsoid((size, size, size * 0.6), 14, 8), move=grid[0, -1])))
    if style == "officer" and rng.random() < 0.6:
        band = _ring(grid, rng.uniform(0.15, 0.35), rng.uniform(0.01, 0.05))
        pieces.append(("crown", slab(band, 0.02, closed=True)))
    if style in ("bucket", "brimmed"):
        pieces.append(("visor", _brim(rng, grid, style)))
    elif rng.random() < (0.35 if style == "beanie" else 0.985):
        pieces.append(("visor", _visor(rng, grid)))
    askew = rng.random() < 0.25
    turn = rotation((0, 1, 0), askew * rng.normal(0, 0.12)) @ rotation((1, 0, 0), askew * rng.normal(0, 0.06))
    mesh = MeshBuilder(PARTS)
    for part, solid in pieces:
        mesh.add(part, transform(solid, rotate=turn))
    return mesh


def _crown(rng: np.random.Generator, style: str, around: int = 56, up: int = 16) -> Array:
    """Outer surface `[around, up, 3]` of the crown, from its lower edge to its top."""
    radius, height = _meridian(rng, style, up)
    azimuth = np.linspace(0, 2 * np.pi, around, endpoint=False)
    width = rng.uniform(0.72, 1.02)
    power = rng.choice([2.0, 2.0, rng.uniform(2.0, 3.0)])
    outline = np.stack([np.cos(azimuth), np.sin(azimuth)], -1)
    outline = np.sign(outline) * np.abs(outline) ** (2 / power) * [1, width]
    if style in ("baseball", "beanie") and rng.random() < 0.5:
        seams = rng.choice([4, 5, 6, 8])
        outline *= (1 - rng.uniform(0.005, 0.03) * np.abs(np.cos(seams / 2 * azimuth)) ** 8)[:, None]
    plane = radius[None, :, None] * outline[:, None, :]
    z = np.broadcast_to(height, (around, up)).copy()
    share = height / height[-1]
    front = np.cos(azimuth)[:, None]
    lean = rng.normal(0, 0.12) if style != "officer" else rng.uniform(-0.1, 0.3)
    plane[..., 0] += lean * share * height[-1]
    z += rng.normal(0, 0.07) * front * share * (1 - 0.6 * share)
    if style == "officer":
        z += rng.uniform(0, 0.35) * front * np.maximum(0, share - 0.3)
    if style == "baseball" and rng.random() < 0.35:
        plane[..., 0] += rng.uniform(0.03, 0.16) * np.maximum(front, 0) ** 2 * np.sin(np.pi * share)
    z += _lower_edge(rng, style, azimuth)[:, None] * (1 - share)
    grid = np.concatenate([plane, z[..., None]], -1)
    if rng.random() < 0.5:
        grid = _crumple(rng, grid)
    return grid


def _meridian(rng: np.random.Generator, style: str, count: int) -> tuple[Array, Array]:
    """Radius and height `[count]` from the lower edge to the top (to a rim for an open band)."""
    t = np.linspace(0, np.pi / 2, count)
    if style == "band":
        tall = rng.uniform(0.15, 0.5)
        return np.linspace(1, rng.uniform(0.8, 1.0), count), np.linspace(0, tall, count)
    if style == "officer":
        tall, wide = rng.uniform(0.5, 0.95), rng.uniform(0.9, 1.5)
        control = [(1, 0), (1, rng.uniform(0.2, 0.4) * tall), (wide, rng.uniform(0.75, 0.95) * tall), (0, tall)]
        curve = smooth(np.array([*control[:3], (wide * 0.95, tall * 0.98), control[3]]), count)
        return curve[:, 0], curve[:, 1]
    if style in ("bucket", "brimmed"):
        tall, top = rng.uniform(0.5, 1.3), rng.uniform(0.55, 1.0)
        power = rng.uniform(0.15, 0.6)
    else:
        tall, top = rng.uniform(0.6, 1.25), 1.0
        power = rng.choice([rng.uniform(0.8, 1.1), rng.uniform(0.45, 0.9)])
    if style == "beanie":
        tall = rng.uniform(0.8, 1.5)
    radius = np.cos(t).clip(0) ** power * (1 + (top - 1) * np.sin(t))
    bulge = rng.uniform(0, 0.12) * np.sin(2 * t) if rng.random() < 0.4 else 0.0
    height = tall * np.sin(t) ** rng.uniform(0.85, 1.25)
    if style == "brimmed" and rng.random() < 0.5:
        height = height - rng.uniform(0.05, 0.3) * tall * np.clip(1 - radius / (0.7 * top), 0, 1) ** 2
    return radius * (1 + bulge), height


def _lower_edge(rng: np.random.Generator, style: str, azimuth: Array) -> Array:
    """How far the lower edge is raised above z = 0, by azimuth: the notch at the back, a wavy rim."""
    lift = rng.normal(0, 0.04) * np.cos(2 * azimuth) + rng.normal(0, 0.05) * (1 - np.cos(azimuth))
    if style == "baseball" and rng.random() < 0.25:
        half = rng.uniform(0.3, 0.6)
        off = (azimuth - np.pi) / half
        lift = lift + rng.uniform(0.15, 0.4) * np.sqrt(np.clip(1 - off**2, 0, 1))
    return lift


def _crumple(rng: np.random.Generator, grid: Array) -> Array:
    """Soft dents, as cloth has them."""
    share = np.sin(np.pi * np.linspace(0.05, 1, grid.shape[1]))[None, :, None]
    azimuth = np.linspace(0, 2 * np.pi, grid.shape[0], endpoint=False)[:, None, None]
    amount = rng.uniform(0.005, 0.04)
    waves = sum(np.cos(k * azimuth + rng.uniform(0, 6.28)) * rng.normal() for k in (2, 3, 5))
    out = grid * [1, 1, 0] / np.maximum(np.linalg.norm(grid[..., :2], axis=-1, keepdims=True), 0.2)
    return grid + amount * share * waves * out


def _ring(grid: Array, height: float, out: float) -> Array:
    """A band `[around, 4, 3]` around the lower part of the crown."""
    low = grid[:, :1]
    away = low * [1, 1, 0] / np.linalg.norm(low[..., :2], axis=-1, keepdims=True)
    return low + out * away + np.array([0, 0, 1.0]) * np.linspace(0, height, 4)[None, :, None]


def _edge(grid: Array, azimuth: Array) -> Array:
    """Points `[K, 3]` on the crown's lower edge at the given azimuths (parameter angle, radians)."""
    around = len(grid)
    at = np.append(np.arange(around), around) * 2 * np.pi / around
    low = np.concatenate([grid[:, 0], grid[:1, 0]])
    return np.stack([np.interp(azimuth % (2 * np.pi), at, column) for column in low.T], -1)


def _visor(rng: np.random.Generator, grid: Array, across: int = 41, out: int = 9) -> Solid:
    """A peak at the front: any length, width, slope and arch, flat or bent, rounded or square."""
    half = np.deg2rad(rng.uniform(45, 100))
    length = rng.choice([rng.uniform(0.45, 1.1), rng.uniform(0.2, 0.5), rng.uniform(1.0, 1.4)], p=[0.75, 0.15, 0.1])
    u = np.linspace(-1, 1, across)
    azimuth = u * half
    inner = _edge(grid, azimuth)
    inner[:, :2] *= 1 - rng.uniform(0.0, 0.04)
    inner[:, 2] += rng.uniform(0.0, 0.08)
    blend = rng.uniform(0, 0.7)
    heading = (1 - blend) * np.array([1.0, 0, 0]) + blend * np.stack(
        [np.cos(azimuth), np.sin(azimuth), np.zeros(across)], -1
    )
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    reach = length * (1 - np.abs(u) ** rng.uniform(1.8, 6)) ** rng.uniform(0.35, 0.9)
    v = np.linspace(0, 1, out)
    points = inner[:, None] + heading[:, None] * (reach[:, None] * v)[..., None]
    flat = rng.random() < 0.3
    slope = np.tan(np.deg2rad(rng.normal(4, 5) if flat else rng.uniform(-5, 32)))
    arch = rng.uniform(0, 0.06) if flat else rng.uniform(0.05, 0.5)
    sag = 0.0 if flat else rng.uniform(-0.1, 0.35)
    side = np.abs(points[..., 1] / np.abs(inner[:, 1]).max())
    far = reach[:, None] * v
    points[..., 2] -= slope * far + arch * side**2 * np.minimum(1, far / (0.35 * length) + 0.2) + sag * far**2
    return slab(points[::-1].copy(), rng.uniform(0.015, 0.08))


def _brim(rng: np.random.Generator, grid: Array, style: str, around: int = 64, out: int = 9) -> Solid:
    """A brim all the way round, longer or bent somewhere."""
    azimuth = np.linspace(0, 2 * np.pi, around, endpoint=False)
    inner = _edge(grid, azimuth)
    inner[:, :2] *= 0.99
    away = inner * [1, 1, 0] / np.linalg.norm(inner[:, :2], axis=1, keepdims=True)
    length = rng.uniform(0.2, 0.6) if style == "bucket" else rng.uniform(0.35, 1.1)
    reach = length * (1 + rng.uniform(0, 0.5) * np.cos(azimuth) * (rng.random() < 0.5))
    far = reach[:, None] * np.linspace(0, 1, out)
    points = inner[:, None] + away[:, None] * far[..., None]
    slope = rng.uniform(0.2, 1.6) if style == "bucket" else rng.normal(0.1, 0.2)
    points[..., 2] -= slope * far
    if style == "brimmed":
        roll = rng.uniform(0, 0.8) * (rng.random() < 0.6)
        points[..., 2] += roll * np.sin(azimuth)[:, None] ** 2 * far**2 / length
        points[..., 2] -= rng.uniform(0, 0.3) * np.cos(azimuth)[:, None] ** 2 * far**2 / length
    return slab(points[::-1].copy(), rng.uniform(0.012, 0.06), closed=True)


FAMILY = Family(
    name="cap",
    parts=PARTS,
    build=build,
    synonyms={
        "cap": ("hat", "baseball cap", "headwear", "bucket hat"),
        "crown": ("panel", "dome", "top"),
        "visor": ("peak", "brim", "bill"),
    },
    size=(0.2, 0.36),
)
