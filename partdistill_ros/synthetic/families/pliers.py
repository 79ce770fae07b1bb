# SPDX-License-Identifier: Apache-2.0
"""Pliers, cutters, pincers and nippers lying flat with the jaws towards +x, from closed to wide open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import (
    Floats,
    Piece,
    assemble,
    chance,
    cut,
    pick,
    slab,
    up_by,
    weathered,
    without,
)
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    circle,
    cylinder,
    loft,
    rotation,
    smooth,
    transform,
)

PARTS = ("handle", "jaw", "joint")
STEPS = 73
SEGMENTS = 14
# The path has five knots ahead of the pivot and five behind it.
ROW_OF_PIVOT = 36


def ribbon(path: Floats, half: Floats, thick: Floats, squareness: float) -> Solid:
    """Sweep along `path [K, 2]` in the plane z = 0 with half widths `half [K]` and half heights `thick [K]`."""
    along = np.gradient(path, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-12)
    left = np.column_stack([-along[:, 1], along[:, 0]])
    section = circle(1.0, SEGMENTS, squareness)
    across = path[:, None] + half[:, None, None] * section[None, :, :1] * left[:, None]
    height = thick[:, None] * section[None, :, 1]
    return loft(np.concatenate([across, height[..., None]], -1))


def jaw_shape(rng: np.random.Generator) -> tuple[float, Floats, Floats]:
    """Length of a jaw, and from the pivot to the tip six half widths and how far its inner edge stands off."""
    kind = pick(rng, {"combination": 4, "needle": 4, "flat": 2, "cutter": 3, "pincer": 2, "hook": 1})
    width, tip = rng.uniform(0.05, 0.11), rng.uniform(0, 1)
    length, widths, stand_off = {
        "combination": ((0.28, 0.55), [1.1, 1.2, 1.15, 1.0, 0.8, 0.4 + 0.3 * tip], [0, 0, 0.1, 0.1, 0, 0]),
        "needle": ((0.45, 1.0), [1.0, 0.95, 0.75, 0.58, 0.42, 0.15 + 0.2 * tip], [0] * 6),
        "flat": ((0.3, 0.7), [1.0, 0.95, 0.85, 0.8, 0.75, 0.5 + 0.2 * tip], [0] * 6),
        "cutter": ((0.2, 0.4), [1.2, 1.3, 1.15, 0.9, 0.6, 0.1 + 0.25 * tip], [0] * 6),
        "pincer": ((0.25, 0.5), [0.8, 0.8, 0.75, 0.7, 0.6, 0.35], [0, 0.9, 1.5, 1.4, 0.8, 0]),
        "hook": ((0.3, 0.7), [0.9, 0.8, 0.7, 0.65, 0.55, 0.3], [0, 0.2, 0.5, 0.5, 0.3, 0]),
    }[kind]
    reach = rng.uniform(*length)
    width = min(width, 0.21 * reach)
    apart = np.array(stand_off) * width * rng.uniform(0.4, 1.3)
    return reach, np.array(widths) * width * rng.uniform(0.85, 1.15, 6), apart


def handle_shape(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Middle line `[6, 2]` from the pivot to the end (length 1) and half widths `[6]` of one handle."""
    kind = pick(rng, {"bow": 4, "straight": 2, "flared": 2, "S": 2, "C": 2})
    apart = rng.uniform(0.05, 0.13)
    sag = {
        "bow": [0, 0.7, 1.5, 2.0, 2.2, 2.1],
        "straight": [0, 0.6, 1.0, 1.3, 1.6, 1.9],
        "flared": [0, 0.8, 1.1, 1.4, 2.1, 3.2],
        "S": [0, 1.1, 1.9, 1.9, 1.6, 2.0],
        "C": [0, 1.3, 2.4, 2.8, 2.4, 1.5],
    }[kind]
    x = -np.array([0, 0.14, 0.32, 0.55, 0.8, 1.0])
    y = -apart * np.array(sag) * rng.uniform(0.8, 1.3)
    width = rng.uniform(0.024, 0.065)
    return np.column_stack([x, y]), width * np.array([1.2, 0.95, 1.0, 1.0, 1.0, rng.uniform(0.5, 1.0)]) * rng.uniform(
        0.85, 1.2, 6
    )


def half_tool(rng: np.random.Generator) -> tuple[Solid, list[Solid], float, float]:
    """One lever from the tip of the upper jaw to the end of the lower handle, its grips,
    the jaw's length and half the height at the pivot."""
    length, jaw_half, stand_off = jaw_shape(rng)
    handle, handle_half = handle_shape(rng)
    jaw_x = length * np.array([1.0, 0.82, 0.6, 0.4, 0.2])
    gap = rng.uniform(0.0, 0.02)
    jaw = np.column_stack([jaw_x, gap + jaw_half[:0:-1] + stand_off[:0:-1]])
    hub = rng.uniform(0.06, 0.11)
    widths = np.concatenate([jaw_half[:0:-1], [hub], handle_half[1:]])
    path = smooth(np.concatenate([jaw, handle]), STEPS)
    half = smooth(widths[:, None], STEPS)[:, 0]
    half[-3:] *= [0.95, 0.8, 0.5]
    half[:2] *= [0.75, 0.93]
    flat = rng.uniform(0.022, 0.055)
    end = flat * rng.uniform(0.5, 1.4)
    thick = smooth(
        np.array([rng.uniform(0.4, 1), 0.8, 1, 1, 1.1, 1.1, 1, end / flat, end / flat, end / flat, 0.9 * end / flat])[
            :, None
        ]
        * flat,
        STEPS,
    )[:, 0]
    section = float(rng.choice([2.0, 2.6, 4.0, 8.0]))
    lever = ribbon(path, half, thick, section)
    grips: list[Solid] = []
    if chance(rng, 0.55):
        start = int(STEPS * rng.uniform(0.58, 0.75))
        sleeve = half[start:] * rng.uniform(1.15, 1.7)
        sleeve[:2] *= [0.8, 0.95]
        swell = 1 + rng.uniform(0, 0.2) * np.sin(np.linspace(0, rng.uniform(3, 9), STEPS - start))
        tall = np.maximum(thick[start:] * 1.15, sleeve * rng.uniform(0.6, 1.0))
        grips.append(ribbon(path[start:], sleeve * swell, tall, 2.3))
    return lever, grips, length, flat * 1.1


def bent(rng: np.random.Generator) -> Callable[[Solid], Solid]:
    """A bend of the whole tool in or out of its plane: bent noses and water-pump pliers."""
    jaws = rng.uniform(-0.9, 0.9) if chance(rng, 0.2) else 0.0
    handles = rng.uniform(-0.25, 0.25) if chance(rng, 0.2) else 0.0
    nose = rng.uniform(0.2, 0.8) if chance(rng, 0.1) else 0.0

    def apply(solid: Solid) -> Solid:
        vertices, faces = solid[0].copy(), solid[1]
        ahead, behind = vertices[:, 0].clip(0), vertices[:, 0].clip(None, 0)
        vertices[:, 1] += jaws * ahead**2 + handles * behind**2
        vertices[:, 2] += nose * ahead**2
        return vertices, faces

    return apply


@dataclass(frozen=True)
class Plate:
    """The round or oval plate around the rivet: half length and half width, height and turn in its plane."""

    length: float
    width: float
    height: float
    turn: float

    def covers(self, points: Floats) -> NDArray[np.bool_]:
        """Mask `[N]` of the points `[N, 3]` inside the plate."""
        local = points @ rotation((0, 0, 1), self.turn) / [self.length, self.width, self.height / 2]
        return (np.linalg.norm(local[:, :2], axis=1) < 0.95) & (np.abs(local[:, 2]) < 0.97)


def draw_plate(rng: np.random.Generator, opening: float, thick: float) -> Plate:
    """Sample a plate a little higher than levers of half height `thick`, so that it hides their crossing."""
    radius = rng.uniform(0.07, 0.13)
    height = thick * 2 * rng.uniform(1.06, 1.5)
    return Plate(radius * rng.uniform(1.0, 1.5), radius, height, rng.uniform(-1, 1) * opening)


def pivot(plate: Plate, rng: np.random.Generator) -> list[Piece]:
    """The plate and, on most tools, the rivet in it."""
    outline = circle(1.0, 32, rng.uniform(2, 2.6)) * [plate.length, plate.width]
    solid = slab(outline, plate.height, edge=rng.uniform(0.1, 0.5), top_dome=rng.uniform(0, 0.01))
    pieces: list[Piece] = [("joint", transform(solid, rotate=rotation((0, 0, 1), plate.turn)))]
    if chance(rng, 0.6):
        radius = plate.width * rng.uniform(0.25, 0.6)
        pieces.append(("joint", cylinder(radius, plate.height * rng.uniform(1.1, 1.5), 20)))
    return pieces


def build(rng: np.random.Generator) -> MeshBuilder:
    """One tool: two levers, the second the mirror image of the first, opened about the pivot."""
    lever, grips, length, thick = half_tool(rng)
    opening = rng.uniform(0, 0.12) if chance(rng, 0.25) else rng.uniform(0.05, 1.0)
    bend = bent(rng)
    reach_jaw = min(rng.uniform(0.1, 0.2), 0.45 * length)
    reach_handle = rng.uniform(0.1, 0.2) if chance(rng, 0.75) else rng.uniform(0.2, 0.32)

    def labels(center: Floats) -> np.ndarray:
        ahead = lever[1].min(1) // SEGMENTS < ROW_OF_PIVOT
        near = np.linalg.norm(center[:, :2], axis=1) < np.where(ahead, reach_jaw, reach_handle)
        return np.where(near, "joint", np.where(ahead, "jaw", "handle"))

    step = rng.uniform(0, 0.2) * thick
    plate = draw_plate(rng, opening / 2, thick + step)
    pieces: list[Piece] = []
    for sign in (1, -1):
        turn, lift = rotation((0, 0, 1), sign * opening / 2), up_by(sign * step)
        for part, solid in [*cut(lever, labels), *(("handle", grip) for grip in grips)]:
            placed = transform(solid, scale=(1, sign, 1), rotate=turn, move=lift)
            pieces.append((part, bend(without(placed, plate.covers))))
    pieces += pivot(plate, rng)
    return assemble(PARTS, weathered(pieces, rng))


FAMILY = Family(
    name="pliers",
    parts=PARTS,
    build=build,
    up_unknown=True,
    synonyms={
        "pliers": ("plier", "pincers", "cutters", "nippers", "tongs"),
        "handle": ("handles", "grip", "grips"),
        "jaw": ("jaws", "nose", "mouth", "tip"),
        "joint": ("pivot", "hinge", "rivet"),
    },
    size=(0.12, 0.3),
)
