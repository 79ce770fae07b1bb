# SPDX-License-Identifier: Apache-2.0
"""A trunk with limbs: animals on four legs, and people, dolls and robots on two.

All lengths are in lengths of the trunk. Animals look toward +x, people too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Floats, Piece, assemble, bar, chance, knots, weathered
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    bezier,
    box,
    ellipsoid,
    rotation,
    smooth,
    transform,
    tube,
)

Range = tuple[float, float]
NONE: Range = (0.0, 0.0)


@dataclass(frozen=True)
class Animal:
    """Ranges of a four-legged body. thickness: of the trunk, side to side; height: of the trunk over its thickness;
    leg, leg_radius; neck: its length, neck_up: degrees above the horizontal; head: its length, head_slim: its
    thickness over its length; ear, tail, horn, nose: lengths, `NONE` where there is none; ear_lop: degrees from
    upright."""

    thickness: Range = (0.3, 0.42)
    height: Range = (1.0, 1.35)
    leg: Range = (0.5, 0.7)
    leg_radius: Range = (0.045, 0.07)
    neck: Range = (0.15, 0.3)
    neck_up: Range = (25.0, 60.0)
    head: Range = (0.26, 0.36)
    head_slim: Range = (0.5, 0.7)
    ear: Range = (0.08, 0.16)
    ear_lop: Range = (10.0, 70.0)
    tail: Range = (0.3, 0.6)
    horn: Range = NONE
    nose: Range = NONE


@dataclass(frozen=True)
class Figure:
    """Ranges of an upright body. width: of the trunk at the shoulders; hips: over the shoulders; depth: over the width;
    leg, leg_radius, arm, arm_radius; head: its height, head_round: its width over its height; ear: its radius;
    boxy: how often all of it is made of boxes."""

    width: Range = (0.62, 0.8)
    hips: Range = (0.7, 0.95)
    depth: Range = (0.4, 0.6)
    leg: Range = (1.3, 1.6)
    leg_radius: Range = (0.1, 0.15)
    arm: Range = (1.0, 1.3)
    arm_radius: Range = (0.07, 0.1)
    head: Range = (0.38, 0.48)
    head_round: Range = (0.68, 0.85)
    ear: Range = NONE
    boxy: float = 0.0


def build_animal(animal: Animal, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One animal, standing; a share of its legs is in mid-step."""
    width = rng.uniform(*animal.thickness)
    half_height = width / 2 * rng.uniform(*animal.height)
    leg = rng.uniform(*animal.leg)
    back = leg + half_height * 0.8  # height of the trunk's axis
    pieces: list[Piece] = [("body", _trunk(rng, width, half_height, back))]
    pieces += [("leg", one) for one in _four_legs(rng, animal, width, half_height, back)]
    shoulder = np.array([0.4, 0, back + half_height * 0.2])
    up, yaw = np.radians(rng.uniform(*animal.neck_up)), rng.normal(0, 0.25)
    toward = np.array([np.cos(up) * np.cos(yaw), np.cos(up) * np.sin(yaw), np.sin(up)])
    throat = shoulder + rng.uniform(*animal.neck) * toward
    thick = width * rng.uniform(0.26, 0.34)
    pieces.append(
        (
            "neck" if "neck" in parts else "body",
            bar(shoulder - 0.2 * toward, throat + 0.04 * toward, (thick * 1.3, thick), count=6),
        )
    )
    pieces += _animal_head(rng, animal, throat, yaw)
    if (length := rng.uniform(*animal.tail)) > 0:
        root = np.array([-0.48, 0, back + half_height * 0.5])
        droop, swing = rng.uniform(-1.0, 0.3) * length, rng.normal(0, 0.2) * length
        path = bezier([root, root + [-0.4 * length, 0, 0.15 * length], root + [-0.8 * length, swing, droop]], 12)
        radius = width * rng.uniform(0.05, 0.12)
        pieces.append(("tail", tube(path, np.linspace(radius, radius * rng.uniform(0.3, 1.1), 12))))
    return assemble(parts, weathered([piece for piece in pieces if piece[0] in parts], rng))


def build_figure(figure: Figure, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One upright figure with its arms and legs in some pose."""
    boxy = chance(rng, figure.boxy)
    width, leg = rng.uniform(*figure.width), rng.uniform(*figure.leg)
    depth, hips = width * rng.uniform(*figure.depth), width * rng.uniform(*figure.hips)
    top = leg + 1
    pieces: list[Piece] = [("body", _torso(rng, width, hips, depth, leg, boxy))]
    stride, leg_radius = rng.normal(0, 0.25), rng.uniform(*figure.leg_radius)
    for side, angle in ((1, stride), (-1, -stride * rng.uniform(0.5, 1))):
        hip = np.array([0, side * (hips / 2 - leg_radius) * 0.95, leg * 1.03])
        pieces += [("leg", one) for one in _limb(rng, hip, [np.sin(angle), 0, -np.cos(angle)], leg, leg_radius, boxy)]
        pieces.append(("leg", _foot(rng, pieces[-1][1], leg_radius)))
    arm, arm_radius = rng.uniform(*figure.arm), rng.uniform(*figure.arm_radius)
    for side in (1, -1):
        shoulder = np.array([0, side * (width / 2 + arm_radius * 0.3), top - arm_radius * 1.3])
        lift, forward = np.radians(rng.choice([rng.uniform(5, 35), rng.uniform(35, 95)])), rng.normal(0.1, 0.35)
        toward = [np.sin(forward), side * np.sin(lift), -np.cos(lift) * np.cos(forward)]
        pieces += [("arm", one) for one in _limb(rng, shoulder, toward, arm, arm_radius, boxy)]
        hand = pieces[-1][1][0][-1]
        pieces.append(("arm", transform(ellipsoid((1, 0.7, 1.25), 12, 8), scale=arm_radius * 1.25, move=hand)))
    pieces += _figure_head(rng, figure, top, arm_radius, boxy)
    return assemble(parts, weathered(pieces, rng, 0.6))


def _trunk(rng: np.random.Generator, width: float, half_height: float, back: float) -> Solid:
    """A barrel along x with a belly or a waist."""
    radii = smooth(
        knots([0.25], [rng.uniform(0.75, 1)], [rng.uniform(0.75, 1)], [rng.uniform(0.85, 1)], [rng.uniform(0.3, 0.5)]),
        20,
    )
    path = np.column_stack([np.linspace(-0.5, 0.5, 20), np.zeros(20), np.full(20, back)])
    return tube(path, radii[:, 0] * width / 2, 24, aspect=2 * half_height / width, normal=(0, 0, 1))


def _four_legs(rng: np.random.Generator, animal: Animal, width: float, half_height: float, back: float) -> list[Solid]:
    radius, step = rng.uniform(*animal.leg_radius), rng.normal(0, 0.1)
    legs = []
    for x, side, sign in ((0.36, 1, 1), (0.36, -1, -1), (-0.36, 1, -1), (-0.36, -1, 1)):
        hip = np.array([x, side * (width / 2 - radius) * 0.8, back - half_height * 0.1])
        swing = step * sign
        knee = np.array([x + swing * 0.6 - 0.03 * np.sign(x), hip[1], hip[2] * rng.uniform(0.45, 0.52)])
        sole = np.array([x + swing, hip[1], radius * 0.6])
        thigh = min(radius * rng.uniform(1.4, 2.2), width * 0.22)
        legs.append(tube(bezier([hip, knee, knee, sole], 10), smooth([[thigh], [radius], [radius * 0.9]], 10)[:, 0]))
        legs.append(transform(ellipsoid((1.5, 1.1, 0.7), 12, 8), scale=radius, move=sole + [radius * 0.5, 0, 0]))
    return legs


def _animal_head(rng: np.random.Generator, animal: Animal, throat: Floats, yaw: float) -> list[Piece]:
    """The skull, a muzzle, and what stands on them; built at the origin, looking along +x."""
    length = rng.uniform(*animal.head)
    slim = length * rng.uniform(*animal.head_slim)
    skull = ellipsoid((length * 0.42, slim / 2, slim * rng.uniform(0.5, 0.6)), 20, 12)
    muzzle = bar((length * 0.1, 0, -slim * 0.1), (length * 0.75, 0, -slim * 0.22), (slim * 0.36, slim * 0.22))
    pieces: list[Piece] = [("head", skull), ("head", muzzle)]
    ear, lop = rng.uniform(*animal.ear), np.radians(rng.uniform(*animal.ear_lop))
    horn = rng.uniform(*animal.horn)
    for side in (1, -1):
        if ear > 0:
            turn = rotation((1, 0, 0), -side * lop)
            leaf = transform(ellipsoid((ear * 0.12, ear * 0.28, ear * 0.6), 12, 8), move=(0, 0, ear * 0.5))
            root = np.array([-length * 0.15, side * slim * 0.35, slim * 0.35])
            pieces.append(("ear", transform(leaf, rotate=turn, move=root)))
        if horn > 0:
            root = np.array([-length * 0.05, side * slim * 0.25, slim * 0.4])
            tip = root + horn * np.array([rng.uniform(-0.3, 0.3), side * 0.6, 0.8])
            curve = bezier([root, root + [0, side * horn * 0.7, horn * 0.1], tip], 8)
            pieces.append(("horn", tube(curve, np.linspace(slim * 0.09, slim * 0.015, 8), 10)))
    if (nose := rng.uniform(*animal.nose)) > 0:
        root = np.array([length * 0.55, 0, -slim * 0.15])
        path = bezier([root, root + [nose * 0.4, 0, -nose * 0.3], root + [nose * rng.uniform(-0.1, 0.5), 0, -nose]], 14)
        pieces.append(("nose", tube(path, np.linspace(slim * 0.24, slim * 0.11, 14))))
    nod = rotation((0, 0, 1), yaw) @ rotation((0, 1, 0), rng.uniform(-0.1, 0.5))
    return [(part, transform(solid, rotate=nod, move=throat + nod @ [length * 0.2, 0, 0])) for part, solid in pieces]


def _torso(rng: np.random.Generator, width: float, hips: float, depth: float, leg: float, boxy: bool) -> Solid:
    if boxy:
        return box((depth, max(width, hips), 1.0), (0, 0, leg + 0.5))
    waist = rng.uniform(0.75, 1.0) * min(width, hips)
    widths = smooth(knots([hips * 0.85], [hips], [waist], [width], [width * 0.55]), 20)[:, 0]
    path = np.column_stack([np.zeros((20, 2)), np.linspace(leg, leg + 1, 20)])
    return tube(path, widths * depth / width / 2, 24, aspect=width / depth, normal=(0, 1, 0), squareness=2.4)


def _limb(
    rng: np.random.Generator, start: Floats, toward: ArrayLike, length: float, radius: float, boxy: bool
) -> list[Solid]:
    """An upper and a lower half with a bend between them; the last vertex is the center of the far end."""
    direction: NDArray[np.float64] = np.asarray(toward, float)
    direction = direction / np.linalg.norm(direction)
    joint = start + direction * length * rng.uniform(0.45, 0.52)
    bend = direction + [rng.uniform(0, 0.5) if direction[2] > -0.95 else -rng.uniform(0, 0.2), 0, 0]
    end = joint + bend / np.linalg.norm(bend) * length * 0.5
    square = 6.0 if boxy else 2.0
    return [
        bar(start, joint, (radius * 1.25, radius), squareness=square, count=5),
        bar(joint, end, (radius, radius * rng.uniform(0.65, 0.9)), squareness=square, count=5),
    ]


def _foot(rng: np.random.Generator, shin: Solid, radius: float) -> Solid:
    ankle = shin[0][-1]
    return transform(
        ellipsoid((1.9, 1.0, 0.75), 12, 8, squareness=2.6),
        scale=radius * rng.uniform(0.9, 1.2),
        move=ankle + [radius * 0.7, 0, 0],
    )


def _figure_head(rng: np.random.Generator, figure: Figure, top: float, thick: float, boxy: bool) -> list[Piece]:
    height = rng.uniform(*figure.head)
    wide = height * rng.uniform(*figure.head_round)
    gap = rng.uniform(0.02, 0.12)
    center = np.array([0.02, 0, top + gap + height / 2])
    yaw = rotation((0, 0, 1), rng.normal(0, 0.3))
    skull = box((wide, wide, height)) if boxy else ellipsoid((wide * 0.55, wide / 2, height / 2), 24, 16)
    pieces: list[Piece] = [
        ("head", skull),
        ("head", bar((0, 0, -height * 0.3), (0, 0, -height / 2 - gap - 0.05), thick)),
    ]
    if (ear := rng.uniform(*figure.ear)) > 0:
        leaf = ellipsoid((ear * 0.4, ear, ear), 14, 10)
        pieces += [("ear", transform(leaf, move=(0, side * wide * 0.38, height * 0.42))) for side in (1, -1)]
    return [(part, transform(solid, rotate=yaw, move=center)) for part, solid in pieces]


ANIMAL_WORDS = {"body": ("torso", "trunk"), "leg": ("limb", "paw"), "head": ("face",), "nose": ("trunk", "proboscis")}
FIGURE_WORDS = {
    "body": ("torso", "trunk", "chest"),
    "leg": ("limb", "foot"),
    "arm": ("hand", "limb"),
    "head": ("face",),
}


def _animal(name: str, size: Range, animal: Animal, *extra: str, also: tuple[str, ...] = ()) -> Family:
    parts = ("head", "body", "leg", *extra)
    words = {part: names for part, names in ANIMAL_WORDS.items() if part in parts} | ({name: also} if also else {})
    return Family(name, parts, partial(build_animal, animal, parts), synonyms=words, size=size)


def _figure(name: str, size: Range, figure: Figure, *extra: str, also: tuple[str, ...] = ()) -> Family:
    parts = ("head", "body", "arm", "leg", *extra)
    words = FIGURE_WORDS | ({name: also} if also else {})
    return Family(name, parts, partial(build_figure, figure, parts), synonyms=words, size=size)


LONG_LEGS: Range = (0.75, 0.95)
SHORT_LEGS: Range = (0.28, 0.42)
CATEGORIES = (
    _animal("dog", (0.1, 0.9), Animal(), "tail", "ear", also=("hound", "puppy")),
    _animal(
        "cat",
        (0.1, 0.6),
        Animal(tail=(0.6, 0.9), head=(0.2, 0.26), head_slim=(0.8, 1.0)),
        "tail",
        "ear",
        also=("kitten",),
    ),
    _animal(
        "horse",
        (0.15, 2.4),
        Animal(leg=LONG_LEGS, neck=(0.4, 0.55), neck_up=(40, 60), head=(0.34, 0.42), head_slim=(0.38, 0.48)),
        "neck",
        "tail",
        "ear",
        also=("pony",),
    ),
    _animal(
        "cow",
        (0.15, 2.4),
        Animal(thickness=(0.4, 0.5), leg=(0.45, 0.6), neck_up=(5, 35), horn=(0.08, 0.2), tail=(0.4, 0.55)),
        "tail",
        "ear",
        "horn",
        also=("bull", "cattle"),
    ),
    _animal(
        "sheep",
        (0.1, 1.3),
        Animal(thickness=(0.5, 0.62), leg=(0.35, 0.5), leg_radius=(0.035, 0.05), tail=(0.08, 0.15)),
        "tail",
        "ear",
        also=("lamb",),
    ),
    _animal(
        "pig",
        (0.1, 1.5),
        Animal(
            thickness=(0.45, 0.6),
            leg=SHORT_LEGS,
            neck=(0.02, 0.08),
            neck_up=(-5, 15),
            head=(0.34, 0.42),
            tail=(0.1, 0.2),
        ),
        "tail",
        "ear",
        also=("hog",),
    ),
    _animal(
        "elephant",
        (0.1, 3.5),
        Animal(
            thickness=(0.55, 0.68),
            leg=(0.5, 0.65),
            leg_radius=(0.1, 0.14),
            neck=(0.02, 0.1),
            head=(0.38, 0.46),
            head_slim=(0.8, 0.95),
            ear=(0.3, 0.42),
            ear_lop=(90, 120),
            tail=(0.3, 0.5),
            nose=(0.5, 0.8),
        ),
        "nose",
        "ear",
        "tail",
    ),
    _animal(
        "giraffe",
        (0.15, 4.5),
        Animal(leg=(1.0, 1.25), neck=(1.0, 1.4), neck_up=(60, 78), head_slim=(0.4, 0.5), horn=(0.05, 0.1)),
        "neck",
        "tail",
        "ear",
    ),
    _animal(
        "bear",
        (0.1, 1.9),
        Animal(
            thickness=(0.5, 0.62),
            leg=SHORT_LEGS,
            neck=(0.05, 0.15),
            leg_radius=(0.08, 0.11),
            head=(0.36, 0.44),
            tail=(0.04, 0.08),
        ),
        "ear",
    ),
    _animal(
        "deer",
        (0.15, 2.0),
        Animal(leg=LONG_LEGS, leg_radius=(0.03, 0.045), neck=(0.3, 0.45), neck_up=(45, 65), horn=(0.25, 0.5)),
        "neck",
        "ear",
        "horn",
        also=("stag",),
    ),
    _figure("person", (0.1, 1.95), Figure(), also=("human", "man", "woman", "figure")),
    _figure(
        "teddy bear",
        (0.12, 0.6),
        Figure(
            width=(0.75, 0.9),
            hips=(0.95, 1.15),
            depth=(0.7, 0.9),
            leg=(0.55, 0.75),
            leg_radius=(0.17, 0.22),
            arm=(0.6, 0.8),
            arm_radius=(0.13, 0.17),
            head=(0.6, 0.75),
            head_round=(1.0, 1.15),
            ear=(0.12, 0.18),
        ),
        "ear",
        also=("plush bear", "stuffed bear"),
    ),
    _figure(
        "robot",
        (0.1, 1.7),
        Figure(
            width=(0.7, 0.95), hips=(0.8, 1.0), depth=(0.5, 0.75), leg=(0.7, 1.2), leg_radius=(0.12, 0.17), boxy=0.75
        ),
        also=("humanoid", "android"),
    ),
)
