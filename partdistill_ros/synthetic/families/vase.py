# SPDX-License-Identifier: Apache-2.0
"""Vases and jars: amphorae, bud vases, urns, bowls on a foot, trumpets and plain cylinders."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, rotation, smooth, transform
from partdistill_ros.synthetic.drawing.vessel import (
    Array,
    between,
    cavity,
    lip,
    loop_handle,
    round_section,
    skin,
    stack,
)

PARTS = ("body", "neck", "handle", "foot")


def build(rng: np.random.Generator) -> MeshBuilder:
    """One vase with a belly of radius about 1; neck, handles and foot may be missing."""
    has_neck, has_foot = rng.random() < 0.72, rng.random() < 0.45
    body = _body(rng, has_neck)
    profile = body
    waist = 0.0
    if has_foot:
        foot = _foot(rng, body[0, 0])
        waist = foot[-1, 1]
        profile = stack([foot, body[1:] + [0, waist]])
    collar = profile[-1, 1]
    if has_neck:
        profile = stack([profile, _neck(rng, profile[-1])])
    section = round_section(rng, 48, odd=0.2)
    mesh = MeshBuilder(PARTS)
    _walls(rng, mesh, profile, section, waist, collar)
    if rng.random() < (0.4 if has_neck else 0.2):
        _handles(rng, mesh, profile, waist, collar)
    return mesh


def _body(rng: np.random.Generator, has_neck: bool) -> Array:
    """The belly, heights ascending from 0."""
    height = rng.uniform(1.2, 4.0)
    low = rng.uniform(0.3, 0.85)
    if has_neck:
        kinds = [
            [low, 0.85, 1.0, 0.85],
            [low, rng.uniform(0.6, 0.8), 1.0, 0.9],
            [max(low, 0.6), 1.0, 0.85, 0.65],
            [rng.uniform(0.6, 0.9), 0.97, 1.0, 0.97],
        ]
        radii = kinds[rng.integers(len(kinds))] + [rng.uniform(0.25, 0.6)]
    else:
        kinds = [
            [rng.uniform(0.7, 1.0), rng.uniform(0.8, 1.0), 1.0],
            [low, rng.uniform(0.5, 0.8), 1.0],
            [low, 0.9, 1.0, rng.uniform(0.75, 0.95)],
            [rng.uniform(0.6, 0.9), 1.0, rng.uniform(0.7, 0.9), 1.0],
            [low, rng.uniform(0.25, 0.5), rng.uniform(0.5, 0.8), 1.0],
            list(rng.uniform(0.5, 1.0, 5)),
        ]
        radii = kinds[rng.integers(len(kinds))]
    return smooth(np.column_stack([radii, np.linspace(0, height, len(radii))]), 24)


def _foot(rng: np.random.Generator, join: float) -> Array:
    """A pedestal from the ground to the narrow place under the belly."""
    wide = join * rng.uniform(1.05, 1.8)
    tall = rng.choice([rng.uniform(0.12, 0.3), rng.uniform(0.3, 0.9)])
    waist = join * rng.uniform(0.55, 1.0)
    edge = rng.uniform(0.05, 0.35) * tall
    curve = smooth([(wide, edge), (waist * 1.05, tall * 0.6), (waist, tall)], 8)
    return stack([(wide * rng.uniform(0.9, 1.0), 0.0), curve])


def _neck(rng: np.random.Generator, collar: Array) -> Array:
    """From the shoulder up to a rim that is straight, flared or rolled in."""
    r, z = collar
    tall = rng.choice([rng.uniform(0.15, 0.5), rng.uniform(0.5, 1.6), rng.uniform(1.5, 3.0)], p=[0.35, 0.45, 0.2])
    thin = r * rng.uniform(0.75, 1.0)
    rim = thin * rng.choice([rng.uniform(0.9, 1.1), rng.uniform(1.1, 2.0)])
    middle = thin * rng.uniform(0.95, 1.15)
    curve = smooth([(r, z), (thin, z + 0.35 * tall), (middle, z + 0.7 * tall), (rim, z + tall)], 14)
    return curve[1:]


def _walls(
    rng: np.random.Generator, mesh: MeshBuilder, profile: Array, section: Array, waist: float, collar: float
) -> None:
    """Outside and inside skins, cut at the waist (top of the foot) and the collar (base of the neck)."""
    top = profile[-1, 1]
    belly_low = max(waist, 0.0)
    body = between(profile, belly_low, collar)
    ground = [(0.0, 0.0)]
    if waist > 0:
        mesh.add("foot", skin(stack([ground, between(profile, 0, waist)]), section))
    else:
        body = stack([ground, body])
    wall = rng.uniform(0.03, 0.1) * min(1.0, 2.5 * float(profile[:, 0].min()))
    inside = cavity(profile, wall, waist + rng.uniform(0.05, 0.2), count=26)
    rim = lip(profile, wall, rng.uniform(0, 1.2))
    if rng.random() < 0.06:
        inside = np.array([(profile[-1, 0] - wall, top), (0, top)])
    if collar >= top - 1e-9:
        mesh.add("body", skin(stack([body, rim, inside]), section))
        return
    mesh.add("body", skin(body, section))
    deep = inside[:, 1] < collar
    mesh.add("neck", skin(stack([between(profile, collar, top), rim, inside[~deep]]), section))
    if deep.any():
        mesh.add("body", skin(stack([inside[~deep][-1:], inside[deep]]), section))


def _handles(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, waist: float, collar: float) -> None:
    """One handle (a jug) or two alike on both sides, low on the belly or up to the neck."""
    top_z = profile[-1, 1]
    if collar < top_z - 0.3 and rng.random() < 0.65:
        top = collar + (top_z - collar) * rng.uniform(0.3, 0.95)
        bottom = waist + (collar - waist) * rng.uniform(0.5, 0.85)
    else:
        top = waist + (collar - waist) * rng.uniform(0.75, 0.95)
        bottom = top - (collar - waist) * rng.uniform(0.25, 0.5)
    span = top - bottom
    reach = float(np.clip(span * rng.uniform(0.3, 0.7), 0.2, 1.0))
    thickness = min(rng.uniform(0.05, 0.14), 0.16 * span)
    solid = loop_handle(
        rng,
        profile,
        top,
        bottom,
        reach,
        thickness,
        embed=0.03,
        kinds={"arc": 5, "bent": 1, "curl": 1.5, "free": 1},
        width=float(rng.choice([1.0, rng.uniform(1.2, 2.5)])),
    )
    count = int(rng.choice([1, 2, 2, 2, 3, 4], p=[0.3, 0.2, 0.2, 0.2, 0.05, 0.05]))
    for k in range(count):
        mesh.add("handle", transform(solid, rotate=rotation((0, 0, 1), 2 * np.pi * k / count)))


FAMILY = Family(
    name="vase",
    parts=PARTS,
    build=build,
    synonyms={
        "vase": ("urn", "amphora", "jug", "flower vase", "pitcher"),
        "body": ("belly", "container"),
        "neck": ("throat",),
        "handle": ("grip", "ear"),
        "foot": ("base", "pedestal"),
    },
    size=(0.12, 0.5),
)
