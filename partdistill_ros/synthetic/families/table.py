# SPDX-License-Identifier: Apache-2.0
"""Tables, desks, coffee tables and counters, their length along y: a top on a stand of `archetypes.frames`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from partdistill_ros.synthetic.archetypes.frames import CORNERS, STANDS, Deck, Range, legs, ribbon
from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    Piece,
    assemble,
    bar,
    chance,
    cut,
    dense_path,
    leg_radii,
    pick,
    sheet,
    slab,
    weathered,
)
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, box, circle, transform, tube

PARTS = ("top", "leg")


@dataclass(frozen=True)
class Table:
    """A style: ranges in meters; ratio: width over length."""

    length: Range
    ratio: Range
    height: Range


STYLES: Mapping[str, tuple[float, Table]] = {
    "dining": (5, Table((0.8, 1.8), (0.45, 1.0), (0.68, 0.8))),
    "coffee": (3, Table((0.6, 1.4), (0.4, 1.0), (0.22, 0.5))),
    "side": (3, Table((0.35, 0.7), (0.6, 1.0), (0.4, 0.75))),
    "bar": (1.5, Table((0.45, 0.9), (0.7, 1.0), (0.85, 1.15))),
    "long": (1.5, Table((1.4, 2.6), (0.22, 0.5), (0.6, 0.9))),
}
BASES = {"legs": 36, "ring": 7, "column": 12, "star": 6, "ends": 22, "plinth": 2, "cabinets": 4, "waterfall": 4,
         "corner": 3}  # fmt: skip
TOPS = {"plate": 8, "planks": 1, "molding": 2, "tray": 1.5, "double": 1}
OUTLINES = {"ellipse": 11, "polygon": 1, "boat": 1, "free": 1}
BY_CORNERS = ("legs", "ends")  # stands under whose plate an apron goes round


def draw_outline(rng: np.random.Generator) -> Floats:
    """Rim `[K, 2]` of a top of extent 1: (super)ellipse, polygon, bulging or of free form."""
    kind = pick(rng, OUTLINES)
    if kind == "polygon":
        count = int(rng.choice([5, 6, 8]))
        return dense_path(circle(0.5, count), 8 * count, closed=True)
    rim = circle(0.5, 64, float(rng.choice([2.0, 2.0, 2.5, 3.5, 6.0, 14.0, 14.0, 14.0, 14.0])))
    if kind == "boat":
        rim[:, 0] *= 1 - rng.uniform(0.4, 1.4) * rim[:, 1] ** 2
    if kind == "free":
        angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        waves = [rng.uniform(0, 0.12) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3)]
        rim = circle(0.5, 64, 2.3) * (1 + np.sum(waves, axis=0))[:, None]
    return rim


def draw_deck(rng: np.random.Generator) -> Deck:
    """The top as what a stand carries."""
    page = STYLES[pick(rng, {name: weight for name, (weight, _) in STYLES.items()})][1]
    length, ratio, height = (rng.uniform(*limits) for limits in (page.length, page.ratio, page.height))
    if chance(rng, 0.25) and page.ratio[1] == 1:
        ratio = 1.0
    thick = rng.uniform(0.012, 0.05) if chance(rng, 0.7) else rng.uniform(0.05, 0.13)
    radius, section = 0.011 * 5 ** rng.uniform(), float(rng.choice([2.0, 2.0, 4.0, 12.0]))
    return Deck(draw_outline(rng) * [length * ratio, length], height - thick, thick, radius, section)


def make_top(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """The plate, plain or with planks, a molding, a sunken middle with a rim, or a smaller one on it."""
    kind = pick(rng, TOPS)
    middle, height = deck.under + deck.thick / 2, deck.under + deck.thick
    if kind == "planks" and deck.square:
        pitch = deck.span[0] / (count := int(rng.integers(3, 9)))
        planks = np.array([pitch * rng.uniform(0.85, 0.96), deck.span[1], deck.thick])
        solids = [box(planks, (x, 0, middle)) for x in (np.arange(count) - (count - 1) / 2) * pitch]
        cleat = np.array([deck.span[0] * 0.95, deck.span[1] * 0.05, deck.thick * 0.6])
        return solids + [box(cleat, (0, y * deck.span[1], deck.under - 0.4 * cleat[2])) for y in (-0.4, 0.4)]
    edge = 0.5 if chance(rng, 0.4) else rng.uniform(0, 0.4)
    dish = deck.thick * (rng.uniform(-0.6, -0.2) if kind == "tray" else rng.uniform(-0.3, 0.4) * chance(rng, 0.15))
    solids = [transform(slab(deck.outline, deck.thick, edge=edge, top_dome=dish), move=(0, 0, middle))]
    if kind == "molding":
        below = slab(deck.outline * rng.uniform(0.85, 0.97), deck.thick, edge=rng.uniform(0, 0.5))
        solids.append(transform(below, move=(0, 0, deck.under - 0.3 * deck.thick)))
    if kind == "double":
        above = slab(deck.outline * rng.uniform(0.7, 0.92), deck.thick * 0.5, edge=edge)
        solids.append(transform(above, move=(0, 0, height + deck.thick * 0.2)))
    if kind == "tray":
        rim = np.column_stack([deck.outline * 0.985, np.full(len(deck.outline), height)])
        solids.append(tube(rim, rng.uniform(0.006, 0.02), 8, closed=True, normal=(0, 0, 1)))
    return solids


def apron(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """Boards under the rim, straight or arched, which people count as part of the top."""
    high, inset = rng.uniform(0.04, 0.13) * min(1.0, deck.under / 0.6), rng.uniform(0.75, 0.97)
    if not deck.square:
        return [transform(slab(deck.outline * inset, high, edge=0.05), move=(0, 0, deck.under - high / 2 + 0.001))]
    arch, thick = rng.uniform(0.2, 0.7) * chance(rng, 0.3), rng.uniform(0.012, 0.03)
    t, v = np.meshgrid(np.linspace(0, 1, 13), np.linspace(0, 1, 4), indexing="ij")
    level = -high * (1 - v) * (1 - arch * (1 - (2 * t - 1) ** 4))
    feet = [deck.corner(x, y, inset) for x, y in CORNERS]
    boards = zip(feet, [*feet[1:], feet[0]], strict=True)
    along = [a + t[..., None] * (b - a) + level[..., None] * np.array([0, 0, 1]) for a, b in boards]
    return [sheet(grid, thick, edge=1.0) for grid in along]


def cabinets(deck: Deck, rng: np.random.Generator) -> list[Solid]:
    """A desk's drawers at one end or both, a board or legs at the other, and a board at the back."""
    deep, wide = deck.span * [rng.uniform(0.75, 0.97), rng.uniform(0.18, 0.32)]
    low = rng.uniform(0, 0.15)
    place, tall = deck.span[1] / 2 * 0.97 - wide / 2, deck.under - low + 0.005
    solids = [box((deep, wide, tall), (0, place, low + tall / 2))]
    corners = [deck.corner(x, y, 0.95) for x, y in CORNERS if y < 0]
    feet = [np.array([x * deep * 0.42, place + y * wide * 0.42, low + 0.01]) for x, y in CORNERS]
    other = pick(rng, {"drawers": 2, "board": 1, "legs": 1})
    if other == "drawers":
        solids += [transform(solids[0], move=(0, -2 * place, 0))]
        feet += [foot - [0, 2 * place, 0] for foot in feet]
    if other == "board":
        solids.append(box((deep, 2 * deck.bar, deck.under), (0, -deck.span[1] * 0.48, deck.under / 2)))
    rods = corners * (other == "legs") + feet * (low > 0.02)
    solids += [bar(rod, rod * [1, 1, 0], 0.7 * deck.bar, squareness=deck.section) for rod in rods]
    if chance(rng, 0.5):
        solids.append(box((0.02, deck.span[1] * 0.9, tall * 0.6), (-deep * 0.4, 0, deck.under - tall * 0.3)))
    return solids


def waterfall(deck: Deck, rng: np.random.Generator) -> list[Piece]:
    """Top and ends as one bent board; the bend is where the top ends."""
    height, half, lean = deck.under + deck.thick, deck.span[1] / 2, rng.uniform(-0.15, 0.2) * deck.under
    bend, z = rng.uniform(0.02, 0.5) * height, height - deck.thick / 2
    corners = [(-half - lean, 0), (-half, z), (half, z), (half + lean, 0)]
    vertices, faces = ribbon(corners, bend, deck.span[0] / 2, deck.thick)
    along_y = vertices @ np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], float)
    border = height - max(deck.thick, bend * 0.35)
    return cut((along_y, faces), lambda center: np.where(center[:, 2] > border, "top", "leg"))


def corner_desk(deck: Deck, rng: np.random.Generator) -> list[Piece]:
    """Two boards that meet in an L, on posts or on boards at their ends."""
    long, deep, middle = deck.span[1], deck.span[1] * rng.uniform(0.3, 0.42), deck.under + deck.thick / 2
    wing = long * rng.uniform(0.7, 1.1)
    boards = [((deep, long), (0, 0)), ((wing, deep), ((deep + wing) / 2, (long - deep) / 2))]
    pieces: list[Piece] = [("top", box((*size, deck.thick), (*at, middle))) for size, at in boards]
    if chance(rng, 0.4):
        thick, tall = rng.uniform(0.02, 0.05), deck.under + 0.002
        side = (deep / 2 + wing * 0.97, (long - deep) / 2)
        walls = [((deep * 0.95, thick), (0, -long * 0.48)), ((thick, deep * 0.95), side)]
        return pieces + [("leg", box((*size, tall), (*at, tall / 2))) for size, at in walls]
    radii, x, y = leg_radii(rng, deck.bar), deep / 2 - 0.05, long / 2 - 0.05
    spots = [(-x, -y), (x, -y), (-x, y), (x, y - deep + 0.1), (x + wing, y), (x + wing, y - deep + 0.1)]
    return pieces + [("leg", bar((*at, deck.under + 0.01), (*at, 0), radii, squareness=deck.section)) for at in spots]


def build(rng: np.random.Generator) -> MeshBuilder:
    """One table."""
    deck, base = draw_deck(rng), pick(rng, BASES)
    if base == "waterfall":
        pieces = waterfall(deck, rng)
    elif base == "corner" and deck.span[1] > 1.1:
        pieces = corner_desk(deck, rng)
    else:
        roomy = deck.square and deck.span[1] > 1.0 and deck.under > 0.6
        stand = cabinets if base == "cabinets" and roomy else STANDS.get(base, legs)
        pieces = [("top", solid) for solid in make_top(deck, rng)] + [("leg", solid) for solid in stand(deck, rng)]
        if base in BY_CORNERS and chance(rng, 0.35):
            pieces += [("top", solid) for solid in apron(deck, rng)]
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
