# SPDX-License-Identifier: Apache-2.0
"""Knives: kitchen, table, bread, cleaver, dagger and paring knives, lying flat."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    cylinder,
    loft,
    smooth,
    transform,
    tube,
)


def build(rng: np.random.Generator) -> MeshBuilder:
    """The handle runs from x < 0, the blade to x > 0; the knife lies on the plane z = 0."""
    mesh = MeshBuilder(("handle", "blade"))
    reach = rng.uniform(0.9, 2.4)
    style = rng.choice(["chef", "table", "straight", "cleaver", "dagger"], p=[0.35, 0.2, 0.2, 0.12, 0.13])
    width = rng.uniform(0.07, 0.16) * {"cleaver": 2.6, "chef": 1.5}.get(style, 1.0) * (0.6 + 0.4 * reach)
    thick = rng.uniform(0.015, 0.035)
    _handle(mesh, rng, rng.uniform(0.09, 0.15), style)
    mesh.add("blade", _blade(rng, style, reach, width, thick))
    return mesh


def _blade(rng: np.random.Generator, style: str, reach: float, width: float, thick: float) -> Solid:
    """Sections along x between a back line and an edge line; the edge side is thinner."""
    x = np.linspace(0, 1, 24)
    tip = rng.uniform(1.5, 5)
    fall = (1 - x**tip) ** rng.uniform(0.5, 1.0)
    back = 0.5 * width * np.ones_like(x)
    edge = -0.5 * width * np.ones_like(x)
    if style == "chef":
        edge = back - width * fall.clip(0.02)
    elif style == "table":
        round_end = np.sqrt(np.clip(1 - np.clip((x - 0.85) / 0.15, 0, 1) ** 2, 0.02, 1))
        back, edge = back * round_end, edge * round_end * smooth(np.array([0.6, 1.0, 1.1, 1.0])[:, None], 24)[:, 0]
    elif style == "straight":
        back = edge + width * fall.clip(0.03)
    elif style == "dagger":
        back, edge = back * fall.clip(0.03), edge * fall.clip(0.03)
    curve = rng.normal(0, 0.08) * reach * x**2
    rings = []
    for at, high, low, lift in zip(x * reach, back, edge, curve, strict=True):
        middle = 0.4 * low + 0.6 * high
        section = np.array([[low, 0], [middle, -thick], [high, -thick], [high, thick], [middle, thick]])
        rings.append(np.column_stack([np.full(5, at), section[:, 0] + lift, section[:, 1]]))
    return loft(np.stack(rings))


def _handle(mesh: MeshBuilder, rng: np.random.Generator, radius: float, style: str) -> None:
    length = rng.uniform(0.75, 1.3)
    swell = smooth(rng.uniform(0.65, 1.25, 6)[:, None], 26)[:, 0]
    swell[:2] *= [0.5, 0.85]
    sag = rng.normal(0, 0.06) * np.linspace(1, 0, 26) ** 2
    path = np.column_stack([np.linspace(-length, 0.02, 26), sag, np.zeros(26)])
    flatness = rng.uniform(0.35, 0.9) if style != "table" else rng.uniform(0.2, 0.5)
    mesh.add(
        "handle", tube(path, radius * swell, 16, aspect=flatness, squareness=rng.choice([2, 2.5, 4]), normal=(0, 0, 1))
    )
    if rng.random() < 0.4:
        mesh.add("handle", transform(box((0.07, radius * rng.uniform(1.8, 3.2), radius * 1.2)), move=(0.0, 0, 0)))
    if rng.random() < 0.3:
        for at in (-0.25, -0.5, -0.75):
            mesh.add("handle", transform(cylinder(0.02, radius * 2 * flatness * 1.15, 12), move=(at * length, 0, 0)))


FAMILY = Family(
    "knife",
    ("handle", "blade"),
    build,
    up_unknown=True,
    synonyms={"knife": ("dagger", "cleaver"), "handle": ("grip", "hilt"), "blade": ("knife blade",)},
    size=(0.15, 0.4),
)
