# SPDX-License-Identifier: Apache-2.0
"""Frames, and what carries a plate above the floor: the archetype of chairs, tables, stools and desks.

A frame is a list of strokes and boards on a surface: the back of a chair, its side, the end of a table. A stand is
what reaches from a `Deck` down to the floor. Lengths are meters; things look toward +x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    bar,
    chance,
    dense_path,
    leg_radii,
    line,
    pick,
    rounded_path,
    sheet,
    slab,
    up_by,
)
from partdistill_ros.synthetic.drawing.primitives import Solid, box, circle, revolve, smooth, transform, tube

Range = tuple[float, float]
Number = float | Range
Surface = Callable[[Floats, Floats], Floats]
"""Points `[..., 3]` of places u (-1 to 1 across) and v (0 to 1 up), arrays of one shape."""


@dataclass(frozen=True)
class Stroke:
    """A bar along corners (u, v), each a number or a range.

    thick: its radius over that of the frame.  wide: its width on the surface over its thickness.  twin: another lies at
    -u.  row: fewest and most of it, evenly shifted along u by up to `over` to both sides.  bend: of its corners.
    """

    knots: tuple[tuple[Number, Number], ...]
    thick: Number = 1.0
    wide: Number = 1.0
    twin: bool = False
    row: tuple[int, int] = (1, 1)
    over: float = 0.85
    bend: Number = 0.15
    closed: bool = False


@dataclass(frozen=True)
class Board:
    """A filled field between heights `low` and `high`, as wide below and above as `half`, its corners `round` (2 a
    half circle, 20 square) above, and below too if `hangs`.  row: fewest and most of it above each other in that
    field.  waist: how much its width swells and shrinks.  thick: over that of a bar of the frame."""

    low: Number
    high: Number
    half: tuple[Number, Number] = (1.0, 1.0)
    round: tuple[float, ...] = (20.0,)
    hangs: bool = False
    row: tuple[int, int] = (1, 1)
    waist: float = 0.0
    thick: Number = 1.0


Frame = tuple[Stroke | Board, ...]


def stroke(*knots: tuple[Number, Number], **look: object) -> Stroke:
    """A `Stroke` along these corners."""
    return Stroke(knots, **look)  # type: ignore[arg-type]


def drawn(rng: np.random.Generator, value: Number) -> float:
    """The number, or one of the range."""
    return float(rng.uniform(*value)) if isinstance(value, tuple) else float(value)


def build_frame(
    frame: Frame, surfaces: Sequence[Surface], radius: float, section: float, rng: np.random.Generator
) -> list[Solid]:
    """The members of a frame, drawn once and put on every surface; `section`: exponent of the bars' superellipse."""
    solids: list[Solid] = []
    for member in frame:
        paths = _fields(member, rng) if isinstance(member, Board) else _paths(member, rng)
        thick = radius * drawn(rng, member.thick)
        wide = 1.0 if isinstance(member, Board) else drawn(rng, member.wide)
        edge = float(rng.choice([0.4, 0.7, 1.0]))
        square = section if wide < 1.3 else 4.0
        for surface in surfaces:
            for uv in paths:
                points = surface(uv[..., 0], uv[..., 1])
                if isinstance(member, Board):
                    solids.append(sheet(points, 2 * thick, edge=edge))
                    continue
                across, closed = _normal(surface, uv), member.closed
                solids.append(
                    tube(points, thick * wide, 10, aspect=1 / wide, squareness=square, closed=closed, normal=across)
                )
    return solids


def _paths(member: Stroke, rng: np.random.Generator) -> list[Floats]:
    """The lines `[K, 2]` of a stroke, its twin and its row."""
    corners = np.array([[drawn(rng, u), drawn(rng, v)] for u, v in member.knots])
    path = rounded_path(corners, drawn(rng, member.bend), closed=member.closed) if len(corners) > 2 else corners
    path = dense_path(path, 12 if len(corners) == 2 else 48, closed=member.closed)
    count = int(rng.integers(member.row[0], member.row[1] + 1))
    shifts = np.linspace(-member.over, member.over, count) if count > 1 else np.zeros(1)
    paths = [path + [shift, 0] for shift in shifts]
    return paths + [path * [-1, 1] for path in paths] if member.twin else paths


def _fields(member: Board, rng: np.random.Generator) -> list[Floats]:
    """The grids `[M, N, 2]` of a board and of its row."""
    low, high = drawn(rng, member.low), drawn(rng, member.high)
    below, above = (drawn(rng, half) for half in member.half)
    count, corner = int(rng.integers(member.row[0], member.row[1] + 1)), float(rng.choice(member.round))
    rise = np.linspace(-1, 1, 15)
    limit = (1 - np.abs(rise) ** corner + 1e-9) ** (1 / corner)
    limit = np.where((rise > 0) | member.hangs, limit, 1.0).clip(0.08)
    half = np.linspace(below, above, 15) * limit * smooth(rng.uniform(1 - member.waist, 1, (6, 1)), 15)[:, 0]
    pitch = (high - low) / count
    size = pitch * (rng.uniform(0.35, 0.75) if count > 1 else 1.0)
    u = np.linspace(-1, 1, 15)[:, None] * half
    return [np.stack([u, low + pitch * i + size * (0 * u + (rise + 1) / 2)], -1) for i in range(count)]


def _normal(surface: Surface, uv: Floats) -> Floats:
    """Across the surface, in the middle of a line on it."""
    u, v = np.clip(uv[len(uv) // 2], (-0.9, 0.05), (0.9, 0.95))
    here, right, up = surface(np.array([u, u + 1e-3, u]), np.array([v, v, v + 1e-3]))
    return np.cross(right - here, up - here)


# --- what stands on the floor ------------------------------------------------------------------------------------

CORNERS = ((1, 1), (-1, 1), (-1, -1), (1, -1))


@dataclass(frozen=True)
class Deck:
    """A plate to be carried: its rim `[K, 2]`, the height of its lower face, its thickness; radius and section of
    the bars that carry it."""

    outline: Floats
    under: float
    thick: float
    bar: float
    section: float

    @property
    def span(self) -> Floats:
        """Extent along x and y."""
        return np.ptp(self.outline, axis=0)

    def corner(self, x: int, y: int, inset: float = 1.0) -> Floats:
        """Point on the lower face towards the corner of these signs; an `inset` of 1 is the rim."""
        local = self.outline / np.abs(self.outline).max(0)
        rim = self.outline[(local @ [x, y] / np.linalg.norm(local, axis=1)).argmax()]
        return np.array([*rim * inset, self.under])

    @property
    def square(self) -> bool:
        """True where the rim fills its corners, so that boards may stand at the ends."""
        return bool((np.abs(self.corner(1, 1)[:2]) > 0.43 * self.span).all())

    def rod(self, start: Floats, end: Floats, thick: float = 0.8) -> Solid:
        """A straight bar."""
        return bar(start, end, thick * self.bar, squareness=self.section, count=4)

    def hoop(self, radii: Floats, height: float) -> Solid:
        """A level ring."""
        path = np.column_stack([circle(1.0, 40) * radii, np.full(40, height)])
        return tube(path, self.bar * 0.6, 8, closed=True, normal=(0, 0, 1))


Stand = Callable[[Deck, np.random.Generator], list[Solid]]


def legs(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """Four: straight, splayed, curved or turned, and what ties them."""
    radii = leg_radii(rng, deck.bar)
    inset = rng.uniform(0.9, 0.99) if chance(rng, 0.5) else rng.uniform(0.6, 0.92)
    inset = min(inset, 1 - radii.max() / deck.span.min())
    splay = rng.uniform(-0.02, 0.16, 2) * deck.under * chance(rng, 0.5)
    bow, turns = rng.uniform(-0.1, 0.12) * deck.under * chance(rng, 0.22), rng.choice([1, 2])
    section = deck.section if len(radii) < 4 else 2.0
    profile = smooth(radii[:, None], 16)[:, 0] if len(radii) > 1 else np.full(16, radii[0])
    paths = []
    for x, y in CORNERS:
        start, out = deck.corner(x, y, inset), np.array([x, y, 0])
        foot = start * [1, 1, 0] + out * [*splay, 0]
        path = line(start + up_by(min(0.4 * deck.thick, 0.02)), foot, 16)
        paths.append(path + np.sin(np.linspace(0, turns * np.pi, 16))[:, None] * out * bow)
    return [tube(path, profile, 12, squareness=section, normal=(0, 1, 0)) for path in paths] + ties(deck, rng, paths)


def ties(deck: Deck, rng: np.random.Generator, paths: Sequence[Floats]) -> list[Solid]:
    """Stretchers between four legs, or a shelf on them."""
    kind = pick(rng, {"none": 6, "H": 1.5, "box": 1.5, "cross": 1, "sides": 0.7, "front": 0.5, "shelf": 1})
    at = rng.uniform(0.25, 0.9)
    a, b, c, d = (path[int(at * (len(path) - 1))] for path in paths)
    if kind == "shelf":
        rim = dense_path(np.stack([a, b, c, d]) * [1, 1, 0] * rng.uniform(0.97, 1.05), 48, closed=True)
        return [transform(slab(rim[:, :2], rng.uniform(0.01, 0.03), edge=0.2), move=(0, 0, a[2]))]
    pairs = {
        "H": [(a, b), (c, d), ((a + b) / 2, (c + d) / 2)],
        "box": [(a, b), (b, c), (c, d), (d, a)],
        "cross": [(a, c), (b, d)],
        "sides": [(a, b), (c, d)],
        "front": [(a, d)],
    }
    thick = rng.uniform(0.4, 0.9)
    return [deck.rod(start, end, thick) for start, end in pairs.get(kind, ())]


def ring(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """Three to six legs on a circle, leaning in or out, twisted or not, with or without a hoop."""
    count, radii = int(rng.choice([3, 3, 4, 5, 6])), leg_radii(rng, deck.bar)
    top, foot = rng.uniform(0.25, 0.8), rng.uniform(0.5, 1.1)
    twist = rng.uniform(0, 0.8) * chance(rng, 0.25)
    solids = []
    for angle in np.arange(count) * 2 * np.pi / count + rng.uniform(0, 1):
        high, low = (
            np.array([np.cos(turn), np.sin(turn)]) * deck.span / 2 * reach
            for turn, reach in ((angle, top), (angle + twist, foot))
        )
        start = [*high, deck.under + 0.3 * deck.thick]
        solids.append(bar(start, [*low, 0], radii, squareness=deck.section if len(radii) < 4 else 2, count=14))
    if twist == 0 and chance(rng, 0.4):
        at = rng.uniform(0.2, 0.7)
        solids.append(deck.hoop(deck.span / 2 * (foot * (1 - at) + top * at), deck.under * at))
    return solids


def column(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """A column on a disc or a plate: straight, turned, trumpet, drum or hourglass; two under a long plate."""
    reach = deck.span.min() / 2
    foot, neck = reach * rng.uniform(0.45, 0.95), min(0.018 * np.exp(rng.uniform(0, 1.8)), reach / 3)
    top, rim = deck.under + 0.2 * deck.thick, rng.uniform(0.008, 0.05)
    turned = neck * (rng.uniform(0.6, 1.6, 6) if chance(rng, 0.4) else np.ones(6))
    waist = foot * rng.uniform(0.2, 0.6)
    profiles = {
        "disc": [(foot, 0), (foot, rim), *zip(turned, np.linspace(rim * 1.4, top, 6), strict=True)],
        "trumpet": [(foot, rim * 0.4), (foot * 0.55, rim * 2), (neck, top * 0.4), (neck, top * 0.75), (2 * neck, top)],
        "drum": [(foot * rng.uniform(0.7, 1.2), 0), (foot, top)],
        "hourglass": [(foot, 0), (waist, top * rng.uniform(0.4, 0.6)), (foot * rng.uniform(0.5, 1.1), top)],
    }
    kind = pick(rng, {"disc": 3, "trumpet": 3, "drum": 0.5, "hourglass": 0.5})
    profile = np.array(profiles[kind])
    if kind in ("trumpet", "hourglass"):
        profile = smooth(profile, 24)
    solid = revolve(profile, 36, float(rng.choice([2.0, 2.0, 2.0, 8.0])))
    if deck.span[1] > 1.6 * deck.span[0]:
        place, level = deck.span[1] * rng.uniform(0.2, 0.34), deck.under * rng.uniform(0.2, 0.6)
        beam = [deck.rod(np.array([0, -place, level]), np.array([0, place, level]))] if chance(rng, 0.5) else []
        return [transform(solid, move=(0, y, 0)) for y in (-place, place)] + beam
    if deck.under > 0.55 and foot < 0.3 and kind != "drum" and chance(rng, 0.4):
        level, out = deck.under * rng.uniform(0.25, 0.45), foot * rng.uniform(0.6, 0.9)
        rods = [deck.rod(np.array([-out, 0, level]), np.array([out, 0, level]), 0.5)]
        return [solid, deck.hoop(np.full(2, out), level), *rods]
    return [solid]


def star(deck: Deck, rng: np.random.Generator, castors: float = 0.0) -> list[Solid]:
    """A post on three to six straight or curved feet, on castors as often as told."""
    count, wheel = int(rng.choice([3, 4, 4, 5, 5, 6])), rng.uniform(0.02, 0.035) * chance(rng, castors)
    count, reach = max(count, 4) if castors else count, min(deck.span.min() / 2, 0.6) * rng.uniform(0.6, 1.2)
    lift = 2 * wheel + rng.uniform(0.05, 0.3) * (0.3 if castors else deck.under)
    neck, radius = rng.uniform(0.018, 0.05), rng.uniform(0.012, 0.03)
    turned = neck * (rng.uniform(0.6, 1.5, 8) if chance(rng, 0.4 - 0.4 * castors) else np.repeat([1.4, 1.0], 4))
    heights = np.linspace(lift - 0.03, deck.under + 0.2 * deck.thick, 24)
    solids = [revolve(np.column_stack([smooth(turned[:, None], 24)[:, 0], heights]), 20)]
    knee, droop = rng.uniform(-0.5, 0.6) * (castors == 0), radius + 2 * wheel
    for angle in np.arange(count) * 2 * np.pi / count + rng.uniform(0, 2):
        way = np.array([np.cos(angle), np.sin(angle), 0])
        middle = way * reach * 0.55 + up_by(droop + (lift - droop) * (0.5 + 0.5 * knee))
        path = smooth([up_by(lift), middle, way * reach + up_by(droop)], 12)
        solids.append(tube(path, np.linspace(1.3, 0.8, 12) * radius, 10, squareness=4, normal=(0, 0, 1)))
        if wheel:
            swivel = rng.uniform(0, 2 * np.pi)
            axle = np.array([np.cos(swivel), np.sin(swivel), 0]) * wheel
            hub = way * reach + up_by(wheel)
            solids += [bar(hub + axle * a, hub + axle * b, wheel, count=2) for a, b in ((-0.8, -0.15), (0.15, 0.8))]
            solids.append(bar(hub, hub + up_by(wheel * 1.6), wheel * 0.4, count=2, segments=8))
    if chance(rng, 0.4):
        solids.append(box([*deck.span * rng.uniform(0.25, 0.6), 0.03], (0, 0, deck.under - 0.012)))
    return solids


def office(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """A star on castors."""
    return star(deck, rng, 0.85)


S, IN = stroke, 1.05  # v of what ends in the plate; what lies along its lower face has v = 1
ENDS: Mapping[str, Frame] = {
    "U": (S((1, 1), (1, 0), (-1, 0), (-1, 1), wide=(0.3, 1)),),
    "loop": (S((1, 1), (1, 0), (-1, 0), (-1, 1), closed=True, wide=(0.3, 1), bend=(0.02, 0.3)),),
    "cantilever": (S((-1, 1), (1, 1), (1, 0), (-1, 0), bend=(0.1, 0.5)),),
    "rear": (S((1, 1), (-1, 1), (-1, 0), (1, 0), bend=(0.1, 0.5)),),
    "V": (S((-1, IN), ((-0.3, 0.3), 0), (1, IN)),),
    "hairpin": (S((0.95, IN), (0.8, 0), (0.65, IN), thick=0.5, twin=True),),
    "A": (S(((0.05, 0.3), IN), (1, 0), twin=True), S((-0.71, 0.35), (0.71, 0.35))),
    "X": (S((1, IN), ((-1, -0.7), 0)), S((-1, IN), ((0.7, 1), 0))),
    "I": (S((0, IN), (0, 0), wide=(1, 3)), S((-1, 0), (1, 0)), S((-0.9, 1), (0.9, 1))),
    "Y": (S((0, 0), (0, 0.5)), S((0, 0.45), (1, IN), twin=True), S((-1, 0), (1, 0))),
    "rockers": (S((0.9, IN), (0.9, 0.1), twin=True), S((-1.7, 0.3), (-0.8, 0.03), (0.8, 0.03), (1.5, 0.2), bend=1)),
    "board": (Board(0, IN, ((0.6, 1), (0.7, 1)), thick=(0.5, 1.5)),),
}  # fmt: skip
"""What stands at both ends of a plate."""


def ends(deck: Deck, rng: np.random.Generator, kind: str = "") -> list[Solid]:
    """A frame of `ENDS` at both sides of a chair or both ends of a table, perhaps with a beam between them."""
    usual = {name: 2 if name in ("U", "loop", "board", "A", "X", "I") else 1 for name in ENDS if name != "rockers"}
    kind = kind or pick(rng, usual)
    inset, r = rng.uniform(0.8, 0.97), 0.8 * deck.bar
    half, place, _ = np.abs([deck.corner(x, y, inset) for x, y in CORNERS]).min(0)
    place *= rng.uniform(0.65, 1) if deck.span[1] > 0.8 else 1
    lean, level = rng.uniform(-0.04, 0.1) * deck.under, deck.under + min(0.0, 0.8 * deck.thick - r)

    def surface(u: Floats, v: Floats, side: int = 1) -> Floats:
        z = np.where(v > 1.01, deck.under + 0.1 * deck.thick, r + (level - r) * v)
        return np.stack([half * u, side * (place + lean * (1 - v)), z], -1)

    solids = build_frame(ENDS[kind], (surface, lambda u, v: surface(u, v, -1)), r, deck.section, rng)
    beams = {"cantilever": (-1, 0), "rear": (1, 0), "A": (0, 0.35), "X": (0, 0.45), "board": (0, rng.uniform(0.2, 0.9))}
    if kind in ("cantilever", "rear") or (kind not in ("hairpin", "V") and chance(rng, 0.5)):
        u, v = np.array(beams.get(kind, (0, 0)), float)
        solids.append(deck.rod(surface(u, v, 1), surface(u, v, -1)))
    return solids


def plinth(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """A block, or two boards that cross."""
    size, tall = deck.span * rng.uniform(0.45, 0.9), deck.under + 0.05 * deck.thick
    if chance(rng, 0.6):
        return [box([*size, tall], (0, 0, tall / 2))]
    thick = rng.uniform(0.015, 0.05)
    return [box([*plan, tall], (0, 0, tall / 2)) for plan in ((size[0], thick), (thick, size[1]))]


def ribbon(corners: Sequence[tuple[float, float]], bend: float, half: float, thick: float) -> Solid:
    """A board bent along corners (x, z), reaching from y = -half to half."""
    path = dense_path(rounded_path([(x, 0, z) for x, z in corners], bend, per_corner=10), 60)
    y = np.linspace(-half, half, 8)
    return sheet(path[:, None] + y[:, None] * np.array([0, 1, 0]), thick, edge=0.8)


def zigzag(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """One bent board down to the floor and along it."""
    x, wide = deck.span / 2 * rng.uniform(0.6, 0.95)
    thick, knee = rng.uniform(0.015, 0.04), rng.uniform(-1, 1)
    corners = [(x, deck.under + 0.2 * deck.thick), (knee * x, thick / 2), (-np.sign(knee) * x, thick / 2)]
    return [ribbon([(x * sign, z) for x, z in corners], 0.1, wide, thick) for sign in [rng.choice([-1, 1])]]


STANDS: Mapping[str, Stand] = {
    "legs": legs, "ring": ring, "column": column, "star": star, "office": office, "ends": ends, "plinth": plinth,
    "zigzag": zigzag, "rockers": partial(ends, kind="rockers"), "cantilever": partial(ends, kind="cantilever"),
}  # fmt: skip
