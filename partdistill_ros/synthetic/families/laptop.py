# SPDX-License-Identifier: Apache-2.0
"""Laptops: a keyboard half on the table and a screen half at any opening angle."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    cylinder,
    extrude,
    rotation,
    transform,
)
from partdistill_ros.synthetic.drawing.vessel import Array

PARTS = ("screen", "keyboard")


def build(rng: np.random.Generator) -> MeshBuilder:
    """One laptop about 1 wide (y), its hinge along y at x = 0 and its keyboard toward +x."""
    deep = rng.uniform(0.55, 0.85)
    thick = rng.choice([rng.uniform(0.015, 0.04), rng.uniform(0.04, 0.2)], p=[0.6, 0.4])
    mesh = MeshBuilder(PARTS)
    _lower(rng, mesh, deep, thick)
    angle = np.deg2rad(
        rng.choice([rng.uniform(80, 135), rng.uniform(1, 80), rng.uniform(135, 181)], p=[0.65, 0.2, 0.15])
    )
    lid = min(thick, rng.uniform(0.012, 0.08))
    tall = deep * rng.uniform(0.88, 1.05)
    wide = rng.uniform(0.94, 1.03)
    hinge = np.array([rng.uniform(-0.01, 0.04), 0, thick * rng.uniform(0.5, 1.0)])
    turn = rotation((0, 1, 0), -angle)
    for solid in _upper(rng, tall, wide, lid):
        mesh.add("screen", transform(solid, rotate=turn, move=hinge))
    _hinges(rng, mesh, hinge, lid)
    _feet_and_ports(rng, mesh, deep, thick)
    return mesh


def _board(rng: np.random.Generator, deep: float, wide: float, thick: float, corner: float) -> Solid:
    """A flat box from x = 0 to `deep`, z = 0 to `thick`, with rounded corners and softened edges."""
    quarter = np.linspace(0, np.pi / 2, 6)
    corners = []
    for k, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angle = quarter + k * np.pi / 2
        center = np.array([sx * (deep / 2 - corner), sy * (wide / 2 - corner)])
        corners.append(center + corner * np.column_stack([np.cos(angle), np.sin(angle)]))
    outline: Array = np.concatenate(corners)
    vertices, faces = extrude(outline, thick)
    if rng.random() < 0.5:
        low = vertices[:, 2] < 0
        vertices[low, :2] *= rng.uniform(0.93, 1.0)
    return vertices + [deep / 2, 0, thick / 2], faces


def _lower(rng: np.random.Generator, mesh: MeshBuilder, deep: float, thick: float) -> None:
    vertices, faces = _board(rng, deep, 1.0, thick, rng.uniform(0.003, 0.06))
    wedge = rng.uniform(0, 0.6) * (rng.random() < 0.4)
    top = vertices[:, 2] > thick / 2
    slope = wedge * thick / deep
    vertices[top, 2] -= slope * vertices[top, 0]
    mesh.add("keyboard", (vertices, faces))
    level = thick - slope * deep * 0.4
    relief = rng.uniform(0.003, 0.012)
    if rng.random() < 0.55:
        _keys(rng, mesh, deep, level, relief)
    elif rng.random() < 0.5:
        mesh.add("keyboard", box((deep * 0.42, 0.86, relief), (deep * 0.36, 0, level + relief / 2 - 0.002)))
    if rng.random() < 0.5:
        pad = (deep * rng.uniform(0.2, 0.32), rng.uniform(0.2, 0.4), 0.004)
        mesh.add("keyboard", box(pad, (deep * 0.8, rng.normal(0, 0.04), thick - slope * deep * 0.8 + 0.001)))


def _keys(rng: np.random.Generator, mesh: MeshBuilder, deep: float, level: float, relief: float) -> None:
    """Rows of keys."""
    rows, columns = rng.integers(4, 7), rng.integers(9, 16)
    near, far, half = deep * rng.uniform(0.1, 0.18), deep * rng.uniform(0.5, 0.62), rng.uniform(0.36, 0.46)
    pitch_x, pitch_y = (far - near) / rows, 2 * half / columns
    for row in range(rows):
        for column in range(columns):
            at = (near + (row + 0.5) * pitch_x, -half + (column + 0.5) * pitch_y, level + relief / 2 - 0.002)
            mesh.add("keyboard", box((pitch_x * 0.82, pitch_y * 0.82, relief), at))


def _upper(rng: np.random.Generator, tall: float, wide: float, thick: float) -> list[Solid]:
    """The lid as it lies closed on the keyboard: from x = 0 to `tall`, its display toward -z."""
    solids = [transform(_board(rng, tall, wide, thick, rng.uniform(0.003, 0.06)), move=(0.005, 0, 0))]
    frame = rng.uniform(0.015, 0.08)
    if rng.random() < 0.5:
        lift = rng.uniform(0.002, 0.008)
        for y in (-1, 1):
            solids.append(box((tall * 0.96, frame, lift), (tall / 2, y * (wide / 2 - frame * 0.6), -lift / 2)))
        for x in (frame * 0.8, tall - frame * 0.6):
            solids.append(box((frame, wide * 0.94, lift), (x, 0, -lift / 2)))
    return solids


def _hinges(rng: np.random.Generator, mesh: MeshBuilder, hinge: Array, thick: float) -> None:
    """One long or two short barrels; they belong to the keyboard half."""
    if rng.random() < 0.35:
        return
    radius = max(thick * rng.uniform(0.4, 0.8), 0.008)
    spans = (
        [(0.0, rng.uniform(0.5, 0.9))] if rng.random() < 0.4 else [(s * rng.uniform(0.25, 0.4), 0.12) for s in (-1, 1)]
    )
    for y, length in spans:
        barrel = transform(cylinder(radius, length, 14), rotate=rotation((1, 0, 0), np.pi / 2), move=hinge + [0, y, 0])
        mesh.add("keyboard", barrel)


def _feet_and_ports(rng: np.random.Generator, mesh: MeshBuilder, deep: float, thick: float) -> None:
    """Feet under the corners, and what stands out of the edges: plugs, a drive, a battery behind the hinge."""
    if rng.random() < 0.4:
        high = rng.uniform(0.005, 0.04)
        for x in (0.1, 0.9):
            for y in (-0.42, 0.42):
                mesh.add("keyboard", transform(cylinder(0.03, high, 12), move=(deep * x, y, -high / 2)))
    for _ in range(int(rng.integers(0, 4))):
        long, wide = rng.uniform(0.01, 0.1), rng.uniform(0.02, 0.12)
        side, at = rng.choice([-1, 1]), rng.uniform(0.1, 0.9) * deep
        mesh.add("keyboard", box((wide, long, thick * 0.6), (at, side * (0.5 + long / 2 - 0.005), thick * 0.45)))
    if rng.random() < 0.2:
        size = (rng.uniform(0.04, 0.15), rng.uniform(0.4, 0.8), thick * rng.uniform(0.6, 1.0))
        mesh.add("keyboard", box(size, (-size[0] / 2, 0, size[2] / 2)))


FAMILY = Family(
    name="laptop",
    parts=PARTS,
    build=build,
    synonyms={
        "laptop": ("notebook", "notebook computer", "computer"),
        "screen": ("display", "monitor", "lid"),
        "keyboard": ("base", "keys", "body"),
    },
    size=(0.25, 0.45),
)
