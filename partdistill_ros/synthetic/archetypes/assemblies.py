# SPDX-License-Identifier: Apache-2.0
"""Random assemblies: solids stuck on one another, each labeled by its form, so that no label hangs on a category."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Floats, Piece, assemble, bar, slab
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    circle,
    cylinder,
    ellipsoid,
    transform,
    tube,
)

PARTS = ("block", "ball", "rod", "plate", "cone", "ring")
STUCK = 0.12  # of an attachment's size that is sunk into what it stands on


def build(rng: np.random.Generator) -> MeshBuilder:
    """A block, ball or plate of size about 1 with one to five solids on it or on one another."""
    kind = str(rng.choice(["block", "ball", "plate"]))
    pieces: list[Piece] = [(kind, transform(SOLIDS[kind](rng), move=(0, 0, -0.5)))]
    for _ in range(int(rng.integers(1, 6))):
        kind = str(rng.choice(PARTS))
        _, support = pieces[int(rng.integers(len(pieces)))]
        point, normal = _surface_point(rng, support)
        size = rng.uniform(0.25, 0.9)
        attached = transform(SOLIDS[kind](rng), scale=size, rotate=_upright_on(rng, normal))
        pieces.append((kind, transform(attached, move=point - STUCK * size * normal)))
    return assemble(PARTS, pieces)


def _block(rng: np.random.Generator) -> Solid:
    return box(rng.uniform(0.4, 1.0, 3) * [1, 1, 0] + [0, 0, 1], (0, 0, 0.5))


def _ball(rng: np.random.Generator) -> Solid:
    return transform(ellipsoid((*rng.uniform(0.3, 0.55, 2), 0.5), 20, 14), move=(0, 0, 0.5))


def _rod(rng: np.random.Generator) -> Solid:
    radius = rng.uniform(0.05, 0.14)
    return bar((0, 0, 0), (0, 0, 1), (radius, radius * rng.uniform(0.6, 1.3)), squareness=rng.choice([2.0, 6.0]))


def _plate(rng: np.random.Generator) -> Solid:
    outline = circle(0.5, 32, rng.choice([2.0, 3.0, 8.0])) * [1, rng.uniform(0.4, 1)]
    lying = slab(outline, rng.uniform(0.05, 0.12))
    if rng.random() < 0.5:
        return transform(lying, move=(0, 0, 0.06))
    vertices, faces = lying
    return vertices[:, [2, 1, 0]] + [0, 0, 0.5], faces[:, ::-1]  # on its edge


def _cone(rng: np.random.Generator) -> Solid:
    wide, narrow = rng.uniform(0.2, 0.45), rng.uniform(0.02, 0.15)
    low, high = (wide, narrow) if rng.random() < 0.6 else (narrow, wide)
    return transform(cylinder(low, 1, 24, radius_top=high), move=(0, 0, 0.5))


def _ring(rng: np.random.Generator) -> Solid:
    angle, thick = np.linspace(0, 2 * np.pi, 32, endpoint=False), rng.uniform(0.05, 0.12)
    radius = 0.5 - thick
    path = np.column_stack([radius * np.cos(angle) * rng.uniform(0.6, 1), np.zeros(32), radius * np.sin(angle) + 0.5])
    return tube(path, thick, 12, closed=True, normal=(0, 1, 0))


SOLIDS: dict[str, Callable[[np.random.Generator], Solid]] = {
    "block": _block,
    "ball": _ball,
    "rod": _rod,
    "plate": _plate,
    "cone": _cone,
    "ring": _ring,
}
"""Each stands on the plane z = 0 and is about 1 high."""


def _surface_point(rng: np.random.Generator, solid: Solid) -> tuple[Floats, Floats]:
    """A point `[3]` and the outward normal `[3]` there, drawn by area."""
    vertices, faces = solid
    corners = vertices[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    face = int(rng.choice(len(faces), p=area / area.sum()))
    return rng.dirichlet((1, 1, 1)) @ corners[face], cross[face] / area[face]


def _upright_on(rng: np.random.Generator, normal: Floats) -> Floats:
    """A rotation `[3, 3]` that takes +z to about `normal`, with any spin."""
    up = normal + rng.normal(0, 0.12, 3)
    up /= np.linalg.norm(up)
    side = np.cross(up, rng.normal(size=3))
    side /= np.linalg.norm(side)
    return np.column_stack([side, np.cross(up, side), up])


CATEGORIES = (
    Family(
        "assembly",
        PARTS,
        build,
        up_unknown=True,
        synonyms={
            "assembly": ("thing", "object", "construction"),
            "block": ("box", "cuboid"),
            "ball": ("sphere", "ellipsoid"),
            "rod": ("bar", "stick", "pole"),
            "plate": ("disc", "sheet", "panel"),
            "cone": ("funnel", "taper"),
            "ring": ("hoop", "torus", "loop"),
        },
        size=(0.05, 1.0),
    ),
)
