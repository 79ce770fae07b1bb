# SPDX-License-Identifier: Apache-2.0
"""Chairs, stools, armchairs and office chairs, facing +x: a seat on a stand, with frames for back and arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from partdistill_ros.synthetic.archetypes.frames import (
    STANDS,
    Board,
    Deck,
    Frame,
    Range,
    Surface,
    build_frame,
)
from partdistill_ros.synthetic.archetypes.frames import stroke as S
from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    Piece,
    assemble,
    bar,
    chance,
    cut,
    pick,
    sheet,
    slab,
    weathered,
)
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, box, circle, smooth, transform

PARTS = ("back", "seat", "leg", "arm")


@dataclass(frozen=True)
class Chair:
    """A style: ranges in meters, and what it is made of, by weight. depth: over the width.  bar: radius of the members;
    of a sofa, half the thickness of back and arms.  arms: "" for none."""

    stands: Mapping[str, float]
    backs: Mapping[str, float]
    arms: Mapping[str, float]
    width: Range = (0.36, 0.6)
    depth: Range = (0.8, 1.15)
    seat: Range = (0.36, 0.56)
    thick: Range = (0.015, 0.14)
    back: Range = (0.25, 0.75)
    bar: Range = (0.009, 0.032)
    square: tuple[float, ...] = (2.0, 2.6, 3.5, 5.0, 8.0, 14.0)


POSTS, CREST = S((1, -0.5), (1, 0.97), twin=True), Board((0.6, 0.9), 1, ((0.93, 1.05), (0.93, 1.05)), (20, 5))
LOWER = Board((0.08, 0.25), (0.3, 0.38))
BACKS: Mapping[str, Frame] = {
    "rail": (POSTS, CREST),
    "slats": (POSTS, CREST, LOWER, S((0, 0.2), (0, 0.92), row=(3, 9), thick=0.6, wide=(1.5, 3.5))),
    "spindles": (POSTS, CREST, S((0, -0.3), (0, 0.92), row=(3, 9), thick=0.5)),
    "ladder": (POSTS, Board((0.1, 0.3), 1, row=(2, 5))),
    "splat": (POSTS, CREST, Board((-0.3, 0.2), 0.9, ((0.2, 0.5), (0.2, 0.5)), waist=0.5)),
    "cross": (POSTS, CREST, S((-1, 0.1), (1, 0.85), thick=0.8), S((1, 0.1), (-1, 0.85), thick=0.8)),
    "panel": (POSTS, Board((0.02, 0.4), 0.98, (0.95, 0.95))),
    "closed": (Board(-0.3, 1, (1, (0.75, 1.12)), (2, 3, 5, 12), thick=(0.4, 4)),),
    "stay": (Board((0.12, 0.45), 1, ((0.8, 1), (0.75, 1.1)), (2, 3, 5), True, thick=(0.4, 3)),
             S((0, -0.5), (0, 0.6), wide=(1, 4))),
    "stays": (Board((0.15, 0.5), 1, (1, (0.8, 1.1)), (3, 5, 12), True, thick=(0.4, 2)),
              S((0.8, -0.5), (0.8, 0.7), twin=True)),
    "headrest": (Board(-0.3, 0.8, (1, (0.7, 1)), (2, 5), thick=(0.6, 3)), S((0, 0.7), (0, 0.95)),
                 Board(0.88, 1, ((0.4, 0.7), (0.4, 0.7)), (3,), True, thick=(0.8, 2))),
    "hoop": (S((-1, 1), (1, 1)),),
    "hoop spindles": (S((-1, 1), (1, 1)), S((0, -0.3), (0, 1), row=(3, 9), thick=0.5)),
    "hoop panel": (S((-1, 1), (1, 1)), Board((-0.3, 0.4), 1, thick=0.7)),
    "block": (Board(-1, 1, (1, (0.9, 1)), (4, 8, 20), thick=(0.8, 1.2)),),
}  # fmt: skip
ARMS: Mapping[str, Frame] = {
    "post": (S((-1, 1), (1, 1), wide=(1, 3)), S(((0.6, 0.9), -0.5), ((0.7, 1), 1))),
    "spindles": (S((-1, 1), (1, 1), wide=(1, 2)), S((0.85, -0.5), (0.9, 1)),
                 S((0, -0.3), (0, 1), row=(2, 5), thick=0.6)),
    "loop": (S((0.8, -0.5), ((0.8, 1), 1), (-1, 1), bend=0.3),),
    "hoop": (S((0.8, -0.5), ((0.8, 1), 1), (-0.8, 1), (-0.8, -0.5), bend=0.3),),
    "T": (S((0, -0.5), (0, 1), wide=(1, 3)), S(((-0.7, -0.4), 1), ((0.4, 0.7), 1), wide=(1.5, 3))),
    "block": (Board(-1, 1, (1, (0.85, 1)), (4, 20), thick=(0.8, 1.2)),),
    "roll": (Board(-1, 0.9, thick=0.75), S((-1, 0.95), (0.98, 0.95), thick=(1.0, 1.3))),
}  # fmt: skip

WOODEN = {"rail": 2, "slats": 2, "spindles": 1.5, "ladder": 3, "splat": 1, "cross": 1, "panel": 2, "closed": 4,
          "stay": 2, "stays": 1, "headrest": 0.5, "hoop": 0.4, "hoop spindles": 1.5, "hoop panel": 1}  # fmt: skip
SOFT = {"closed": 4, "stay": 3, "stays": 2, "headrest": 1.5}
SOME = {"": 13, "post": 3, "spindles": 1, "loop": 1.5, "hoop": 1, "T": 1}
ANY = {"legs": 4, "ring": 2, "column": 2, "star": 1, "ends": 2, "plinth": 1}
BENT = {"ends": 2, "cantilever": 2}
BLOCKS = {"block": 4, "roll": 2, "": 1}
ODD = {"rockers": 3, "plinth": 3, "ends": 5, "column": 3, "zigzag": 2}
STYLES: Mapping[str, tuple[float, Chair]] = {
    "dining": (34, Chair({"legs": 1}, WOODEN, SOME)),
    "office": (13, Chair({"office": 1}, SOFT, {"": 4, "T": 5, "loop": 2, "post": 1}, thick=(0.04, 0.12),
                         back=(0.35, 0.8))),
    "stool": (8, Chair(ANY, {"": 1}, {"": 1})),
    "bar": (6, Chair(ANY, {"": 4, "rail": 1, "closed": 2, "stay": 2, "hoop": 1}, {"": 6, "loop": 1},
                     seat=(0.6, 0.85), back=(0.12, 0.4))),
    "bent": (9, Chair(BENT, WOODEN, SOME)),
    "odd": (9, Chair(ODD, WOODEN, SOME)),
    "lounge": (3, Chair(ANY | BENT, SOFT, {"": 1, "post": 1, "loop": 1}, (0.5, 0.85), seat=(0.28, 0.4),
                        thick=(0.1, 0.24))),
    "shell": (10, Chair(ANY | {"office": 1.5, "plinth": 0}, {"": 1}, {"": 1}, thick=(0.02, 0.03))),
    "sides": (5, Chair({"": 1}, WOODEN, {"": 1}, square=(5.0, 8.0, 14.0))),
    "armchair": (9, Chair({"legs": 1}, {"block": 1}, BLOCKS, (0.45, 0.8), (0.7, 1.1), (0.28, 0.42), (0.15, 0.42),
                          (0.3, 0.7), (0.04, 0.1), (8.0, 14.0))),
    "sofa": (3, Chair({"legs": 1}, {"block": 1}, BLOCKS, (0.8, 1.5), (0.4, 0.7), (0.28, 0.42), (0.15, 0.42),
                      (0.3, 0.6), (0.04, 0.1), (8.0, 14.0))),
}  # fmt: skip
WITHOUT_SIDES = ("stay", "headrest")  # backs whose edge no arm can reach: theirs stand on the seat alone
SOLID = ("block", "roll")  # arms that stand beside the seat


def draw_deck(page: Chair, rng: np.random.Generator) -> Deck:
    """The seat as what a stand carries."""
    width, seat = (rng.uniform(*limits) for limits in (page.width, page.seat))
    outline = circle(0.5, 48, float(rng.choice(page.square))) * [width * rng.uniform(*page.depth), width]
    if page.square[0] < 5 and chance(rng, 0.5):
        outline[:, 1] *= 1 + rng.uniform(0, 0.22) * outline[:, 0] / outline[:, 0].max()
    radius, thick = (float(np.exp(rng.uniform(*np.log(limits)))) for limits in (page.bar, page.thick))
    thick = min(thick, seat)
    return Deck(outline, seat - thick, thick, radius, float(rng.choice([2.0, 2.0, 4.0, 12.0])))


def make_seat(deck: Deck, rng: np.random.Generator) -> list[Piece]:
    """A plate, a cushion, a plate on boards, or slats on rails."""
    kind = pick(rng, {"plate": 5, "cushion": 3, "slats": 1, "boards": 2})
    (depth, width), middle = deck.span, deck.under + deck.thick / 2
    if kind == "slats" and deck.square and deck.thick < 0.1:
        pitch = depth / int(rng.integers(4, 10))
        size = (pitch * rng.uniform(0.7, 0.85), width * 0.95, deck.thick)
        slats = [box(size, (x, 0, middle)) for x in np.arange(-depth / 2 + pitch / 2, depth / 2, pitch)]
        ends = (-0.4 * width, 0.4 * width)
        rails = [bar((-depth / 2, y, deck.under), (depth / 2, y, deck.under), 0.012) for y in ends]
        return [("seat", solid) for solid in slats + rails]
    dome = rng.uniform(0, 0.03) if kind == "cushion" else rng.uniform(-0.3, 0) * deck.thick * chance(rng, 0.5)
    edge = 0.5 if kind == "cushion" else rng.uniform(0, 0.5)
    plate = transform(slab(deck.outline, deck.thick, edge=edge, top_dome=dome), move=(0, 0, middle))
    if kind != "boards" or deck.thick > 0.15:
        return [("seat", plate)]
    high = rng.uniform(0.02, 0.07)
    under = slab(deck.outline * rng.uniform(0.8, 0.96), high, edge=rng.uniform(0.02, 0.3))
    return [("seat", plate), ("seat", transform(under, move=(0, 0, deck.under - high / 2 + 0.002)))]


def back_surface(deck: Deck, height: float, rng: np.random.Generator, arched: bool) -> Surface:
    """Where a back stands: v = 0 on the seat, -1 at its lower face; reclined, hollow, wrapped around the sitter."""
    x, half, _ = deck.corner(-1, 1, 0.96)
    recline = np.tan(np.radians(rng.uniform(0, 12) if chance(rng, 0.7) else rng.uniform(8, 30)))
    hollow, curl = rng.uniform(-0.04, 0.08), rng.uniform(-0.05, 0.15) * chance(rng, 0.4)
    flare, crown = half * rng.uniform(0, 0.6) * chance(rng, 0.5), rng.uniform(0, 0.15) * chance(rng, 0.3)
    lift = 2 / float(rng.choice([2.0, 3.0, 5.0]))

    def surface(u: Floats, v: Floats) -> Floats:
        if arched:
            angle = np.pi / 2 * u.clip(-1, 1)
            u, v = np.sign(u) * np.abs(np.sin(angle)) ** lift, v * np.cos(angle).clip(1e-9) ** lift
        up = v.clip(0)
        lean = height * (recline * up + hollow * np.sin(np.pi * up) + curl * up**3)
        wrap = flare * (u**2 - 0.5) * np.minimum(1, 0.3 + up)
        z = deck.under + deck.thick * (1 + np.minimum(v, 0)) + height * up * (1 + crown * (1 - u**2))
        return np.stack([x - lean + wrap, half * u, z], -1)

    return surface


def arm_surfaces(deck: Deck, back: Surface, height: float, beside: float, rng: np.random.Generator) -> list[Surface]:
    """Where the arms stand, one at each side: u from the back to the front, v as of the back, 1 at the rest.

    beside: how far outside of the seat, 0 for bars that stand on it and lean outwards.
    """
    top, rest = deck.under + deck.thick, min(rng.uniform(0.14, 0.28), 0.9 * height)
    t = np.linspace(0, 1, 60)
    edge = np.concatenate([back(np.ones(60), t), back(t, np.ones(60))])
    behind = edge[np.abs(edge[:, 2] - top - rest).argmin()]
    front, side, _ = deck.corner(1, 1, 0.97)
    side = deck.span[1] / 2 + beside if beside else side
    out, slope = rng.uniform(0, 0.05), rng.uniform(-0.04, 0.02)
    root = side if beside else behind[1] * 0.97

    def surface(u: Floats, v: Floats, sign: float) -> Floats:
        t, up = (u + 1) / 2, v.clip(0)
        x = behind[0] + (front - behind[0]) * t
        y = root + (side - root) * np.minimum(1.5 * t, 1) + out * np.minimum(3 * t, up)
        return np.stack([x, sign * y, top + deck.thick * np.minimum(v, 0) + up * (rest + slope * t)], -1)

    return [lambda u, v: surface(u, v, 1.0), lambda u, v: surface(u, v, -1.0)]


def sides(deck: Deck, rng: np.random.Generator) -> list[Piece]:
    """A hoop or a board at each side that carries the seat: leg below it, arm above."""
    r, top = deck.bar, deck.under + deck.thick
    rest, half = top + rng.uniform(0.12, 0.28), deck.span[0] / 2 * rng.uniform(0.75, 0.97, 2)
    frames: Mapping[str, Frame] = {
        "hoop": (S((1, 0), (1, 1), (-1, 1), (-1, 0), closed=True, wide=(0.4, 1)),),
        "bow": (S((1, 0), (1, 1), (-1, 1), (-1, 0), wide=(0.4, 1)),),
        "board": (Board(0, 1, thick=(0.4, 2)),),
    }
    frame = frames[pick(rng, {"hoop": 2, "bow": 2, "board": 1})]

    def surface(u: Floats, v: Floats, sign: float) -> Floats:
        reach = half[0] + (half[1] - half[0]) * v
        return np.stack([reach * u, 0 * u + sign * (deck.span[1] / 2 + 0.6 * r), r + (rest - r) * v], -1)

    solids = build_frame(frame, [lambda u, v: surface(u, v, 1), lambda u, v: surface(u, v, -1)], r, deck.section, rng)
    pieces = [piece for solid in solids for piece in cut(solid, lambda c: np.where(c[:, 2] < top, "leg", "arm"))]
    x, wide = half[0] + (half[1] - half[0]) * deck.under / rest, deck.span[1] / 2 + r
    rods = [bar((x * s, -wide, deck.under), (x * s, wide, deck.under), max(0.6 * r, 0.008)) for s in (-1, 1)]
    return pieces + [("leg", rod) for rod in rods]


def shell(deck: Deck, rng: np.random.Generator) -> list[Piece]:
    """One molded surface that is seat, back and perhaps arms, labeled by where it turns up."""
    (depth, width), rise, lean = deck.span, rng.uniform(0.25, 0.6), np.tan(np.radians(rng.uniform(2, 25)))
    knots = [(0.5, -rng.uniform(0, 0.05)), (0.3, 0), (-0.15, -rng.uniform(0, 0.03)), (-0.45, rise * 0.1)]
    knots += [(-0.5 - rise * lean / depth / 2, rise / 2), (-0.5 - rise * lean / depth * 1.1, rise)]
    x, z = smooth(knots, 41).T * [[depth], [1]]
    s, u = np.linspace(0, 1, 41), np.linspace(-1, 1, 33)[:, None]
    armed = chance(rng, 0.5)
    bowl = rng.uniform(0.25, 0.6) if armed else rng.uniform(0, 0.15)
    widths = np.array([rng.uniform(0.8, 1), 1, 1.03, 1, rng.uniform(0.7, 1.05), rng.uniform(0.5, 0.95)])
    ends = (1 - np.abs(2 * s - 1) ** rng.uniform(6, 20)).clip(0.05) ** 0.5
    half = width / 2 * smooth(widths[:, None], 41)[:, 0] * ends
    knee = np.exp(-(((s - rng.uniform(0.37, 0.53)) / 0.22) ** 2))
    lift = width * bowl * np.abs(u) ** rng.uniform(3, 6) * (0.25 + knee)
    turn = (2 * z / rise).clip(0, 1)
    y = u * half * (1 - 0.25 * bowl * u**4 * (1 - knee))
    top = deck.under + deck.thick
    grid = np.stack(np.broadcast_arrays(x + lift * turn, y, top + z + lift * (1 - 0.8 * turn)), -1)
    border, level = -depth / 2 * rng.uniform(0.75, 0.9), top + rng.uniform(0.06, 0.1) * (1.4 if armed else 1)

    def labels(center: Floats) -> np.ndarray:
        upper, rear = center[:, 2] > level, center[:, 0] < -depth * 0.28
        behind = center[:, 0] < border + 0.35 * (level - center[:, 2]).clip(0)
        wing = armed & upper & ~rear & (np.abs(center[:, 1]) > 0.25 * width)
        return np.where(wing, "arm", np.where(behind | (upper & rear), "back", "seat"))

    return cut(sheet(grid, rng.uniform(0.008, 0.035), edge=0.6), labels)


def cushions(deck: Deck, rng: np.random.Generator) -> list[Piece]:
    """One to three on the seat of a sofa."""
    count, (depth, width) = max(1, round(deck.span[1] / 0.65)), deck.span
    pad = slab(circle(0.5, 32, 8) * [depth, width / count * 0.99], rng.uniform(0.06, 0.14), edge=0.5, top_dome=0.02)
    places = (np.arange(count) - (count - 1) / 2) * width / count
    return [("seat", transform(pad, move=(0.01, y, deck.under + deck.thick + 0.02))) for y in places]


def build(rng: np.random.Generator) -> MeshBuilder:
    """One chair."""
    style = pick(rng, {name: weight for name, (weight, _) in STYLES.items()})
    page = STYLES[style][1]
    deck = draw_deck(page, rng)
    stand, back, arm = (pick(rng, weights) for weights in (page.stands, page.backs, page.arms))
    pieces = shell(deck, rng) if style == "shell" else make_seat(deck, rng)
    if style == "sides":
        pieces += sides(deck, rng)
    if "block" in page.backs and chance(rng, 0.6):
        pieces += cushions(deck, rng)
    if stand and deck.under > 0.03:
        carried = replace(deck, outline=deck.outline * 0.7) if style == "shell" else deck
        pieces += [("leg", solid) for solid in STANDS[stand](carried, rng)]
    if back:
        height, radius = rng.uniform(*page.back), max(deck.bar * rng.uniform(0.6, 1.1), 0.008)
        surface = back_surface(deck, height, rng, arched=back.startswith("hoop"))
        pieces += [("back", solid) for solid in build_frame(BACKS[back], [surface], radius, deck.section, rng)]
    if back and arm:
        arm = "T" if back in WITHOUT_SIDES else arm
        places = arm_surfaces(deck, surface, height, 0.8 * radius if arm in SOLID else 0.0, rng)
        pieces += [("arm", solid) for solid in build_frame(ARMS[arm], places, radius, deck.section, rng)]
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
