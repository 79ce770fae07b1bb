# SPDX-License-Identifier: Apache-2.0
"""Bottles: drinks, sauces, detergents, sprays and pumps, from the foot to the cap."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    box,
    cylinder,
    loft,
    revolve,
    rotation,
    smooth,
    transform,
    tube,
)
from partdistill_ros.synthetic.drawing.vessel import (
    Array,
    between,
    loop_handle,
    pick,
    radius_at,
    round_foot,
    round_section,
    skin,
    spline,
    stack,
)

PARTS = ("cap", "neck", "body")


def build(rng: np.random.Generator) -> MeshBuilder:
    """One bottle with a body of radius about 1; cap and neck may be missing."""
    style = pick(rng, {"wine": 3, "soda": 3, "jar": 1.5, "flask": 2, "detergent": 2.5, "pump": 1.2, "spray": 1.2})
    if style == "detergent":
        section = np.array(round_section(rng, 48, odd=0)) * [1, rng.uniform(0.55, 1.0)]
    else:
        section = round_section(rng, 48, odd=0.7 if style in ("flask", "pump", "spray") else 0.25)
    profile, shoulder = _profile(rng, style)
    mesh = MeshBuilder(PARTS)
    mesh.add("body", skin(round_foot(between(profile, 0, shoulder), rng.uniform(0.02, 0.4)), section))
    _ridges(rng, mesh, profile, shoulder, section)
    neck_section = section if rng.random() < 0.3 else _morph(section)
    closed = rng.random() < 0.8 or style in ("pump", "spray")
    _neck(rng, mesh, profile, shoulder, section, neck_section, closed)
    if closed:
        _cap(rng, mesh, profile, style)
    if style == "detergent" and rng.random() < 0.75:
        _grip(rng, mesh, profile, shoulder)
    return mesh


def _morph(section: Array) -> Array:
    """The round outline with as many points as `section`."""
    angle = np.arctan2(section[:, 1], section[:, 0])
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _profile(rng: np.random.Generator, style: str) -> tuple[Array, float]:
    """Radii over ascending heights, and the height where the body ends and the neck begins."""
    tall, neck_r, neck_h, rise = {
        "wine": (rng.uniform(3, 5.5), rng.uniform(0.28, 0.45), rng.uniform(1.0, 2.8), rng.uniform(0.3, 1.6)),
        "soda": (rng.uniform(3, 6), rng.uniform(0.3, 0.5), rng.uniform(0.15, 0.7), rng.uniform(0.6, 2.0)),
        "jar": (rng.uniform(1.2, 3), rng.uniform(0.6, 0.92), rng.uniform(0.12, 0.4), rng.uniform(0.1, 0.6)),
        "flask": (rng.uniform(1.5, 4), rng.uniform(0.25, 0.6), rng.uniform(0.2, 1.0), rng.uniform(0.1, 0.7)),
        "detergent": (rng.uniform(2, 4), rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.6), rng.uniform(0.3, 1.2)),
        "pump": (rng.uniform(2, 4), rng.uniform(0.25, 0.5), rng.uniform(0.15, 0.5), rng.uniform(0.15, 0.7)),
        "spray": (rng.uniform(2, 4), rng.uniform(0.25, 0.4), rng.uniform(0.2, 0.6), rng.uniform(0.5, 1.5)),
    }[style]
    body = [1.0, 1.0, 1.0]
    kind = pick(rng, {"straight": 5, "waist": 2, "barrel": 1, "taper": 1.5, "free": 1})
    if kind == "waist":
        body = [1.0, 0.98, rng.uniform(0.65, 0.92), 0.98, 1.0]
    elif kind == "barrel":
        body = [rng.uniform(0.7, 0.95), 1.0, rng.uniform(0.85, 1.0)]
    elif kind == "taper":
        body = [rng.uniform(0.7, 1.2), 1.0, rng.uniform(0.75, 1.0)]
    elif kind == "free":
        body = list(rng.uniform(0.75, 1.05, 5))
    wall = smooth(np.column_stack([body, np.linspace(0, tall, len(body))]), 18)
    t = np.linspace(0, 1, 14)[1:]
    style_of_rise = rng.uniform(0.6, 2.2)
    ease = (3 * t**2 - 2 * t**3) if rng.random() < 0.6 else 1 - (1 - t**style_of_rise) ** (1 / style_of_rise)
    top = wall[-1, 0]
    slope = np.column_stack([top + (neck_r - top) * ease, tall + rise * t])
    end = neck_r * rng.uniform(0.8, 1.05)
    neck = np.column_stack([np.linspace(neck_r, end, 5)[1:], tall + rise + neck_h * np.linspace(0, 1, 5)[1:]])
    # a neck starts for the eye where the shoulder has nearly reached its width
    narrow = slope[:, 0] < neck_r + 0.22 * (top - neck_r)
    shoulder = float(slope[np.argmax(narrow), 1]) if narrow.any() else tall + rise
    return stack([wall, slope, neck]), shoulder


def _neck(
    rng: np.random.Generator,
    mesh: MeshBuilder,
    profile: Array,
    shoulder: float,
    section: Array,
    neck_section: Array,
    closed: bool,
) -> None:
    upper = between(profile, shoulder, profile[-1, 1])
    share = np.clip((upper[:, 1] - shoulder) / max(0.35 * (upper[-1, 1] - shoulder), 1e-6), 0, 1)
    rings = [
        np.column_stack([(section * (1 - s) + neck_section * s) * r, np.full(len(section), z)])
        for (r, z), s in zip(upper, share, strict=True)
    ]
    r, z = upper[-1]
    if closed:
        rings.append(np.column_stack([neck_section * 1e-6, np.full(len(section), z)]))
    else:
        thick, deep = rng.uniform(0.08, 0.2) * r, min(rng.uniform(0.5, 1.5) * r + 0.1, z - shoulder + 0.3)
        for radius, height in ((r - thick, z), (r - thick, z - deep), (1e-6, z - deep)):
            rings.append(np.column_stack([neck_section * radius, np.full(len(section), height)]))
    mesh.add("neck", loft(np.stack(rings), caps=False))
    if rng.random() < 0.45:
        lip_h, lip_r = rng.uniform(0.04, 0.2), r * rng.uniform(1.05, 1.3)
        at = z - lip_h * rng.uniform(0.5, 2.5)
        ring = revolve(
            [(r * 0.9, at - lip_h / 2), (lip_r, at - lip_h / 2), (lip_r, at + lip_h / 2), (r * 0.9, at + lip_h / 2)], 32
        )
        mesh.add("neck", ring)


def _cap(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, style: str) -> None:
    """What closes the bottle: screw cap, cork, sports nozzle, cone, pump or trigger."""
    r, z = profile[-1]
    if style == "pump":
        return _pump(rng, mesh, r, z)
    if style == "spray":
        return _trigger(rng, mesh, r, z)
    kind = pick(rng, {"screw": 6, "cork": 1, "cone": 1, "dome": 1, "nozzle": 1})
    wide = r * rng.uniform(1.03, 1.35)
    tall = wide * rng.uniform(0.35, 1.8) if style != "jar" else wide * rng.uniform(0.2, 0.5)
    low = z - min(tall * 0.7, rng.uniform(0.1, 0.9) * (profile[-1, 1] - profile[-4, 1]) + 0.02)
    if kind == "cork":
        body = [
            (0, low),
            (r * 0.95, low),
            (r * 0.95, z),
            (r * rng.uniform(0.95, 1.2), z + 0.02),
            (r * 1.05, z + tall * 0.6),
            (0, z + tall * 0.6),
        ]
    elif kind == "cone":
        body = [
            (0, low),
            (wide, low),
            (wide, low + 0.35 * tall),
            (wide * 0.5, low + tall),
            (wide * rng.uniform(0.1, 0.3), low + 2 * tall),
            (0, low + 2 * tall),
        ]
    elif kind == "dome":
        angle = np.linspace(0, np.pi / 2, 8)
        body = [
            (0, low),
            (wide, low),
            *np.column_stack([wide * np.cos(angle), low + tall * (0.4 + 0.6 * np.sin(angle))]),
        ]
    elif kind == "nozzle":
        thin = wide * rng.uniform(0.3, 0.6)
        body = [
            (0, low),
            (wide, low),
            (wide, low + tall * 0.6),
            (thin, low + tall * 0.75),
            (thin, low + tall * 1.5),
            (0, low + tall * 1.5),
        ]
    else:
        edge = rng.uniform(0.02, 0.2) * wide
        body = [
            (0, low),
            (wide, low),
            (wide * rng.uniform(0.85, 1.03), low + tall - edge),
            (wide * 0.85, low + tall),
            (0, low + tall),
        ]
    outline = round_section(rng, 36, odd=0.1)
    mesh.add("cap", skin(np.array(body), outline))


def _pump(rng: np.random.Generator, mesh: MeshBuilder, r: float, z: float) -> None:
    wide, tall = r * rng.uniform(1.05, 1.4), r * rng.uniform(0.6, 1.2)
    mesh.add("cap", transform(cylinder(wide, tall, 32, wide * rng.uniform(0.8, 1)), move=(0, 0, z + tall * 0.3)))
    stem = rng.uniform(0.3, 1.2)
    top = z + tall * 0.8 + stem
    mesh.add("cap", transform(cylinder(r * 0.3, stem + 0.1, 16), move=(0, 0, top - stem / 2)))
    reach = rng.uniform(0.6, 1.6)
    droop = rng.uniform(0, 0.4)
    path = spline([(-0.25, 0, top), (0.1, 0, top + 0.05), (reach * 0.7, 0, top), (reach, 0, top - droop)], 16)
    mesh.add("cap", tube(path, np.linspace(r * rng.uniform(0.4, 0.7), r * 0.22, 16), 12, aspect=rng.uniform(0.7, 1.5)))


def _trigger(rng: np.random.Generator, mesh: MeshBuilder, r: float, z: float) -> None:
    tall = rng.uniform(0.5, 0.9)
    mesh.add("cap", transform(cylinder(r * 1.25, tall, 28, r * 1.1), move=(0, 0, z + tall * 0.25)))
    length, high, wide = rng.uniform(1.2, 2.0), rng.uniform(0.35, 0.7), rng.uniform(0.35, 0.6)
    top = z + tall * 0.7 + high / 2
    mesh.add("cap", box((length, wide, high), (length * rng.uniform(0.05, 0.25), 0, top)))
    tip = length * 0.6
    nozzle = transform(cylinder(high * 0.4, 0.35, 16), rotate=rotation((0, 1, 0), np.pi / 2), move=(tip + 0.1, 0, top))
    mesh.add("cap", nozzle)
    lever = [(0.35, 0, top - 0.1), (0.6, 0, top - 0.5), (0.55 + rng.uniform(0, 0.3), 0, top - rng.uniform(0.9, 1.4))]
    mesh.add("cap", tube(spline(lever, 12), 0.1, 10, aspect=wide * 3, normal=(0, 1, 0)))


def _grip(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, shoulder: float) -> None:
    """The hollow handle of a jug; it counts as body."""
    top = rng.uniform(0.85, 1.0) * shoulder
    bottom = top * rng.uniform(0.35, 0.65)
    thickness = rng.uniform(0.1, 0.2)
    reach = rng.uniform(0.35, 0.7) + float(np.max(profile[:, 0]) - radius_at(profile, (top + bottom) / 2)) * 0.5
    solid = loop_handle(
        rng,
        profile,
        top,
        bottom,
        reach,
        thickness,
        embed=thickness,
        kinds={"arc": 3, "bent": 1},
        width=rng.uniform(0.8, 2),
    )
    mesh.add("body", transform(solid, scale=(rng.choice([-1, 1]), 1, 1)))


def _ridges(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, shoulder: float, section: Array) -> None:
    """Rings or a label that stand off the body a little."""
    if rng.random() > 0.35:
        return
    for _ in range(rng.integers(1, 5)):
        half, off = rng.uniform(0.03, 0.5), rng.uniform(0.01, 0.05)
        z = rng.uniform(0.15, 0.75) * shoulder
        piece = between(profile, max(z - half, 0.05), min(z + half, shoulder * 0.9))
        piece[1:-1, 0] += off
        piece = np.concatenate([piece[:1], piece[:1] + [off, 0.01], piece[1:-1], piece[-1:] + [off, -0.01], piece[-1:]])
        mesh.add("body", skin(piece, section))


FAMILY = Family(
    name="bottle",
    parts=PARTS,
    build=build,
    synonyms={
        "bottle": ("flask", "jar", "plastic bottle", "wine bottle", "detergent bottle", "spray bottle"),
        "cap": ("lid", "stopper", "cork", "top"),
        "neck": ("throat",),
        "body": ("container", "base"),
    },
    size=(0.12, 0.36),
)
