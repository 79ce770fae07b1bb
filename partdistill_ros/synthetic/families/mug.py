# SPDX-License-Identifier: Apache-2.0
"""Mugs and cups: a hollow body of many profiles with a handle of many shapes."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, smooth, transform
from partdistill_ros.synthetic.drawing.vessel import (
    Array,
    cavity,
    lip,
    loop_handle,
    pick,
    radius_at,
    round_foot,
    round_section,
    skin,
    stack,
)

PARTS = ("handle", "cup")


def build(rng: np.random.Generator) -> MeshBuilder:
    """One mug of rim radius about 1, its handle toward +x."""
    style = pick(rng, {"mug": 10, "teacup": 1.5, "stein": 1.5, "enamel": 1, "beaker": 0.4})
    profile = _profile(rng, style)
    section = round_section(rng, 48, odd=0.1 if style == "teacup" else 0.25)
    wall = rng.uniform(0.02, 0.05) if style in ("enamel", "teacup") else rng.uniform(0.035, 0.16)
    mesh = MeshBuilder(PARTS)
    for shell in _body(rng, profile, wall, style):
        mesh.add("cup", skin(shell, section))
    if style != "beaker":
        handle = _handle(rng, profile, wall, style)
        mesh.add("handle", handle)
        if style == "mug" and rng.random() < 0.015:
            mesh.add("handle", transform(handle, scale=(-1, 1, 1)))
    return mesh


def _profile(rng: np.random.Generator, style: str) -> Array:
    """Outer wall from the foot to the rim, heights ascending from 0."""
    height = {
        "mug": rng.uniform(1.6, 2.9),
        "teacup": rng.uniform(0.9, 1.7),
        "stein": rng.uniform(2.4, 4.2),
        "enamel": rng.uniform(1.5, 2.1),
        "beaker": rng.uniform(2.0, 3.2),
    }[style]
    if style == "mug" and rng.random() < 0.1:
        height = rng.uniform(1.2, 4.2)
    kinds = {"straight": 5, "taper": 4, "barrel": 2.5, "waist": 2, "bowl": 2, "tulip": 1.5, "step": 1, "free": 1}
    if style == "teacup":
        kinds = {"bowl": 5, "tulip": 3, "taper": 2}
    elif style == "enamel":
        kinds = {"straight": 3, "taper": 2}
    radii = np.array(_radii(rng, pick(rng, kinds)))
    curve = smooth(np.column_stack([radii, np.linspace(0, height, len(radii))]), 22)
    return curve


def _radii(rng: np.random.Generator, kind: str) -> list[float]:
    """Control radii at equal heights, foot to rim; the widest is about 1."""
    side = rng.uniform(0.6, 0.97)
    if kind == "taper":
        return [side, 1.0] if rng.random() < 0.7 else [1.0, max(side, 0.7)]
    if kind == "barrel":
        return [side, 0.5 + side / 2 + 0.02, 1.0, 0.5 + side / 2 + 0.02, min(1, side * rng.uniform(0.9, 1.15))]
    if kind == "waist":
        return [rng.uniform(0.8, 1.05), max(side, 0.75), rng.uniform(0.9, 1.1)]
    if kind == "bowl":
        return [rng.uniform(0.4, 0.65), rng.uniform(0.75, 0.92), rng.uniform(0.93, 1.02), 1.0, rng.uniform(0.9, 1.05)]
    if kind == "tulip":
        return [rng.uniform(0.55, 0.85), 0.95, rng.uniform(0.85, 0.95), rng.uniform(0.8, 0.95), rng.uniform(0.95, 1.15)]
    if kind == "step":
        low, high = (side, 1.0) if rng.random() < 0.5 else (1.0, side)
        return [low, low, low, high, high, high] if rng.random() < 0.5 else [low, low, high, high, high, high]
    if kind == "free":
        return list(rng.uniform(0.65, 1.05, 5))
    return [1.0, 1.0]


def _body(rng: np.random.Generator, profile: Array, wall: float, style: str) -> list[Array]:
    """Profiles whose skins make the cup: foot, outer wall, rim, inside, and what decorates them."""
    height = profile[-1, 1]
    shells = []
    outer = round_foot(profile, rng.uniform(0.02, 0.35))
    if rng.random() < (0.7 if style == "teacup" else 0.25):
        foot_r, foot_h = profile[0, 0] * rng.uniform(0.6, 0.98), rng.uniform(0.04, 0.14)
        outer[0, 1] = profile[0, 1]
        outer = stack([[(0, -foot_h * 0.4), (foot_r * 0.85, -foot_h * 0.4), (foot_r * 0.88, -foot_h)],
                       [(foot_r, -foot_h), (foot_r * 0.97, 0.01)], outer[outer[:, 0] > foot_r]])  # fmt: skip
    flat_rim = rng.random() < 0.2
    filled = rng.random() < 0.06
    if filled:
        level = height - rng.uniform(0.0, 0.35) * (rng.random() < 0.6) * height
        inner_r = float(radius_at(profile, level)) - wall
        inside = stack([(max(inner_r, 0.1), level), (0, level)])
        if level > height - 1e-6:
            inside = stack([(0, height)])
        else:
            inside = stack([(profile[-1, 0] - wall, height), inside])
    else:
        inside = cavity(profile, wall, rng.uniform(0.05, 0.3))
    rim = lip(profile, wall, 0.0 if flat_rim else rng.uniform(0.3, 1.2))
    if rng.random() < 0.15 or style == "enamel":
        bead = rng.uniform(0.02, 0.07)
        angle = np.linspace(-1.2, 2.6, 7)
        rim = np.column_stack([profile[-1, 0] + bead * np.cos(angle), height + bead * np.sin(angle)])
        rim[:, 0] -= wall * 0.3
    shells.append(stack([outer, rim, inside]))
    if rng.random() < (0.6 if style == "stein" else 0.1):
        for z in rng.uniform(0.05, 0.95, rng.integers(1, 5)) * height:
            band, half = rng.uniform(0.015, 0.05), rng.uniform(0.02, 0.09)
            z = float(np.clip(z, half, height - half))
            low, high = float(radius_at(profile, z - half)), float(radius_at(profile, z + half))
            shells.append(
                stack([(low, z - half), (low + band, z - half * 0.7), (high + band, z + half * 0.7), (high, z + half)])
            )
    return shells


def _handle(rng: np.random.Generator, profile: Array, wall: float, style: str) -> Solid:
    """One or more fingers wide, near the rim or low, from wire-thin to a broad strap."""
    height = profile[-1, 1]
    big = rng.random() < 0.4 or style == "stein"
    span = rng.uniform(0.6, 0.9) if big else rng.uniform(0.38, 0.8)
    middle = rng.uniform(max(0.36, span / 2 + 0.02), max(0.37, min(0.68, 1.02 - span / 2)))
    top, bottom = min(middle + span / 2, 0.985) * height, max(middle - span / 2, 0.04) * height
    length = top - bottom
    reach = length * rng.uniform(0.38, 0.62) if big else length * rng.uniform(0.3, 0.75)
    reach = float(np.clip(reach, 0.3, 1.25))
    thickness = rng.choice(
        [rng.uniform(0.05, 0.09), rng.uniform(0.08, 0.15), rng.uniform(0.13, 0.22)], p=[0.25, 0.5, 0.25]
    )
    thickness = min(thickness, reach * 0.33, length * 0.16)
    width = rng.choice(
        [1.0, rng.uniform(1.2, 2.6), rng.uniform(2, 4.5), rng.uniform(0.5, 0.9)], p=[0.35, 0.4, 0.15, 0.1]
    )
    width = min(width, 0.42 / thickness)
    embed = min(wall * 0.9, 0.02 + (thickness * width) ** 2 / 2)
    top = min(top, height - thickness * rng.uniform(0.3, 1.0))
    kinds = {"arc": 6, "bent": 2, "curl": 1.2, "free": 1}
    return loop_handle(rng, profile, top, bottom, reach, thickness, embed=embed, kinds=kinds, width=width)


FAMILY = Family(
    name="mug",
    parts=PARTS,
    build=build,
    synonyms={
        "mug": ("coffee mug", "coffee cup", "teacup", "beer mug", "tankard"),
        "handle": ("grip", "ear", "holder"),
        "cup": ("body", "container", "vessel", "bowl"),
    },
    size=(0.07, 0.17),
)
