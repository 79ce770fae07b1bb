# SPDX-License-Identifier: Apache-2.0
"""Airplanes with the nose towards +x: airliners, business jets, fighters, propeller planes, gliders and more."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    Piece,
    assemble,
    bar,
    chance,
    cut,
    mirrored,
    pick,
    weathered,
    without,
)
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    circle,
    ellipsoid,
    loft,
    revolve,
    rotation,
    smooth,
    transform,
)

PARTS = ("body", "wing", "tail", "engine")
FORWARD = rotation((0, 1, 0), np.pi / 2)


@dataclass(frozen=True)
class Hull:
    """A fuselage of length 1 from x = -0.5 to 0.5: half height `radius [K]` and middle `level [K]` at `x [K]`."""

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
        inside = (across**self.squareness + upright**self.squareness) < 0.9
        return inside & (np.abs(points[:, 0]) < 0.5)

    def solid(self) -> Solid:
        """The skin."""
        section = circle(1.0, 28, self.squareness)
        rings = [
            np.column_stack([np.full(28, x), section[:, 0] * r * self.wide, section[:, 1] * r + z])
            for x, r, z in zip(self.x, self.radius, self.level, strict=True)
        ]
        return loft(np.stack(rings))


@dataclass(frozen=True)
class Foil:
    """A wing, stabiliser or fin: fractions of the fuselage's length and radians.

    root: middle of the root chord.  lean: angle of the span above the horizontal (pi / 2 for a fin).
    sweep: how far the tip's middle lies behind the root's.  kink: chord at 40 % of the span over
    that of a straight taper.
    """

    root: tuple[float, float, float]
    span: float
    chord: float
    taper: float
    sweep: float
    lean: float
    thickness: float
    kink: float = 1.0
    round: float = 0.08
    bend: float = 0.0

    def at(self, t: float) -> tuple[Floats, float]:
        """Middle `[3]` and length of the chord at the fraction `t` of the span."""
        way = np.array([0, np.cos(self.lean), np.sin(self.lean)])
        place = np.array(self.root) + way * self.span * t - np.array([self.sweep * t, 0, 0])
        place[2] += self.bend * self.span * t**2
        chord = self.chord * (1 - (1 - self.taper) * t) * (1 + (self.kink - 1) * max(0.0, 1 - abs(t - 0.35) / 0.35))
        return place, chord

    def solid(self) -> Solid:
        """The skin, with a tip rounded over the last `round` of the span."""
        t = np.unique(
            np.concatenate(
                [np.linspace(0, 1 - self.round, 9), 1 - self.round * np.cos(np.linspace(0, np.pi / 2, 6)) ** 1.0]
            )
        )
        angle = np.linspace(0, 2 * np.pi, 20, endpoint=False)
        outline = np.stack([-np.cos(angle) / 2, np.sin(angle) * (0.65 - 0.35 * np.cos(angle)) / 2], -1)
        normal = np.cross([1, 0, 0], [0, np.cos(self.lean), np.sin(self.lean)])
        rings = []
        for fraction in t:
            place, chord = self.at(float(fraction))
            shrink = np.sqrt(max(1 - (max(fraction - 1 + self.round, 0) / self.round) ** 2, 0.02))
            thick = self.thickness * (1 - 0.5 * (1 - self.taper) * fraction) * shrink
            rings.append(
                place + outline[:, :1] * chord * (0.4 + 0.6 * shrink) * [1, 0, 0] + outline[:, 1:] * thick * normal
            )
        return loft(np.stack(rings))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def both(part: str, solid: Solid) -> list[Piece]:
    """A solid and its mirror image on the other side."""
    return [(part, solid), (part, mirrored(solid))]


# --- fuselage ------------------------------------------------------------------------------------


def draw_hull(rng: np.random.Generator, style: str) -> Hull:
    """Sample a fuselage for a style: how fat, how blunt, how the tail rises."""
    fat = {
        "airliner": log_uniform(rng, 0.042, 0.085),
        "jet": log_uniform(rng, 0.045, 0.08),
        "fighter": log_uniform(rng, 0.035, 0.07),
        "prop": log_uniform(rng, 0.055, 0.11),
        "twin": log_uniform(rng, 0.05, 0.09),
        "glider": log_uniform(rng, 0.03, 0.06),
        "biplane": log_uniform(rng, 0.06, 0.1),
        "delta": log_uniform(rng, 0.035, 0.09),
    }[style] * (rng.uniform(1.1, 1.5) if chance(rng, 0.12) else 1.0)
    blunt, cone = rng.uniform(1.4, 2.6), rng.uniform(1.2, 2.6)
    nose, aft = rng.uniform(0.08, 0.22), rng.uniform(0.25, 0.5)
    tip, end = 0.03, rng.uniform(0.05, 0.35)
    if style in ("fighter", "delta"):
        blunt, nose, aft = rng.uniform(1.0, 1.7), rng.uniform(0.2, 0.45), rng.uniform(0.1, 0.4)
        end = rng.uniform(0.4, 0.9)
    if style in ("prop", "biplane"):
        tip, nose, aft, end = (
            rng.uniform(0.35, 0.75),
            rng.uniform(0.08, 0.25),
            rng.uniform(0.45, 0.7),
            rng.uniform(0.08, 0.35),
        )
        cone = rng.uniform(1.0, 1.7)
    if style == "glider":
        nose, aft, end, cone = (
            rng.uniform(0.15, 0.3),
            rng.uniform(0.5, 0.68),
            rng.uniform(0.15, 0.35),
            rng.uniform(0.9, 1.5),
        )
    s = np.concatenate(
        [
            (1 - np.cos(np.linspace(0, np.pi / 2, 12))) * aft,
            np.linspace(aft, 1 - nose, 8)[1:-1],
            1 - nose + nose * np.sin(np.linspace(0, np.pi / 2, 12)),
        ]
    )
    behind = 1 - (1 - end) * np.clip(1 - s / aft, 0, 1) ** cone
    ahead = tip + (1 - tip) * (1 - np.clip((s - 1 + nose) / nose, 0, 1) ** blunt).clip(0) ** (1 / min(blunt, 2))
    radius = fat * np.minimum(behind, 1) * ahead
    radius[0] *= 0.6 if style not in ("fighter", "delta") else 0.95
    upsweep = rng.uniform(-0.1, 1.0) if style not in ("fighter", "delta") else rng.uniform(-0.2, 0.4)
    droop = rng.uniform(-0.1, 0.5)
    level = fat * (upsweep * (1 - behind) - droop * (1 - ahead) * (s > 0.5))
    wide = rng.uniform(0.85, 1.1) if style not in ("fighter", "delta") else rng.uniform(0.9, 1.9)
    square = float(rng.choice([2.0, 2.0, 2.3, 3.0])) if style in ("airliner", "jet", "glider") else rng.uniform(2, 3.8)
    return Hull(s - 0.5, radius, level, wide, square)


def canopy(hull: Hull, rng: np.random.Generator, style: str) -> list[Piece]:
    """A cockpit bubble, cabin or dorsal hump on the fuselage."""
    likely = {"fighter": 0.85, "delta": 0.4, "prop": 0.85, "glider": 0.7, "twin": 0.5, "biplane": 0.4}.get(style, 0.1)
    if not chance(rng, likely):
        return []
    x = rng.uniform(0.0, 0.3) if style != "prop" else rng.uniform(-0.05, 0.18)
    r, level = hull.at(x)
    size = (rng.uniform(0.07, 0.16), r * hull.wide * rng.uniform(0.5, 0.85), r * rng.uniform(0.5, 0.95))
    return [("body", transform(ellipsoid(size, 20, 12, rng.uniform(1.8, 2.8)), move=(x, 0, level + r * 0.8)))]


def gear(hull: Hull, rng: np.random.Generator) -> list[Piece]:
    """Wheels on struts, or floats; they count as body."""
    r, level = hull.at(0.0)
    reach, low = r * rng.uniform(1.2, 2.8), level - r - rng.uniform(0.04, 0.1)
    ahead, behind = rng.uniform(0.02, 0.12), rng.choice([-0.42, 0.34])
    if chance(rng, 0.2):
        boat = transform(ellipsoid((rng.uniform(0.22, 0.35), 0.025, 0.025), 16, 14, 2.4), move=(ahead, reach, low))
        struts = [bar((ahead + s, 0, level - r * 0.6), (ahead + s, reach, low), 0.006) for s in (-0.1, 0.1)]
        return [piece for solid in (boat, *struts) for piece in both("body", solid)]
    wheel = rng.uniform(0.015, 0.035)
    tyre = bar((ahead, reach - wheel * 0.3, low), (ahead, reach + wheel * 0.3, low), wheel, count=2, segments=16)
    strut = bar((ahead, reach * 0.3, level - r * 0.7), (ahead, reach, low), 0.006)
    r_third, level_third = hull.at(float(behind))
    third = bar(
        (behind, -wheel * 0.2, low + wheel * 0.3), (behind, wheel * 0.2, low + wheel * 0.3), wheel * 0.7, count=2
    )
    leg = bar((behind, 0, level_third), (behind, 0, low + wheel * 0.3), 0.005)
    return [*both("body", tyre), *both("body", strut), ("body", third), ("body", leg)]


# --- wings ---------------------------------------------------------------------------------------


# Span, chord, taper, sweep and place along the fuselage of a wing, as fractions of the fuselage's length.
WINGS = {
    "airliner": ((0.38, 0.58), (0.12, 0.22), (0.18, 0.45), (0.1, 0.3), (-0.08, 0.1)),
    "jet": ((0.35, 0.55), (0.12, 0.22), (0.2, 0.5), (0.04, 0.25), (-0.1, 0.06)),
    "fighter": ((0.2, 0.42), (0.22, 0.5), (0.03, 0.45), (0.05, 0.28), (-0.18, 0.0)),
    "prop": ((0.5, 0.75), (0.14, 0.26), (0.4, 1.0), (-0.05, 0.07), (0.05, 0.22)),
    "twin": ((0.5, 0.75), (0.13, 0.24), (0.3, 0.9), (-0.04, 0.08), (0.0, 0.16)),
    "glider": ((0.8, 1.4), (0.08, 0.15), (0.25, 0.7), (-0.06, 0.06), (0.05, 0.2)),
    "biplane": ((0.5, 0.75), (0.14, 0.24), (0.85, 1.0), (-0.02, 0.1), (0.08, 0.22)),
    "delta": ((0.25, 0.55), (0.45, 0.75), (0.02, 0.25), (0.15, 0.4), (-0.22, -0.02)),
}


def draw_wing(hull: Hull, rng: np.random.Generator, style: str) -> Foil:
    """Sample the main wing of a style: swept, straight, tapered, delta; low, middle or high."""
    height = float(
        rng.choice([-0.75, -0.6, 0.0, 0.85], p={"airliner": [0.35, 0.35, 0.1, 0.2]}.get(style, [0.25, 0.2, 0.25, 0.3]))
    )
    span, chord, taper, sweep, place = (rng.uniform(*limits) for limits in WINGS[style])
    if style == "glider":
        height = float(rng.choice([0.0, 0.7, 0.9]))
    r, level = hull.at(place)
    dihedral = rng.uniform(-0.06, 0.14) if chance(rng, 0.85) else rng.uniform(-0.15, 0.3)
    ratio = rng.uniform(0.07, 0.14) if chance(rng, 0.7) else rng.uniform(0.14, 0.26)
    slim = 0.5 if style in ("fighter", "delta") else 1.0
    return Foil(
        root=(place, 0.3 * r * hull.wide, level + height * r),
        span=span,
        chord=chord,
        taper=taper,
        sweep=sweep,
        lean=dihedral,
        thickness=chord * ratio * slim,
        kink=rng.uniform(0.85, 1.0) if style in ("airliner", "jet", "delta") else 1.0,
        round=rng.uniform(0.03, 0.2) if chance(rng, 0.7) else rng.uniform(0.2, 0.6),
        bend=rng.uniform(-0.05, 0.12) if chance(rng, 0.3) else 0.0,
    )


def wings(wing: Foil, rng: np.random.Generator, style: str) -> list[Piece]:
    """Both wings with winglets, tip tanks, root extensions or gear sponsons."""
    pieces = both("wing", wing.solid())
    tip, chord = wing.at(0.97)
    if style in ("airliner", "jet", "glider") and chance(rng, 0.35):
        winglet = Foil(
            tuple(tip),
            rng.uniform(0.03, 0.09),
            chord * 0.8,
            rng.uniform(0.3, 0.7),
            rng.uniform(0.01, 0.06),
            rng.uniform(0.9, 1.6),
            wing.thickness * 0.4,
        )
        pieces += both("wing", winglet.solid())
    if style in ("fighter", "jet", "prop", "delta") and chance(rng, 0.14):
        radii = (chord * rng.uniform(0.6, 1.1) + 0.03, *[rng.uniform(0.008, 0.022)] * 2)
        pieces += both("wing", transform(ellipsoid(radii, 14, 12, 2.2), move=tip))
    if style == "fighter" and chance(rng, 0.4):
        ahead = Foil(
            (wing.root[0] + wing.chord * 0.45, wing.root[1], wing.root[2]),
            wing.span * 0.28,
            wing.chord * 0.7,
            0.05,
            0.12,
            0.0,
            wing.thickness * 0.5,
        )
        pieces += both("wing", ahead.solid())
    return pieces


def second_wing(hull: Hull, wing: Foil, rng: np.random.Generator) -> list[Piece]:
    """The other wing of a biplane, with struts."""
    gap = rng.uniform(0.1, 0.2)
    r, level = hull.at(wing.root[0])
    low = replace(wing, root=(wing.root[0], 0.0, level - r * 0.8), bend=0.0, kink=1.0)
    high = replace(
        low,
        root=(low.root[0] + rng.uniform(-0.02, 0.06), 0.0, level + r * 0.6 + gap),
        span=low.span * rng.uniform(0.95, 1.2),
        lean=low.lean * 0.5,
    )
    pieces = both("wing", low.solid()) + both("wing", high.solid())
    for t in [0.08, *([rng.uniform(0.6, 0.8)] if chance(rng, 0.6) else [0.45, 0.8])]:
        for shift in (-0.3, 0.3):
            start, chord = low.at(t)
            end, _ = high.at(t * low.span / high.span)
            offset = np.array([shift * chord, 0, 0])
            pieces += both("wing", bar(start + offset, end + offset, 0.006, segments=8))
    return pieces


# --- tails ---------------------------------------------------------------------------------------


def tail(hull: Hull, rng: np.random.Generator, style: str) -> tuple[list[Piece], float]:
    """Fin and stabilisers, and the x at which the tail begins on the fuselage."""
    weights = {
        "airliner": {"low": 8.0, "T": 1.5, "cross": 0.5},
        "jet": {"low": 1.5, "T": 6, "cross": 1.5},
        "fighter": {"low": 5.0, "twin": 4, "V": 0.7, "fin": 1.0},
        "prop": {"low": 8.0, "T": 1, "H": 0.7, "V": 0.5},
        "twin": {"low": 7.0, "T": 2, "H": 1.5},
        "glider": {"low": 2.5, "T": 4.0, "V": 1.0},
        "biplane": {"low": 1.0},
        "delta": {"fin": 5.0, "twin": 2, "none": 1.0},
    }[style]
    kind = pick(rng, weights)
    if kind == "none":
        return [], -9.0
    sleek = style in ("fighter", "delta")
    chord = rng.uniform(0.1, 0.2) * (1.3 if sleek else 1.0) * (0.75 if style == "glider" else 1.0)
    place = -0.5 + chord * rng.uniform(0.4, 0.9) + (rng.uniform(0, 0.08) if sleek else 0.0)
    r, level = hull.at(place)
    height = rng.uniform(0.1, 0.24) * (0.8 if style == "glider" else 1.0)
    sweep = (
        rng.uniform(0.3, 1.1) * height
        if style in ("airliner", "jet", "fighter", "delta")
        else rng.uniform(-0.1, 0.6) * height
    )
    ratio = rng.uniform(0.06, 0.16)
    fin = Foil(
        (place + sweep * 0.3, 0.0, level + r * 0.3),
        height,
        chord,
        rng.uniform(0.25, 0.9),
        sweep,
        np.pi / 2,
        chord * ratio,
        round=rng.uniform(0.03, 0.35),
    )
    wide, flat = rng.uniform(0.12, 0.26), chord * rng.uniform(0.6, 1.1)
    stab = Foil(
        (place + rng.uniform(-0.03, 0.02), 0.0, level + r * rng.uniform(-0.1, 0.3)),
        wide,
        flat,
        rng.uniform(0.3, 0.95),
        rng.uniform(0.2, 0.8) * wide
        if style in ("airliner", "jet", "fighter", "delta")
        else rng.uniform(-0.05, 0.3) * wide,
        rng.uniform(-0.08, 0.15),
        flat * ratio,
        round=rng.uniform(0.04, 0.4),
    )
    begin = min(fin.root[0] + chord * 0.5, stab.root[0] + flat * 0.5)
    return tail_pieces(kind, fin, stab, hull, rng), -9.0 if sleek else min(begin, -0.3)


def tail_pieces(kind: str, fin: Foil, stab: Foil, hull: Hull, rng: np.random.Generator) -> list[Piece]:
    """The foils of one arrangement: low, T, cross, V, twin, H or a fin alone."""
    r, level = hull.at(fin.root[0])
    if kind == "V":
        foil = replace(stab, lean=rng.uniform(0.5, 0.9), span=stab.span * 1.2)
        return both("tail", foil.solid())
    if kind == "twin":
        side = r * hull.wide * rng.uniform(0.5, 1.0)
        leaned = replace(
            fin,
            root=(fin.root[0], side, level + r * 0.3),
            lean=np.pi / 2 - rng.uniform(0, 0.5),
            span=fin.span * rng.uniform(0.7, 1.0),
        )
        return both("tail", leaned.solid()) + (both("tail", stab.solid()) if chance(rng, 0.85) else [])
    if kind == "H":
        tip, _ = stab.at(0.96)
        half = replace(fin, root=(float(tip[0]), float(tip[1]), float(tip[2])), span=fin.span * 0.5)
        lower = replace(half, lean=-np.pi / 2, span=fin.span * rng.uniform(0.1, 0.4))
        return [*both("tail", stab.solid()), *both("tail", half.solid()), *both("tail", lower.solid())]
    pieces: list[Piece] = [("tail", fin.solid())]
    if chance(rng, 0.2):
        strake = replace(
            fin,
            root=(fin.root[0] + fin.chord * 0.6, 0.0, fin.root[2]),
            span=fin.span * 0.35,
            chord=fin.chord * 1.4,
            taper=0.1,
            sweep=fin.chord * 0.6,
        )
        pieces.append(("tail", strake.solid()))
    if kind == "fin":
        return pieces
    if kind in ("T", "cross"):
        t = rng.uniform(0.93, 0.98) if kind == "T" else rng.uniform(0.3, 0.6)
        place, _ = fin.at(t)
        stab = replace(stab, root=(float(place[0]), 0.0, float(place[2])))
    return pieces + both("tail", stab.solid())


# --- engines -------------------------------------------------------------------------------------


def nacelle(rng: np.random.Generator, length: float, radius: float) -> Solid:
    """A jet engine's pod along x around the origin, with an open or blunt inlet and a nozzle."""
    back, belly = rng.uniform(0.4, 0.85), rng.uniform(0.9, 1.15)
    outer = smooth([(back, -0.5), (1.0, -0.1), (belly, 0.2), (rng.uniform(0.8, 1.0), 0.5)], 12)
    start = [(0.0, -0.5 - rng.uniform(0, 0.25)), (back * 0.5, -0.5)]
    end = (
        [(0.75, 0.49), (0.7, 0.2), (0.0, 0.2)] if chance(rng, 0.6) else [(0.4, 0.5 + rng.uniform(0, 0.1)), (0.0, 0.52)]
    )
    profile = np.concatenate([start, outer, end]) * [radius, length]
    return transform(revolve(profile, 20), rotate=FORWARD)


def propeller(rng: np.random.Generator, place: ArrayLike, reach: float, hub: float) -> list[Piece]:
    """Spinner and two to six blades that face +x at `place`; sometimes the disc of a turning one."""
    at = np.asarray(place, float)
    spinner = transform(ellipsoid((hub * rng.uniform(1.0, 2.0), hub, hub), 16, 10), move=at)
    count, start = int(rng.choice([2, 2, 3, 3, 4, 6])), rng.uniform(0, np.pi)
    pieces: list[Piece] = [("engine", spinner)]
    if chance(rng, 0.08):
        disc = revolve([(reach, -0.003), (reach, 0.003)], 32)
        return [*pieces, ("engine", transform(disc, rotate=FORWARD, move=at))]
    for angle in start + np.arange(count) * 2 * np.pi / count:
        tip = at + reach * np.array([0, np.cos(angle), np.sin(angle)])
        radii = reach * rng.uniform(0.06, 0.09) * np.array([0.6, 1.0, 0.9, 0.5])
        blade = bar(
            at, tip, radii, aspect=0.3, normal=(1, 0.5 * np.sin(angle), -0.5 * np.cos(angle)), count=10, segments=8
        )
        pieces.append(("engine", blade))
    return pieces


def wing_engines(wing: Foil, rng: np.random.Generator, style: str) -> list[Piece]:
    """Pods under the wing on pylons, or propellers on nacelles in the wing."""
    pairs = int(rng.choice([1, 2], p=[0.7, 0.3]))
    spots = [rng.uniform(0.26, 0.4)] if pairs == 1 else [rng.uniform(0.24, 0.34), rng.uniform(0.52, 0.68)]
    radius = log_uniform(rng, 0.017, 0.04)
    length, below = radius * rng.uniform(3, 6), rng.uniform(0.7, 1.9)
    ahead, state = rng.uniform(0.1, 0.6), int(rng.integers(2**31))
    pieces: list[Piece] = []
    for t in spots:
        twin = np.random.default_rng(state)
        place, chord = wing.at(t)
        if style == "twin":
            center = place + np.array([chord * 0.35, 0, rng.uniform(-0.1, 0.1) * radius])
            pod = transform(ellipsoid((length * 0.6, radius, radius), 20, 14, rng.uniform(2, 3)), move=center)
            pieces += both("engine", pod)
            for part, solid in propeller(
                twin, center + np.array([length * 0.58, 0, 0]), radius * rng.uniform(2.2, 4), radius * 0.5
            ):
                pieces += both(part, solid)
            continue
        over = -1.0 if chance(rng, 0.04) else 1.0
        center = place + np.array([chord * ahead, 0, -over * below * radius - over * wing.thickness * 0.3])
        pieces += both("engine", transform(nacelle(twin, length, radius), move=center))
        pylon = bar(
            center - [length * 0.1, 0, 0],
            place + np.array([chord * 0.1, 0, 0]),
            (length * 0.3, chord * 0.25),
            aspect=0.15,
            normal=(0, 1, 0),
        )
        pieces += both("engine", pylon)
    return pieces


def rear_engines(hull: Hull, rng: np.random.Generator) -> list[Piece]:
    """Pods at the sides of the aft fuselage, and perhaps a third one at the fin's foot."""
    x, radius = rng.uniform(-0.38, -0.2), log_uniform(rng, 0.02, 0.04)
    length = radius * rng.uniform(3.5, 6)
    r, level = hull.at(x)
    side, up = r * hull.wide + radius * rng.uniform(0.7, 1.6), level + r * rng.uniform(0.1, 0.6)
    state = int(rng.integers(2**31))
    pieces = both("engine", transform(nacelle(np.random.default_rng(state), length, radius), move=(x, side, up)))
    stub = bar((x, r * hull.wide * 0.5, up), (x, side, up), length * 0.25, aspect=0.15, normal=(0, 0, 1))
    pieces += both("engine", stub)
    if chance(rng, 0.15):
        pieces.append(
            (
                "engine",
                transform(
                    nacelle(np.random.default_rng(state), length * 1.3, radius),
                    move=(x - 0.03, 0, level + r + radius * 0.7),
                ),
            )
        )
    return pieces


def nozzles(hull: Hull, rng: np.random.Generator) -> list[Piece]:
    """One or two nozzles at the stern; the boxes of the intakes at the sides count as body."""
    r, level = hull.at(-0.47)
    twin = chance(rng, 0.45)
    radius = r * (rng.uniform(0.5, 0.65) * min(hull.wide, 1.5) if twin else rng.uniform(0.75, 0.98))
    length = rng.uniform(0.06, 0.13)
    profile = [
        (0.0, -length * 0.3),
        (0.7 * radius, -length * 0.4),
        (0.75 * radius, -length * 0.5),
        (radius, length * 0.2),
        (radius * 0.8, length * 0.5),
    ]
    solid = transform(revolve(profile, 20), rotate=FORWARD)
    sides = [radius * 1.02, -radius * 1.02] if twin else [0.0]
    pieces: list[Piece] = []
    if not chance(rng, 0.3):
        pieces = [("engine", transform(solid, move=(-0.5, y, level))) for y in sides]
    if chance(rng, 0.6):
        x, long = rng.uniform(-0.1, 0.1), rng.uniform(0.12, 0.28)
        radius_at, level_at = hull.at(x)
        size = (long, radius_at * rng.uniform(0.3, 0.6), radius_at * rng.uniform(0.5, 0.8))
        intake = transform(
            ellipsoid(size, 16, 14, rng.uniform(3, 6)),
            move=(x - long * 0.4, radius_at * hull.wide * 0.9, level_at - 0.1 * radius_at),
        )
        pieces += both("body", intake)
    return pieces


def cowl(hull: Hull, rng: np.random.Generator) -> tuple[list[Piece], float]:
    """Nose propeller, and the x from which the fuselage's nose counts as engine."""
    r, level = hull.at(0.49)
    reach, hub = rng.uniform(0.1, 0.2), r * rng.uniform(0.35, 0.7)
    pieces = propeller(rng, (0.5 + hub * 0.4, 0, level), reach, hub)
    begin = rng.uniform(0.36, 0.46) if chance(rng, 0.5) else 9.0
    if chance(rng, 0.25):
        radius = max(hull.at(0.42)[0] * rng.uniform(1.0, 1.25), hub * 1.2)
        ring = revolve([(0.0, -0.03), (radius * 0.9, -0.03), (radius, 0.01), (radius * 0.9, 0.04), (0.0, 0.04)], 24)
        pieces.append(("engine", transform(ring, rotate=FORWARD, move=(0.47, 0, level))))
    return pieces, begin


# --- whole airplanes -----------------------------------------------------------------------------

STYLES = {"airliner": 30, "jet": 13, "fighter": 20, "prop": 13, "twin": 7, "glider": 6, "biplane": 4, "delta": 7}


def canards(hull: Hull, rng: np.random.Generator) -> list[Piece]:
    """Small wings near the nose."""
    x = rng.uniform(0.15, 0.35)
    r, level = hull.at(x)
    span, chord = rng.uniform(0.07, 0.15), rng.uniform(0.05, 0.11)
    foil = Foil(
        (x, 0.3 * r, level + rng.uniform(-0.2, 0.4) * r),
        span + r * hull.wide,
        chord,
        rng.uniform(0.2, 0.7),
        rng.uniform(0.2, 0.9) * span,
        rng.uniform(-0.1, 0.2),
        chord * rng.uniform(0.06, 0.12),
    )
    return both("wing", foil.solid())


def power(hull: Hull, wing: Foil, rng: np.random.Generator, style: str) -> tuple[list[Piece], float]:
    """The engines of a style, and the x from which the nose counts as engine (beyond the nose: never)."""
    if style in ("prop", "biplane"):
        return cowl(hull, rng)
    if style == "airliner":
        return (wing_engines(wing, rng, style) if chance(rng, 0.88) else []), 9.0
    if style == "twin":
        return wing_engines(wing, rng, style), 9.0
    if style == "jet":
        return (rear_engines(hull, rng) if chance(rng, 0.85) else []), 9.0
    if style == "fighter" or (style == "delta" and chance(rng, 0.5)):
        return nozzles(hull, rng), 9.0
    if style == "delta" and chance(rng, 0.4):
        return wing_engines(replace(wing, chord=wing.chord * 0.6), rng, style), 9.0
    return [], 9.0


def build(rng: np.random.Generator) -> MeshBuilder:
    """One airplane."""
    style = pick(rng, STYLES)
    hull = draw_hull(rng, style)
    wing = draw_wing(hull, rng, style)
    rear, begin = tail(hull, rng, style)
    engines, nose = power(hull, wing, rng, style)
    if not chance(rng, 0.3):
        begin = -9.0

    def labels(center: Floats) -> np.ndarray:
        x = center[:, 0]
        return np.where(x < begin, "tail", np.where(x > nose, "engine", "body"))

    pieces = canopy(hull, rng, style) + rear + engines
    pieces += second_wing(hull, wing, rng) if style == "biplane" else wings(wing, rng, style)
    if style in ("fighter", "delta") and chance(rng, 0.22):
        pieces += canards(hull, rng)
    if chance(rng, {"prop": 0.5, "biplane": 0.8, "twin": 0.2}.get(style, 0.08)):
        pieces += gear(hull, rng)
    pieces = cut(hull.solid(), labels) + [(part, without(solid, hull.covers)) for part, solid in pieces]
    return assemble(PARTS, weathered(pieces, rng))


FAMILY = Family(
    name="airplane",
    parts=PARTS,
    build=build,
    synonyms={
        "airplane": ("plane", "aeroplane", "aircraft", "jet", "airliner"),
        "body": ("fuselage", "hull"),
        "wing": ("wings", "main wing"),
        "tail": ("tail fin", "stabilizer", "rudder", "empennage"),
        "engine": ("engines", "propeller", "turbine", "jet engine", "nacelle"),
    },
    size=(0.15, 1.5),
)
