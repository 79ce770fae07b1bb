# SPDX-License-Identifier: Apache-2.0
"""A hinged pair: two arms that cross or meet, as of scissors, tongs and tweezers, and two leaves, as of a book or a box
with a lid.

Arms lie on the plane z = 0 along x, their working end at +x, the hinge at the origin.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Piece, assemble, chance, dense_path, knots, slab, weathered
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    cylinder,
    rotation,
    smooth,
    transform,
    tube,
)

Range = tuple[float, float]


@dataclass(frozen=True)
class Arms:
    """Ranges of a pair of arms of length about 1 each side. front, back: lengths ahead of the hinge and behind it (no
    back: the hinge is the end).  wide: half width of the front at the hinge, tip: at its end.  thick: height.  rings:
    how often the back ends in a ring.  opening: degrees.  front_part, back_part, joint: names, "" for no joint."""

    front: Range = (0.8, 1.2)
    back: Range = (0.6, 0.9)
    wide: Range = (0.05, 0.09)
    tip: Range = (0.005, 0.02)
    thick: Range = (0.025, 0.05)
    rings: float = 0.0
    opening: Range = (0.0, 60.0)
    crosses: bool = True
    spring: Range = (0.0, 0.0)
    front_part: str = "blade"
    back_part: str = "handle"
    joint: str = "joint"


def build_arms(arms: Arms, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One tool: an arm and its mirror image, opened."""
    front, back = rng.uniform(*arms.front), rng.uniform(*arms.back)
    wide, tip, thick = rng.uniform(*arms.wide), rng.uniform(*arms.tip), rng.uniform(*arms.thick)
    belly = rng.uniform(*arms.spring)
    one: list[Piece] = [(arms.front_part, _front(rng, front, wide, tip, thick, belly, arms.crosses))]
    if back > 0:
        one += [(arms.back_part, solid) for solid in _back(rng, back, wide, thick, chance(rng, arms.rings))]
    half = np.radians(rng.uniform(*arms.opening)) / 2
    pieces: list[Piece] = []
    for sign in (1, -1):
        turn = rotation((0, 0, 1), sign * half)
        lift = sign * thick * (0.5 if arms.crosses else 0.0)
        pieces += [(part, transform(solid, scale=(1, sign, 1), rotate=turn, move=(0, 0, lift))) for part, solid in one]
    if arms.joint:
        pin = cylinder(wide * rng.uniform(0.5, 1.1), thick * rng.uniform(2.1, 3.2), 20)
        pieces.append((arms.joint, pin))
    return assemble(parts, weathered([piece for piece in pieces if piece[0] in parts], rng, 0.7))


def _front(
    rng: np.random.Generator, length: float, wide: float, tip: float, thick: float, belly: float, crosses: bool
) -> Solid:
    """A blade or an arm from the hinge to its end; where the arms do not cross, it bows outward by `belly`."""
    x = np.linspace(-wide * 0.8, length, 20)
    share = np.linspace(0, 1, 20)
    width = wide + (tip - wide) * share ** rng.uniform(0.8, 2.0)
    middle = belly * np.sin(np.pi * share.clip(0, 1)) if not crosses else (width - wide) * rng.uniform(0.3, 1.0)
    outline = np.concatenate([np.column_stack([x, middle - width]), np.column_stack([x, middle + width])[::-1]])
    return (
        slab(dense_path(outline, 56, closed=True), thick, edge=0.25, rings=2)
        if crosses
        else tube(
            np.column_stack([x, middle, np.zeros(20)]), width, 12, aspect=thick / wide, squareness=4, normal=(0, 0, 1)
        )
    )


def _back(rng: np.random.Generator, length: float, wide: float, thick: float, ring: bool) -> list[Solid]:
    """A lever behind the hinge, which ends in a ring or as a grip."""
    spread = rng.uniform(0.1, 0.22) * length
    size = rng.uniform(0.16, 0.24) if ring else 0.0
    end = -length + 2 * size
    path = smooth(
        knots([wide * 0.5, 0, 0], [end * 0.4, -spread * 0.7, 0], [end, -spread * (0.9 if ring else 1.6), 0]), 18
    )
    bar_ = tube(
        path,
        wide * np.linspace(0.9, 0.6 if ring else 0.9, 18),
        12,
        aspect=thick / wide * rng.uniform(1, 1.8),
        normal=(0, 0, 1),
    )
    if not ring:
        return [bar_]
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    oval = np.column_stack([size * np.cos(angle), size * rng.uniform(0.6, 0.9) * np.sin(angle), np.zeros(36)])
    loop = tube(
        oval + [end - size * 0.9, -spread - size * 0.35, 0], rng.uniform(0.025, 0.05), 12, closed=True, normal=(0, 0, 1)
    )
    return [bar_, loop]


def build_leaves(kind: str, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """A book that is open or closed, a box with a lid on a hinge, a stapler."""
    return assemble(parts, LEAVES[kind](rng))


def _book(rng: np.random.Generator) -> list[Piece]:
    tall, wide, thick = 1.0, rng.uniform(0.6, 0.85), rng.uniform(0.06, 0.22)
    cover, angle = rng.uniform(0.012, 0.03), rng.choice([0.0, rng.uniform(0.3, 3.0)])
    leaves = box((wide * 0.96, tall * 0.96, thick - 2 * cover), (wide / 2, 0, 0))
    spine = box((cover, tall, thick), (0, 0, 0))
    lower = box((wide, tall, cover), (wide / 2, 0, -thick / 2))
    lid = transform(
        box((wide, tall, cover), (wide / 2, 0, 0)), rotate=rotation((0, 1, 0), -angle), move=(0, 0, thick / 2)
    )
    return [("pages", leaves), ("cover", spine), ("cover", lower), ("cover", lid)]


def _box_with_lid(rng: np.random.Generator) -> list[Piece]:
    size, wall = np.array([1.0, rng.uniform(0.5, 1.0), rng.uniform(0.3, 0.9)]), 0.03
    low = [
        box((size[0], size[1], wall), (0, 0, wall / 2)),
        *(box((wall, size[1], size[2]), (sign * (size[0] - wall) / 2, 0, size[2] / 2)) for sign in (-1, 1)),
        *(box((size[0], wall, size[2]), (0, sign * (size[1] - wall) / 2, size[2] / 2)) for sign in (-1, 1)),
    ]
    angle = rng.choice([0.0, rng.uniform(0.1, 2.2)])
    plate = [box((size[0] * 1.02, size[1] * 1.02, wall), (0, -size[1] / 2, wall / 2))]
    if chance(rng, 0.5):  # a lid with a rim of its own
        deep = rng.uniform(0.08, 0.25)
        plate = [box((size[0] * 1.03, size[1] * 1.03, deep), (0, -size[1] / 2, deep / 2))]
    lid = [transform(one, rotate=rotation((1, 0, 0), -angle), move=(0, size[1] / 2, size[2])) for one in plate]
    return [*(("body", one) for one in low), *(("lid", one) for one in lid)]


def _stapler(rng: np.random.Generator) -> list[Piece]:
    wide, high = rng.uniform(0.16, 0.24), rng.uniform(0.1, 0.18)
    base = transform(slab(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [0.5, wide / 2], 0.05), move=(0.5, 0, 0))
    angle = rng.uniform(0.12, 0.4)
    arm = transform(
        box((0.98, wide * 0.85, high), (0.49, 0, high / 2)), rotate=rotation((0, 1, 0), -angle), move=(0, 0, 0.06)
    )
    hinge = box((0.14, wide * 1.05, high * 1.2), (0.05, 0, high * 0.6))
    return [("base", base), ("arm", arm), ("base", hinge)]


def _notebook(rng: np.random.Generator) -> list[Piece]:
    """A laptop with what lies in its two leaves; its hinge is toward +y."""
    deep, thick = rng.uniform(0.55, 0.85), rng.choice([rng.uniform(0.012, 0.035), rng.uniform(0.035, 0.12)])
    relief, wide = rng.uniform(0.001, 0.012), rng.uniform(0.8, 0.97)
    near, far = deep * rng.uniform(0.05, 0.18), deep * rng.uniform(0.5, 0.68)  # of the keys, from the hinge
    pieces: list[Piece] = [("base", box((1, deep, thick), (0, deep / 2, -thick / 2)))]
    if chance(rng, 0.5):
        pieces.append(("keyboard", box((wide, far - near, relief), (0, (near + far) / 2, relief / 2))))
    else:
        rows, columns = int(rng.integers(4, 7)), int(rng.integers(9, 16))
        size = np.array([wide / columns, (far - near) / rows, relief])
        for x in np.linspace(-wide + size[0], wide - size[0], columns) / 2:
            for y in near + size[1] * (np.arange(rows) + 0.5):
                pieces.append(("keyboard", box(size * [0.85, 0.85, 1], (x, y, relief / 2))))
    if chance(rng, 0.8):
        pad = (rng.uniform(0.2, 0.4), (deep - far) * rng.uniform(0.5, 0.85), relief)
        pieces.append(("touchpad", box(pad, (rng.normal(0, 0.04), (far + deep) / 2, relief * 0.3))))
    pieces += _screen_leaf(rng, deep, thick, relief)
    upright = rotation((0, 0, 1), np.pi)
    return [(part, transform(solid, rotate=upright)) for part, solid in pieces]


def _screen_leaf(rng: np.random.Generator, deep: float, thick: float, relief: float) -> list[Piece]:
    """The upper leaf, open by any angle, and hinges, along x in the origin."""
    lid, frame, high = thick * rng.uniform(0.3, 0.9), rng.uniform(0.01, 0.08), deep * rng.uniform(0.9, 1.05)
    leaf: list[Piece] = [
        ("lid", box((1, high, lid), (0, high / 2, lid / 2))),
        ("screen", box((1 - 2 * frame, high - 2.5 * frame, relief), (0, (high + frame / 2) / 2, -relief * 0.3))),
    ]
    angle = np.radians(rng.choice([rng.uniform(85, 135), rng.uniform(5, 180)], p=[0.7, 0.3]))
    turn, axle = rotation((1, 0, 0), angle), np.array([0, 0, relief + 0.002])
    pieces = [(part, transform(solid, rotate=turn, move=axle)) for part, solid in leaf]
    if chance(rng, 0.7):
        barrel = transform(cylinder(max(lid * 0.6, 0.008), 0.12, 12), rotate=rotation((0, 1, 0), np.pi / 2))
        pieces += [("hinge", transform(barrel, move=(x, 0, 0))) for x in rng.uniform(0.25, 0.42) * np.array([-1, 1])]
    return pieces


LEAVES = {"book": _book, "box": _box_with_lid, "stapler": _stapler, "notebook computer": _notebook}


def _arms(name: str, size: Range, arms: Arms, also: tuple[str, ...] = (), **words: tuple[str, ...]) -> Family:
    parts = tuple(
        dict.fromkeys(
            part for part in (arms.front_part, arms.back_part if arms.back[1] > 0 else "", arms.joint) if part
        )
    )
    return Family(
        name,
        parts,
        partial(build_arms, arms, parts),
        up_unknown=True,
        synonyms={**words, **({name: also} if also else {})},
        size=size,
    )


def _leaves(
    name: str,
    kind: str,
    size: Range,
    parts: tuple[str, ...],
    also: tuple[str, ...],
    up_unknown: bool = False,
    **words: tuple[str, ...],
) -> Family:
    return Family(
        name,
        parts,
        partial(build_leaves, kind, parts),
        up_unknown=up_unknown,
        synonyms={**words, name: also},
        size=size,
    )


CATEGORIES = (
    _arms(
        "scissors",
        (0.1, 0.3),
        Arms(rings=0.9, opening=(0, 75)),
        ("shears",),
        handle=("grip", "ring", "handles"),
        blade=("blades", "edge"),
        joint=("screw", "pivot", "hinge"),
    ),
    _arms(
        "clamp",
        (0.1, 0.3),
        Arms((0.3, 0.6), (0.7, 1.0), (0.06, 0.1), (0.03, 0.06), (0.06, 0.12), 0.1, (5, 40), front_part="jaw"),
        ("spring clamp",),
        handle=("grip", "lever"),
        jaw=("jaws", "mouth"),
        joint=("pivot", "spring", "hinge"),
    ),
    _arms(
        "tongs",
        (0.15, 0.4),
        Arms((1.0, 1.4), (0.0, 0.0), (0.04, 0.07), (0.03, 0.06), (0.04, 0.09), 0.0, (5, 35), False, (0.0, 0.1), "arm"),
        arm=("leg", "handle"),
        joint=("hinge", "pivot"),
    ),
    _leaves(
        "book",
        "book",
        (0.12, 0.35),
        ("pages", "cover"),
        ("notebook",),
        True,
        pages=("page", "paper", "sheets"),
        cover=("binding", "back"),
    ),
    _leaves(
        "box",
        "box",
        (0.1, 0.6),
        ("body", "lid"),
        ("chest", "case", "carton"),
        body=("container", "bottom", "base"),
        lid=("cover", "top", "flap"),
    ),
    _leaves(
        "stapler",
        "stapler",
        (0.1, 0.25),
        ("base", "arm"),
        ("tacker",),
        base=("body", "bottom"),
        arm=("lid", "top", "lever", "handle"),
    ),
    _leaves(
        "notebook computer",
        "notebook computer",
        (0.2, 0.45),
        ("base", "keyboard", "touchpad", "lid", "screen", "hinge"),
        ("portable computer", "netbook"),
        base=("body", "bottom", "lower half"),
        keyboard=("keys",),
        touchpad=("trackpad",),
        lid=("cover", "top", "upper half"),
        screen=("display", "panel"),
    ),
)
