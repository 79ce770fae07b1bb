# SPDX-License-Identifier: Apache-2.0
"""Hammers: claw, ball-peen, sledge, mallet and tack hammers, lying on their side."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    bezier,
    box,
    cylinder,
    ellipsoid,
    rotation,
    smooth,
    transform,
    tube,
)


def build(rng: np.random.Generator) -> MeshBuilder:
    """The shaft runs along x, the head along y at its far end, everything near the plane z = 0."""
    mesh = MeshBuilder(("handle", "head"))
    length, reach = 1.0, rng.uniform(0.28, 0.55)
    thick = rng.uniform(0.035, 0.085)
    _handle(mesh, rng, length, rng.uniform(0.02, 0.045))
    style = rng.choice(["claw", "ball", "sledge", "mallet", "tack"], p=[0.4, 0.15, 0.2, 0.15, 0.1])
    for solid in HEADS[style](rng, reach, thick):
        mesh.add("head", transform(solid, move=(length, 0, 0)))
    return mesh


def _handle(mesh: MeshBuilder, rng: np.random.Generator, length: float, radius: float) -> None:
    """A shaft whose radius swells towards the grip, straight or slightly bent, oval or square."""
    along = np.linspace(0, length, 28)
    swell = smooth(np.array([1, rng.uniform(0.8, 1.5), rng.uniform(0.8, 1.4), rng.uniform(0.6, 1), 0.8])[:, None], 28)
    bend = rng.normal(0, 0.02) * np.sin(np.pi * along / length)
    path = np.column_stack([along, bend, np.zeros(28)])
    mesh.add(
        "handle",
        tube(
            path,
            radius * swell[:, 0],
            16,
            aspect=rng.uniform(0.6, 1.4),
            squareness=rng.choice([2, 3, 5]),
            normal=(0, 0, 1),
        ),
    )
    if rng.random() < 0.35:
        grip = rng.uniform(0.25, 0.45) * length
        sleeve = [[0.0, 0, 0], [grip, 0, 0]]
        mesh.add("handle", tube(sleeve, radius * rng.uniform(1.2, 1.7), 16, aspect=1.0, squareness=rng.choice([2, 4])))


def _across(solid: Solid) -> Solid:
    """A solid along z laid along y."""
    return transform(solid, rotate=rotation((1, 0, 0), -np.pi / 2))


def _face(rng: np.random.Generator, reach: float, thick: float) -> list[Solid]:
    neck = transform(_across(cylinder(thick * rng.uniform(0.55, 0.9), reach * 0.35)), move=(0, reach * 0.25, 0))
    poll = transform(_across(cylinder(thick, reach * rng.uniform(0.12, 0.25))), move=(0, reach * 0.45, 0))
    eye = box((thick * rng.uniform(1.6, 2.4), reach * 0.3, thick * rng.uniform(1.5, 2.1)))
    return [eye, neck, poll]


def _claw(rng: np.random.Generator, reach: float, thick: float) -> list[Solid]:
    solids = _face(rng, reach, thick)
    drop = rng.uniform(0.0, 0.5) * reach
    end = rng.uniform(0.45, 0.7) * reach
    for side in (-1, 1):
        spread = side * thick * rng.uniform(0.4, 0.7)
        path = bezier([[0, -0.1 * reach, spread * 0.6], [0.02, -end * 0.7, spread], [-drop, -end, spread * 1.2]], 14)
        solids.append(
            tube(path, np.linspace(0.55, 0.2, 14) * thick, 12, aspect=rng.uniform(0.6, 1.0), normal=(0, 0, 1))
        )
    return solids


def _ball(rng: np.random.Generator, reach: float, thick: float) -> list[Solid]:
    size = thick * rng.uniform(0.7, 1.1)
    neck = transform(_across(cylinder(thick * 0.6, reach * 0.3)), move=(0, -reach * 0.25, 0))
    return [*_face(rng, reach, thick), neck, transform(ellipsoid((size,) * 3, 20, 10), move=(0, -reach * 0.42, 0))]


def _sledge(rng: np.random.Generator, reach: float, thick: float) -> list[Solid]:
    thick *= rng.uniform(1.2, 2.0)
    if rng.random() < 0.5:
        return [box((thick * 2, reach, thick * 2))]
    return [_across(cylinder(thick, reach, 8 if rng.random() < 0.5 else 24))]


def _mallet(rng: np.random.Generator, reach: float, thick: float) -> list[Solid]:
    radius = thick * rng.uniform(1.6, 2.6)
    return [_across(cylinder(radius, reach * rng.uniform(0.8, 1.3), 28, radius * rng.uniform(0.85, 1.15)))]


def _tack(rng: np.random.Generator, reach: float, thick: float) -> list[Solid]:
    thick *= 0.7
    path = [[0, reach * 0.5, 0], [0, 0.1 * reach, 0], [0, -0.2 * reach, 0], [-0.03, -reach * 0.5, 0]]
    return [tube(path, np.array([0.9, 1.1, 0.9, 0.25]) * thick, 12, squareness=4, normal=(0, 0, 1))]


HEADS = {"claw": _claw, "ball": _ball, "sledge": _sledge, "mallet": _mallet, "tack": _tack}

FAMILY = Family(
    "hammer",
    ("handle", "head"),
    build,
    up_unknown=True,
    synonyms={"hammer": ("mallet", "sledgehammer"), "handle": ("grip", "shaft"), "head": ("hammer head", "hammerhead")},
    size=(0.2, 0.4),
)
