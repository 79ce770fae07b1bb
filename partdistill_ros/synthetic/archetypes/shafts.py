# SPDX-License-Identifier: Apache-2.0
"""A shaft with a head: cutlery, hand tools, brushes and what else is held at one end and works at the other.

The shaft lies along x, the head at +x, on the plane z = 0; it has no up of its own. All lengths are in lengths of the
whole shaft, grip included.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    Piece,
    assemble,
    bar,
    dense_path,
    knots,
    line,
    pick,
    sheet,
    slab,
    weathered,
)
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    box,
    circle,
    cylinder,
    ellipsoid,
    rotation,
    smooth,
    transform,
    tube,
)

Range = tuple[float, float]


@dataclass(frozen=True)
class Shaft:
    """Ranges of a shaft with a head.

    grip: length of the thicker part that is held, 0 where the whole shaft is.  radius, grip_radius: of shaft and grip.
    flatness: thickness of the shaft over its width.  bend: rise of the head's end over the grip.  head: which one, see
    `HEADS`.  length, width: of the head.  tilt: degrees by which the head is turned about y.
    head_part, shaft_part, grip_part: which parts they are.
    """

    head: str
    head_part: str
    grip_part: str = "handle"
    shaft_part: str = "handle"
    grip: Range = (0.0, 0.0)
    radius: Range = (0.02, 0.03)
    grip_radius: Range = (0.03, 0.05)
    flatness: Range = (1.0, 1.0)
    bend: Range = (0.0, 0.0)
    length: Range = (0.2, 0.35)
    width: Range = (0.1, 0.2)
    tilt: Range = (0.0, 0.0)


def build_shaft(shape: Shaft, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One tool: grip from x = 0, shaft to x = 1, the head beyond."""
    grip, rise = rng.uniform(*shape.grip), rng.uniform(*shape.bend)
    radius, flatness = rng.uniform(*shape.radius), rng.uniform(*shape.flatness)
    path = smooth(knots([0, 0, 0], [0.35, 0, rise * rng.uniform(-0.2, 0.4)], [0.7, 0, rise * 0.8], [1, 0, rise]), 24)
    profile = radius * smooth(rng.uniform(0.85, 1.3, (4, 1)), 24)[:, 0]
    pieces: list[Piece] = []
    if grip > 0:
        held, rest = path[path[:, 0] <= grip], path[path[:, 0] >= grip * 0.9]
        thick = rng.uniform(*shape.grip_radius) * smooth(rng.uniform(0.8, 1.15, (5, 1)), len(held))[:, 0]
        square = rng.choice([2.0, 2.0, 3.5, 6.0])
        pieces.append((shape.grip_part, tube(held, thick, 20, squareness=square, normal=(0, 0, 1))))
        pieces.append((shape.shaft_part, tube(rest, profile[-len(rest) :], 16, aspect=flatness, normal=(0, 0, 1))))
    else:
        pieces.append((shape.shaft_part, tube(path, profile, 20, aspect=flatness, squareness=2.5, normal=(0, 0, 1))))
    length, width = rng.uniform(*shape.length), rng.uniform(*shape.width)
    turn = rotation((0, 1, 0), np.radians(rng.uniform(*shape.tilt)))
    for part, solid in HEADS[shape.head](rng, length, width, radius):
        placed = transform(solid, rotate=turn, move=path[-1])
        pieces.append((part or shape.head_part, placed))
    return assemble(parts, weathered(pieces, rng, 0.7))


Head = Callable[[np.random.Generator, float, float, float], list[Piece]]
"""(rng, length, width, shaft radius) -> pieces that begin at the origin and go to +x; "" is the head's own part."""


def _blade(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A flat plate, straight, round or pointed in front."""
    front = pick(rng, {"straight": 3, "round": 2, "pointed": 1})
    half = width / 2
    side = knots([0, radius], [length * 0.15, half * rng.uniform(0.6, 1)], [length * 0.6, half])
    tip = {
        "straight": knots([length, half * rng.uniform(0.85, 1.1)]),
        "round": knots([length * 0.9, half * 0.8], [length, half * 0.3]),
        "pointed": knots([length * 0.8, half * 0.75], [length, half * 0.08]),
    }[front]
    right = np.concatenate([side, tip])
    outline = dense_path(np.concatenate([right * [1, -1], right[::-1]]), 48, closed=True)
    return [("", slab(outline, radius * rng.uniform(0.25, 0.6), edge=0.4))]


def _bowl(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A hollow: deep for a ladle, shallow for a spoon."""
    depth = width * rng.uniform(0.15, 0.32)
    u, v = np.meshgrid(np.linspace(0.02, 1, 9), np.linspace(0, 2 * np.pi, 33), indexing="ij")
    x = length / 2 * (1 + u * np.cos(v)) - 0.02
    grid = np.stack([x, width / 2 * u * np.sin(v) * (1 - 0.15 * np.cos(v)), depth * (u**2 - 1)], -1)
    return [("", sheet(grid, radius * rng.uniform(0.2, 0.4)))]


def _deep_bowl(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    (part, (vertices, faces)), *_ = _bowl(rng, width, width, radius)
    return [(part, (vertices * [1, 1, rng.uniform(1.8, 2.8)], faces))]


def _tines(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A neck that widens into two to four tines."""
    count = int(rng.integers(2, 5))
    root = length * rng.uniform(0.35, 0.5)
    outline = dense_path(
        knots(
            [0, -radius],
            [root, -width / 2],
            [root * 1.1, -width / 2],
            [root * 1.1, width / 2],
            [root, width / 2],
            [0, radius],
        ),
        40,
        closed=True,
    )
    thin, curve = width / count * 0.28, rng.uniform(0, 0.06) * length
    pieces: list[Piece] = [("", slab(outline, thin * 1.2))]
    for y in np.linspace(-width / 2 + thin, width / 2 - thin, count):
        path = smooth(knots([root, y, 0], [(root + length) / 2, y, -curve], [length, y, 0]), 8)
        pieces.append(("", tube(path, np.linspace(thin, thin * 0.5, 8), 10)))
    return pieces


def _rake(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A crossbar with teeth that point down."""
    count, tooth = int(rng.integers(7, 14)), length * rng.uniform(0.5, 1)
    pieces: list[Piece] = [("", bar((0.01, -width / 2, 0), (0.01, width / 2, 0), radius * 0.9))]
    for y in np.linspace(-width / 2, width / 2, count) * 0.97:
        pieces.append(("", bar((0.01, y, 0), (0.03, y, -tooth), (radius * 0.5, radius * 0.3), count=4, segments=8)))
    return pieces


def _rod(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A tip: flat, crossed or pointed."""
    kind = pick(rng, {"flat": 2, "cross": 2, "point": 1})
    if kind == "point":
        return [("", bar((-0.02, 0, 0), (length, 0, 0), (radius, radius * 0.15)))]
    flat = [box((length, radius * 2.6, radius * 0.5), (length / 2 - 0.01, 0, 0))]
    if kind == "cross":
        flat.append(transform(flat[0], rotate=rotation((1, 0, 0), np.pi / 2)))
    return [("", solid) for solid in flat]


def _bristles(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A tuft that goes on along the shaft, as of a paintbrush, under a ferrule of the handle."""
    square, flare = rng.choice([2.0, 5.0]), rng.uniform(0.9, 1.2)
    profile = width / 2 * np.array([0.8, 0.95, flare, flare * 0.9, rng.uniform(0.2, 0.8)])
    path, thin = line((0.04, 0, 0), (length, 0, 0), 16), rng.uniform(0.25, 1.0)
    ferrule = tube(
        line((-0.03, 0, 0), (0.06, 0, 0), 4), width * 0.42, 20, aspect=thin, squareness=square, normal=(0, 0, 1)
    )
    tuft = tube(path, smooth(profile[:, None], 16)[:, 0], 24, aspect=thin, squareness=square, normal=(0, 0, 1))
    return [("handle", ferrule), ("", tuft)]


def _brush(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A back of wood with rows of bristles underneath, as of a broom or a toothbrush."""
    back, across = length, width
    thick, deep = across * rng.uniform(0.15, 0.3), across * rng.uniform(0.5, 1.2)
    rows, along = max(2, round(across / 0.03)), max(4, round(back / 0.03))
    pieces: list[Piece] = [("head", slab(circle(1, 40, 4) * [back / 2, across / 2] + [back / 2 - 0.02, 0], thick))]
    for x in np.linspace(0.06, 0.94, min(along, 14)) * back - 0.02:
        for y in np.linspace(-0.38, 0.38, min(rows, 5)) * across:
            fan = rng.normal(0, 0.06, 2) * deep
            size = min(back / along, across / rows) * 0.45
            end = (x + fan[0], y + fan[1], -thick / 2 - deep)
            pieces.append(("", bar((x, y, -thick / 2 + 0.002), end, size, count=2, segments=6)))
    return pieces


def _cross_brush(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """The same with its back across the shaft."""
    turn = rotation((0, 0, 1), np.pi / 2)
    made = _brush(rng, width, length, radius)
    return [(part, transform(solid, rotate=turn, move=(0, -width / 2 + 0.02, 0))) for part, solid in made]


def _hoop(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A ring with a grid of strings."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    ring = np.column_stack([length / 2 * (1 - np.cos(angle)), width / 2 * np.sin(angle), np.zeros(40)])
    pieces: list[Piece] = [("frame", tube(ring, radius * rng.uniform(0.5, 0.9), 12, closed=True, normal=(0, 0, 1)))]
    thin = radius * 0.12
    for t in np.linspace(-0.85, 0.85, 9):
        half = np.sqrt(1 - t * t)
        ends = (length / 2 * (1 - half), width / 2 * t), (length / 2 * (1 + half), width / 2 * t)
        pieces.append(("strings", bar((*ends[0], 0), (*ends[1], 0), thin, count=2, segments=6)))
        x = length / 2 * (1 + t)
        pieces.append(("strings", bar((x, -width / 2 * half, 0), (x, width / 2 * half, 0), thin, count=2, segments=6)))
    return pieces


def _lens(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A ring with a glass."""
    angle, r = np.linspace(0, 2 * np.pi, 40, endpoint=False), width / 2
    ring = np.column_stack([r * (1 - np.cos(angle)), r * np.sin(angle), np.zeros(40)])
    glass = transform(ellipsoid((r * 0.97, r * 0.97, r * rng.uniform(0.05, 0.15)), 32, 10), move=(r, 0, 0))
    return [("frame", tube(ring, radius * rng.uniform(0.6, 1.1), 12, closed=True, normal=(0, 0, 1))), ("lens", glass)]


def _axe(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A wedge across the shaft, sharp on one side."""
    back, edge = -width * rng.uniform(0.15, 0.35), width
    flare = length * rng.uniform(0.6, 1.0)
    outline = knots([-length * 0.3, back], [length * 0.3, back], [flare * 0.7, edge], [-flare * 0.7, edge])
    (vertices, faces) = slab(dense_path(outline, 48, closed=True), radius * 2.6, edge=0.1)
    thinner = np.clip((edge - vertices[:, 1]) / (edge - back), 0.06, 1)
    vertices = vertices * np.column_stack([np.ones((len(vertices), 2)), thinner])
    return [("", (vertices - [length * 0.1, 0, 0], faces))]


def _plunger(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A rubber cup, open in front."""
    cup = transform(cylinder(width / 2, length, 32, radius_top=radius * 1.5), rotate=rotation((0, 1, 0), -np.pi / 2))
    rim: Floats = np.array([length - length / 2, 0, 0])
    lip = tube(
        np.column_stack([np.full(32, length), width / 2 * np.cos(_ROUND), width / 2 * np.sin(_ROUND)]),
        width * rng.uniform(0.04, 0.08),
        10,
        closed=True,
        normal=(1, 0, 0),
    )
    return [("", transform(cup, move=rim)), ("", lip)]


def _wrench(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A mouth of two jaws, or a ring."""
    thick, half = radius * rng.uniform(0.7, 1.1), width / 2
    if rng.random() < 0.3:
        hoop = np.column_stack([half * (1 - np.cos(_ROUND)), half * np.sin(_ROUND), np.zeros(32)])
        return [("", tube(hoop, half * rng.uniform(0.2, 0.35), 12, closed=True, normal=(0, 0, 1)))]
    gap, skew = half * rng.uniform(0.35, 0.6), rotation((0, 0, 1), rng.uniform(-0.4, 0.4))
    base = slab(circle(half, 28), thick, edge=0.3)
    jaws = [slab(knots([0, gap], [length, gap * 0.95], [length, half * 0.9], [0, half]), thick)]
    jaws.append(slab(knots([0, -half], [length, -half * 0.9], [length, -gap * 0.95], [0, -gap]), thick))
    return [("", base), *(("", transform(jaw, rotate=skew, move=(half * 0.4, 0, 0))) for jaw in jaws)]


def _wires(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """Loops of wire, as of a whisk."""
    pieces: list[Piece] = []
    bow = smooth(knots([0, 0.1], [0.5, 0.8], [0.85, 1], [1, 0]), 14) * [length, width / 2]
    bow = np.concatenate([bow, bow[-2::-1] * [1, -1]])
    for angle in np.linspace(0, np.pi, int(rng.integers(3, 7)), endpoint=False):
        path = np.column_stack([bow[:, 0], bow[:, 1] * np.cos(angle), bow[:, 1] * np.sin(angle)])
        pieces.append(("", tube(path, radius * rng.uniform(0.15, 0.25), 8)))
    return pieces


def _roller(rng: np.random.Generator, length: float, width: float, radius: float) -> list[Piece]:
    """A roll across a bent wire, or a disc that cuts."""
    if rng.random() < 0.3:
        disc = transform(cylinder(width / 2, radius * 0.5, 32), rotate=rotation((1, 0, 0), np.pi / 2))
        return [("", transform(disc, move=(width * 0.4, 0, 0)))]
    wire = smooth(knots([-0.02, 0, 0], [length * 0.3, -width * 0.6, 0], [length, -width * 0.6, 0]), 14)
    wire = np.concatenate([wire, knots([length, -width / 2, 0], [length, width * 0.4, 0])])
    thick = width * rng.uniform(0.12, 0.25)
    return [
        ("shaft", tube(wire, radius * 0.4, 10, normal=(0, 0, 1))),
        ("", bar((length, -width / 2, 0), (length, width / 2, 0), thick, segments=20)),
    ]


_ROUND = np.linspace(0, 2 * np.pi, 32, endpoint=False)
HEADS: dict[str, Head] = {
    "blade": _blade,
    "bowl": _bowl,
    "deep bowl": _deep_bowl,
    "tines": _tines,
    "rake": _rake,
    "rod": _rod,
    "bristles": _bristles,
    "brush": _brush,
    "cross brush": _cross_brush,
    "hoop": _hoop,
    "lens": _lens,
    "axe": _axe,
    "plunger": _plunger,
    "wrench": _wrench,
    "wires": _wires,
    "roller": _roller,
}
WORDS = {
    "handle": ("grip", "shaft", "stick"),
    "shaft": ("rod", "neck", "stem"),
    "blade": ("plate", "head"),
    "bowl": ("scoop", "head"),
    "tines": ("prongs", "teeth"),
    "bristles": ("brush", "hair"),
    "head": ("back", "base"),
    "frame": ("ring", "rim", "hoop"),
    "strings": ("mesh", "net"),
    "lens": ("glass",),
    "tip": ("point", "end"),
    "cup": ("bell",),
    "teeth": ("tines",),
    "jaw": ("jaws", "head", "mouth"),
    "wires": ("wire", "loops", "head"),
    "roller": ("roll", "wheel"),
}


def _tool(name: str, size: Range, shaft: Shaft, *parts: str, also: tuple[str, ...] = ()) -> Family:
    words = {part: names for part, names in WORDS.items() if part in parts} | ({name: also} if also else {})
    return Family(name, parts, partial(build_shaft, shaft, parts), up_unknown=True, synonyms=words, size=size)


FLAT: Range = (0.3, 0.6)
LONG_GRIP: Range = (0.35, 0.55)
CUTLERY: Range = (0.014, 0.024)
POLE: Range = (0.01, 0.016)
CATEGORIES = (
    _tool(
        "spoon",
        (0.12, 0.32),
        Shaft(
            "bowl",
            "bowl",
            radius=(0.025, 0.04),
            flatness=FLAT,
            bend=(-0.08, 0.08),
            length=(0.35, 0.55),
            width=(0.22, 0.34),
        ),
        "handle",
        "bowl",
        also=("teaspoon", "tablespoon"),
    ),
    _tool(
        "fork",
        (0.14, 0.3),
        Shaft(
            "tines",
            "tines",
            radius=(0.025, 0.04),
            flatness=FLAT,
            bend=(-0.06, 0.06),
            length=(0.45, 0.6),
            width=(0.14, 0.22),
        ),
        "handle",
        "tines",
    ),
    _tool(
        "ladle",
        (0.2, 0.4),
        Shaft(
            "deep bowl", "bowl", radius=CUTLERY, flatness=FLAT, bend=(0.0, 0.15), width=(0.25, 0.36), tilt=(-60, -10)
        ),
        "handle",
        "bowl",
        also=("soup spoon", "scoop"),
    ),
    _tool(
        "spatula",
        (0.2, 0.4),
        Shaft(
            "blade",
            "blade",
            "handle",
            "shaft",
            grip=LONG_GRIP,
            radius=CUTLERY,
            bend=(-0.05, 0.1),
            length=(0.3, 0.45),
            width=(0.2, 0.32),
            tilt=(-15, 25),
        ),
        "handle",
        "shaft",
        "blade",
        also=("turner", "slice"),
    ),
    _tool(
        "screwdriver",
        (0.1, 0.3),
        Shaft(
            "rod",
            "tip",
            "handle",
            "shaft",
            grip=(0.4, 0.6),
            radius=(0.02, 0.035),
            grip_radius=(0.07, 0.12),
            length=(0.06, 0.12),
        ),
        "handle",
        "shaft",
        "tip",
    ),
    _tool(
        "trowel",
        (0.2, 0.4),
        Shaft(
            "blade",
            "blade",
            "handle",
            "shaft",
            grip=LONG_GRIP,
            radius=(0.02, 0.03),
            grip_radius=(0.05, 0.07),
            bend=(-0.1, 0.0),
            length=(0.6, 0.9),
            width=(0.3, 0.45),
        ),
        "handle",
        "shaft",
        "blade",
    ),
    _tool(
        "shovel",
        (0.6, 1.6),
        Shaft("blade", "blade", radius=POLE, bend=(0.0, 0.08), length=(0.28, 0.4), width=(0.2, 0.3), tilt=(-10, 25)),
        "handle",
        "blade",
        also=("spade",),
    ),
    _tool(
        "rake",
        (0.6, 1.7),
        Shaft("rake", "teeth", radius=POLE, length=(0.06, 0.12), width=(0.28, 0.45)),
        "handle",
        "teeth",
    ),
    _tool(
        "broom",
        (0.6, 1.6),
        Shaft("cross brush", "bristles", radius=POLE, length=(0.05, 0.08), width=(0.22, 0.4), tilt=(-80, -40)),
        "handle",
        "head",
        "bristles",
        also=("push broom", "sweeper"),
    ),
    _tool(
        "toothbrush",
        (0.12, 0.22),
        Shaft("brush", "bristles", radius=(0.022, 0.035), bend=(-0.05, 0.05), length=(0.16, 0.24), width=(0.06, 0.1)),
        "handle",
        "head",
        "bristles",
    ),
    _tool(
        "paintbrush",
        (0.12, 0.35),
        Shaft("bristles", "bristles", radius=(0.03, 0.06), length=(0.3, 0.6), width=(0.12, 0.4)),
        "handle",
        "bristles",
        also=("brush",),
    ),
    _tool(
        "axe",
        (0.25, 0.95),
        Shaft("axe", "blade", radius=(0.025, 0.04), bend=(-0.03, 0.03), length=(0.14, 0.24), width=(0.2, 0.32)),
        "handle",
        "blade",
        also=("hatchet", "ax"),
    ),
    _tool(
        "racket",
        (0.5, 0.72),
        Shaft(
            "hoop",
            "frame",
            "handle",
            "shaft",
            grip=(0.45, 0.6),
            radius=(0.025, 0.04),
            grip_radius=(0.04, 0.06),
            length=(0.75, 1.0),
            width=(0.55, 0.75),
        ),
        "handle",
        "shaft",
        "frame",
        "strings",
        also=("racquet", "tennis racket"),
    ),
    _tool(
        "magnifying glass",
        (0.12, 0.28),
        Shaft("lens", "lens", radius=(0.05, 0.09), width=(0.6, 1.0)),
        "handle",
        "frame",
        "lens",
        also=("magnifier", "hand lens"),
    ),
    _tool(
        "plunger",
        (0.3, 0.6),
        Shaft("plunger", "cup", radius=(0.02, 0.03), length=(0.15, 0.25), width=(0.28, 0.4)),
        "handle",
        "cup",
    ),
    _tool(
        "wrench",
        (0.1, 0.35),
        Shaft("wrench", "jaw", radius=(0.03, 0.06), flatness=(0.3, 1.0), length=(0.12, 0.2), width=(0.18, 0.32)),
        "handle",
        "jaw",
        also=("spanner",),
    ),
    _tool(
        "whisk",
        (0.15, 0.35),
        Shaft("wires", "wires", radius=(0.04, 0.06), length=(0.7, 1.2), width=(0.3, 0.6)),
        "handle",
        "wires",
        also=("egg beater",),
    ),
    _tool(
        "paint roller",
        (0.15, 0.45),
        Shaft(
            "roller",
            "roller",
            "handle",
            "shaft",
            grip=(0.5, 0.8),
            radius=(0.015, 0.03),
            grip_radius=(0.04, 0.07),
            length=(0.25, 0.4),
            width=(0.4, 0.9),
        ),
        "handle",
        "shaft",
        "roller",
        also=("lint roller", "pizza cutter"),
    ),
    _tool(
        "hoe",
        (0.8, 1.7),
        Shaft("blade", "blade", radius=POLE, length=(0.12, 0.2), width=(0.12, 0.2), tilt=(60, 110)),
        "handle",
        "blade",
        also=("garden hoe", "adze"),
    ),
    _tool(
        "pitchfork",
        (0.8, 1.6),
        Shaft("tines", "tines", radius=POLE, length=(0.25, 0.35), width=(0.14, 0.24), tilt=(-5, 20)),
        "handle",
        "tines",
        also=("garden fork",),
    ),
    _tool(
        "bottle brush",
        (0.15, 0.4),
        Shaft("bristles", "bristles", radius=(0.015, 0.03), length=(0.3, 0.6), width=(0.14, 0.3)),
        "handle",
        "bristles",
        also=("toilet brush", "duster"),
    ),
)
