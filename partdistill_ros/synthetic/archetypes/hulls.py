# SPDX-License-Identifier: Apache-2.0
"""A hull with foils: the archetype of airplanes. Lengths are those of the hull, whose nose looks toward +x."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.synthetic.drawing.forms import Floats, bar, chance
from partdistill_ros.synthetic.drawing.primitives import (
    Solid,
    circle,
    ellipsoid,
    loft,
    revolve,
    rotation,
    smooth,
    transform,
)

FORWARD = rotation((0, 1, 0), np.pi / 2)


@dataclass(frozen=True)
class Hull:
    """A body from x = -0.5 to 0.5: half height `radius [K]` and middle `level [K]` at `x [K]`; width over height."""

    x: Floats
    radius: Floats
    level: Floats
    wide: float
    squareness: float

    def at(self, x: float) -> tuple[float, float]:
        """Half height and level of the middle at `x`."""
        return float(np.interp(x, self.x, self.radius)), float(np.interp(x, self.x, self.level))

    def covers(self, points: Floats) -> NDArray[np.bool_]:
        """Mask `[N]` of the points `[N, 3]` well inside the skin."""
        half, level = (np.interp(points[:, 0], self.x, values) for values in (self.radius, self.level))
        across = np.abs(points[:, 1]) / (half * self.wide)
        upright = np.abs(points[:, 2] - level) / half
        return (across**self.squareness + upright**self.squareness < 0.9) & (np.abs(points[:, 0]) < 0.5)

    def solid(self) -> Solid:
        """The skin."""
        section = circle(1.0, 28, self.squareness) * [self.wide, 1]
        skin = zip(self.x, self.radius, self.level, strict=True)
        return loft(np.stack([np.column_stack([np.full(28, x), section * r + [0, z]]) for x, r, z in skin]))


def hull(fat: float, nose: float, aft: float, tip: float, end: float, rng: np.random.Generator) -> Hull:
    """A hull of half height `fat`; nose and rear narrow over these lengths, down to the fractions `tip` and `end`."""
    blunt, cone = rng.uniform(1.2, 2.6), rng.uniform(1.0, 2.4)
    bow = np.linspace(0, np.pi / 2, 12)
    s = np.concatenate([(1 - np.cos(bow)) * aft, np.linspace(aft, 1 - nose, 8)[1:-1], 1 - nose + nose * np.sin(bow)])
    behind = 1 - (1 - end) * np.clip(1 - s / aft, 0, 1) ** cone
    ahead = tip + (1 - tip) * (1 - np.clip((s - 1 + nose) / nose, 0, 1) ** blunt).clip(0) ** (1 / min(blunt, 2))
    radius = fat * behind * ahead
    radius[0] *= 0.6 if end < 0.4 else 0.95
    rise, droop = rng.uniform(-0.1, 1.0) * (0.3 if end > 0.4 else 1), rng.uniform(-0.1, 0.5)
    level = fat * (rise * (1 - behind) - droop * (1 - ahead) * (s > 0.5))
    wide, square = rng.uniform(0.85, 1.1 if end < 0.4 else 1.9), float(rng.choice([2.0, 2.2, 3.0]))
    return Hull(s - 0.5, radius, level, wide, square)


@dataclass(frozen=True)
class Foil:
    """A wing, stabilizer or fin.

    root: middle of the root chord.  lean: angle of the span above the horizontal (pi / 2 for a fin).  sweep: how far
    the tip's middle lies behind the root's.  round: fraction of the span over which the tip is rounded.  bend: of the
    span, upward toward the tip.
    """

    root: tuple[float, float, float]
    span: float
    chord: float
    taper: float
    sweep: float
    lean: float
    thickness: float
    round: float = 0.08
    bend: float = 0.0

    def at(self, t: float) -> tuple[Floats, float]:
        """Middle `[3]` and length of the chord at the fraction `t` of the span."""
        way = np.array([0, np.cos(self.lean), np.sin(self.lean)])
        place = np.array(self.root) + way * self.span * t - np.array([self.sweep * t, 0, 0])
        place[2] += self.bend * self.span * t**2
        return place, self.chord * (1 - (1 - self.taper) * t)

    def solid(self) -> Solid:
        """The skin, with a rounded tip."""
        bow = 1 - self.round * np.cos(np.linspace(0, np.pi / 2, 6))
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        outline = np.stack([-np.cos(angle) / 2, np.sin(angle) * (0.65 - 0.35 * np.cos(angle)) / 2], -1)
        normal = np.cross([1, 0, 0], [0, np.cos(self.lean), np.sin(self.lean)])
        rings = []
        for t in np.unique(np.concatenate([np.linspace(0, 1 - self.round, 9), bow])):
            place, chord = self.at(float(t))
            shrink = np.sqrt(max(1 - (max(t - 1 + self.round, 0) / self.round) ** 2, 0.02))
            thick = self.thickness * (1 - 0.5 * (1 - self.taper) * t) * shrink
            along = outline[:, :1] * chord * (0.4 + 0.6 * shrink) * [1, 0, 0]
            rings.append(place + along + outline[:, 1:] * thick * normal)
        return loft(np.stack(rings))


def pod(rng: np.random.Generator, length: float, radius: float) -> Solid:
    """A jet engine along x around the origin, with an open or blunt inlet and a nozzle."""
    back = rng.uniform(0.4, 0.85)
    outer = smooth([(back, -0.5), (1, -0.1), (rng.uniform(0.9, 1.15), 0.2), (rng.uniform(0.8, 1), 0.5)], 12)
    inlet = [(0.75, 0.49), (0.7, 0.2), (0, 0.2)] if chance(rng, 0.6) else [(0.4, 0.55), (0, 0.57)]
    profile = np.concatenate([[(0, -0.5 - rng.uniform(0, 0.25)), (back / 2, -0.5)], outer, inlet])
    return transform(revolve(profile * [radius, length], 20), rotate=FORWARD)


def propeller(rng: np.random.Generator, place: ArrayLike, reach: float, hub: float) -> list[Solid]:
    """Spinner and two to six blades that turn about x at `place`; sometimes the disc of a turning one."""
    at = np.asarray(place, float)
    spinner = transform(ellipsoid((hub * rng.uniform(1, 2), hub, hub), 16, 10), move=at)
    count, start, broad = int(rng.choice([2, 2, 3, 3, 4, 6])), rng.uniform(0, np.pi), rng.uniform(0.06, 0.09)
    if chance(rng, 0.08):
        return [spinner, transform(revolve([(reach, -0.003), (reach, 0.003)], 32), rotate=FORWARD, move=at)]
    solids = [spinner]
    for angle in start + np.arange(count) * 2 * np.pi / count:
        y, z = np.cos(angle), np.sin(angle)
        radii, tip = reach * broad * np.array([0.6, 1.0, 0.9, 0.5]), at + reach * np.array([0, y, z])
        solids.append(bar(at, tip, radii, aspect=0.3, normal=(1, z / 2, -y / 2), count=10, segments=8))
    return solids
