# SPDX-License-Identifier: Apache-2.0
"""Tables, desks, coffee tables and counters: every top and base style combines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    Piece,
    assemble,
    bar,
    chance,
    cut,
    dense_path,
    knots,
    leg_radii,
    line,
    pick,
    rounded_path,
    sheet,
    slab,
    up_by,
    weathered,
)
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    box,
    circle,
    revolve,
    smooth,
    transform,
    tube,
)

PARTS = ("top", "leg")


@dataclass(frozen=True)
class Plan:
    """Proportions of one table in meters; x is its length."""

    length: float
    width: float
    height: float
    top: float
    squareness: float
    outline: Floats
    bar: float
    section: float

    @property
    def under(self) -> float:
        """Height of the top's lower face."""
        return self.height - self.top

    @property
    def square(self) -> bool:
        """True where the outline fills its corners, so that boards may stand at the ends."""
        x, y, _ = self.corner(1.0)
        return bool(min(x / self.length, y / self.width) > 0.43)

    def corner(self, inset: float) -> Floats:
        """Point under the top at `inset` (1 at the rim) towards the corner with x, y > 0."""
        local = self.outline / [self.length / 2, self.width / 2]
        diagonal = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) / np.sqrt(2)
        aligned = local @ diagonal.T / np.linalg.norm(local, axis=1, keepdims=True)
        place = float(np.linalg.norm(local[aligned.argmax(0)], axis=1).min()) * inset / np.sqrt(2)
        return np.array([self.length / 2 * place, self.width / 2 * place, self.under])

    def feet(self, inset: float) -> list[Floats]:
        """The four points `corner(inset)` mirrored about both axes, in order around the table."""
        return [self.corner(inset) * [a, b, 1] for a, b in ((1, 1), (-1, 1), (-1, -1), (1, -1))]


def draw_outline(rng: np.random.Generator, length: float, width: float, squareness: float) -> Floats:
    """Rim `[K, 2]` of the top: superellipse, polygon, boat, half round or a free form."""
    kind = pick(rng, {"ellipse": 10, "polygon": 1, "boat": 1, "free": 1, "stadium": 1})
    base = circle(1.0, 64, squareness)
    if kind == "polygon":
        count = int(rng.choice([5, 6, 8]))
        corners = np.column_stack([circle(1.0, count), np.zeros(count)])
        base = dense_path(corners, 8 * count, closed=True)[:, :2]
    if kind == "boat":
        base[:, 1] *= 1 - rng.uniform(0.1, 0.35) * base[:, 0] ** 2
    if kind == "free":
        angle = np.arctan2(base[:, 1], base[:, 0])
        wave = np.zeros(64)
        for k in (2, 3):
            wave += rng.uniform(0, 0.12) * np.cos(k * angle + rng.uniform(0, 6.3))
        base = circle(1.0, 64, 2.3) * (1 + wave)[:, None]
    if kind == "stadium":
        base = circle(1.0, 64, 2.0)
        stretch = 1 - width / length
        base = base * [1 - stretch, 1] + np.sign(base[:, :1]) * [stretch, 0] * (np.abs(base[:, :1]) > 1e-9)
    return base * [length / 2, width / 2]


def draw_plan(rng: np.random.Generator) -> Plan:
    """Sample proportions of dining, coffee, side and bar tables and counters."""
    kind = pick(rng, {"dining": 5, "coffee": 3, "side": 3, "bar": 1.5, "long": 1.5})
    length, ratio, height = {
        "dining": (rng.uniform(0.8, 1.8), rng.uniform(0.45, 1.0), rng.uniform(0.68, 0.8)),
        "coffee": (rng.uniform(0.6, 1.4), rng.uniform(0.4, 1.0), rng.uniform(0.22, 0.5)),
        "side": (rng.uniform(0.35, 0.7), rng.uniform(0.6, 1.0), rng.uniform(0.4, 0.75)),
        "bar": (rng.uniform(0.45, 0.9), rng.uniform(0.7, 1.0), rng.uniform(0.85, 1.15)),
        "long": (rng.uniform(1.4, 2.6), rng.uniform(0.22, 0.5), rng.uniform(0.6, 0.9)),
    }[kind]
    if chance(rng, 0.25) and kind != "long":
        ratio = 1.0
    thin = rng.uniform(0.012, 0.05) if chance(rng, 0.7) else rng.uniform(0.05, 0.13)
    squareness = float(rng.choice([2.0, 2.0, 2.5, 3.5, 6.0, 14.0, 14.0, 14.0, 14.0]))
    return Plan(
        length=length,
        width=length * ratio,
        height=height,
        top=thin,
        squareness=squareness,
        outline=draw_outline(rng, length, length * ratio, squareness),
        bar=float(np.exp(rng.uniform(np.log(0.011), np.log(0.055)))),
        section=float(rng.choice([2.0, 2.0, 4.0, 12.0])),
    )


# --- tops ----------------------------------------------------------------------------------------


def make_top(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """The plate, plain or with planks, moulding, sunken middle or a rim, and what hangs from it."""
    kind = pick(rng, {"plate": 8, "planks": 1, "moulding": 2, "tray": 1.5, "double": 1})
    outline, middle = plan.outline, plan.height - plan.top / 2
    if kind == "planks" and plan.square:
        count = int(rng.integers(3, 9))
        pitch = plan.width / count
        size = (plan.length, pitch * rng.uniform(0.85, 0.96), plan.top)
        places = (np.arange(count) - (count - 1) / 2) * pitch
        pieces: list[Piece] = [("top", box(size, (0, y, middle))) for y in places]
        cross = (plan.length * 0.04, plan.width * 0.95, plan.top * 0.6)
        pieces += [("top", box(cross, (s * plan.length * 0.4, 0, plan.under - cross[2] * 0.4))) for s in (-1, 1)]
        return pieces
    if kind == "moulding":
        lower = slab(outline * rng.uniform(0.88, 0.97), plan.top * 0.6, edge=rng.uniform(0, 0.5))
        upper = slab(outline, plan.top * 0.5, edge=rng.uniform(0, 0.5))
        moves = (plan.under + plan.top * 0.3, plan.height - plan.top * 0.25)
        return [("top", transform(s, move=(0, 0, z))) for s, z in zip((lower, upper), moves, strict=True)]
    dish = 0.0
    if kind == "tray":
        dish = -rng.uniform(0.2, 0.6) * plan.top
    elif chance(rng, 0.15):
        dish = rng.uniform(-0.3, 0.4) * plan.top
    edge = 0.5 if chance(rng, 0.4) else rng.uniform(0, 0.4)
    pieces = [("top", transform(slab(outline, plan.top, edge=edge, top_dome=dish), move=(0, 0, middle)))]
    if kind == "tray":
        rim = np.column_stack([outline * 0.985, np.full(len(outline), plan.height)])
        pieces.append(("top", tube(rim, rng.uniform(0.006, 0.02), 8, closed=True, normal=(0, 0, 1))))
    if kind == "double":
        inner = slab(outline * rng.uniform(0.7, 0.92), plan.top * 0.5, edge=edge)
        pieces.append(("top", transform(inner, move=(0, 0, plan.height + plan.top * 0.2))))
    return pieces


def apron(plan: Plan, rng: np.random.Generator, inset: float) -> list[Piece]:
    """Boards under the rim, which people count as part of the top."""
    depth, thick = rng.uniform(0.04, 0.13) * min(1.0, plan.height / 0.6), rng.uniform(0.012, 0.03)
    if not plan.square:
        ring = plan.outline * inset * 0.92
        return [("top", transform(slab(ring, depth, edge=0.05), move=(0, 0, plan.under - depth / 2 + 0.001)))]
    x, y, _ = plan.corner(inset)
    level = plan.under - depth / 2 + 0.001
    arch = rng.uniform(0.2, 0.7) if chance(rng, 0.25) else 0.0
    pieces: list[Piece] = []
    for span, place, along_x in ((x, y, True), (x, -y, True), (y, x, False), (y, -x, False)):
        u, v = np.meshgrid(np.linspace(-1, 1, 13), np.linspace(-0.5, 0.5, 4), indexing="ij")
        z = level + depth * (v + arch * (0.5 - v) * (1 - u**4))
        flat = (u * span, place + 0 * u, z) if along_x else (place + 0 * u, u * span, z)
        pieces.append(("top", sheet(np.stack(flat, -1), thick, edge=1.0)))
    return pieces


# --- bases ---------------------------------------------------------------------------------------


def four_legs(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Straight, splayed, curved or turned legs at the corners, with aprons, stretchers or a shelf."""
    inset = rng.uniform(0.92, 0.99) if chance(rng, 0.5) else rng.uniform(0.6, 0.92)
    radii, section = leg_radii(rng, plan.bar), plan.section
    inset = min(inset, 1 - radii.max() / min(plan.length, plan.width))
    splay = rng.uniform(-0.05, 0.16) * plan.height if chance(rng, 0.45) else 0.0
    bow = rng.uniform(-0.1, 0.12) * plan.height if chance(rng, 0.2) else 0.0
    double = chance(rng, 0.5)
    steps = 16 if len(radii) > 3 or bow else 8
    profile = smooth(radii[:, None], steps)[:, 0] if len(radii) > 1 else np.full(steps, radii[0])
    pieces: list[Piece] = []
    feet = []
    for start in plan.feet(inset):
        way = start * [1, 1, 0] / np.linalg.norm(start[:2])
        end = start * [1, 1, 0] + way * splay
        path = line(start + up_by(0.15 * plan.top), end, steps)
        path += np.sin(np.linspace(0, 2 * np.pi if double else np.pi, steps))[:, None] * way * bow
        normal = way if bow else (0, 1, 0)
        pieces.append(("leg", tube(path, profile, 12, squareness=2 if len(radii) > 3 else section, normal=normal)))
        feet.append(path)
    if chance(rng, 0.4):
        pieces += apron(plan, rng, inset)
    return pieces + ties(plan, rng, feet)


def ties(plan: Plan, rng: np.random.Generator, legs: list[Floats]) -> list[Piece]:
    """Stretchers between four legs, given as paths, or a shelf on them."""
    kind = pick(rng, {"none": 6, "H": 1.5, "box": 1.5, "cross": 1, "shelf": 2})
    if kind == "none":
        return []
    at = rng.uniform(0.45, 0.93)
    a, b, c, d = (leg[int(at * (len(leg) - 1))] for leg in legs)
    radius = plan.bar * rng.uniform(0.4, 0.9)
    if kind == "shelf":
        outline = np.stack([a, b, c, d])[:, :2] * rng.uniform(0.9, 1.05)
        thick = rng.uniform(0.01, 0.03)
        dense = dense_path(np.column_stack([outline, np.zeros(4)]), 48, closed=True)[:, :2]
        return [("leg", transform(slab(dense, thick, edge=0.2), move=(0, 0, a[2])))]
    rods = {
        "H": [(a, d), (b, c), ((a + d) / 2, (b + c) / 2)],
        "box": [(a, b), (b, c), (c, d), (d, a)],
        "cross": [(a, c), (b, d)],
    }[kind]
    return [("leg", bar(s, e, radius, squareness=plan.section)) for s, e in rods]


def ring_legs(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Three to six legs on a circle, leaning in or out, with an optional ring."""
    count, radii = int(rng.choice([3, 3, 4, 5, 6])), leg_radii(rng, plan.bar)
    reach = np.array([plan.length, plan.width]) / 2
    top, foot = rng.uniform(0.2, 0.85), rng.uniform(0.5, 0.95)
    turn = rng.uniform(0, 0.8) if chance(rng, 0.25) else 0.0
    pieces: list[Piece] = []
    for angle in np.arange(count) * 2 * np.pi / count + rng.uniform(0, 1):
        high = np.array([np.cos(angle), np.sin(angle)]) * reach * top
        low = np.array([np.cos(angle + turn), np.sin(angle + turn)]) * reach * foot
        rod = bar([*high, plan.under + 0.3 * plan.top], [*low, 0], radii, squareness=plan.section, count=14)
        pieces.append(("leg", rod))
    if chance(rng, 0.3):
        at = rng.uniform(0.2, 0.7)
        ring = circle(1.0, 40) * reach * (foot * (1 - at) + top * at)
        path = np.column_stack([ring, np.full(40, plan.under * at)])
        pieces.append(("leg", tube(path, plan.bar * 0.6, 8, closed=True, normal=(0, 0, 1))))
    return pieces


def column(plan: Plan, rng: np.random.Generator, x: float, reach: float) -> list[Piece]:
    """One pedestal at `x`: a straight, turned or trumpet column on a disc, plate, cross or tripod."""
    neck = float(np.exp(rng.uniform(np.log(0.02), np.log(0.12))))
    neck = min(neck, 0.5 * reach)
    foot, top = reach * rng.uniform(0.45, 0.95), plan.under + 0.2 * plan.top
    kind = pick(rng, {"disc": 3, "trumpet": 3, "feet": 4, "drum": 1, "hourglass": 1})
    if kind == "feet":
        return pedestal_feet(plan, rng, x, foot, min(neck, 0.07))
    square = float(rng.choice([2.0, 2.0, 2.0, 8.0]))
    rim = rng.uniform(0.01, 0.05)
    if kind == "disc":
        turned = neck * (rng.uniform(0.6, 1.6, 6) if chance(rng, 0.4) else np.ones(6))
        shaft = smooth(np.column_stack([turned, np.linspace(rim * 1.4, top, 6)]), 24)
        profile = np.concatenate([[(foot, 0), (foot, rim)], shaft])
    elif kind == "trumpet":
        flare = neck * rng.uniform(1, 3)
        shape = [(foot, rim * 0.4), (foot * 0.55, rim * 2), (neck, top * 0.4), (neck, top * 0.75), (flare, top)]
        profile = np.concatenate([[(foot * 0.98, 0)], smooth(shape, 24)])
    elif kind == "drum":
        profile = np.array([(foot * rng.uniform(0.7, 1.2), 0), (foot, top)])
    else:
        waist = foot * rng.uniform(0.2, 0.6)
        profile = smooth([(foot, 0), (waist, top * rng.uniform(0.4, 0.6)), (foot * rng.uniform(0.5, 1.1), top)], 20)
    return [("leg", transform(revolve(profile, 40, square), move=(x, 0, 0)))]


def pedestal_feet(plan: Plan, rng: np.random.Generator, x: float, reach: float, neck: float) -> list[Piece]:
    """A turned post on three to five straight or curved feet."""
    count, lift = int(rng.choice([3, 4, 4, 5])), rng.uniform(0.05, 0.3) * plan.height
    radius = rng.uniform(0.35, 0.8) * neck
    turned = neck * (rng.uniform(0.6, 1.5, 8) if chance(rng, 0.5) else np.ones(8))
    shaft = smooth(
        np.column_stack([turned, np.linspace(lift * rng.uniform(0.2, 0.8), plan.under + 0.2 * plan.top, 8)]), 24
    )
    pieces: list[Piece] = [("leg", revolve(shaft, 24))]
    knee = rng.uniform(-0.5, 0.6)
    for angle in np.arange(count) * 2 * np.pi / count + (np.pi / 4 if count == 4 else 0.3):
        way = np.array([np.cos(angle), np.sin(angle), 0])
        mid = way * reach * 0.55 + up_by(radius + (lift - radius) * (0.5 + 0.5 * knee))
        path = smooth(knots([0, 0, lift], mid, way * reach + up_by(radius)), 14)
        widths = np.linspace(radius * 1.3, radius * 0.8, 14)
        pieces.append(("leg", tube(path, widths, 10, squareness=plan.section, normal=np.cross(way, [0, 0, 1]))))
    if chance(rng, 0.3):
        span = min(plan.length, plan.width) * rng.uniform(0.3, 0.7)
        for size in ((span, 0.04, 0.025), (0.04, span, 0.025)):
            pieces.append(("leg", box(size, (0, 0, plan.under - 0.01))))
    return [(part, transform(solid, move=(x, 0, 0))) for part, solid in pieces]


def pedestals(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """One column, or two on a long table."""
    reach = min(plan.length, plan.width) / 2
    if plan.length / plan.width < 1.6:
        return column(plan, rng, 0.0, reach)
    state = int(rng.integers(2**31))
    place = plan.length * rng.uniform(0.22, 0.34)
    pieces = [p for x in (-place, place) for p in column(plan, np.random.default_rng(state), x, reach)]
    if chance(rng, 0.5):
        level = plan.under * rng.uniform(0.2, 0.6)
        pieces.append(
            ("leg", bar((-place, 0, level), (place, 0, level), rng.uniform(0.012, 0.03), squareness=plan.section))
        )
    return pieces


def trestle(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A, X, I or T frames near both ends, with a beam between them."""
    kind = pick(rng, {"A": 3, "X": 3, "I": 3, "Y": 1})
    x_rim, y_rim, _ = plan.corner(1.0)
    place, half, r = x_rim * rng.uniform(0.6, 0.9), y_rim * rng.uniform(0.7, 0.95), plan.bar
    top, lean = plan.under + 0.2 * plan.top, rng.uniform(0, 0.08)
    pieces: list[Piece] = []
    for sign in (-1, 1):
        x, low = sign * place, sign * (place + lean)
        rods: list[tuple[tuple[float, float, float], tuple[float, float, float]]] = []
        if kind == "A":
            near = half * rng.uniform(0.05, 0.5)
            rods = [((x, s * near, top), (low, s * half, 0.0)) for s in (-1, 1)]
            rods.append(((x, -near - half * 0.3, plan.under * 0.35), (x, near + half * 0.3, plan.under * 0.35)))
        if kind == "X":
            rods = [((x + s * r * 0.8, s * half, top), (low + s * r * 0.8, -s * half, 0.0)) for s in (-1, 1)]
        if kind == "I":
            rods = [
                ((x, 0, top), (x, 0, r)),
                ((x, -half, r), (x, half, r)),
                ((x, -half * 0.9, plan.under - r * 0.6), (x, half * 0.9, plan.under - r * 0.6)),
            ]
        if kind == "Y":
            fork = plan.under * rng.uniform(0.3, 0.6)
            rods = [((x, 0, fork), (x, s * half, top)) for s in (-1, 1)] + [
                ((x, 0, fork), (x, 0, r)),
                ((x, -half, r), (x, half, r)),
            ]
        aspect = rng.uniform(1, 2.5)
        pieces += [("leg", bar(a, b, r, squareness=plan.section, aspect=aspect, normal=(1, 0, 0))) for a, b in rods]
    if chance(rng, 0.7):
        level = plan.under * rng.uniform(0.15, 0.6)
        pieces.append(("leg", bar((-place, 0, level), (place, 0, level), r * 0.8, squareness=plan.section)))
    return pieces


def panels(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Boards: at the ends, on three sides, crossed under the middle, or a closed plinth."""
    kind = pick(rng, {"ends": 4, "back": 2, "cross": 1, "plinth": 1, "inner": 1})
    thick = plan.top if chance(rng, 0.5) else rng.uniform(0.015, 0.1)
    tall = plan.under + 0.05 * plan.top
    x, y, _ = plan.corner(1.0)
    if kind == "plinth":
        size = (2 * x * rng.uniform(0.4, 0.85), 2 * y * rng.uniform(0.4, 0.85), tall)
        return [("leg", box(size, (0, 0, tall / 2)))]
    if kind == "cross":
        sizes = [(2 * x * 0.85, thick, tall), (thick, 2 * y * 0.85, tall)]
        return [("leg", box(size, (0, 0, tall / 2))) for size in sizes]
    place = x - thick / 2 if chance(rng, 0.5) else x * rng.uniform(0.6, 0.95)
    deep = y * 2 * (1 if chance(rng, 0.5) else rng.uniform(0.5, 0.95))
    lean = rng.uniform(-0.12, 0.12) * plan.height if chance(rng, 0.3) else 0.0
    u, v = np.meshgrid(np.linspace(-deep / 2, deep / 2, 8), np.linspace(0, 1, 8), indexing="ij")
    narrow = rng.uniform(0.5, 1.0) if chance(rng, 0.3) else 1.0
    pieces: list[Piece] = []
    for sign in (-1, 1):
        grid = np.stack([sign * (place + lean * (1 - v)), u * (narrow + (1 - narrow) * v), v * tall], -1)
        pieces.append(("leg", sheet(grid, thick, edge=1.0)))
    if kind == "back":
        low = rng.uniform(0, 0.6) * plan.under
        size = (2 * place, min(thick, 0.03), tall - low)
        pieces.append(("leg", box(size, (0, deep / 2 * rng.uniform(-0.9, 0.9), (tall + low) / 2))))
    if kind == "inner" or chance(rng, 0.15):
        level = plan.under * rng.uniform(0.15, 0.7)
        pieces.append(("leg", box((2 * place, deep * 0.9, 0.02), (0, 0, level))))
    return pieces


def loops(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Bent tubes or flat bars: rectangles, trapezoids, U and hairpin legs."""
    kind = pick(rng, {"loop": 3, "U": 2, "hairpin": 2, "V": 1})
    r = plan.bar * 0.8
    top = plan.under - 0.8 * r
    x, y, _ = plan.corner(rng.uniform(0.75, 0.97))
    pieces: list[Piece] = []
    if kind == "hairpin":
        spread = rng.uniform(0.04, 0.12)
        for cx, cy, _ in plan.feet(rng.uniform(0.75, 0.97)):
            tip = [cx + np.sign(cx) * 0.03, cy + np.sign(cy) * 0.03, r * 0.5]
            corners = knots([cx - np.sign(cx) * spread, cy, top], tip, [cx, cy - np.sign(cy) * spread, top])
            pieces.append(("leg", tube(dense_path(rounded_path(corners, 0.04), 30), min(r, 0.012), 8)))
        return pieces
    foot = rng.uniform(0.6, 1.1)
    flat, section = (rng.uniform(1.5, 4), 10.0) if chance(rng, 0.4) else (1.0, plan.section)
    for sign in (-1, 1):
        across = [[sign * x, -y, top], [sign * x, -y * foot, r], [sign * x, y * foot, r], [sign * x, y, top]]
        if kind == "V":
            across = [[sign * x, -y, top], [sign * x, 0, r], [sign * x, y, top]]
        closed = kind == "loop"
        path = dense_path(rounded_path(across, rng.choice([0.01, 0.08]), closed=closed), 48, closed=closed)
        solid = tube(path, r, 10, aspect=flat, squareness=section, normal=(1, 0, 0), closed=closed)
        pieces.append(("leg", solid))
    if chance(rng, 0.4):
        level = float(rng.choice([r, plan.under - r]))
        pieces.append(("leg", bar((-x, 0, level), (x, 0, level), r * 0.8, squareness=plan.section)))
    return pieces


def cabinets(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A desk: drawers on one or both sides, legs or a board on the other, a modesty board."""
    deep, wide = plan.width * rng.uniform(0.75, 0.97), plan.length * rng.uniform(0.18, 0.32)
    low = rng.uniform(0.0, 0.2) * plan.under
    place = plan.length / 2 * 0.97 - wide / 2
    tall = plan.under - low + 0.05 * plan.top
    pieces: list[Piece] = [("leg", box((wide, deep, tall), (place, 0, low + tall / 2)))]
    if chance(rng, 0.5):
        pieces.append(("leg", box((wide, deep, tall), (-place, 0, low + tall / 2))))
    elif chance(rng, 0.5):
        pieces.append(("leg", box((plan.bar, deep, plan.under), (-plan.length / 2 * 0.96, 0, plan.under / 2))))
    else:
        corners = [c for c in plan.feet(0.95) if c[0] < 0]
        pieces += [("leg", bar(c, c * [1, 1, 0], plan.bar, squareness=plan.section)) for c in corners]
    if low > 0.02:
        for x in (place - wide * 0.42, place + wide * 0.42):
            pieces += [("leg", bar((x, s * deep * 0.42, low), (x, s * deep * 0.42, 0), 0.015)) for s in (-1, 1)]
    if chance(rng, 0.5):
        pieces.append(("leg", box((plan.length * 0.9, 0.02, tall * 0.6), (0, deep * 0.4, plan.under - tall * 0.3))))
    return pieces


def waterfall(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Top and sides as one bent board; the bend is where the top ends."""
    bend = rng.uniform(0.02, 0.5) * plan.height
    half, lean = plan.length / 2, rng.uniform(-0.15, 0.2) * plan.height
    corners = [
        [-half - lean, 0, 0],
        [-half, 0, plan.height - plan.top / 2],
        [half, 0, plan.height - plan.top / 2],
        [half + lean, 0, 0],
    ]
    path = dense_path(rounded_path(corners, bend, per_corner=12), 80)
    y = np.linspace(-plan.width / 2, plan.width / 2, 10)
    grid = path[:, None] + np.stack([0 * y, y, 0 * y], -1)[None]
    border = plan.height - max(plan.top, bend * 0.35)
    return cut(sheet(grid, plan.top, edge=0.8), lambda center: np.where(center[:, 2] > border, "top", "leg"))


def corner_desk(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Two boards that meet in an L, on posts or end boards."""
    wing, deep = plan.length * rng.uniform(0.7, 1.1), plan.length * rng.uniform(0.3, 0.42)
    middle = plan.height - plan.top / 2
    pieces: list[Piece] = [
        ("top", box((plan.length, deep, plan.top), (0, 0, middle))),
        ("top", box((deep, wing, plan.top), (plan.length / 2 - deep / 2, wing / 2 + deep / 2, middle))),
    ]
    ends = [(-plan.length / 2, -deep / 2), (-plan.length / 2, deep / 2), (plan.length / 2, -deep / 2)]
    ends += [
        (plan.length / 2, wing + deep / 2),
        (plan.length / 2 - deep, wing + deep / 2),
        (plan.length / 2 - deep, deep / 2),
    ]
    middle_point = np.array([plan.length / 2 - deep / 2, 0])
    radii = leg_radii(rng, plan.bar)
    if chance(rng, 0.4):
        thick = rng.uniform(0.02, 0.04)
        pieces.append(("leg", box((thick, deep * 0.95, plan.under), (-plan.length / 2 * 0.97, 0, plan.under / 2))))
        pieces.append(
            (
                "leg",
                box((deep * 0.95, thick, plan.under), (plan.length / 2 - deep / 2, wing + deep * 0.45, plan.under / 2)),
            )
        )
        ends = ends[2:3]
    for end in np.array(ends):
        x, y = end + (middle_point - end) / np.linalg.norm(middle_point - end) * 0.07
        pieces.append(("leg", bar((x, y, plan.under + 0.01), (x, y, 0), radii, squareness=plan.section, count=12)))
    return pieces


BASES = {
    "four": (four_legs, 36),
    "ring": (ring_legs, 7),
    "pedestals": (pedestals, 18),
    "trestle": (trestle, 9),
    "panels": (panels, 9),
    "loops": (loops, 8),
    "cabinets": (cabinets, 4),
}


def build(rng: np.random.Generator) -> MeshBuilder:
    """One table."""
    plan = draw_plan(rng)
    if chance(rng, 0.05):
        pieces = waterfall(plan, rng)
    elif plan.length > 1.2 and chance(rng, 0.08):
        pieces = corner_desk(plan, rng)
    else:
        weights = {name: float(weight) for name, (_, weight) in BASES.items()}
        if not (plan.square and plan.length > 1.0 and plan.height > 0.6):
            weights["cabinets"] = 0.0
        base, _ = BASES[pick(rng, weights)]
        pieces = make_top(plan, rng) + base(plan, rng)
    return assemble(PARTS, weathered(pieces, rng))


FAMILY = Family(
    name="table",
    parts=PARTS,
    build=build,
    synonyms={
        "table": ("desk", "coffee table", "dining table", "side table", "counter"),
        "top": ("tabletop", "table top", "surface", "board"),
        "leg": ("legs", "table leg", "base", "pedestal", "support"),
    },
    size=(0.5, 2.0),
)
