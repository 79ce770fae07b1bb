# SPDX-License-Identifier: Apache-2.0
"""A body with appendages: what most things are, once limbs, shafts and fronts are taken away.

The body is a form of some size, its longest side about 1; each `Piece` is a form that is put at a place of the body's
bounding box, or of that of a piece before it. A category is a page of these; `pages` holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Floats, assemble, bar, chance, dense_path, knots, slab, weathered
from partdistill_ros.synthetic.drawing.forms import Piece as Labeled
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    circle,
    cylinder,
    ellipsoid,
    extrude,
    loft,
    revolve,
    rotation,
    smooth,
    transform,
    tube,
)

Range = tuple[float, float]
Three = tuple[float | Range, float | Range, float | Range]
"""One number or a range for each of x, y, z."""


@dataclass(frozen=True)
class Piece:
    """Something of a part.

    form: see `FORMS`.  size: its extent along x, y, z.  at: where it is put, in half extents of what it is on: (0, 0,
    1) is the middle of the top.  stick: by how many of its own half extents it then goes on: 1 stands outside, 0 is
    half sunk.  mirror: axes along which it has a twin.  row: how many of it lie along an axis, over the whole span of
    `at` and its opposite.  turn: axis and degrees, about the place where it is put.  on: the part on whose last piece
    it is put, "" for the body.  often: how often it is there.
    """

    part: str
    form: str
    size: Three
    at: Three = (0, 0, 0)
    stick: tuple[float, float, float] = (0, 0, 0)
    mirror: str = ""
    row: tuple[str, int, int] = ("", 1, 1)
    turn: tuple[str, float, float] = ("x", 0, 0)
    on: str = ""
    often: float = 1.0


def build_body(pieces: tuple[Piece, ...], parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One shape: the first piece is the body. Pieces of one part that are drawn next to each other share one size."""
    made: list[Labeled] = []
    boxes: dict[str, tuple[Floats, Floats]] = {}
    for number, piece in enumerate(pieces):
        if not chance(rng, piece.often) or (piece.on and piece.on not in boxes):
            continue
        size, at = _drawn(rng, piece.size), _drawn(rng, piece.at)
        center, half = (np.zeros(3), np.zeros(3)) if number == 0 else boxes[piece.on]
        solid = FORMS[piece.form](rng, size)
        axis, low, high = piece.turn
        turn = rotation(np.eye(3)["xyz".index(axis)], np.radians(rng.uniform(low, high)))
        placed = transform(transform(solid, move=np.array(piece.stick) * size / 2), rotate=turn)
        for spot in _spots(rng, piece, at):
            sign = np.where(spot * at < 0, -1.0, 1.0) if piece.mirror else np.ones(3)
            for i, name in enumerate("xyz"):
                if name not in piece.mirror:
                    sign[i] = 1.0
            one = transform(placed, scale=sign, move=center + spot * half)
            made.append((piece.part, one))
            low_corner, high_corner = one[0].min(0), one[0].max(0)
            boxes["" if number == 0 else piece.part] = ((low_corner + high_corner) / 2, (high_corner - low_corner) / 2)
            if number == 0:
                boxes[piece.part] = boxes[""]
    return assemble(parts, weathered(made, rng, 0.6))


def _spots(rng: np.random.Generator, piece: Piece, at: Floats) -> list[Floats]:
    """Where the piece and its twins are put."""
    spots = [at]
    for axis in piece.mirror:
        flip = np.where(np.array(list("xyz")) == axis, -1.0, 1.0)
        spots += [spot * flip for spot in spots]
    axis, low, high = piece.row
    if not axis:
        return spots
    i, count = "xyz".index(axis), int(rng.integers(low, high + 1))
    along = np.linspace(-1, 1, count) if count > 1 else np.zeros(1)
    return [np.where(np.arange(3) == i, step * abs(at[i]), spot) for spot in spots for step in along]


def _drawn(rng: np.random.Generator, values: Three) -> Floats:
    return np.array([rng.uniform(*one) if isinstance(one, tuple) else one for one in values], float)


# --- forms, each centered on the origin, of the extents `size` -------------------------------------------------------


def _box(rng: np.random.Generator, size: Floats) -> Solid:
    if rng.random() < 0.5:
        return box(size)
    return ellipsoid(size / 2 * 1.02, 32, 16, squareness=rng.uniform(6, 12))


def _plain(rng: np.random.Generator, size: Floats) -> Solid:
    """A box with sharp edges."""
    return box(size)


def _soft(rng: np.random.Generator, size: Floats) -> Solid:
    """A cushion: between a box and a ball."""
    return ellipsoid(size / 2, 28, 16, squareness=rng.uniform(2.6, 5))


def _ball(rng: np.random.Generator, size: Floats) -> Solid:
    return ellipsoid(size / 2, 24, 16)


def _egg(rng: np.random.Generator, size: Floats) -> Solid:
    """Thicker toward -x."""
    vertices, faces = ellipsoid((0.5, 0.5, 0.5), 24, 16)
    thin = 1 - rng.uniform(0.2, 0.5) * (vertices[:, :1] + 0.5)
    return vertices * np.concatenate([np.ones_like(thin), thin, thin], 1) * size, faces


def _rod(rng: np.random.Generator, size: Floats) -> Solid:
    """Round, along z."""
    waist = rng.uniform(0.85, 1.1)
    return transform(revolve([(0.5, -0.5), (0.5 * waist, 0), (0.5, 0.5)], 20), scale=size)


def _post(rng: np.random.Generator, size: Floats) -> Solid:
    """Round or square, straight or thinner below, along z."""
    low, square = rng.uniform(0.5, 1.0), float(rng.choice([2.0, 2.0, 8.0]))
    return transform(revolve([(0.5 * low, -0.5), (0.5, 0.5)], 16, square), scale=size)


def _lying(rng: np.random.Generator, size: Floats) -> Solid:
    """A rod along y."""
    vertices, faces = transform(cylinder(0.5, 1, 20), rotate=rotation((1, 0, 0), np.pi / 2))
    return vertices * size, faces


def _along(rng: np.random.Generator, size: Floats) -> Solid:
    """A rod along x."""
    vertices, faces = transform(cylinder(0.5, 1, 20), rotate=rotation((0, 1, 0), np.pi / 2))
    return vertices * size, faces


def _wheel(rng: np.random.Generator, size: Floats) -> Solid:
    """A tire with a hub, its axle along y."""
    hub = rng.uniform(0.3, 0.7)
    profile = knots(
        [0.05, -0.3],
        [hub * 0.5, -0.35],
        [0.42, -0.5],
        [0.5, -0.3],
        [0.5, 0.3],
        [0.42, 0.5],
        [hub * 0.5, 0.35],
        [0.05, 0.3],
    )
    vertices, faces = transform(revolve(profile, 28), rotate=rotation((1, 0, 0), np.pi / 2))
    return vertices * size, faces


def _spokes(rng: np.random.Generator, size: Floats) -> Solid:
    """A wheel of a rim, a hub and spokes, its axle along y."""
    angle, thick = np.linspace(0, 2 * np.pi, 36, endpoint=False), rng.uniform(0.03, 0.06)
    rim = np.column_stack([(0.5 - thick) * np.cos(angle), np.zeros(36), (0.5 - thick) * np.sin(angle)])
    solids = [tube(rim, thick, 10, closed=True, normal=(0, 1, 0))]
    for turn in np.linspace(0, 2 * np.pi, int(rng.integers(6, 15)), endpoint=False):
        solids.append(bar((0, 0, 0), (0.48 * np.cos(turn), 0, 0.48 * np.sin(turn)), 0.012, count=2, segments=6))
    solids.append(transform(cylinder(0.07, thick * 3, 12), rotate=rotation((1, 0, 0), np.pi / 2)))
    vertices, faces = _joined(solids)
    return vertices * size / [1, max(np.ptp(vertices[:, 1]), 1e-6), 1], faces


def _ring(rng: np.random.Generator, size: Floats) -> Solid:
    """A hoop in the plane of x and z; y is its thickness."""
    angle, thick = np.linspace(0, 2 * np.pi, 32, endpoint=False), size[1] / 2
    path = np.column_stack([(size[0] / 2 - thick) * np.cos(angle), np.zeros(32), (size[2] / 2 - thick) * np.sin(angle)])
    return tube(path, thick, 12, closed=True, normal=(0, 1, 0))


def _arch(rng: np.random.Generator, size: Floats) -> Solid:
    """Half a hoop, open below, in the plane of x and z; y is its thickness."""
    angle, thick = np.linspace(0, np.pi, 24), size[1] / 2
    power = 2 / float(rng.choice([2.0, 3.0, 6.0]))
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power
    path = np.column_stack(
        [(size[0] / 2 - thick) * x, np.zeros(24), (size[2] - thick) * np.sin(angle) ** power - size[2] / 2]
    )
    return tube(path, thick, 12, normal=(0, 1, 0))


def _cone(rng: np.random.Generator, size: Floats) -> Solid:
    """Its tip is above, straight or round as a nose."""
    bow = rng.uniform(1.0, 2.2)
    t = np.linspace(0, 1, 9)
    profile = np.column_stack([0.5 * (1 - t**bow).clip(0.02), t - 0.5])
    return transform(revolve(profile, 24), scale=size)


def _cup(rng: np.random.Generator, size: Floats) -> Solid:
    """A hollow that is open above, wider there or not."""
    low, wall = rng.uniform(0.55, 1.0), rng.uniform(0.03, 0.07)
    outer = [(low * 0.5, -0.5), (0.25 + low * 0.25, 0), (0.5, 0.5)]
    inner = [(0.5 - wall, 0.5), (0.25 + low * 0.25 - wall, 0), (low * 0.5 - wall, -0.5 + wall)]
    return transform(revolve([*outer, *inner], 32, float(rng.choice([2.0, 2.0, 6.0]))), scale=size)


def _dome(rng: np.random.Generator, size: Floats) -> Solid:
    """The upper half of a ball."""
    angle = np.linspace(0, np.pi / 2, 10)
    profile = np.column_stack([0.5 * np.cos(angle).clip(0.01), np.sin(angle) - 0.5])
    return transform(revolve(profile, 28), scale=size)


def _canopy(rng: np.random.Generator, size: Floats) -> Solid:
    """A thin dome of flat fields, as of an umbrella."""
    angle = np.linspace(0, np.pi / 2, 9)
    outer = np.column_stack([0.5 * np.cos(angle).clip(0.01), np.sin(angle) - 0.5])
    profile = np.concatenate([(outer * [0.96, 0.94])[::-1] - [0, 0.03], outer])
    return transform(revolve(profile, int(rng.integers(6, 13))), scale=size)


def _disc(rng: np.random.Generator, size: Floats) -> Solid:
    """A round plate, lying."""
    return transform(
        slab(circle(0.5, 36, float(rng.choice([2.0, 2.0, 3.0]))), 1.0, edge=rng.uniform(0.1, 0.45)), scale=size
    )


def _face(rng: np.random.Generator, size: Floats) -> Solid:
    """A round plate that stands, its axis along y."""
    vertices, faces = transform(cylinder(0.5, 1, 32), rotate=rotation((1, 0, 0), np.pi / 2))
    return vertices * size, faces


def _roof(rng: np.random.Generator, size: Floats) -> Solid:
    """A box that is smaller above, as a car's cabin."""
    front, back, side = rng.uniform(0.45, 0.9), rng.uniform(0.55, 0.98), rng.uniform(0.75, 0.95)
    base = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    top = base * np.where(base[:, :1] > 0, front, back) * [1, 1] * [1, 0] + base * [0, side]
    rings = np.stack([np.column_stack([base, np.full(4, -0.5)]), np.column_stack([top, np.full(4, 0.5)])])
    return transform(loft(rings), scale=size)


def _wedge(rng: np.random.Generator, size: Floats) -> Solid:
    """A triangle in the plane of x and z, upright at -x, thin along y: a fin, a sail, a bow."""
    shift = rng.uniform(-0.5, 0.3)
    outline = knots([-0.5, -0.5], [0.5, -0.5], [shift + 0.12, 0.5], [shift - 0.12, 0.5])
    vertices, faces = transform(extrude(outline, 1.0), rotate=rotation((1, 0, 0), np.pi / 2))
    return vertices * size, faces


def _blade(rng: np.random.Generator, size: Floats) -> Solid:
    """A leaf in the plane of x and y, narrow at -x: a propeller's blade, a wing, a petal."""
    wide = rng.uniform(0.35, 0.8)
    right = knots([-0.5, 0.12], [-0.1, 0.3], [-0.5 + wide, 0.5], [0.42, 0.35], [0.5, 0.08])
    outline = np.concatenate([right * [1, -1], right[::-1]])
    return transform(slab(outline, 1.0, edge=0.3), scale=size)


def _leaf(rng: np.random.Generator, size: Floats) -> Solid:
    """A wing in the plane of x and y, its root at -x, narrower and at times swept toward its tip."""
    tip, shift = rng.uniform(0.3, 1.0), rng.uniform(-0.3, 0.3)
    end = shift * (1 - tip)
    outline = knots([-0.5, -0.5], [0.5, end - tip / 2], [0.5, end + tip / 2], [-0.5, 0.5])
    return transform(slab(dense_path(outline, 40, closed=True), 1.0, edge=0.4), scale=size)


def _hull(rng: np.random.Generator, size: Floats) -> Solid:
    """A boat, its bow toward +x, open above."""
    x = np.linspace(-0.5, 0.5, 16)
    stern = rng.uniform(0.5, 0.9)
    width = 0.5 * smooth(knots([stern], [0.95], [1.0], [0.75], [0.05]), 16)[:, 0]
    keel = -0.5 + smooth(knots([0.1], [0.0], [0.0], [0.1], [0.75]), 16)[:, 0]
    rings = []
    for at, half, low in zip(x, width, keel, strict=True):
        y = np.array([-1, -0.75, 0, 0.75, 1, 0.88, 0, -0.88]) * half
        z = np.array([0.5, low * 0.5 + 0.1, low, low * 0.5 + 0.1, 0.5, 0.5, low * 0.3 + 0.2, 0.5])
        rings.append(np.column_stack([np.full(8, at), y, z]))
    return transform(loft(np.stack(rings)), scale=size)


def _figure8(rng: np.random.Generator, size: Floats) -> Solid:
    """A lying plate with a waist, as of a guitar's body, its narrower end toward +x."""
    angle = np.linspace(0, 2 * np.pi, 56, endpoint=False)
    waist = rng.uniform(0.1, 0.22)
    radius = 0.5 - waist * np.exp(-((np.abs(np.abs(angle - np.pi) - np.pi * 0.55)) ** 2) / 0.12)
    outline = np.column_stack([np.cos(angle), np.sin(angle) * (1 - 0.12 * np.cos(angle))]) * radius[:, None]
    return transform(slab(outline, 1.0, edge=rng.uniform(0.1, 0.35)), scale=size)


def _hook(rng: np.random.Generator, size: Floats) -> Solid:
    """A bow from below at -x up and over to +x, as of a tap; y is its thickness."""
    thick = size[1] / 2
    path = smooth(
        knots(
            [-0.5, -0.5],
            [-0.5, 0.1],
            [rng.uniform(-0.4, -0.2), 0.45],
            [0.15, 0.5],
            [0.45, rng.uniform(0.25, 0.45)],
            [0.5, rng.uniform(-0.1, 0.25)],
        ),
        28,
    )
    points = np.column_stack([path[:, 0] * (size[0] - 2 * thick), np.zeros(28), path[:, 1] * (size[2] - 2 * thick)])
    return tube(points, thick, 14, normal=(0, 1, 0), squareness=float(rng.choice([2.0, 2.0, 5.0])))


def _cord(rng: np.random.Generator, size: Floats) -> Solid:
    """A thin cable that winds along x; y is how far it sways, z its thickness."""
    wave = knots(*([x, rng.uniform(-0.5, 0.5)] for x in np.linspace(-0.5, 0.5, 6)))
    wave[[0], 1] = 0
    path = smooth(wave, 40)
    return tube(np.column_stack([path * size[:2], np.zeros(40)]), size[2] / 2, 8, normal=(0, 0, 1))


def _frame(rng: np.random.Generator, size: Floats) -> Solid:
    """Four boards around an opening in the plane of x and z."""
    wide = min(size[0], size[2]) * rng.uniform(0.06, 0.14)
    sides = [box((wide, size[1], size[2]), (sign * (size[0] - wide) / 2, 0, 0)) for sign in (-1, 1)]
    beams = [box((size[0], size[1], wide), (0, 0, sign * (size[2] - wide) / 2)) for sign in (-1, 1)]
    return _joined([*sides, *beams])


def _joined(solids: list[Solid]) -> Solid:
    start = np.cumsum([0, *(len(vertices) for vertices, _ in solids)])
    faces = [faces + first for (_, faces), first in zip(solids, start, strict=False)]
    return np.concatenate([vertices for vertices, _ in solids]), np.concatenate(faces)


FORMS: Mapping[str, Callable[[np.random.Generator, Floats], Solid]] = {
    "box": _box, "plain": _plain, "soft": _soft, "ball": _ball, "egg": _egg, "rod": _rod, "post": _post,
    "lying": _lying, "along": _along, "wheel": _wheel, "spokes": _spokes, "ring": _ring, "arch": _arch, "cone": _cone,
    "cup": _cup, "dome": _dome, "canopy": _canopy, "disc": _disc, "face": _face, "roof": _roof, "wedge": _wedge,
    "blade": _blade, "hull": _hull, "leaf": _leaf, "figure8": _figure8, "hook": _hook, "cord": _cord, "frame": _frame,
}  # fmt: skip


def thing(
    name: str,
    size: Range,
    *pieces: Piece,
    also: tuple[str, ...] = (),
    words: Mapping[str, tuple[str, ...]] | None = None,
    lies: bool = False,
) -> Family:
    """A category of this archetype; its parts are those of its pieces, in their order. lies: has no up of its own."""
    parts = tuple(dict.fromkeys(piece.part for piece in pieces))
    synonyms = {**(words or {}), **({name: also} if also else {})}
    return Family(name, parts, partial(build_body, pieces, parts), up_unknown=lies, synonyms=synonyms, size=size)
