# SPDX-License-Identifier: Apache-2.0
"""Airplanes with the nose toward +x, a style a page: airliners, jets, fighters, propeller planes, gliders and more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from partdistill_ros.synthetic.archetypes.hulls import FORWARD, Foil, Hull, hull, pod, propeller
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
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, ellipsoid, revolve, transform

PARTS = ("body", "wing", "tail", "engine")
Range = tuple[float, float]


@dataclass(frozen=True)
class Plane:
    """A style, in lengths of the hull. fat: half height; nose, aft, tip, end: see `hulls.hull`.  span to place: of the
    wing, each side; heights: of its root, -1 below to 1 above.  tails, engines: by weight, "" for none.  The rest: how
    often it has a canopy, a gear, canards, winglets, tanks at the tips."""

    fat: Range
    span: Range
    chord: Range
    taper: Range
    sweep: Range
    place: Range
    tails: Mapping[str, float]
    engines: Mapping[str, float]
    nose: Range = (0.08, 0.22)
    aft: Range = (0.25, 0.5)
    tip: Range = (0.03, 0.03)
    end: Range = (0.05, 0.35)
    heights: tuple[float, ...] = (-0.75, -0.6, 0.0, 0.85)
    sleek: bool = False
    canopy: float = 0.1
    gear: float = 0.08
    canards: float = 0.0
    winglets: float = 0.0
    tanks: float = 0.0


JET_TAILS, FIN_TAILS = {"T": 6, "low": 1.5, "cross": 1.5}, {"low": 5, "twin": 4, "V": 0.7, "fin": 1}
PROP_TAILS = {"low": 8, "T": 1, "H": 1, "V": 0.5}
STYLES: Mapping[str, tuple[float, Plane]] = {
    "airliner": (27, Plane((0.042, 0.085), (0.38, 0.58), (0.12, 0.22), (0.18, 0.45), (0.1, 0.3), (-0.08, 0.1),
        {"low": 8, "T": 1.5, "cross": 0.5}, {"pods": 85, "": 15}, heights=(-0.75, -0.7, -0.6, -0.6, 0, 0.85),
        winglets=0.35)),
    "jet": (12, Plane((0.045, 0.08), (0.35, 0.55), (0.12, 0.22), (0.2, 0.5), (0.04, 0.25), (-0.1, 0.06), JET_TAILS,
        {"rear": 80, "": 20}, winglets=0.35, tanks=0.14)),
    "fighter": (19, Plane((0.035, 0.07), (0.2, 0.42), (0.22, 0.5), (0.03, 0.45), (0.05, 0.28), (-0.18, 0), FIN_TAILS,
        {"nozzles": 7, "": 3}, (0.2, 0.45), (0.1, 0.4), end=(0.4, 0.9), sleek=True, canopy=0.85, canards=0.2,
        tanks=0.14)),
    "prop": (13, Plane((0.055, 0.11), (0.5, 0.75), (0.14, 0.26), (0.4, 1), (-0.05, 0.07), (0.05, 0.22), PROP_TAILS,
        {"nose": 9, "": 1}, (0.08, 0.25), (0.45, 0.7), (0.35, 0.75), canopy=0.85, gear=0.5, tanks=0.1)),
    "twin": (7, Plane((0.05, 0.09), (0.5, 0.75), (0.13, 0.24), (0.3, 0.9), (-0.04, 0.08), (0, 0.16), PROP_TAILS,
        {"props": 1}, canopy=0.5, gear=0.2)),
    "boom": (4, Plane((0.07, 0.12), (0.55, 0.8), (0.13, 0.24), (0.4, 1), (-0.04, 0.06), (0.02, 0.12), {"boom": 1},
        {"props": 3, "pusher": 3, "nose": 1, "": 2}, (0.12, 0.3), (0.3, 0.5), canopy=0.6, gear=0.2)),
    "glider": (6, Plane((0.03, 0.06), (0.8, 1.4), (0.08, 0.15), (0.25, 0.7), (-0.06, 0.06), (0.05, 0.2),
        {"low": 2.5, "T": 4, "V": 1}, {"": 9, "pusher": 1}, (0.15, 0.3), (0.5, 0.68), heights=(0, 0.7, 0.9), canopy=0.7,
        winglets=0.35)),
    "biplane": (4, Plane((0.06, 0.1), (0.5, 0.75), (0.14, 0.24), (0.85, 1), (-0.02, 0.1), (0.08, 0.22), {"low": 1},
        {"nose": 9, "": 1}, (0.08, 0.25), (0.45, 0.7), (0.35, 0.75), canopy=0.4, gear=0.8)),
    "delta": (8, Plane((0.035, 0.09), (0.25, 0.55), (0.45, 0.75), (0.02, 0.25), (0.15, 0.4), (-0.22, -0.02),
        {"fin": 5, "twin": 2, "": 1}, {"nozzles": 5, "pods": 2, "": 3}, (0.2, 0.45), (0.1, 0.4), end=(0.4, 0.9),
        sleek=True, canopy=0.4, canards=0.22)),
}  # fmt: skip


def both(part: str, *solids: Solid) -> list[Piece]:
    """Solids and their mirror images on the other side."""
    return [(part, one) for solid in solids for one in (solid, mirrored(solid))]


def draw_hull(page: Plane, rng: np.random.Generator) -> Hull:
    """The fuselage."""
    fat = np.exp(rng.uniform(*np.log(page.fat))) * (rng.uniform(1.1, 1.5) if chance(rng, 0.12) else 1.0)
    nose, aft, tip, end = (rng.uniform(*limits) for limits in (page.nose, page.aft, page.tip, page.end))
    return hull(float(fat), nose, aft, tip, end, rng)


def draw_wing(page: Plane, body: Hull, rng: np.random.Generator) -> Foil:
    """The main wing of one side."""
    limits = (page.place, page.span, page.chord, page.taper, page.sweep)
    place, span, chord, taper, sweep = (rng.uniform(*one) for one in limits)
    r, level = body.at(place)
    slim = rng.uniform(0.07, 0.14) if chance(rng, 0.7) else rng.uniform(0.14, 0.26)
    return Foil(
        (place, 0.3 * r * body.wide, level + float(rng.choice(page.heights)) * r),
        span,
        chord,
        taper,
        sweep,
        lean=rng.uniform(-0.06, 0.14) if chance(rng, 0.85) else rng.uniform(-0.15, 0.3),
        thickness=chord * slim * (0.5 if page.sleek else 1.0),
        round=rng.uniform(0.03, 0.2) if chance(rng, 0.7) else rng.uniform(0.2, 0.6),
        bend=rng.uniform(-0.05, 0.12) * chance(rng, 0.3),
    )


def wings(page: Plane, wing: Foil, rng: np.random.Generator) -> list[Piece]:
    """Both wings with winglets, tanks at their tips, or extensions ahead of the roots."""
    pieces = both("wing", wing.solid())
    tip, chord = wing.at(0.97)
    if chance(rng, page.winglets):
        look = (rng.uniform(0.03, 0.09), chord * 0.8, rng.uniform(0.3, 0.7), rng.uniform(0.01, 0.06))
        pieces += both("wing", Foil(tuple(tip), *look, rng.uniform(0.9, 1.6), wing.thickness * 0.4).solid())
    if chance(rng, page.tanks):
        radii = (chord * rng.uniform(0.6, 1.1) + 0.03, *[rng.uniform(0.008, 0.022)] * 2)
        pieces += both("wing", transform(ellipsoid(radii, 14, 12, 2.2), move=tip))
    if page.sleek and chance(rng, 0.3):
        x, y, z = wing.root
        root, half = (x + wing.chord * 0.45, y, z), wing.thickness * 0.5
        ahead = Foil(root, wing.span * 0.28, wing.chord * 0.7, taper=0.05, sweep=0.12, lean=0.0, thickness=half)
        pieces += both("wing", ahead.solid())
    return pieces


def two_decks(body: Hull, wing: Foil, rng: np.random.Generator) -> list[Piece]:
    """The wings of a biplane, with struts."""
    x, (r, level) = wing.root[0], body.at(wing.root[0])
    low = replace(wing, root=(x, 0.0, level - r * 0.8), bend=0.0)
    over = (x + rng.uniform(-0.02, 0.06), 0.0, level + r * 0.6 + rng.uniform(0.1, 0.2))
    high = replace(low, root=over, span=low.span * rng.uniform(0.95, 1.2), lean=low.lean * 0.5)
    pieces = both("wing", low.solid(), high.solid())
    for t in (0.08, *([rng.uniform(0.6, 0.8)] if chance(rng, 0.6) else [0.45, 0.8])):
        (start, chord), (end, _) = low.at(t), high.at(t * low.span / high.span)
        shifts = [np.array([shift * chord, 0, 0]) for shift in (-0.3, 0.3)]
        pieces += both("wing", *(bar(start + shift, end + shift, 0.006, segments=8) for shift in shifts))
    return pieces


def tail(page: Plane, body: Hull, wing: Foil, rng: np.random.Generator) -> tuple[list[Piece], list[Piece]]:
    """Fin and stabilizers, and the booms that carry them: low, T, cross, V, twin fins, H, a fin alone, or booms."""
    kind = pick(rng, page.tails)
    if not kind:
        return [], []
    slim = 0.75 if page.span[1] > 1 else 1.3 if page.sleek else 1.0
    chord, ratio = rng.uniform(0.1, 0.2) * slim, rng.uniform(0.06, 0.16)
    x = -0.5 + chord * rng.uniform(0.4, 0.9) + rng.uniform(0, 0.08) * page.sleek
    r, level = body.at(x)
    tall, wide, flat = rng.uniform(0.1, 0.24), rng.uniform(0.12, 0.26), chord * rng.uniform(0.6, 1.1)
    swept = page.sleek or page.sweep[1] > 0.2
    back, out = (rng.uniform(0.2, 1.0, 2) if swept else rng.uniform(-0.1, 0.4, 2)) * [tall, wide]
    root = (x + back * 0.3, 0, level + r * 0.3)
    foot = (x + rng.uniform(-0.03, 0.02), 0, level + r * rng.uniform(-0.1, 0.3))
    fin = Foil(root, tall, chord, rng.uniform(0.25, 0.9), back, np.pi / 2, chord * ratio, rng.uniform(0.03, 0.35))
    lean, tip = rng.uniform(-0.08, 0.15), rng.uniform(0.04, 0.4)
    stab = Foil(foot, wide, flat, rng.uniform(0.3, 0.95), out, lean, flat * ratio, tip)
    if kind == "V":
        return both("tail", replace(stab, lean=rng.uniform(0.5, 0.9), span=wide * 1.2).solid()), []
    if kind == "twin":
        side = (fin.root[0], r * body.wide * rng.uniform(0.5, 1.0), fin.root[2])
        leaned = replace(fin, root=side, lean=np.pi / 2 - rng.uniform(0, 0.5), span=tall * rng.uniform(0.7, 1))
        return both("tail", leaned.solid(), *([stab.solid()] if chance(rng, 0.85) else [])), []
    if kind == "H":
        half = replace(fin, root=tuple(stab.at(0.96)[0]), span=tall * 0.5)
        return both("tail", stab.solid(), half.solid(), replace(half, lean=-np.pi / 2, span=tall * 0.25).solid()), []
    if kind == "boom":
        return boom_tail(fin, replace(stab, sweep=0.0, lean=0.0), wing, rng)
    pieces: list[Piece] = [("tail", fin.solid())]
    if chance(rng, 0.2):
        ahead = (fin.root[0] + chord * 0.6, 0, fin.root[2])
        strake = replace(fin, root=ahead, span=tall * 0.35, chord=chord * 1.4, taper=0.1, sweep=chord * 0.6)
        pieces.append(("tail", strake.solid()))
    if kind == "fin":
        return pieces, []
    if kind != "low":
        place, _ = fin.at(rng.uniform(0.93, 0.98) if kind == "T" else rng.uniform(0.3, 0.6))
        stab = replace(stab, root=(float(place[0]), 0, float(place[2])))
    return pieces + both("tail", stab.solid()), []


def boom_tail(fin: Foil, stab: Foil, wing: Foil, rng: np.random.Generator) -> tuple[list[Piece], list[Piece]]:
    """Two booms from the wings, a fin on each, a stabilizer between them."""
    (x, y, z), chord = wing.at(rng.uniform(0.2, 0.4))
    end, thick = rng.uniform(-0.7, -0.45), rng.uniform(0.012, 0.026)
    spot = (end + stab.chord * 0.5, 0.0, z + (fin.span * 0.95 if chance(rng, 0.3) else 0.0))
    fins = replace(fin, root=(end + fin.chord * 0.5, y, z), span=fin.span * 0.8, sweep=fin.sweep * 0.5)
    level = replace(stab, root=spot, span=y, taper=1.0, round=0.03)
    booms = both("body", bar((x + chord * 0.5, y, z), (end, y, z), (thick, thick * 1.1, thick * 0.6)))
    return both("tail", fins.solid(), level.solid()), booms


def wing_engines(wing: Foil, rng: np.random.Generator, turning: bool) -> list[Piece]:
    """Pods under the wing on pylons, or nacelles in it with propellers; one or two at each side."""
    spots = [rng.uniform(0.26, 0.4)] if chance(rng, 0.7) else [rng.uniform(0.24, 0.34), rng.uniform(0.52, 0.68)]
    radius = np.exp(rng.uniform(*np.log([0.017, 0.04])))
    length, below, ahead = radius * rng.uniform(3, 6), rng.uniform(0.7, 1.9), rng.uniform(0.1, 0.6)
    nacelle, above = pod(rng, length, radius), chance(rng, 0.05)
    blades = propeller(rng, (length * 0.58, 0, 0), radius * rng.uniform(2.2, 4), radius * 0.5)
    solids: list[Solid] = []
    for place, chord in (wing.at(t) for t in spots):
        if turning:
            egg = ellipsoid((length * 0.6, radius, radius), 20, 14, 2.5)
            solids += [transform(solid, move=place + [chord * 0.35, 0, 0]) for solid in (egg, *blades)]
            continue
        drop = (below * radius + wing.thickness * 0.3) * (-1 if above else 1)
        center, hold = place + [chord * ahead, 0, -drop], place + [chord * 0.1, 0, 0]
        pylon = bar(center - [length * 0.1, 0, 0], hold, (length * 0.3, chord * 0.25), aspect=0.15, normal=(0, 1, 0))
        solids += [transform(nacelle, move=center), pylon]
    return both("engine", *solids)


def rear_engines(body: Hull, rng: np.random.Generator) -> list[Piece]:
    """Pods at the sides of the rear, and perhaps a third one at the fin's foot."""
    x, radius = rng.uniform(-0.38, -0.2), np.exp(rng.uniform(*np.log([0.02, 0.04])))
    length, (r, level) = radius * rng.uniform(3.5, 6), body.at(x)
    nacelle, side = pod(rng, length, radius), r * body.wide + radius * rng.uniform(0.7, 1.6)
    up = level + r * rng.uniform(0.1, 0.6)
    stub = bar((x, r * body.wide * 0.5, up), (x, side, up), length * 0.25, aspect=0.15, normal=(0, 0, 1))
    pieces = both("engine", transform(nacelle, move=(x, side, up)), stub)
    third = transform(nacelle, scale=(1.3, 1, 1), move=(x - 0.03, 0, level + r + radius * 0.7))
    return pieces + ([("engine", third)] if chance(rng, 0.15) else [])


def nozzles(body: Hull, rng: np.random.Generator) -> list[Piece]:
    """One or two at the stern."""
    (r, level), twin, long = body.at(-0.47), chance(rng, 0.45), rng.uniform(0.06, 0.13)
    radius = r * (rng.uniform(0.5, 0.65) * min(body.wide, 1.5) if twin else rng.uniform(0.75, 0.98))
    profile = np.array([(0, -0.3), (0.7, -0.4), (0.75, -0.5), (1, 0.2), (0.8, 0.5)]) * [radius, long]
    solid = transform(revolve(profile, 20), rotate=FORWARD)
    return [("engine", transform(solid, move=(-0.5, y, level))) for y in ([radius, -radius] if twin else [0.0])]


def screw(body: Hull, rng: np.random.Generator, x: float) -> list[Piece]:
    """A propeller at the nose, with a cowl or without, or behind."""
    r, level = body.at(x)
    hub, reach = max(r * rng.uniform(0.35, 0.7), 0.008), rng.uniform(0.1, 0.2)
    solids = propeller(rng, (x + np.sign(x) * 0.4 * hub, 0, level), reach, hub)
    if x > 0 and chance(rng, 0.4):
        radius, long = max(body.at(0.42)[0] * rng.uniform(1, 1.25), hub * 1.2), rng.uniform(0.07, 0.14)
        profile = np.array([(0, -0.5), (0.95, -0.5), (1, 0.1), (0.9, 0.5), (0, 0.5)]) * [radius, long]
        solids.append(transform(revolve(profile, 24), rotate=FORWARD, move=(0.5 - 0.4 * long, 0, level)))
    return [("engine", solid) for solid in solids]


def engines(page: Plane, body: Hull, wing: Foil, rng: np.random.Generator) -> list[Piece]:
    """What drives it, or nothing."""
    kind = pick(rng, page.engines)
    if kind in ("pods", "props"):
        return wing_engines(wing, rng, kind == "props")
    if kind in ("nose", "pusher"):
        return screw(body, rng, 0.49 if kind == "nose" else -0.49)
    return {"rear": rear_engines, "nozzles": nozzles}[kind](body, rng) if kind else []


def extras(page: Plane, body: Hull, rng: np.random.Generator) -> list[Piece]:
    """Canopy, intakes, canards, and wheels or floats; all but the canards count as body."""
    pieces: list[Piece] = []
    if chance(rng, page.canopy):
        x = rng.uniform(-0.05, 0.3)
        r, level = body.at(x)
        size = (rng.uniform(0.07, 0.16), r * body.wide * rng.uniform(0.5, 0.85), r * rng.uniform(0.5, 0.95))
        pieces.append(("body", transform(ellipsoid(size, 20, 12, rng.uniform(1.8, 2.8)), move=(x, 0, level + r * 0.8))))
    if page.sleek and chance(rng, 0.5):
        x, long = rng.uniform(-0.15, 0.05), rng.uniform(0.12, 0.28)
        r, level = body.at(x)
        box = ellipsoid((long, r * rng.uniform(0.3, 0.6), r * rng.uniform(0.5, 0.8)), 16, 14, rng.uniform(3, 6))
        pieces += both("body", transform(box, move=(x, r * body.wide * 0.9, level - 0.1 * r)))
    if chance(rng, page.canards):
        x, span, chord = rng.uniform(0.15, 0.35), rng.uniform(0.07, 0.15), rng.uniform(0.05, 0.11)
        r, level = body.at(x)
        root = (x, 0.3 * r, level + rng.uniform(-0.2, 0.4) * r)
        look = (rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.9) * span)
        foil = Foil(root, span + r * body.wide, chord, *look, rng.uniform(-0.1, 0.2), chord * 0.09)
        pieces += both("wing", foil.solid())
    return pieces + (gear(body, rng) if chance(rng, page.gear) else [])


def gear(body: Hull, rng: np.random.Generator) -> list[Piece]:
    """Wheels on struts, or floats."""
    r, level = body.at(0.0)
    reach, low, ahead = r * rng.uniform(1.2, 2.8), level - r - rng.uniform(0.04, 0.1), rng.uniform(0.02, 0.12)
    if chance(rng, 0.25):
        boat = transform(ellipsoid((rng.uniform(0.22, 0.35), 0.025, 0.025), 16, 14, 2.4), move=(ahead, reach, low))
        struts = [bar((ahead + s, 0, level - r * 0.6), (ahead + s, reach, low), 0.006) for s in (-0.1, 0.1)]
        return both("body", boat, *struts)
    wheel, third = rng.uniform(0.015, 0.035), float(rng.choice([-0.42, 0.34]))
    tire = bar((ahead, reach - wheel * 0.3, low), (ahead, reach + wheel * 0.3, low), wheel, count=2, segments=16)
    small = bar((third, -wheel * 0.2, low + wheel / 3), (third, wheel * 0.2, low + wheel / 3), wheel * 0.7, count=2)
    leg = bar((third, 0, body.at(third)[1]), (third, 0, low + wheel / 3), 0.005)
    strut = bar((ahead, reach * 0.3, level - r * 0.7), (ahead, reach, low), 0.006)
    return [*both("body", tire, strut), ("body", small), ("body", leg)]


def build(rng: np.random.Generator) -> MeshBuilder:
    """One airplane."""
    style = pick(rng, {name: weight for name, (weight, _) in STYLES.items()})
    page = STYLES[style][1]
    body = draw_hull(page, rng)
    wing = draw_wing(page, body, rng)
    rear, booms = tail(page, body, wing, rng)
    fins = np.concatenate([vertices for _, (vertices, _) in rear]) if rear and not booms else np.full((1, 3), -9.0)
    begin = min(float(fins[:, 0].max()), -0.3) if not page.sleek and chance(rng, 0.3) else -9.0
    pieces = rear + booms + engines(page, body, wing, rng) + extras(page, body, rng)
    pieces += two_decks(body, wing, rng) if style == "biplane" else wings(page, wing, rng)

    def labels(center: Floats) -> np.ndarray:
        return np.where(center[:, 0] < begin, "tail", "body")

    pieces = cut(body.solid(), labels) + [(part, without(solid, body.covers)) for part, solid in pieces]
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
