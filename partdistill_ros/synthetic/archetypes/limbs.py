# SPDX-License-Identifier: Apache-2.0
"""A trunk with limbs: animals on four legs, and people, dolls and robots on two.

All lengths are in lengths of the trunk. Animals look toward +x, people too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.forms import Floats, Piece, assemble, bar, chance, knots, pick, weathered
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    bezier,
    box,
    ellipsoid,
    revolve,
    rotation,
    smooth,
    transform,
    tube,
)

Range = tuple[float, float]
NONE: Range = (0.0, 0.0)
Fine = tuple[tuple[str, ...], Solid]
"""A solid and what it is called, the finest name first: it belongs to the first of them that the category has."""


@dataclass(frozen=True)
class Animal:
    """Ranges of a four-legged body. thickness: of the trunk, side to side; height: of the trunk over its thickness;
    leg, leg_radius; neck: its length, neck_up: degrees above the horizontal; head: its length, head_slim: its
    thickness over its length, nod: radians by which it looks down; ear, tail, horn, nose: lengths, `NONE` where there
    is none; ear_lop: degrees from upright; tail_radius: over the trunk's thickness.  mane: thickness over that of the
    neck.  sit, lie: how often it does, instead of standing."""

    thickness: Range = (0.3, 0.42)
    height: Range = (1.0, 1.35)
    leg: Range = (0.5, 0.7)
    leg_radius: Range = (0.045, 0.07)
    neck: Range = (0.15, 0.3)
    neck_up: Range = (25.0, 60.0)
    head: Range = (0.26, 0.36)
    head_slim: Range = (0.5, 0.7)
    nod: Range = (-0.1, 0.5)
    ear: Range = (0.08, 0.16)
    ear_lop: Range = (10.0, 70.0)
    tail: Range = (0.3, 0.6)
    tail_radius: Range = (0.05, 0.12)
    horn: Range = NONE
    nose: Range = NONE
    mane: Range = NONE
    sit: float = 0.0
    lie: float = 0.0


@dataclass(frozen=True)
class Figure:
    """Ranges of an upright body. width: of the trunk at the shoulders; hips: over the shoulders; depth: over the width;
    leg, leg_radius, arm, arm_radius; head: its height, head_round: its width over its height; ear: its radius;
    boxy: how often all of it is made of boxes.  snout: its length.  sit: how often it sits, on the floor or a chair.
    wild: how often an arm points anywhere.  dressed: how often it wears a hat, hair, or a skirt.  kick: how often a leg
    of one that stands points anywhere.  lean: radians by which its trunk may lean any way."""

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
    snout: Range = NONE
    sit: float = 0.0
    wild: float = 0.0
    dressed: float = 0.0
    kick: float = 0.0
    lean: float = 0.0


def build_animal(animal: Animal, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One animal, standing, sitting or lying; a share of its legs is in mid-step."""
    width = rng.uniform(*animal.thickness)
    half_height = width / 2 * rng.uniform(*animal.height)
    leg = rng.uniform(*animal.leg)
    back = leg + half_height * 0.8  # height of the trunk's axis
    pieces: list[Fine] = [(("body",), _trunk(rng, width, half_height, back))]
    pose = pick(rng, {"stand": 1.0, "sit": animal.sit, "lie": animal.lie}) if animal.sit + animal.lie > 0 else "stand"
    if pose == "stand":
        tilt, rump, move = np.eye(3), np.zeros(3), np.zeros(3)
        pieces += _four_legs(rng, animal, width, half_height, back)
    else:
        tilt = rotation((0, 1, 0), -np.radians(rng.uniform(30, 65) if pose == "sit" else rng.uniform(-4, 8)))
        rump = np.array([-0.45, 0, back])
        move = rump + [0, 0, half_height * 0.92 - back]
        pieces[0] = (("body",), transform(transform(pieces[0][1], move=-rump), rotate=tilt, move=move))
        pieces += _folded_legs(rng, animal, width, lambda spot: tilt @ (spot + [0, 0, back] - rump) + move, leg, pose)
    shoulder = tilt @ (np.array([0.4, 0, back + half_height * 0.2]) - rump) + move
    up, yaw = np.radians(rng.uniform(*animal.neck_up)), rng.normal(0, 0.25)
    toward = np.array([np.cos(up) * np.cos(yaw), np.cos(up) * np.sin(yaw), np.sin(up)])
    throat = shoulder + rng.uniform(*animal.neck) * toward
    thick = width * rng.uniform(0.26, 0.34)
    pieces.append(
        (("neck", "body"), bar(shoulder - 0.2 * toward, throat + 0.04 * toward, (thick * 1.3, thick), count=6))
    )
    if animal.mane != NONE:
        pieces.append((("mane", "neck", "body"), _mane(rng, animal, shoulder, throat, toward, thick)))
    pieces += _animal_head(rng, animal, throat, yaw)
    if (length := rng.uniform(*animal.tail)) > 0:
        root = tilt @ (np.array([-0.48, 0, back + half_height * 0.5]) - rump) + move
        droop, swing = rng.uniform(-1.0, 0.3) * length, rng.normal(0, 0.2) * length
        droop = max(droop, 0.03 - root[2])  # a long one lies on the floor
        path = bezier([root, root + [-0.4 * length, 0, 0.15 * length], root + [-0.8 * length, swing, droop]], 12)
        radius = width * rng.uniform(*animal.tail_radius)
        pieces.append((("tail",), tube(path, np.linspace(radius, radius * rng.uniform(0.3, 1.1), 12))))
    return assemble(parts, weathered(_named(pieces, parts), rng))


def _named(pieces: list[Fine], parts: tuple[str, ...]) -> list[Piece]:
    """The pieces that are something of a category with these parts."""
    return [(part, solid) for names, solid in pieces if (part := next((name for name in names if name in parts), None))]


def build_figure(figure: Figure, parts: tuple[str, ...], rng: np.random.Generator) -> MeshBuilder:
    """One upright figure, standing or sitting, with its arms and legs in some pose."""
    boxy = chance(rng, figure.boxy)
    width, leg, leg_radius = rng.uniform(*figure.width), rng.uniform(*figure.leg), rng.uniform(*figure.leg_radius)
    depth, hips = width * rng.uniform(*figure.depth), width * rng.uniform(*figure.hips)
    pose = pick(rng, {"chair": 0.5, "floor": 0.5}) if chance(rng, figure.sit) else "stand"
    seat = {"stand": leg, "chair": leg * 0.5, "floor": leg_radius * 0.9}[pose]
    pieces: list[Fine] = [(("body",), _torso(rng, width, hips, depth, seat, boxy))]
    stride, apart = rng.normal(0, 0.25), rng.uniform(0, 0.5)
    for side, angle in ((1, stride), (-1, -stride * rng.uniform(0.5, 1))):
        hip = np.array([0, side * (hips / 2 - leg_radius) * 0.95, seat * 1.03])
        toward, shin = np.array([np.sin(angle), 0, -np.cos(angle)]), None
        if pose != "stand":
            hip[2] = seat + leg_radius * 0.3
            toward = np.array([1.0, side * apart, 0])
            shin = np.array([rng.uniform(-0.3, 0.4), 0, -1.0]) if pose == "chair" else toward
        elif figure.kick and chance(rng, figure.kick):
            toward = np.array([rng.uniform(-0.7, 1), side * rng.uniform(0, 0.9), rng.uniform(-1, 0.1)])
            shin = toward / np.linalg.norm(toward) + [-rng.uniform(0, 1), 0, -rng.uniform(0, 0.7)]
        limb = _limb(rng, hip, toward, leg, leg_radius, boxy, shin)
        foot = _foot(rng, limb[-1], leg_radius, upright=pose == "floor")
        pieces += [(("upper leg", "leg"), limb[0]), (("lower leg", "leg"), limb[1]), (("foot", "leg"), foot)]
    pieces += _arms(rng, figure, width, seat + 1, boxy)
    pieces += _figure_head(rng, figure, seat + 1, rng.uniform(*figure.arm_radius), boxy)
    if figure.lean:
        turn = rotation((rng.normal(0, 0.5), 1, 0), rng.uniform(-0.4, 1) * figure.lean)
        pivot, legs = np.array([0, 0, seat]), ("upper leg", "lower leg", "foot")
        pieces = [
            (names, solid if names[0] in legs else transform(transform(solid, move=-pivot), rotate=turn, move=pivot))
            for names, solid in pieces
        ]
    if chance(rng, 0.4 * figure.dressed) and pose == "stand":
        low = rng.uniform(0.2, 0.7) * leg
        shape = (hips * rng.uniform(0.55, 0.9), hips * 0.6, min(hips, width) * 0.45)
        pieces.append((("skirt", "body"), bar((0, 0, low), (0, 0, leg + rng.uniform(0.2, 0.5)), shape, segments=24)))
    return assemble(parts, weathered(_named(pieces, parts), rng, 0.6))


def _arms(rng: np.random.Generator, figure: Figure, width: float, top: float, boxy: bool) -> list[Fine]:
    arm, radius = rng.uniform(*figure.arm), rng.uniform(*figure.arm_radius)
    pieces: list[Fine] = []
    for side in (1, -1):
        shoulder = np.array([0, side * (width / 2 + radius * 0.3), top - radius * 1.3])
        lift, forward = np.radians(rng.choice([rng.uniform(5, 35), rng.uniform(35, 95)])), rng.normal(0.1, 0.35)
        toward, elbow = np.array([np.sin(forward), side * np.sin(lift), -np.cos(lift) * np.cos(forward)]), None
        if chance(rng, figure.wild):
            toward = np.array([rng.uniform(-0.4, 1), side * rng.uniform(0.25, 1), rng.uniform(-1, 1)])
            toward /= np.linalg.norm(toward)
            elbow = toward + rng.normal(0, 0.6, 3) + [0.2, 0, 0]
        limb = _limb(rng, shoulder, toward, arm, radius, boxy, elbow)
        hand = transform(ellipsoid((1, 0.7, 1.25), 12, 8), scale=radius * 1.25, move=limb[-1][0][-1])
        pieces += [(("upper arm", "arm"), limb[0]), (("lower arm", "arm"), limb[1]), (("hand", "arm"), hand)]
    return pieces


def _trunk(rng: np.random.Generator, width: float, half_height: float, back: float) -> Solid:
    """A barrel along x with a belly or a waist."""
    radii = smooth(
        knots([0.25], [rng.uniform(0.75, 1)], [rng.uniform(0.75, 1)], [rng.uniform(0.85, 1)], [rng.uniform(0.3, 0.5)]),
        20,
    )
    path = np.column_stack([np.linspace(-0.5, 0.5, 20), np.zeros(20), np.full(20, back)])
    return tube(path, radii[:, 0] * width / 2, 24, aspect=2 * half_height / width, normal=(0, 0, 1))


def _four_legs(rng: np.random.Generator, animal: Animal, width: float, half_height: float, back: float) -> list[Fine]:
    radius, step = rng.uniform(*animal.leg_radius), rng.normal(0, 0.1)
    legs: list[Fine] = []
    for x, side, sign in ((0.36, 1, 1), (0.36, -1, -1), (-0.36, 1, -1), (-0.36, -1, 1)):
        hip = np.array([x, side * (width / 2 - radius) * 0.8, back - half_height * 0.1])
        swing = step * sign
        knee = np.array([x + swing * 0.6 - 0.03 * np.sign(x), hip[1], hip[2] * rng.uniform(0.45, 0.52)])
        sole = np.array([x + swing, hip[1], radius * 0.6])
        legs += _leg(hip, knee, sole, radius, min(radius * rng.uniform(1.4, 2.2), width * 0.22), x > 0)
    return legs


def _folded_legs(
    rng: np.random.Generator,
    animal: Animal,
    width: float,
    place: Callable[[Floats], Floats],
    leg: float,
    pose: str,
) -> list[Fine]:
    """The legs of an animal that sits on its hind legs or lies; `place` takes a spot on the trunk to where it is."""
    radius = rng.uniform(*animal.leg_radius)
    legs: list[Fine] = []
    for x in (0.36, -0.36):
        for side in (1, -1):
            hip = place(np.array([x, side * (width / 2 - radius) * 0.9, -width * 0.1]))
            out = hip * [1, 1.15, 0]
            if x > 0 and pose == "sit":
                sole = out + [rng.uniform(-0.05, 0.12), 0, radius * 0.6]
                knee = (hip + sole) / 2 + [0.04, 0, 0]
            elif x > 0:
                sole = out + [leg * rng.uniform(0.3, 0.8), 0, radius * 0.6]
                knee = out + [leg * rng.uniform(-0.1, 0.3), 0, radius]
            else:
                knee = out + [leg * rng.uniform(0.3, 0.5), side * radius, hip[2] * rng.uniform(0.5, 1.0) + radius]
                sole = out + [leg * rng.uniform(0.2, 0.5), side * radius, radius * 0.6]
            legs += _leg(hip, knee, sole, radius, min(radius * rng.uniform(1.4, 2.2), width * 0.25), x > 0)
    return legs


def _leg(hip: Floats, knee: Floats, sole: Floats, radius: float, thigh: float, front: bool) -> list[Fine]:
    names = ("front leg" if front else "hind leg", "leg")
    upper = tube(bezier([hip, knee, knee, sole], 10), smooth([[thigh], [radius], [radius * 0.9]], 10)[:, 0])
    foot = transform(ellipsoid((1.5, 1.1, 0.7), 12, 8), scale=radius, move=sole + [radius * 0.5, 0, 0])
    return [(names, upper), (("foot", *names), foot)]


def _mane(
    rng: np.random.Generator, animal: Animal, shoulder: Floats, throat: Floats, toward: Floats, thick: float
) -> Solid:
    """A collar of hair around the neck, or, where it is not thicker than the neck, a crest along its back."""
    size = thick * rng.uniform(*animal.mane)
    if size > thick:
        return bar(shoulder, throat + 0.12 * toward, (size * 0.8, size, size * 0.7), count=8, segments=20)
    behind = np.cross(toward, (0, 1, 0))
    behind = thick * 0.9 * behind * np.sign(behind[2] or 1)
    return bar(shoulder + behind, throat + 0.1 * toward + behind, size, aspect=0.35, normal=(0, 1, 0), count=6)


def _animal_head(rng: np.random.Generator, animal: Animal, throat: Floats, yaw: float) -> list[Fine]:
    """The skull, a muzzle, and what stands on them; built at the origin, looking along +x."""
    length = rng.uniform(*animal.head)
    slim = length * rng.uniform(*animal.head_slim)
    skull = ellipsoid((length * 0.42, slim / 2, slim * rng.uniform(0.5, 0.6)), 20, 12)
    muzzle = bar((length * 0.1, 0, -slim * 0.1), (length * 0.75, 0, -slim * 0.22), (slim * 0.36, slim * 0.22))
    pieces: list[Fine] = [(("head",), skull), (("muzzle", "head"), muzzle)]
    ear, lop = rng.uniform(*animal.ear), np.radians(rng.uniform(*animal.ear_lop))
    horn = rng.uniform(*animal.horn)
    for side in (1, -1):
        if ear > 0:
            turn = rotation((1, 0, 0), -side * lop)
            leaf = transform(ellipsoid((ear * 0.12, ear * 0.28, ear * 0.6), 12, 8), move=(0, 0, ear * 0.5))
            root = np.array([-length * 0.15, side * slim * 0.35, slim * 0.35])
            pieces.append((("ear",), transform(leaf, rotate=turn, move=root)))
        if horn > 0:
            root = np.array([-length * 0.05, side * slim * 0.25, slim * 0.4])
            tip = root + horn * np.array([rng.uniform(-0.3, 0.3), side * 0.6, 0.8])
            curve = bezier([root, root + [0, side * horn * 0.7, horn * 0.1], tip], 8)
            pieces.append((("horn",), tube(curve, np.linspace(slim * 0.09, slim * 0.015, 8), 10)))
    if (nose := rng.uniform(*animal.nose)) > 0:
        root = np.array([length * 0.55, 0, -slim * 0.15])
        path = bezier([root, root + [nose * 0.4, 0, -nose * 0.3], root + [nose * rng.uniform(-0.1, 0.5), 0, -nose]], 14)
        pieces.append((("nose",), tube(path, np.linspace(slim * 0.24, slim * 0.11, 14))))
    nod = rotation((0, 0, 1), yaw) @ rotation((0, 1, 0), rng.uniform(*animal.nod))
    return [(names, transform(solid, rotate=nod, move=throat + nod @ [length * 0.2, 0, 0])) for names, solid in pieces]


def _torso(rng: np.random.Generator, width: float, hips: float, depth: float, leg: float, boxy: bool) -> Solid:
    if boxy:
        return box((depth, max(width, hips), 1.0), (0, 0, leg + 0.5))
    waist = rng.uniform(0.75, 1.0) * min(width, hips)
    widths = smooth(knots([hips * 0.85], [hips], [waist], [width], [width * 0.55]), 20)[:, 0]
    path = np.column_stack([np.zeros((20, 2)), np.linspace(leg, leg + 1, 20)])
    return tube(path, widths * depth / width / 2, 24, aspect=width / depth, normal=(0, 1, 0), squareness=2.4)


def _limb(
    rng: np.random.Generator,
    start: Floats,
    toward: ArrayLike,
    length: float,
    radius: float,
    boxy: bool,
    bent: ArrayLike | None = None,
) -> list[Solid]:
    """An upper and a lower half with a bend between them, the lower one along `bent` where that is given; the last
    vertex is the center of the far end."""
    direction: NDArray[np.float64] = np.asarray(toward, float)
    direction = direction / np.linalg.norm(direction)
    joint = start + direction * length * rng.uniform(0.45, 0.52)
    bend = direction + [rng.uniform(0, 0.5) if direction[2] > -0.95 else -rng.uniform(0, 0.2), 0, 0]
    if bent is not None:
        bend = np.asarray(bent, float)
    end = joint + bend / np.linalg.norm(bend) * length * 0.5
    square = 6.0 if boxy else 2.0
    return [
        bar(start, joint, (radius * 1.25, radius), squareness=square, count=5),
        bar(joint, end, (radius, radius * rng.uniform(0.65, 0.9)), squareness=square, count=5),
    ]


def _foot(rng: np.random.Generator, shin: Solid, radius: float, upright: bool) -> Solid:
    """A foot before the shin's end, or, of a leg that lies on the floor, above it."""
    ankle, along = shin[0][-1], (0.0, 0.0, 0.7) if upright else (0.7, 0.0, 0.0)
    return transform(
        ellipsoid((0.75, 1.0, 1.6) if upright else (1.9, 1.0, 0.75), 12, 8, squareness=2.6),
        scale=radius * rng.uniform(0.9, 1.2),
        move=ankle + radius * np.array(along),
    )


def _figure_head(rng: np.random.Generator, figure: Figure, top: float, thick: float, boxy: bool) -> list[Fine]:
    height = rng.uniform(*figure.head)
    wide = height * rng.uniform(*figure.head_round)
    gap = rng.uniform(0.02, 0.12)
    center = np.array([0.02, 0, top + gap + height / 2])
    yaw = rotation((0, 0, 1), rng.normal(0, 0.3))
    skull = box((wide, wide, height)) if boxy else ellipsoid((wide * 0.55, wide / 2, height / 2), 24, 16)
    pieces: list[Fine] = [
        (("head",), skull),
        (("neck", "head"), bar((0, 0, -height * 0.3), (0, 0, -height / 2 - gap - 0.05), thick)),
    ]
    if (ear := rng.uniform(*figure.ear)) > 0:
        tall, lop = ear * rng.choice([1.0, 1.0, 2.5]), rng.uniform(-0.3, 1.2)
        leaf = transform(ellipsoid((ear * 0.4, ear, tall), 14, 10), move=(0, 0, tall - ear))
        for side in (1, -1):
            hung = transform(leaf, rotate=rotation((1, 0, 0), -side * lop))
            pieces.append((("ear",), transform(hung, move=(0, side * wide * 0.38, height * 0.42))))
    if (snout := rng.uniform(*figure.snout)) > 0:
        size = wide * rng.uniform(0.2, 0.32)
        ball = ellipsoid((snout, size, size * 0.8), 16, 10)
        pieces.append((("muzzle", "head"), transform(ball, move=(wide * 0.5, 0, -height * 0.12))))
    if chance(rng, figure.dressed):
        pieces.append(_headgear(rng, wide, height))
    return [(names, transform(solid, rotate=yaw, move=center)) for names, solid in pieces]


def _headgear(rng: np.random.Generator, wide: float, height: float) -> Fine:
    """Hair that covers the back of the head, down to the shoulders at times, or a hat with a brim."""
    if chance(rng, 0.6):
        long = rng.uniform(0.9, 1.5)
        cap = ellipsoid((wide * 0.56, wide * 0.56, height * 0.52 * long), 20, 14)
        return (("hair", "head"), transform(cap, move=(-wide * 0.12, 0, height * (0.56 - 0.5 * long))))
    brim, tall = wide * rng.uniform(0.55, 1.0), height * rng.uniform(0.3, 0.7)
    profile = [(brim, 0), (brim, 0.03), (wide * 0.52, 0.05), (wide * rng.uniform(0.25, 0.55), tall)]
    return (("hat", "head"), transform(revolve(profile, 24), move=(0, 0, height * rng.uniform(0.2, 0.35))))


ANIMAL_WORDS = {
    "body": ("torso", "trunk"),
    "leg": ("limb", "paw"),
    "head": ("face",),
    "nose": ("trunk", "proboscis"),
    "front leg": ("foreleg", "front limb"),
    "hind leg": ("back leg", "rear leg"),
    "foot": ("paw", "feet"),
    "muzzle": ("snout", "nose"),
    "mane": ("hair", "fur"),
}
FIGURE_WORDS = {
    "body": ("torso", "trunk", "chest"),
    "leg": ("limb", "foot"),
    "arm": ("hand", "limb"),
    "head": ("face",),
}
LIMB_WORDS = {
    "body": ("torso", "trunk", "chest"),
    "head": ("face",),
    "hand": ("fist", "palm"),
    "foot": ("feet", "shoe"),
    "lower leg": ("shin", "calf"),
    "neck": ("throat",),
}


def _animal(name: str, size: Range, animal: Animal, *extra: str, also: tuple[str, ...] = ()) -> Family:
    legs = () if "front leg" in extra else ("leg",)
    parts = ("head", "body", *legs, *extra)
    words = {part: names for part, names in ANIMAL_WORDS.items() if part in parts} | ({name: also} if also else {})
    return Family(name, parts, partial(build_animal, animal, parts), synonyms=words, size=size)


def _figure(name: str, size: Range, figure: Figure, *extra: str, also: tuple[str, ...] = ()) -> Family:
    parts = ("head", "body", "arm", "leg", *extra)
    words = FIGURE_WORDS | ({name: also} if also else {})
    return Family(name, parts, partial(build_figure, figure, parts), synonyms=words, size=size)


LONG_LEGS: Range = (0.75, 0.95)
SHORT_LEGS: Range = (0.28, 0.42)
CATEGORIES = (
    _animal(
        "dog",
        (0.1, 0.9),
        Animal(thickness=(0.25, 0.5), leg=(0.25, 0.75), tail=(0.08, 0.6), sit=0.3, lie=0.2),
        "tail",
        "ear",
        also=("hound", "puppy"),
    ),
    _animal(
        "cat",
        (0.1, 0.6),
        Animal(
            thickness=(0.28, 0.5),
            leg=(0.3, 0.6),
            tail=(0.5, 0.9),
            head=(0.2, 0.3),
            head_slim=(0.8, 1.0),
            sit=0.4,
            lie=0.3,
        ),
        "tail",
        "ear",
        also=("kitten",),
    ),
    _animal(
        "horse",
        (0.15, 2.4),
        Animal(
            thickness=(0.28, 0.45),
            leg=LONG_LEGS,
            neck=(0.35, 0.6),
            neck_up=(25, 65),
            head=(0.34, 0.42),
            head_slim=(0.38, 0.5),
            mane=(0.4, 0.8),
            lie=0.1,
        ),
        "neck",
        "tail",
        "ear",
        also=("pony",),
    ),
    _animal(
        "cow",
        (0.15, 2.4),
        Animal(
            thickness=(0.38, 0.56), leg=(0.4, 0.65), neck_up=(-10, 35), horn=(0.05, 0.3), tail=(0.3, 0.55), lie=0.25
        ),
        "tail",
        "ear",
        "horn",
        also=("bull", "cattle"),
    ),
    _animal(
        "sheep",
        (0.1, 1.3),
        Animal(thickness=(0.45, 0.7), leg=(0.3, 0.5), leg_radius=(0.035, 0.055), tail=(0.06, 0.15), lie=0.25),
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
            head=(0.3, 0.42),
            tail=(0.08, 0.2),
            lie=0.2,
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
            nose=(0.45, 0.85),
            sit=0.12,
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
            head=(0.3, 0.44),
            tail=(0.04, 0.08),
            sit=0.4,
            lie=0.15,
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
    _figure(
        "person",
        (0.1, 1.95),
        Figure(
            width=(0.55, 0.85), depth=(0.4, 0.75), leg=(1.1, 1.7), head=(0.36, 0.52), sit=0.25, wild=0.35, dressed=0.5
        ),
        also=("human", "man", "woman", "figure"),
    ),
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
            head=(0.55, 0.85),
            head_round=(0.9, 1.2),
            ear=(0.1, 0.2),
            snout=(0.05, 0.2),
            sit=0.6,
            wild=0.4,
        ),
        "ear",
        also=("plush bear", "stuffed bear"),
    ),
    _figure(
        "robot",
        (0.1, 1.7),
        Figure(
            width=(0.7, 0.95),
            hips=(0.6, 1.1),
            depth=(0.5, 0.9),
            leg=(0.4, 1.3),
            leg_radius=(0.1, 0.2),
            head=(0.3, 0.6),
            head_round=(0.7, 1.5),
            boxy=0.75,
            sit=0.1,
            wild=0.4,
        ),
        also=("humanoid", "android"),
    ),
    _figure(
        "doll",
        (0.1, 0.5),
        Figure(
            width=(0.45, 0.75),
            hips=(0.8, 1.2),
            leg=(0.6, 1.4),
            leg_radius=(0.08, 0.16),
            arm=(0.6, 1.1),
            head=(0.45, 0.95),
            head_round=(0.8, 1.15),
            sit=0.4,
            wild=0.4,
            dressed=0.9,
        ),
        "hair",
        "hat",
        also=("puppet", "baby"),
    ),
    _figure(
        "soft toy",
        (0.1, 0.5),
        Figure(
            width=(0.6, 1.0),
            hips=(0.95, 1.3),
            depth=(0.7, 1.0),
            leg=(0.35, 0.7),
            leg_radius=(0.14, 0.24),
            arm=(0.35, 0.75),
            arm_radius=(0.1, 0.18),
            head=(0.55, 1.1),
            head_round=(0.9, 1.3),
            ear=(0.08, 0.3),
            snout=(0.05, 0.3),
            sit=0.75,
            wild=0.5,
        ),
        "ear",
        also=("plush toy", "stuffed animal", "stuffed toy"),
    ),
    Family(
        "mannequin",
        ("head", "neck", "body", "upper arm", "lower arm", "hand", "upper leg", "lower leg", "foot"),
        partial(
            build_figure,
            Figure(width=(0.55, 0.85), depth=(0.4, 0.7), head=(0.36, 0.55), sit=0.25, wild=0.5),
            ("head", "neck", "body", "upper arm", "lower arm", "hand", "upper leg", "lower leg", "foot"),
        ),
        synonyms={"mannequin": ("manikin", "action figure", "statue"), **LIMB_WORDS},
        size=(0.1, 1.9),
    ),
    Family(
        "gymnast",
        ("head", "neck", "body", "upper arm", "lower arm", "hand", "upper leg", "lower leg", "foot"),
        partial(
            build_figure,
            Figure(
                width=(0.5, 0.85),
                depth=(0.4, 0.7),
                leg=(1.1, 1.7),
                head=(0.36, 0.5),
                sit=0.15,
                wild=0.75,
                kick=0.6,
                lean=0.9,
            ),
            ("head", "neck", "body", "upper arm", "lower arm", "hand", "upper leg", "lower leg", "foot"),
        ),
        synonyms={"gymnast": ("dancer", "athlete", "runner"), **LIMB_WORDS},
        size=(0.1, 1.9),
    ),
    _animal(
        "plush animal",
        (0.1, 0.5),
        Animal(
            thickness=(0.55, 0.85),
            leg=(0.15, 0.35),
            leg_radius=(0.1, 0.17),
            neck=(0.02, 0.12),
            head=(0.4, 0.65),
            head_slim=(0.8, 1.05),
            ear=(0.08, 0.3),
            ear_lop=(0, 130),
            tail=(0.05, 0.4),
            sit=0.4,
            lie=0.4,
        ),
        "tail",
        "ear",
        also=("cuddly toy",),
    ),
    _animal(
        "toy animal",
        (0.05, 0.4),
        Animal(
            thickness=(0.25, 0.6),
            leg=(0.25, 0.9),
            leg_radius=(0.04, 0.1),
            neck=(0.05, 0.5),
            neck_up=(0, 70),
            head=(0.25, 0.42),
            head_slim=(0.45, 0.9),
            tail=(0.1, 0.7),
            sit=0.15,
            lie=0.15,
        ),
        "neck",
        "front leg",
        "hind leg",
        "foot",
        "muzzle",
        "tail",
        "ear",
        also=("animal figure", "animal"),
    ),
    _animal(
        "lion",
        (0.1, 1.9),
        Animal(
            thickness=(0.3, 0.45),
            leg=(0.35, 0.6),
            neck=(0.1, 0.2),
            head=(0.32, 0.42),
            mane=(1.15, 1.7),
            tail=(0.5, 0.9),
            ear=(0.05, 0.1),
            sit=0.25,
            lie=0.35,
        ),
        "mane",
        "tail",
        also=("big cat",),
    ),
    _animal(
        "rabbit",
        (0.08, 0.5),
        Animal(
            thickness=(0.5, 0.7),
            leg=(0.2, 0.35),
            neck=(0.05, 0.15),
            head=(0.35, 0.45),
            head_slim=(0.65, 0.85),
            ear=(0.3, 0.6),
            ear_lop=(0, 130),
            tail=(0.05, 0.12),
            sit=0.6,
            lie=0.3,
        ),
        "ear",
        "tail",
        also=("bunny", "hare"),
    ),
    _animal(
        "dinosaur",
        (0.1, 0.6),
        Animal(
            thickness=(0.35, 0.6),
            leg=(0.25, 0.6),
            leg_radius=(0.07, 0.13),
            neck=(0.3, 1.0),
            neck_up=(10, 70),
            head=(0.2, 0.4),
            head_slim=(0.4, 0.6),
            ear=NONE,
            tail=(0.8, 1.6),
            tail_radius=(0.15, 0.3),
            mane=(0.3, 0.6),
        ),
        "neck",
        "tail",
        also=("dragon", "toy dinosaur"),
    ),
    _animal(
        "crocodile",
        (0.1, 3.0),
        Animal(
            thickness=(0.25, 0.4),
            height=(0.5, 0.8),
            leg=(0.06, 0.16),
            leg_radius=(0.035, 0.06),
            neck=(0.05, 0.12),
            neck_up=(0, 15),
            head=(0.4, 0.7),
            head_slim=(0.3, 0.45),
            nod=(-0.2, 0.1),
            ear=NONE,
            tail=(0.8, 1.2),
            tail_radius=(0.2, 0.35),
            lie=0.3,
        ),
        "tail",
        also=("lizard", "alligator"),
    ),
)
