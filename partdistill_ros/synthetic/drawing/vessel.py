# SPDX-License-Identifier: Apache-2.0
"""What mugs, bottles, kettles and vases have in common: walls turned about z, and handles on them.

A profile is `[K, 2]` of (radius, z) from the foot up to the rim; its handle side is +x, where the
cross-section always has the profile's own radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import Akima1DInterpolator

from partdistill_ros.synthetic.drawing.primitives import Solid, circle, loft, tube

Array = NDArray[np.float64]


def pick(rng: np.random.Generator, weights: dict[str, float]) -> str:
    """One of the names, drawn by weight."""
    share = np.array(list(weights.values()))
    return str(rng.choice(list(weights), p=share / share.sum()))


def skin(profile: ArrayLike, section: Array) -> Solid:
    """Surface without caps: the unit outline `section [K, 2]` scaled along `profile`."""
    rings = [np.column_stack([section * max(r, 1e-6), np.full(len(section), z)]) for r, z in np.asarray(profile, float)]
    return loft(np.stack(rings), caps=False)


def radius_at(profile: Array, z: float | Array) -> Array:
    """Radius of a profile (heights ascending) at height `z`."""
    return np.asarray(np.interp(z, profile[:, 1], profile[:, 0]))


def between(profile: Array, low: float, high: float) -> Array:
    """The piece of a profile with ascending heights from z = low to z = high, ends included."""
    inside = profile[(profile[:, 1] > low) & (profile[:, 1] < high)]
    ends = [(float(radius_at(profile, z)), z) for z in (low, high)]
    return np.concatenate([ends[:1], inside, ends[1:]])


def cavity(profile: Array, wall: float, floor: float, count: int = 14) -> Array:
    """Inner profile from just below the rim down to the center of a floor of thickness `floor`."""
    top, bottom = profile[-1, 1], min(profile[0, 1] + floor, profile[-1, 1] * 0.9 + profile[0, 1] * 0.1)
    z = np.linspace(top, bottom, count)
    slope = np.gradient(radius_at(profile, z), z)
    inner = np.maximum(radius_at(profile, z) - wall * np.sqrt(1 + np.minimum(slope**2, 4)), 0.02 * profile[-1, 0])
    return np.concatenate(
        [np.column_stack([inner, z]), [(inner[-1] * 0.6, bottom - 0.15 * floor), (0, bottom - 0.2 * floor)]]
    )


def lip(profile: Array, wall: float, roundness: float) -> Array:
    """Points of a rounded rim from the outer to the inner wall (`roundness` 0 is flat)."""
    r, z = profile[-1]
    angle = np.linspace(0, np.pi, 6)[1:-1]
    return np.column_stack([r - wall / 2 + wall / 2 * np.cos(angle), z + roundness * wall / 2 * np.sin(angle)])


def round_foot(profile: Array, edge: float) -> Array:
    """The profile with its lower edge rounded by `edge` (a length), starting on the axis."""
    r, z = profile[0]
    edge = min(edge, 0.45 * r, 0.4 * (profile[-1, 1] - z))
    angle = np.linspace(0, np.pi / 2, 6)
    low_r = float(radius_at(profile, z + edge))
    corner = np.column_stack([low_r - edge + edge * np.sin(angle), z + edge - edge * np.cos(angle)])
    return np.concatenate([[(0, z)], corner, profile[profile[:, 1] > z + edge * 1.05]])


def round_section(rng: np.random.Generator, segments: int, odd: float = 0.25) -> Array:
    """Unit outline of a vessel: round, and with probability `odd` square-ish, oval, facetted or fluted.

    Its radius at angle 0 is 1.
    """
    kind = "round" if rng.random() > odd else pick(rng, {"square": 3, "oval": 2, "facets": 3, "flutes": 1})
    if kind == "square":
        return circle(1, segments, rng.uniform(2.5, 9)) * [1, rng.uniform(0.75, 1.3) if rng.random() < 0.4 else 1]
    if kind == "oval":
        return circle(1, segments) * [1, rng.uniform(0.6, 1.4)]
    if kind == "facets":
        outline = circle(1, int(rng.choice([4, 5, 6, 8, 8, 10, 12])))
        if rng.random() < 0.6:
            halfway = (outline + np.roll(outline, -1, 0)) / 2
            turn = np.array([[halfway[0, 0], halfway[0, 1]], [-halfway[0, 1], halfway[0, 0]]])
            outline = outline @ turn.T / (halfway[0] @ halfway[0])
        return outline
    outline = circle(1, segments)
    if kind == "flutes":
        angle = np.arctan2(outline[:, 1], outline[:, 0])
        outline = outline * (1 - rng.uniform(0.01, 0.04) * (1 - np.cos(rng.integers(6, 16) * angle)))[:, None]
    return outline


def arc_loop(rng: np.random.Generator, count: int = 28) -> Array:
    """A handle that leaves the body at the top and comes back below it: `[count, 2]` of
    (outward 0..1, downward 0..1), anything between a C, a D, an ear and a square."""
    t = np.linspace(0, np.pi, count)
    power = rng.choice([2.0, 2.0, rng.uniform(1.6, 3), rng.uniform(3, 9)])
    out = np.abs(np.sin(t)) ** (2 / power)
    down = 0.5 - 0.5 * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power)
    ear = rng.uniform(-0.75, 0.35) if rng.random() < 0.6 else 0.0
    out = out * (1 + ear * (down - 0.35))
    lift = rng.normal(0, 0.12) * out
    belly = rng.uniform(0, 0.35) * (rng.random() < 0.4)
    spread = 1 + belly * out
    return np.column_stack([out / out.max(), 0.5 + (down - 0.5) * spread + lift])


def bent_loop(rng: np.random.Generator, count: int = 30) -> Array:
    """A handle of straight pieces with rounded corners: square, trapezoid, triangle, slanted."""
    top, low = rng.uniform(-0.15, 0.2), rng.uniform(0.75, 1.1)
    reach_top, reach_low = rng.uniform(0.75, 1.0), rng.uniform(0.45, 1.0)
    if rng.random() < 0.25:
        corners = np.array([(0, 0), (1, top), (0, 1)])
    else:
        corners = np.array([(0, 0), (reach_top, top), (reach_low, low), (0, 1)])
    return rounded(corners, rng.uniform(0.05, 0.4), count)


def curl_loop(rng: np.random.Generator, count: int = 30) -> Array:
    """A question mark: a round upper loop whose stem swings back to the body, or just short of it."""
    stem = rng.uniform(0.0, 0.12)
    control = [(0, rng.uniform(0, 0.15)), (0.55, -0.12), (1, rng.uniform(0.1, 0.3)), (0.85, 0.5), (0.4, 0.72)]
    control += [(stem + 0.1, 0.9), (stem if rng.random() < 0.4 else -0.02, 1.0)]
    if rng.random() < 0.35:
        control.append((rng.uniform(0.15, 0.35), rng.uniform(1.04, 1.12)))
    return spline(control, count)


def free_loop(rng: np.random.Generator, count: int = 30) -> Array:
    """A handle through random points, for the odd ones."""
    down = np.sort(rng.uniform(-0.05, 1.05, 3))
    out = rng.uniform(0.45, 1.0, 3)
    middle = np.column_stack([out / out.max(), down])
    return spline([(0, 0), *middle, (0, 1)], count)


def spline(points: Sequence[Any] | Array, count: int) -> Array:
    """Akima curve `[count, D]` through `points`, by chord length."""
    points = np.asarray(points, float)
    step = np.maximum(np.linalg.norm(np.diff(points, axis=0), axis=1), 1e-9)
    at = np.concatenate([[0], np.cumsum(step)])
    return np.asarray(Akima1DInterpolator(at, points)(np.linspace(0, at[-1], count)))


def rounded(corners: Sequence[Any] | Array, amount: float, count: int) -> Array:
    """Polyline `[count, D]` through `corners` with each inner corner cut to a curve (amount 0..0.5)."""
    corners = np.asarray(corners, float)
    pieces: list[Array] = [corners[:1]]
    t = np.linspace(0, 1, 6)[:, None]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        start, end = corner + amount * (before - corner), corner + amount * (after - corner)
        pieces.append((1 - t) ** 2 * start + 2 * t * (1 - t) * corner + t**2 * end)
    pieces.append(corners[-1:])
    path = np.concatenate(pieces)
    return resample(path, count)


def resample(path: ArrayLike, count: int) -> Array:
    """Points `[count, D]` at equal distances along a polyline."""
    path = np.asarray(path, float)
    at = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    return np.stack([np.interp(np.linspace(0, at[-1], count), at, column) for column in path.T], -1)


LOOPS = {"arc": arc_loop, "bent": bent_loop, "curl": curl_loop, "free": free_loop}


def loop_handle(
    rng: np.random.Generator,
    profile: Array,
    top: float,
    bottom: float,
    reach: float,
    thickness: float,
    *,
    embed: float,
    kinds: dict[str, float] | None = None,
    width: float = 1.0,
) -> Solid:
    """A handle at +x from height `top` to `bottom` of a vessel.

    reach: how far its middle line stands off the wall. thickness: half the section's size in the
    plane of the loop. width: the section's size across that plane over the size in it. embed: how
    deep both ends stick into the wall.
    """
    loop = LOOPS[pick(rng, kinds or {"arc": 6, "bent": 2, "curl": 1, "free": 1})](rng)
    height = top - bottom
    z = top - loop[:, 1] * height
    start, end = float(radius_at(profile, top)), float(radius_at(profile, bottom))
    base = start + (end - start) * loop[:, 1].clip(0, 1)
    path = np.column_stack([base + loop[:, 0] * reach, np.zeros(len(loop)), z])
    away = path[1:-1, 0] - radius_at(profile, path[1:-1, 2])
    path[1:-1, 0] += np.maximum(0, -away)
    ends = [path[:1] - [embed, 0, 0], path[-1:] - [embed if loop[-1, 0] < 0.01 else 0, 0, 0]]
    path = resample(np.concatenate([ends[0], path, ends[1]]), 36)
    along = np.linspace(0, 1, len(path))
    flare = rng.uniform(0, 0.7) * (rng.random() < 0.5)
    radius = thickness * (1 + flare * (2 * along - 1) ** 4 + rng.normal(0, 0.15) * (along - 0.5))
    squareness = float(rng.choice([2.0, 2.0, 2.5, 4.0, 7.0]))
    return tube(path, radius, 14, aspect=width, squareness=squareness, normal=(0, 1, 0))


def stack(profiles: Sequence[ArrayLike]) -> Array:
    """Profiles one after the other."""
    return np.concatenate([np.asarray(p, float).reshape(-1, 2) for p in profiles])
