# SPDX-License-Identifier: Apache-2.0
"""Eyeglasses: round, square, aviator and half-rim glasses and sunglasses, temples open or folded."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    bezier,
    box,
    circle,
    extrude,
    rotation,
    transform,
    tube,
)


def build(rng: np.random.Generator) -> MeshBuilder:
    """Lenses in the plane y = 0, temples toward +y, worn upright (+z)."""
    mesh = MeshBuilder(("lens", "frame", "temple"))
    wide, high = rng.uniform(0.42, 0.6), rng.uniform(0.26, 0.5)
    gap = rng.uniform(0.1, 0.28)
    wire = rng.uniform(0.012, 0.04)
    square = rng.choice([2.0, 2.5, 4.0, 8.0])
    outline = circle(1.0, 40, square) * [wide / 2, high / 2]
    sag = rng.uniform(0, 0.35) if rng.random() < 0.4 else 0.0
    outline[:, 0] *= 1 - sag * (outline[:, 1] < 0) * -outline[:, 1] / (high / 2)
    wrap = rng.uniform(0, 0.25)
    rimless, half = rng.random() < 0.12, rng.random() < 0.15
    for side in (-1, 1):
        turn, place = rotation((0, 0, 1), -side * wrap), np.array([side * (wide + gap) / 2, wrap * 0.15, 0])
        lens = transform(extrude(outline, rng.uniform(0.008, 0.02)), rotate=rotation((1, 0, 0), np.pi / 2))
        mesh.add("lens", transform(lens, rotate=turn, move=place))
        if not rimless:
            rim = np.column_stack([outline[:, 0], np.zeros(40), outline[:, 1]]) * (1 + wire)
            rim = (rim[:21] if half else rim) @ turn.T + place
            mesh.add("frame", tube(rim, wire, 10, aspect=rng.uniform(0.8, 2.0), closed=not half))
    _bridge(mesh, rng, gap, high, max(wire, 0.015))
    _temples(mesh, rng, wide + gap / 2, high, wire)
    return mesh


def _bridge(mesh: MeshBuilder, rng: np.random.Generator, gap: float, high: float, wire: float) -> None:
    level = rng.uniform(0.0, 0.45) * high
    arch = rng.uniform(0, 0.1)
    path = bezier([[-gap / 2 - 0.03, 0, level], [0, -0.04, level + arch], [gap / 2 + 0.03, 0, level]], 12)
    mesh.add("frame", tube(path, wire * rng.uniform(0.8, 1.3), 10))
    if rng.random() < 0.25:
        top = [[-gap / 2 - 0.1, 0, high * 0.45], [gap / 2 + 0.1, 0, high * 0.45]]
        mesh.add("frame", tube(top, wire, 10))


def _temples(mesh: MeshBuilder, rng: np.random.Generator, half: float, high: float, wire: float) -> None:
    """Two arms from the hinges back, bent down behind the ear; at times folded behind the lenses."""
    length, level = rng.uniform(1.1, 1.5), rng.uniform(0.1, 0.42) * high
    drop, splay = rng.uniform(0.1, 0.35), rng.uniform(-0.12, 0.08)
    folded = rng.random() < 0.25
    radius = wire * rng.uniform(0.7, 1.5)
    for side in (-1, 1):
        hinge = box((0.05, 0.06, max(2.5 * wire, 0.04)), (side * (half + 0.01), 0.03, level))
        mesh.add("frame", hinge)
        straight = [[0, 0.0, 0], [0, length * 0.4, 0], [0, length * 0.75, 0], [0, length, -drop]]
        path = bezier(straight, 24)
        angle = side * (splay + (1.45 if folded else 0.0))
        solid = tube(path, radius, 10, aspect=rng.uniform(1.0, 3.0), normal=(0, 0, 1))
        move = (side * (half + 0.02), 0.05 + (0.04 * (side > 0) if folded else 0), level)
        mesh.add("temple", transform(solid, rotate=rotation((0, 0, 1), angle), move=move))


FAMILY = Family(
    "eyeglasses",
    ("lens", "frame", "temple"),
    build,
    synonyms={
        "eyeglasses": ("glasses", "sunglasses", "spectacles"),
        "lens": ("glass", "lenses"),
        "frame": ("rim", "bridge"),
        "temple": ("arm", "earpiece", "temples"),
    },
    size=(0.13, 0.18),
)
