# SPDX-License-Identifier: Apache-2.0
"""Chairs, stools, armchairs and office chairs, facing +x; every seat, base, back and arm style combines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    mirrored,
    pick,
    rounded_path,
    sheet,
    slab,
    up_by,
    weathered,
    without,
)
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    circle,
    ellipsoid,
    revolve,
    smooth,
    transform,
    tube,
)

PARTS = ("back", "seat", "leg", "arm")


@dataclass(frozen=True)
class Plan:
    """Proportions of one chair, meters and radians, and the look of its members."""

    width: float
    depth: float
    height: float
    seat: float
    taper: float
    squareness: float
    back: float
    recline: float
    hollow: float
    curl: float
    flare: float
    bar: float
    section: float
    dish: float

    @property
    def rear(self) -> tuple[float, float]:
        """Where a back meets the seat: its x, and y at its +y end."""
        inset = 0.5 ** (1 / self.squareness)
        return -self.depth / 2 * (0.55 + 0.45 * inset) * 0.96, self.width / 2 * (1 - self.taper) * inset * 0.98

    def spine(self, u: float | Floats, v: float | Floats) -> Floats:
        """Points `[..., 3]` of the back's surface at lateral place `u` (-1..1) and height `v` (0 seat, 1 top)."""
        u, v = np.broadcast_arrays(np.asarray(u, float), np.asarray(v, float))
        x, half = self.rear
        lean = np.tan(self.recline) * v + self.hollow * np.sin(np.pi * v) + self.curl * v**3
        wrap = self.width * self.flare * (u**2 - 0.5)
        return np.stack(
            [x - self.back * lean + wrap * np.minimum(1, 0.3 + v), half * u, self.seat_top + self.back * v], -1
        )

    @property
    def seat_top(self) -> float:
        return self.seat + self.height / 2

    @property
    def seat_bottom(self) -> float:
        return self.seat - self.height / 2

    def corner(self, front: bool, inset: float) -> Floats:
        """Point under a seat corner on the +y side, `inset` 1 at the rim, at the seat's lower face."""
        place = 0.5 ** (1 / self.squareness) * inset
        side = 1 + self.taper * (place if front else -place)
        return np.array(
            [self.depth / 2 * place * (1 if front else -1), self.width / 2 * place * side, self.seat_bottom]
        )


def draw_plan(rng: np.random.Generator, style: str) -> Plan:
    """Sample proportions; lounge and sofa styles are low and wide, bar stools high."""
    width = rng.uniform(0.36, 0.6)
    plan = {
        "width": width,
        "depth": width * rng.uniform(0.8, 1.15),
        "height": rng.uniform(0.015, 0.06) if chance(rng, 0.6) else rng.uniform(0.05, 0.14),
        "seat": rng.uniform(0.36, 0.56),
        "taper": rng.uniform(0, 0.22) if chance(rng, 0.5) else 0.0,
        "squareness": float(rng.choice([2.0, 2.6, 3.5, 5.0, 8.0, 14.0])),
        "back": rng.uniform(0.25, 0.75),
        "recline": np.radians(rng.uniform(0, 12) if chance(rng, 0.7) else rng.uniform(8, 30)),
        "hollow": rng.uniform(-0.04, 0.08),
        "curl": rng.uniform(-0.05, 0.15) if chance(rng, 0.4) else 0.0,
        "flare": rng.uniform(0.0, 0.3) if chance(rng, 0.6) else 0.0,
        "bar": float(np.exp(rng.uniform(np.log(0.009), np.log(0.032)))),
        "section": float(rng.choice([2.0, 2.0, 4.0, 12.0])),
        "dish": rng.uniform(-0.02, 0.02),
    }
    if style in ("sofa", "lounge"):
        plan |= {"width": rng.uniform(0.5, 1.5 if chance(rng, 0.3) else 0.85), "depth": rng.uniform(0.5, 0.75)}
        plan |= {"height": rng.uniform(0.1, 0.26), "seat": rng.uniform(0.28, 0.4), "back": rng.uniform(0.3, 0.75)}
        plan |= {"squareness": float(rng.choice([5.0, 8.0, 14.0])), "flare": 0.0, "taper": 0.0}
    if style == "bar":
        plan |= {"seat": rng.uniform(0.6, 0.85), "back": rng.uniform(0.12, 0.4)}
    if style == "frames":
        plan |= {"squareness": float(rng.choice([5.0, 8.0, 14.0])), "taper": 0.0}
    if style == "shell":
        plan |= {"height": 0.03}
    if style == "office":
        plan |= {"height": rng.uniform(0.04, 0.12), "back": rng.uniform(0.35, 0.8), "taper": 0.0}
    return Plan(**plan)


def seat_outline(plan: Plan) -> Floats:
    """Rim `[48, 2]` of the seat."""
    outline = circle(1.0, 48, plan.squareness) * [plan.depth / 2, plan.width / 2]
    outline[:, 1] *= 1 + plan.taper * outline[:, 0] / (plan.depth / 2)
    return outline


def seat_frame(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """The boards under a seat that carry it; people count them as seat."""
    depth = rng.uniform(0.02, 0.07)
    board = slab(seat_outline(plan) * rng.uniform(0.8, 0.96), depth, edge=rng.uniform(0.02, 0.3))
    return [("seat", transform(board, move=(0, 0, plan.seat_bottom - depth / 2 + 0.002)))]


def make_seat(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Plate, cushion on a frame, slats or woven frame."""
    outline = seat_outline(plan)
    kind = pick(rng, {"plate": 5, "cushion": 3, "slats": 1, "on frame": 2})
    if kind == "slats" and plan.squareness >= 3.5:
        count = int(rng.integers(4, 10))
        pitch = plan.depth / count
        slats: list[Piece] = []
        for place in np.linspace(-plan.depth / 2 + pitch / 2, plan.depth / 2 - pitch / 2, count):
            width = plan.width * (1 + plan.taper * place / (plan.depth / 2))
            size = (pitch * rng.uniform(0.7, 0.85), width, plan.height)
            slats.append(("seat", box(size, (place, 0, plan.seat))))
        side = plan.width / 2 * 0.8 * (1 - plan.taper / 2)
        rail = bar((-plan.depth / 2, side, plan.seat_bottom), (plan.depth / 2, side, plan.seat_bottom), 0.012)
        return [*slats, ("seat", rail), ("seat", mirrored(rail))]
    if kind == "on frame" and plan.height > 0.04:
        lower = slab(outline * 0.97, plan.height * 0.45, edge=rng.uniform(0, 0.4))
        upper = slab(outline * rng.uniform(0.86, 1.0), plan.height * 0.55, edge=0.5, top_dome=rng.uniform(0, 0.03))
        return [
            ("seat", transform(lower, move=(0, 0, plan.seat_bottom + plan.height * 0.225))),
            ("seat", transform(upper, move=(0, 0, plan.seat_top - plan.height * 0.275))),
        ]
    dome = rng.uniform(0, 0.03) if kind == "cushion" else min(plan.dish, 0.0) if plan.height > 0.03 else 0.0
    dome = max(dome, -0.6 * plan.height)
    solid = slab(outline, plan.height, edge=0.5 if kind == "cushion" else rng.uniform(0.0, 0.5), top_dome=dome)
    return [("seat", transform(solid, move=(0, 0, plan.seat)))]


# --- bases ---------------------------------------------------------------------------------------


def four_legs(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Straight, splayed, curved or cabriole legs with or without stretchers; also three-legged."""
    splay = (rng.uniform(0, 0.12), rng.uniform(0, 0.12)) if chance(rng, 0.5) else (0.0, 0.0)
    inset, radii = rng.uniform(0.72, 0.98), leg_radii(rng, plan.bar)
    bow = rng.uniform(-0.06, 0.08) if chance(rng, 0.25) else 0.0
    steps = 14 if len(radii) > 3 or bow else 8
    section = plan.section if len(radii) < 4 else 2.0
    pieces: list[Piece] = []
    feet: dict[bool, tuple[Floats, Floats]] = {}
    posts_below = chance(rng, 0.5)
    for front in (True, False):
        corner = plan.corner(front, inset)
        if posts_below and not front:
            corner[:2] = plan.rear
        start = corner + up_by(min(0.4 * plan.height, 0.02))
        end = np.array([start[0] + (splay[0] if front else -rng.uniform(0.6, 1.6) * splay[0]), start[1] + splay[1], 0])
        feet[front] = (start, end)
        path = line(start, end, steps)
        arc = np.sin(np.linspace(0, 2 * np.pi if abs(bow) > 0.04 else np.pi, steps))
        path += arc[:, None] * [bow if front else -bow, bow * 0.5, 0]
        profile = smooth(radii[:, None], steps)[:, 0] if len(radii) > 1 else np.full(steps, radii[0])
        leg = tube(path, profile, 12, squareness=section, normal=(0, 1, 0))
        pieces += [("leg", leg), ("leg", mirrored(leg))]
    return pieces + stretchers(plan, rng, feet)


def stretchers(plan: Plan, rng: np.random.Generator, feet: dict[bool, tuple[Floats, Floats]]) -> list[Piece]:
    """Rungs between legs given as (top, foot) on the +y side, in one of the usual patterns."""
    kind = pick(rng, {"none": 5, "H": 2, "box": 2, "cross": 1, "sides": 1, "front": 1})
    if kind == "none":
        return []
    at = rng.uniform(0.15, 0.75)
    front, rear = (feet[f][1] * at + feet[f][0] * (1 - at) for f in (True, False))
    radius = plan.bar * rng.uniform(0.4, 0.9)
    flip = np.array([1.0, -1.0, 1.0])
    rods: list[tuple[Floats, Floats]] = []
    if kind in ("H", "box", "sides"):
        rods += [(front, rear), (front * flip, rear * flip)]
    if kind == "H":
        rods.append(((front + rear) / 2, (front + rear) / 2 * flip))
    if kind == "box":
        rods += [(front, front * flip), (rear, rear * flip)]
    if kind == "cross":
        rods += [(front, rear * flip), (rear, front * flip)]
    if kind == "front":
        rods.append((front, front * flip))
    return [("leg", bar(a, b, radius, squareness=plan.section)) for a, b in rods]


def three_legs(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Legs on a circle under the seat (stools), three to five, with an optional ring."""
    count, reach = int(rng.integers(3, 6)), min(plan.width, plan.depth) / 2
    top, foot, radii = reach * rng.uniform(0.35, 0.7), reach * rng.uniform(0.6, 1.25), leg_radii(rng, plan.bar)
    pieces: list[Piece] = []
    for angle in np.arange(count) * 2 * np.pi / count + rng.choice([0, np.pi / count]):
        way = np.array([np.cos(angle), np.sin(angle), 0])
        start = way * top + up_by(plan.seat_bottom + 0.3 * plan.height)
        pieces.append(
            ("leg", bar(start, way * foot, radii, squareness=plan.section if len(radii) < 4 else 2, count=12))
        )
    if chance(rng, 0.5):
        at = rng.uniform(0.2, 0.6)
        ring = circle(foot * (1 - at) + top * at, 32)
        path = np.column_stack([ring, np.full(32, plan.seat_bottom * at)])
        pieces.append(("leg", tube(path, plan.bar * 0.6, 8, closed=True, normal=(0, 0, 1))))
    return pieces


def star_base(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Gas column, radial arms and castors of an office chair."""
    count, reach = int(rng.choice([4, 5, 5, 5, 6])), rng.uniform(0.24, 0.38)
    castor = rng.uniform(0.02, 0.035) if chance(rng, 0.8) else 0.0
    hub = castor * 2 + rng.uniform(0.02, 0.1)
    column, radius = rng.uniform(0.018, 0.035), rng.uniform(0.014, 0.028)
    split = rng.uniform(0.3, 0.8)
    knee = hub + (plan.seat_bottom - hub) * split
    pieces: list[Piece] = [
        (
            "leg",
            revolve(
                [(column * 1.5, hub - 0.03), (column * 1.4, knee), (column, knee), (column, plan.seat_bottom + 0.01)],
                20,
            ),
        ),
    ]
    if chance(rng, 0.6):
        plate = (plan.depth * rng.uniform(0.3, 0.6), plan.width * rng.uniform(0.25, 0.5), 0.03)
        pieces.append(("leg", box(plate, (0, 0, plan.seat_bottom - 0.012))))
    droop = castor * 2 + radius * 0.4
    for angle in np.arange(count) * 2 * np.pi / count + rng.uniform(0, 2 * np.pi):
        way = np.array([np.cos(angle), np.sin(angle), 0])
        path = np.stack(
            [way * 0.01 + up_by(hub), way * reach * 0.5 + up_by(hub * 0.6 + droop * 0.4), way * reach + up_by(droop)]
        )
        pieces.append(
            (
                "leg",
                tube(smooth(path, 8), np.linspace(radius * 1.3, radius * 0.8, 8), 10, squareness=4, normal=(0, 0, 1)),
            )
        )
        if castor:
            pieces += castors(way * reach, castor, rng)
    return pieces


def castors(place: Floats, radius: float, rng: np.random.Generator) -> list[Piece]:
    """A twin wheel that swivelled to any side, under `place`."""
    swivel = rng.uniform(0, 2 * np.pi)
    axle = np.array([np.cos(swivel), np.sin(swivel), 0])
    wheel = place + up_by(radius)
    wheels = [
        bar(wheel + axle * radius * a, wheel + axle * radius * b, radius, count=2)
        for a, b in ((-0.8, -0.15), (0.15, 0.8))
    ]
    pin = bar(wheel, place + up_by(radius * 2.6), radius * 0.4, count=2, segments=8)
    return [("leg", solid) for solid in (*wheels, pin)]


def pedestal(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """One column on a disc, trumpet (tulip) or square plate."""
    foot, neck = min(plan.width, plan.depth) * rng.uniform(0.3, 0.52), rng.uniform(0.018, 0.06)
    top, rim = plan.seat_bottom + 0.2 * plan.height, rng.uniform(0.008, 0.04)
    if chance(rng, 0.5):
        flare = neck * rng.uniform(1, 3)
        profile = smooth([(foot, rim), (foot * 0.6, rim * 2.2), (neck, top * 0.4), (neck, top * 0.7), (flare, top)], 20)
        profile = np.concatenate([[(foot * 0.98, 0)], profile])
    else:
        profile = np.array([(foot, 0), (foot, rim), (neck, rim * 1.5), (neck, top)])
    solid = revolve(profile, 32, float(rng.choice([2.0, 2.0, 2.0, 8.0])))
    pieces: list[Piece] = [("leg", solid)]
    if plan.seat > 0.6 and chance(rng, 0.6):
        level, ring = plan.seat * rng.uniform(0.25, 0.45), foot * rng.uniform(0.6, 0.9)
        path = np.column_stack([circle(ring, 24), np.full(24, level)])
        pieces.append(("leg", tube(path, 0.011, 8, closed=True, normal=(0, 0, 1))))
        pieces.append(("leg", bar((0, 0, level), (ring, 0, level), 0.009)))
    return pieces


def sled(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A bent tube or flat bar at each side that runs along the floor."""
    kind = pick(rng, {"sled": 3, "cantilever": 3, "rear": 1, "wire": 1})
    front, rear = plan.corner(True, 0.92), plan.corner(False, 0.92)
    side, top, r = max(front[1], rear[1]), plan.seat_bottom + plan.bar * 0.5, plan.bar
    splay = rng.uniform(0, 0.06)
    floor = [[front[0] + splay, side, r], [rear[0] - splay, side, r]]
    high = [[front[0], side, top], [rear[0], side, top]]
    corners = {
        "sled": [high[0], floor[0], floor[1], high[1]],
        "wire": [high[0], floor[0], floor[1], high[1]],
        "cantilever": [high[1], high[0], floor[0], floor[1]],
        "rear": [high[0], high[1], floor[1], floor[0]],
    }[kind]
    path = rounded_path(corners, rng.uniform(0.03, 0.14))
    aspect, section = (rng.uniform(1.2, 3), 8.0) if chance(rng, 0.25) else (1.0, plan.section)
    runner = tube(dense_path(path, 40), r, 10, squareness=section, aspect=aspect, normal=(0, 1, 0))
    pieces: list[Piece] = [("leg", runner), ("leg", mirrored(runner))]
    ends = [floor[1]] if kind == "cantilever" else [floor[0]] if kind == "rear" else floor if chance(rng, 0.5) else []
    for end in ends:
        pieces.append(("leg", bar(end, np.array(end) * [1, -1, 1], r)))
    return pieces


def rockers(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Four legs on two curved runners."""
    rise = rng.uniform(0.05, 0.1)
    radii = leg_radii(rng, plan.bar)
    pieces: list[Piece] = []
    front, rear = plan.corner(True, 0.9), plan.corner(False, 0.9)
    side = (front[1] + rear[1]) / 2
    x = np.linspace(rear[0] - rng.uniform(0.12, 0.3), front[0] + rng.uniform(0.08, 0.2), 20)
    runner = np.column_stack([x, np.full(20, side), rise * 1.6 * (2 * x / (x[-1] - x[0])) ** 2 + plan.bar])
    for start in (front, rear):
        end = [start[0], side, float(np.interp(start[0], runner[:, 0], runner[:, 2]))]
        pieces.append(("leg", bar(start + up_by(0.01), end, radii, count=12)))
    pieces.append(("leg", tube(runner, plan.bar * rng.uniform(0.7, 1.2), 10, squareness=4, normal=(0, 1, 0))))
    return pieces + [(part, mirrored(solid)) for part, solid in pieces]


def panels(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Two boards at the sides, a block, or a board at front and rear."""
    thickness, low = rng.uniform(0.015, 0.06), plan.seat_bottom + 0.1 * plan.height
    kind = pick(rng, {"sides": 3, "block": 1, "ends": 1})
    if kind == "block":
        size = (plan.depth * rng.uniform(0.5, 0.9), plan.width * rng.uniform(0.5, 0.9), low)
        return [("leg", box(size, (0, 0, low / 2)))]
    span, across = (plan.depth, plan.width) if kind == "sides" else (plan.width, plan.depth)
    place, span = across / 2 * rng.uniform(0.75, 0.93), span * rng.uniform(0.75, 0.95)
    lean = rng.uniform(0, 0.08)
    pieces: list[Piece] = []
    for sign in (-1, 1):
        grid = np.stack(np.meshgrid(np.linspace(-span / 2, span / 2, 9), np.linspace(0, low, 9), indexing="ij"), -1)
        out = sign * (place + lean * (1 - grid[..., 1] / low))
        corner = (grid[..., 0], out, grid[..., 1]) if kind == "sides" else (out, grid[..., 0], grid[..., 1])
        pieces.append(("leg", sheet(np.stack(corner, -1), thickness, edge=rng.choice([0.5, 1.0]))))
    return pieces


def cross_legs(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Folding X at each side, or an X seen from the front."""
    pieces: list[Piece] = []
    reach = rng.uniform(0.8, 1.1)
    front, rear = plan.corner(True, 0.92), plan.corner(False, 0.92)
    side = min(front[1], rear[1])
    if chance(rng, 0.7):
        rods = [((front[0], rear[0] * reach), side), ((rear[0], front[0] * reach), side - 2 * plan.bar)]
        for (high, low), y in rods:
            pieces.append(
                ("leg", bar((high, y, plan.seat_bottom + 0.01), (low, y, 0), plan.bar, squareness=plan.section))
            )
        pieces += [(part, mirrored(solid)) for part, solid in pieces]
        for (_, low), y in rods:
            if chance(rng, 0.6):
                pieces.append(("leg", bar((low, y, plan.bar), (low, -y, plan.bar), plan.bar * 0.8)))
        return pieces
    for x in (front[0], rear[0]):
        rod = bar((x, side, plan.seat_bottom + 0.01), (x, -side * reach, 0), plan.bar, squareness=plan.section)
        pieces += [("leg", rod), ("leg", mirrored(rod))]
    return pieces


def zigzag(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """One bent board from the front or the rear of the seat down to the floor."""
    half, thick = plan.depth / 2 * rng.uniform(0.85, 1.0), rng.uniform(0.015, 0.04)
    sign, wide = rng.choice([-1, 1]), plan.width / 2 * rng.uniform(0.6, 0.95)
    corners = knots([sign * half, 0, plan.seat_bottom], [-sign * half, 0, thick / 2], [sign * half, 0, thick / 2])
    if chance(rng, 0.5):
        corners[1] = [sign * half * rng.uniform(0.3, 1.0), 0, thick / 2]
        corners[2] = [-sign * half, 0, thick / 2]
    path = dense_path(rounded_path(corners, rng.uniform(0.02, 0.12)), 40)
    y = np.linspace(-wide, wide, 8)
    grid = path[:, None] + np.stack([0 * y, y, 0 * y], -1)[None]
    return [("leg", sheet(grid, thick, edge=0.8))]


def side_frames(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A hoop or board at each side that carries the seat and rises to the armrest: leg below the seat, arm above."""
    rest, out = plan.seat_top + rng.uniform(0.12, 0.28), plan.width / 2 + plan.bar * 0.6
    front, rear = plan.depth / 2 * rng.uniform(0.85, 1.1), -plan.depth / 2 * rng.uniform(0.85, 1.15)
    lean, slope = rng.uniform(-0.08, 0.08), rng.uniform(-0.06, 0.06)
    r = plan.bar
    corners = knots(
        [front, out, r], [front + lean, out, rest - slope], [rear - lean, out, rest + slope], [rear, out, r]
    )
    if chance(rng, 0.35):
        u, v = np.meshgrid(np.linspace(0, 1, 10), np.linspace(0, 1, 24), indexing="ij")
        low, high = (
            corners[3] + u[..., None] * (corners[0] - corners[3]),
            corners[2] + u[..., None] * (corners[1] - corners[2]),
        )
        solid = sheet(low + v[..., None] * (high - low), rng.uniform(0.015, 0.08), edge=0.8)
    else:
        closed = chance(rng, 0.6)
        path = dense_path(rounded_path(corners, rng.uniform(0.01, 0.12), closed=closed), 64, closed=closed)
        aspect, section = (rng.uniform(1, 2.5), 8.0) if chance(rng, 0.4) else (1.0, plan.section)
        solid = tube(path, r, 10, squareness=section, aspect=aspect, normal=(0, 1, 0), closed=closed)
    pieces = cut(solid, lambda center: np.where(center[:, 2] < plan.seat, "leg", "arm"))
    for x in (front * 0.7, rear * 0.7):
        low_y = plan.width / 2 * 0.5
        pieces.append(("leg", bar((x, low_y, plan.seat_bottom), (x, out, plan.seat_bottom), max(0.6 * r, 0.008))))
    return pieces + [(part, mirrored(solid)) for part, solid in pieces]


BASES = {
    "frames": side_frames,
    "zigzag": zigzag,
    "four": four_legs,
    "three": three_legs,
    "star": star_base,
    "pedestal": pedestal,
    "sled": sled,
    "rockers": rockers,
    "panels": panels,
    "cross": cross_legs,
}


# --- backs ---------------------------------------------------------------------------------------


def rail(plan: Plan, low: float, high: float, thickness: float, edge: float, width: float = 1.0) -> Solid:
    """A horizontal board of the back between heights `low` and `high`."""
    u, v = np.meshgrid(np.linspace(-width, width, 15), np.linspace(low, high, 6), indexing="ij")
    return sheet(plan.spine(u, v), thickness, edge=edge)


def posts(plan: Plan, rng: np.random.Generator, top: float, radius: float) -> list[Piece]:
    """The two uprights of an open back, sometimes running on to the floor as rear legs."""
    v = np.linspace(-0.02, top, 12)
    solid = tube(plan.spine(np.full(12, 1.0), v), radius, 12, squareness=plan.section, normal=(0, 1, 0))
    return [("back", solid), ("back", mirrored(solid))]


def open_back(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Posts with rails, slats, spindles, a ladder or a splat between them."""
    radius = max(plan.bar * rng.uniform(0.6, 1.1), 0.008)
    thin, edge = radius * rng.uniform(0.7, 1.6), rng.choice([0.4, 0.7, 1.0])
    fill = pick(rng, {"rail": 3, "slats": 2, "spindles": 2, "ladder": 3, "splat": 1, "cross": 1, "panel": 2})
    crest = rng.uniform(0.1, 0.4)
    ends = rng.uniform(0.95, 1.05) if chance(rng, 0.7) else 0.93
    pieces = posts(plan, rng, 1.0 if ends < 1 else 1 - crest * 0.4, radius)
    pieces.append(("back", rail(plan, 1 - crest, 1.0, thin, edge, ends)))
    low = rng.uniform(0.0, 0.35)
    if fill in ("slats", "spindles", "splat", "cross", "panel") and low > 0.06:
        pieces.append(("back", rail(plan, low - 0.05, low + rng.uniform(0, 0.06), thin, edge, ends)))
    if fill == "ladder":
        count = int(rng.integers(1, 5))
        pitch = (1 - crest - 0.08) / count
        height = pitch * rng.uniform(0.25, 0.7)
        for index in range(count):
            level = 0.08 + pitch * index + 0.2 * pitch
            pieces.append(("back", rail(plan, level, level + height, thin, edge, ends)))
    if fill in ("slats", "spindles"):
        count = int(rng.integers(3, 10))
        gap = 2 * 0.9 / count
        for u in np.linspace(-0.9 + gap / 2, 0.9 - gap / 2, count):
            path = plan.spine(np.full(8, u), np.linspace(low - 0.02, 1 - crest * 0.7, 8))
            wide = plan.rear[1] * gap * rng.uniform(0.2, 0.35) if fill == "slats" else radius * 0.6
            solid = tube(path, radius * 0.5, 10, aspect=wide / (radius * 0.5), squareness=4, normal=(0, 1, 0))
            pieces.append(("back", solid))
    if fill == "splat":
        waist = rng.uniform(0.12, 0.45, 6)
        v = np.linspace(low - 0.02, 1 - crest * 0.7, 12)
        half = smooth(waist[:, None], 12)[:, 0]
        pieces.append(("back", sheet(plan.spine(np.linspace(-1, 1, 9)[:, None] * half, v[None]), thin, edge=edge)))
    if fill == "cross":
        for sign in (1, -1):
            t = np.linspace(0, 1, 12)
            path = plan.spine(sign * (2 * t - 1), low + (1 - crest * 0.7 - low) * t)
            pieces.append(("back", tube(path, radius * 0.8, 10, squareness=plan.section)))
    if fill == "panel":
        pieces.append(("back", rail(plan, low, 1 - crest * 0.5, thin, edge, 0.95)))
    return pieces


def closed_back(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A panel or cushion with a rounded, tapered, flared or winged outline, standing on the seat or on stays."""
    low = 0.0 if chance(rng, 0.55) else rng.uniform(0.12, 0.45)
    grow, round_top, round_low = (
        rng.uniform(0.75, 1.12),
        float(rng.choice([2.0, 3, 5, 12])),
        float(rng.choice([3.0, 6, 14])),
    )
    side, rise = np.linspace(-1, 1, 19), np.linspace(-1, 1, 17)
    limit = np.where(rise > 0, (1 - np.abs(rise) ** round_top + 1e-9) ** (1 / round_top), 1.0)
    if low > 0:
        limit = np.where(rise <= 0, (1 - np.abs(rise) ** round_low + 1e-9) ** (1 / round_low), limit)
    half = limit.clip(0.08) * np.linspace(1, grow, 17)
    v = low - (0.03 if low == 0 else 0) + (1 - low) * (rise + 1) / 2
    thickness = rng.uniform(0.01, 0.03) if chance(rng, 0.45) else rng.uniform(0.03, 0.13)
    bulge = np.sqrt(np.clip(1 - np.abs(side[:, None]) ** 4, 0.1, 1) * np.clip(1 - np.abs(rise[None]) ** 6, 0.1, 1))
    middle = plan.spine(side[:, None] * half[None], v[None])
    pieces: list[Piece] = [
        ("back", sheet(middle, thickness * (bulge if chance(rng, 0.6) else 1.0), edge=rng.uniform(0.3, 1)))
    ]
    if low > 0:
        pieces += stays(plan, rng, low, thickness)
    if chance(rng, 0.15):
        pieces += headrest(plan, rng, thickness)
    return pieces


def stays(plan: Plan, rng: np.random.Generator, low: float, thickness: float) -> list[Piece]:
    """What carries a back that ends above the seat: one broad stay, two posts, or a bracket from below."""
    reach, behind = low + (1 - low) * rng.uniform(0.1, 0.6), -thickness / 2
    radius = rng.uniform(0.008, 0.018)
    if chance(rng, 0.5):
        places = [0.0]
        aspect = rng.uniform(1, 4)
    else:
        places, aspect = [-1.0, 1.0], 1.0
        places = [p * rng.uniform(0.5, 0.85) for p in places] if chance(rng, 0.3) else [-0.8, 0.8]
    pieces: list[Piece] = []
    bracket = chance(rng, 0.5)
    for u in places:
        path = plan.spine(np.full(10, u), np.linspace(0, reach, 10)) + np.array([behind, 0, 0])
        if bracket:
            foot = path[0].copy()
            under = np.array([foot[0] + plan.depth * 0.25, foot[1], plan.seat_bottom - radius * 0.5])
            knee = np.array([-plan.depth / 2 - rng.uniform(0.01, 0.06), foot[1], plan.seat_bottom - radius * 0.5])
            path = dense_path(rounded_path([under, knee, path[4], path[-1]], 0.06), 24)
        solid = tube(path, radius, 10, aspect=aspect, squareness=4 if aspect > 1.3 else 2, normal=(0, 1, 0))
        pieces.append(("back", solid))
    return pieces


def headrest(plan: Plan, rng: np.random.Generator, thickness: float) -> list[Piece]:
    """A small cushion above the back."""
    center = plan.spine(0.0, 1.0 + rng.uniform(0.1, 0.25))
    size = (max(thickness, 0.03), plan.rear[1] * rng.uniform(0.4, 0.9), plan.back * rng.uniform(0.07, 0.13))
    neck = bar(plan.spine(0.0, 0.9), center, rng.uniform(0.008, 0.015), aspect=rng.uniform(1, 3), normal=(0, 1, 0))
    return [("back", transform(ellipsoid((0.5 * size[0], size[1], size[2]), 24, 12, 3.0), move=center)), ("back", neck)]


def hoop_back(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A bow from one seat corner over the top to the other, with spindles, a panel or nothing in it."""
    angle = np.linspace(0, np.pi, 33)
    lift = float(rng.choice([2.0, 3.0, 5.0]))
    u, v = np.cos(angle), np.abs(np.sin(angle)) ** (2 / lift)
    u = np.sign(u) * np.abs(u) ** (2 / lift)
    radius = max(plan.bar * rng.uniform(0.6, 1.0), 0.008)
    pieces: list[Piece] = [("back", tube(plan.spine(u, v * 1.02 - 0.02), radius, 12))]
    kind = pick(rng, {"spindles": 3, "panel": 2, "rails": 1, "none": 1})
    if kind == "spindles":
        for place in np.linspace(-0.8, 0.8, int(rng.integers(3, 9))):
            top = (1 - abs(place) ** lift) ** (1 / lift)
            path = plan.spine(np.full(8, place), np.linspace(-0.02, top, 8))
            pieces.append(("back", tube(path, radius * rng.uniform(0.4, 0.6), 8)))
    if kind == "panel":
        rise = np.linspace(rng.uniform(0.0, 0.4), 0.99, 12)
        half = (1 - rise**lift).clip(0.001) ** (1 / lift)
        middle = plan.spine(np.linspace(-1, 1, 11)[:, None] * half[None], rise[None])
        pieces.append(("back", sheet(middle, radius * rng.uniform(0.6, 1.5))))
    if kind == "rails":
        for level in np.linspace(0.3, 0.75, int(rng.integers(1, 4))):
            half = (1 - level**lift) ** (1 / lift)
            pieces.append(("back", rail(plan, level, level + 0.1, radius, 0.7, half)))
    return pieces


BACKS = {"open": open_back, "closed": closed_back, "hoop": hoop_back}


# --- arms ----------------------------------------------------------------------------------------


def bar_arms(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Rests from the back to a post near the front of the seat, or bent loops, or T shapes."""
    kind = pick(rng, {"post": 4, "loop": 2, "T": 3})
    rest = plan.seat_top + rng.uniform(0.14, 0.28)
    radius, out = max(plan.bar * rng.uniform(0.6, 1.0), 0.009), rng.uniform(0.0, 0.04)
    side = plan.width / 2 * (1 - plan.taper * 0.3) * (0.9 if plan.squareness < 3 else 0.97) + out
    front = plan.depth / 2 * rng.uniform(0.35, 0.85) * (0.75 if plan.squareness < 3 else 1)
    v = min((rest - plan.seat_top) / plan.back, 0.95)
    behind = plan.spine(1.0, v)
    under = plan.seat_bottom + 0.4 * plan.height
    pad, flat = radius * rng.uniform(0.8, 1.4), rng.uniform(1.0, 3.0)
    if kind == "T":
        center, reach = rng.uniform(-0.1, 0.1) * plan.depth, plan.depth * rng.uniform(0.25, 0.42)
        side += rng.uniform(0.02, 0.07)
        low = np.array([center, side * 0.6, plan.seat_bottom - 0.006])
        stem = rounded_path(knots(low, [center, side, low[2]], [center, side, rest]), 0.05)
        solids = [
            tube(dense_path(stem, 20), radius, 10, aspect=flat, squareness=4, normal=(1, 0, 0)),
            bar(
                (center - reach, side, rest),
                (center + reach, side, rest),
                pad,
                aspect=flat,
                squareness=3,
                normal=(0, 1, 0),
            ),
        ]
    elif kind == "loop":
        corners = [[front, side, under], [front + rng.uniform(-0.02, 0.05), side, rest], [behind[0], side, rest]]
        if chance(rng, 0.5):
            corners.append([behind[0] + 0.02, side, under])
        else:
            corners[-1] = [behind[0], float(behind[1]), rest]
        solids = [
            tube(dense_path(rounded_path(corners, 0.08), 36), radius, 10, squareness=plan.section, normal=(0, 1, 0))
        ]
    else:
        slope, over = rng.uniform(-0.04, 0.02), rng.uniform(0.0, 0.08)
        path = smooth(knots(behind, [0.3 * behind[0], side + 0.01, rest], [front + over, side, rest + slope]), 12)
        solids = [
            tube(path, pad, 10, aspect=flat, squareness=3, normal=(0, 1, 0)),
            bar(
                (front - rng.uniform(0, 0.05), side - out, under),
                (front, side, rest + slope),
                radius,
                squareness=plan.section,
            ),
        ]
        for t in np.linspace(0.3, 0.8, int(rng.integers(1, 5))) if chance(rng, 0.25) else ():
            at = path[int(t * 11)]
            solids.append(bar((at[0], side - out, under), at, radius * 0.6))
    return [("arm", solid) for solid in solids] + [("arm", mirrored(solid)) for solid in solids]


def sofa(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """Upholstered armchair or sofa: block seat, thick back, solid sides, short feet or plinth."""
    low, edge = rng.uniform(0.0, 0.16), rng.uniform(0.2, 0.5)
    arm = rng.uniform(0.06, 0.22)
    rest = plan.seat_top + rng.uniform(0.06, 0.3)
    back = rng.uniform(0.08, 0.24)
    top = max(plan.seat_top + plan.back, rest + 0.02)
    outline = circle(1.0, 40, plan.squareness) * [plan.depth / 2, plan.width / 2]
    base = slab(outline, plan.seat_top - low, edge=edge * 0.3)
    pieces: list[Piece] = [("seat", transform(base, move=(0, 0, (plan.seat_top + low) / 2)))]
    if chance(rng, 0.6):
        count = max(1, round(plan.width / 0.65)) if chance(rng, 0.7) else 1
        for y in (np.arange(count) - (count - 1) / 2) * plan.width / count:
            pad = circle(1.0, 32, 8) * [plan.depth / 2, plan.width / count / 2 * 0.99]
            pad_solid = slab(pad, rng.uniform(0.06, 0.14), edge=0.5, top_dome=rng.uniform(0, 0.03))
            pieces.append(("seat", transform(pad_solid, move=(0.01, y, plan.seat_top + 0.02))))
    pieces += sofa_back(plan, rng, (low, top), back, arm)
    armless = chance(rng, 0.12)

    def touching(center: Floats) -> NDArray[np.bool_]:
        sides = (np.abs(center[:, 1]) > 0.495 * plan.width) & (center[:, 2] < rest) & (not armless)
        return sides | (center[:, 0] < -0.495 * plan.depth)

    pieces = [(part, without(solid, touching) if part == "seat" else solid) for part, solid in pieces]
    if not armless:
        pieces += sofa_arms(plan, rng, (low, rest), arm, back)
    if low > 0.02:
        x, y = plan.depth / 2 * 0.85, plan.width / 2 * 0.9
        radius = rng.uniform(0.015, 0.04)
        foot = bar(
            (x, y, low + 0.01), (x + rng.uniform(-0.01, 0.03), y, 0), radius * np.array([1.2, rng.uniform(0.6, 1.1)])
        )
        rear = bar(
            (-x, y, low + 0.01), (-x - rng.uniform(-0.01, 0.03), y, 0), radius * np.array([1.2, rng.uniform(0.6, 1.1)])
        )
        pieces += [("leg", solid) for solid in (foot, rear, mirrored(foot), mirrored(rear))]
    return pieces


def sofa_back(plan: Plan, rng: np.random.Generator, span: tuple[float, float], back: float, arm: float) -> list[Piece]:
    """The upholstered back from the base to the top, upright, raked or curved around the sitter."""
    wide = plan.width / 2 + (arm if chance(rng, 0.5) else 0)
    u, v = np.linspace(-1, 1, 21)[:, None], np.linspace(0, 1, 15)[None]
    crown = rng.uniform(0, 0.15) if chance(rng, 0.4) else 0.0
    wings = rng.uniform(0.1, 0.35) if chance(rng, 0.3) else 0.0
    z = span[0] + (span[1] - span[0]) * v * (1 + crown * (1 - u**2) * v)
    rise = ((z - plan.seat_top) / plan.back).clip(0)
    x = (
        -plan.depth / 2
        - back / 2 * 0.7
        - np.tan(plan.recline) * plan.back * rise
        + wings * plan.depth * np.abs(u) ** 6 * v
    )
    swell = 1 - rng.uniform(0, 0.6) * v**3
    grid = np.stack(np.broadcast_arrays(x, wide * u, z), -1)
    rim = np.sqrt(np.clip(1 - np.abs(u) ** 8, 0.15, 1) * np.clip(1 - v**8, 0.15, 1))
    return [("back", sheet(grid, back * swell * rim, edge=0.4))]


def sofa_arms(plan: Plan, rng: np.random.Generator, span: tuple[float, float], arm: float, back: float) -> list[Piece]:
    """Solid sides: boxes with soft edges, sloping towards the front, or with a roll on top."""
    low, rest = span
    kind = pick(rng, {"box": 3, "slope": 2, "roll": 2})
    front, rear = plan.depth / 2 * rng.uniform(0.85, 1.04), -plan.depth / 2 - back * 0.6
    u, v = np.linspace(rear, front, 15)[:, None], np.linspace(0, 1, 12)[None]
    t = (u - rear) / (front - rear)
    drop = rng.uniform(0.2, 0.8) if kind == "slope" else 0.0
    shape = rng.uniform(0.8, 3)
    z = low + (rest - low - drop * (rest - plan.seat_top) * t**shape) * v
    lean = rng.uniform(-0.02, 0.06)
    y = plan.width / 2 + arm / 2 + lean * v + 0 * u
    edge_soft = (
        1.0 if chance(rng, 0.4) else np.sqrt(np.clip(1 - v**10, 0.1, 1) * np.clip(1 - np.abs(2 * t - 1) ** 12, 0.1, 1))
    )
    thick = arm * edge_soft * (0.75 if kind == "roll" else 1.0)
    solids = [sheet(np.stack(np.broadcast_arrays(u, y, z), -1), thick, edge=0.6)]
    if kind == "roll":
        radius = arm * rng.uniform(0.5, 0.7)
        solids.append(
            bar((rear, y[0, -1], rest - radius * 0.4), (front, y[0, -1], rest - radius * 0.4), radius, segments=20)
        )
    return [("arm", solid) for solid in solids] + [("arm", mirrored(solid)) for solid in solids]


# --- one-piece shells ----------------------------------------------------------------------------


def shell(plan: Plan, rng: np.random.Generator) -> list[Piece]:
    """A moulded shell whose one surface is seat, back and perhaps arms, labeled by where it turns up."""
    u = np.linspace(-1, 1, 33)
    s = np.linspace(0, 1, 41)
    knee = rng.uniform(0.42, 0.58)
    reach, rise = plan.depth, plan.back
    path = smooth(
        [
            (reach / 2 + 0.01, -rng.uniform(0.0, 0.05)),
            (reach * 0.3, 0.0),
            (-reach * 0.15, -rng.uniform(0, 0.03)),
            (-reach * 0.45, rise * 0.1),
            (-reach * 0.5 - rise * np.tan(plan.recline) * 0.5, rise * 0.5),
            (-reach * 0.5 - rise * np.tan(plan.recline) * 1.1, rise),
        ],
        41,
    )
    armed = chance(rng, 0.5)
    bowl = rng.uniform(0.25, 0.6) if armed else rng.uniform(0.0, 0.15)
    widths = [1 - rng.uniform(0, 0.2), 1, 1.03, 1, rng.uniform(0.7, 1.05), rng.uniform(0.5, 0.95)]
    half = plan.width / 2 * smooth(np.array(widths)[:, None], 41)[:, 0]
    ends = (1 - np.abs(2 * s - 1) ** rng.uniform(6, 20)).clip(0.05) ** 0.5
    width = half * ends
    middle = np.exp(-(((s - knee + 0.05) / 0.22) ** 2))
    lift = plan.width * bowl * (np.abs(u)[:, None] ** rng.uniform(3, 6)) * (0.25 + middle)[None]
    turn = np.clip((path[:, 1] / max(rise, 1e-6)) * 2, 0, 1)
    x = path[:, 0][None] + lift * turn[None]
    z = plan.seat_top + path[:, 1][None] + lift * (1 - 0.8 * turn)[None]
    y = u[:, None] * width[None] * (1 - 0.25 * bowl * np.abs(u)[:, None] ** 4 * (1 - middle)[None])
    solid = sheet(np.stack(np.broadcast_arrays(x, y, z), -1), rng.uniform(0.008, 0.035), edge=0.6)
    border = -reach / 2 * rng.uniform(0.75, 0.9)
    level = plan.seat_top + rng.uniform(0.06, 0.1) * (1.4 if armed else 1)

    def labels(center: Floats) -> np.ndarray:
        upper = center[:, 2] > level
        behind = center[:, 0] < border + 0.35 * np.clip(level - center[:, 2], 0, 1)
        rear = center[:, 0] < -reach * 0.28
        names = np.where(behind | (upper & rear), "back", "seat")
        wing = upper & ~rear & (np.abs(center[:, 1]) > 0.5 * half.max())
        return np.where(wing if armed else np.zeros(len(center), bool), "arm", names)

    return cut(solid, labels)


# --- whole chairs --------------------------------------------------------------------------------

STYLES = {
    "four": 34,
    "office": 13,
    "sofa": 12,
    "stool": 8,
    "bar": 6,
    "sled": 9,
    "shell": 10,
    "lounge": 3,
    "frames": 5,
    "odd": 9,
}


def base_kind(style: str, rng: np.random.Generator) -> str:
    """Which base goes under a chair of this style."""
    mixed = {"four": 4.0, "pedestal": 2, "star": 1.5, "sled": 2, "three": 1}
    return pick(
        rng,
        {
            "four": {"four": 1.0},
            "lounge": {"four": 2.0, "sled": 1, "pedestal": 1, "star": 1},
            "office": {"star": 1.0},
            "stool": {"four": 4.0, "three": 4, "pedestal": 2, "panels": 1, "star": 1, "sled": 1, "cross": 1},
            "bar": {"four": 3.0, "three": 2, "pedestal": 3, "sled": 1},
            "sled": {"sled": 1.0},
            "frames": {"frames": 1.0},
            "shell": mixed,
            "odd": {"rockers": 3.0, "panels": 3, "cross": 3, "pedestal": 3, "zigzag": 2},
        }[style],
    )


def backed_chair(plan: Plan, style: str, rng: np.random.Generator) -> list[Piece]:
    """Seat, back and perhaps arms of anything but a sofa or a shell."""
    pieces = make_seat(plan, rng)
    if style in ("four", "stool", "bar") and chance(rng, 0.25):
        pieces += seat_frame(plan, rng)
    if style == "stool" or (style == "bar" and chance(rng, 0.4)):
        return pieces
    weights = {"open": 5.0, "closed": 4, "hoop": 2}
    if style in ("office", "lounge"):
        weights = {"closed": 1.0}
    pieces += BACKS[pick(rng, weights)](plan, rng)
    if chance(rng, {"office": 0.65, "bar": 0.15, "lounge": 0.7, "frames": 0.0}.get(style, 0.35)):
        pieces += bar_arms(plan, rng)
    return pieces


def build(rng: np.random.Generator) -> MeshBuilder:
    """One chair."""
    style = pick(rng, STYLES)
    plan = draw_plan(rng, style)
    if style == "sofa":
        pieces = sofa(plan, rng)
    else:
        base = BASES[base_kind(style, rng)](plan, rng)
        body = shell(plan, rng) if style == "shell" else backed_chair(plan, style, rng)
        pieces = base + body
    return assemble(PARTS, weathered(pieces, rng))


FAMILY = Family(
    name="chair",
    parts=PARTS,
    build=build,
    synonyms={
        "chair": ("seat furniture", "armchair", "stool", "office chair", "sofa", "dining chair"),
        "back": ("backrest", "back rest", "chair back"),
        "seat": ("seat cushion", "sitting surface", "chair seat"),
        "leg": ("legs", "chair leg", "base", "foot"),
        "arm": ("armrest", "arm rest", "arms", "chair arm"),
    },
    size=(0.5, 1.3),
)
