# SPDX-License-Identifier: Apache-2.0
"""Lamps: table, floor and desk lamps with jointed or bent arms, and some that hang or sit on a wall."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    box,
    cylinder,
    ellipsoid,
    revolve,
    rotation,
    smooth,
    transform,
    tube,
)
from partdistill_ros.synthetic.drawing.vessel import (
    Array,
    pick,
    round_foot,
    round_section,
    rounded,
    skin,
    spline,
    stack,
)

PARTS = ("base", "pole", "shade")
DOWN = np.array([0.0, 0.0, -1.0])


def build(rng: np.random.Generator) -> MeshBuilder:
    """One lamp; a table lamp's shade has a radius of about 1."""
    style = pick(rng, {"table": 4, "urn": 2.5, "floor": 2.5, "desk": 3, "arc": 1, "hanging": 1, "wall": 0.5})
    mesh = MeshBuilder(PARTS)
    {"table": _table, "urn": _urn, "floor": _floor, "desk": _desk, "arc": _arc, "hanging": _hanging, "wall": _wall}[
        style
    ](rng, mesh)
    return mesh


def _table(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    top = _plate(rng, mesh, rng.uniform(0.4, 0.85))
    tall = rng.uniform(0.9, 2.8)
    _pole(rng, mesh, top, top + tall)
    floor = top + rng.uniform(-0.05, 0.5) * tall
    _upright_shade(rng, mesh, top + tall, rng.uniform(0.7, 1.2), rng.uniform(0.7, 1.7), floor=floor)


def _urn(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    """A vase or figure as the base; only a short pole shows between it and the shade."""
    tall = rng.uniform(0.9, 2.2)
    radii = rng.uniform(0.2, 0.75, rng.integers(3, 7))
    radii[0] = max(radii[0], 0.35)
    radii[-1] = rng.uniform(0.08, 0.2)
    profile = smooth(np.column_stack([radii, np.linspace(0, tall, len(radii))]), 30)
    if rng.random() < 0.15:
        wide = rng.uniform(0.4, 0.9)
        mesh.add("base", box((wide, wide * rng.uniform(0.4, 1), tall), (0, 0, tall / 2)))
    else:
        body = stack([round_foot(profile, 0.05), (0, tall)])
        mesh.add("base", skin(body, round_section(rng, 40, odd=0.3)))
    if rng.random() < 0.4:
        _plate(rng, mesh, radii[0] * rng.uniform(1.0, 1.5), z=-0.02)
    stem = rng.uniform(0.1, 0.7)
    _pole(rng, mesh, tall - 0.03, tall + stem, plain=True)
    floor = tall - rng.uniform(-0.2, 0.4) * min(tall, 1.0)
    _upright_shade(rng, mesh, tall + stem, rng.uniform(0.7, 1.3), rng.uniform(0.7, 1.6), floor=floor)


def _floor(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    tall = rng.uniform(4.5, 9)
    if rng.random() < 0.3:
        low = _tripod(rng, mesh, tall)
    else:
        low = _plate(rng, mesh, rng.uniform(0.5, 1.1))
    _pole(rng, mesh, low, tall)
    kind = pick(rng, {"drum": 5, "uplight": 2, "heads": 1.5})
    if kind == "drum":
        _upright_shade(rng, mesh, tall, rng.uniform(0.6, 1.3), rng.uniform(0.6, 1.8))
    elif kind == "uplight":
        solid = _shade(rng, rng.uniform(0.5, 1.1), rng.uniform(0.25, 0.8), "bowl")
        mesh.add("shade", _aim(solid, -DOWN, (0, 0, tall)))
    else:
        for _ in range(rng.integers(1, 4)):
            z, turn = tall * rng.uniform(0.65, 1.0), rng.uniform(0, 2 * np.pi)
            out = np.array([np.cos(turn), np.sin(turn), 0]) * rng.uniform(0.3, 0.9)
            end = np.array([0, 0, z]) + out + [0, 0, rng.uniform(-0.2, 0.4)]
            mesh.add("pole", tube(spline([(0, 0, z), (0, 0, z) + out * 0.5, end], 10), 0.05, 10))
            aim = DOWN * rng.uniform(0.2, 1) + out
            mesh.add("shade", _aim(_shade(rng, rng.uniform(0.25, 0.5), rng.uniform(0.4, 0.9)), aim, end))


def _desk(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    """Jointed or bent arms over a heavy foot or a clamp, with a small head that can be aimed."""
    if rng.random() < 0.12:
        mesh.add("base", box((0.5, 0.35, 0.6), (0, 0, 0.3)))
        low = 0.6
    else:
        low = _plate(rng, mesh, rng.uniform(0.45, 0.9))
    thick = rng.uniform(0.03, 0.1)
    start = np.array([0, 0, low - 0.03])
    if rng.random() < 0.35:
        reach, high = rng.uniform(0.4, 1.6), rng.uniform(1.2, 2.8)
        path = spline(
            [
                start,
                start + [rng.uniform(-0.3, 0.1), 0, high * 0.6],
                (reach * 0.4, 0, low + high),
                (reach, 0, low + high * rng.uniform(0.75, 1)),
            ],
            30,
        )
        mesh.add("pole", tube(path, thick, 12, normal=(0, 1, 0)))
    else:
        path = _arms(rng, mesh, start, thick)
    aim = np.array([rng.uniform(-0.2, 1.2), rng.normal(0, 0.2), -1.0])
    kind = pick(rng, {"cone": 4, "bowl": 2, "bar": 1.5, "drum": 1})
    if kind == "bar":
        length = rng.uniform(0.8, 1.8)
        along = path[-1] - path[-2]
        head = box((length, rng.uniform(0.15, 0.5), rng.uniform(0.05, 0.2)), (length * rng.uniform(0.2, 0.5), 0, 0))
        tilt = rotation((0, 1, 0), rng.normal(0.1, 0.25)) if along[0] >= 0 else rotation((0, 0, 1), np.pi)
        mesh.add("shade", transform(head, rotate=tilt, move=path[-1]))
        return
    radius = rng.uniform(0.35, 0.75)
    mesh.add("shade", _aim(_shade(rng, radius, radius * rng.uniform(0.8, 2), kind), aim, path[-1]))


def _arms(rng: np.random.Generator, mesh: MeshBuilder, start: Array, thick: float) -> Array:
    """Two or three straight pieces with joints, in the plane y = 0; returns the joints' positions."""
    joints, heading = [start], np.pi / 2 + rng.uniform(-0.2, 0.7)
    for k in range(rng.choice([2, 2, 3])):
        length = rng.uniform(0.7, 1.6)
        joints.append(joints[-1] + length * np.array([np.cos(heading), 0, np.sin(heading)]))
        heading = rng.uniform(-0.5, 0.9) if k == 0 else rng.uniform(-1.2, 0.3)
    double = rng.random() < 0.35
    for a, b in zip(joints[:-1], joints[1:], strict=True):
        for side in (-1.6, 1.6) if double else (0,):
            offset = np.array([0, side * thick, 0])
            mesh.add("pole", tube(np.linspace(a, b, 4) + offset, thick * (0.5 if double else 1), 10, normal=(0, 1, 0)))
    for joint in joints[1:]:
        size = thick * rng.uniform(1.3, 2.2)
        mesh.add("pole", transform(cylinder(size, thick * 4.5, 16), rotate=rotation((1, 0, 0), np.pi / 2), move=joint))
    return np.array(joints)


def _arc(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    """A floor lamp whose pole bows far out."""
    low = _plate(rng, mesh, rng.uniform(0.5, 1.0))
    tall, out = rng.uniform(4, 8), rng.uniform(1.5, 4.5)
    end = tall * rng.uniform(0.7, 1.0)
    points = [(0, 0, low - 0.02), (0, 0, tall * 0.5), (out * 0.35, 0, tall), (out, 0, end)]
    path = rounded(points, 0.45, 40) if rng.random() < 0.5 else spline(points, 40)
    mesh.add("pole", tube(path, rng.uniform(0.04, 0.1), 12, normal=(0, 1, 0)))
    radius = rng.uniform(0.4, 1.1)
    kind = pick(rng, {"bowl": 3, "drum": 2, "cone": 1, "globe": 1})
    aim = DOWN + [rng.uniform(0, 0.6), 0, 0]
    mesh.add("shade", _aim(_shade(rng, radius, radius * rng.uniform(0.6, 1.3), kind), aim, path[-1]))


def _hanging(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    """A plate on the ceiling, a cord, and the shade below it."""
    cord = rng.uniform(0.6, 5)
    thick = rng.uniform(0.02, 0.06)
    mesh.add("pole", transform(cylinder(thick, cord, 12), move=(0, 0, cord / 2)))
    wide, high = rng.uniform(0.2, 0.5), rng.uniform(0.06, 0.25)
    mesh.add(
        "base",
        transform(revolve([(0, 0), (wide * rng.uniform(0.3, 1), 0), (wide, high), (0, high)], 28), move=(0, 0, cord)),
    )
    kind = pick(rng, {"cone": 3, "bowl": 3, "drum": 2, "globe": 2})
    radius = rng.uniform(0.6, 1.3)
    mesh.add("shade", _aim(_shade(rng, radius, radius * rng.uniform(0.5, 1.5), kind), DOWN, (0, 0, 0.03)))


def _wall(rng: np.random.Generator, mesh: MeshBuilder) -> None:
    size = rng.uniform(0.25, 0.6)
    plate = box((0.1, size, size * rng.uniform(0.8, 2))) if rng.random() < 0.5 else transform(
        cylinder(size, 0.12, 28), rotate=rotation((0, 1, 0), np.pi / 2)
    )  # fmt: skip
    mesh.add("base", plate)
    reach = rng.uniform(0.5, 1.5)
    end = (reach, 0, rng.uniform(-0.3, 0.6))
    mesh.add("pole", tube(spline([(0, 0, 0), (reach * 0.5, 0, rng.uniform(-0.4, 0.2)), end], 16), 0.06, 12))
    _upright_shade(rng, mesh, end[2] + 0.1, rng.uniform(0.4, 0.8), rng.uniform(0.5, 1.1), x=reach)


def _plate(rng: np.random.Generator, mesh: MeshBuilder, radius: float, z: float = 0.0) -> float:
    """A foot that stands on the floor; returns the height of its top in the middle."""
    high = rng.choice([rng.uniform(0.04, 0.12), rng.uniform(0.1, 0.4)])
    kind = pick(rng, {"disc": 4, "dome": 3, "step": 2, "block": 2})
    if kind == "block":
        mesh.add("base", box((2 * radius, 2 * radius * rng.uniform(0.6, 1), high), (0, 0, z + high / 2)))
        return z + high
    if kind == "disc":
        profile = [(0, 0), (radius, 0), (radius * rng.uniform(0.85, 1), high), (0, high)]
    elif kind == "dome":
        t = np.linspace(0, np.pi / 2, 9)
        high *= 1.4
        profile = [
            (0, 0),
            *np.column_stack([radius * np.cos(t).clip(0) ** rng.uniform(0.8, 2), 0.03 + high * np.sin(t)]),
        ]
        high += 0.03
    else:
        inner = radius * rng.uniform(0.4, 0.8)
        profile = [(0, 0), (radius, 0), (radius, high * 0.4), (inner, high * 0.45), (inner, high), (0, high)]
    mesh.add("base", transform(skin(profile, round_section(rng, 40, odd=0.2)), move=(0, 0, z)))
    return z + high


def _tripod(rng: np.random.Generator, mesh: MeshBuilder, tall: float) -> float:
    """Three or four legs as the base; returns the height where the pole begins."""
    hub = tall * rng.choice([rng.uniform(0.08, 0.2), rng.uniform(0.5, 0.85)])
    count, spread = int(rng.choice([3, 3, 3, 4])), rng.uniform(0.7, 1.5)
    for k in range(count):
        turn = 2 * np.pi * k / count
        out = np.array([np.cos(turn), np.sin(turn), 0.0])
        path = np.linspace(out * spread, out * 0.05 + [0, 0, hub], 10)
        if rng.random() < 0.3:
            path = spline([out * spread, out * spread * 0.6 + [0, 0, hub * 0.3], out * 0.05 + [0, 0, hub]], 10)
        mesh.add("base", tube(path, rng.uniform(0.04, 0.09), 10))
    return hub - 0.05


def _pole(rng: np.random.Generator, mesh: MeshBuilder, low: float, high: float, plain: bool = False) -> None:
    """A straight rod, a turned baluster or a thick column."""
    low -= 0.02
    kind = "rod" if plain else pick(rng, {"rod": 5, "turned": 2, "column": 1.5, "balls": 1})
    thick = rng.uniform(0.03, 0.1)
    if kind == "rod":
        mesh.add("pole", transform(cylinder(thick, high - low, 14), move=(0, 0, (low + high) / 2)))
        return
    if kind == "balls":
        count = rng.integers(2, 6)
        half = (high - low) / count / 2
        radius = min(half, rng.uniform(0.15, 0.4))
        for z in np.linspace(low + half, high - half, count):
            mesh.add("pole", transform(ellipsoid((radius, radius, half * 1.02), 18, 10), move=(0, 0, z)))
        mesh.add("pole", transform(cylinder(thick, high - low, 14), move=(0, 0, (low + high) / 2)))
        return
    radii = rng.uniform(0.05, 0.22, rng.integers(4, 9)) if kind == "turned" else np.full(3, rng.uniform(0.1, 0.25))
    curve = smooth(np.column_stack([radii, np.linspace(low, high, len(radii))]), 36)
    mesh.add("pole", skin(stack([(0, low), curve, (0, high)]), round_section(rng, 20, odd=0.2)))


def _upright_shade(
    rng: np.random.Generator,
    mesh: MeshBuilder,
    top: float,
    radius: float,
    height: float,
    x: float = 0.0,
    floor: float = -9.0,
) -> None:
    """A shade about a vertical axis, its upper part near the pole's end at height `top`; where it
    would reach below `floor`, shade and pole are raised."""
    kind = pick(rng, {"drum": 4, "cone": 4, "globe": 1, "bowl": 1, "bell": 1.5})
    solid = _shade(rng, radius, height, kind)
    lift = rng.uniform(-0.1, 0.35) * height if kind in ("drum", "cone", "bell") else 0.05 * height
    raised = max(0.0, floor - (top + lift - float(solid[0][:, 2].max())))
    if raised > 0:
        mesh.add("pole", transform(cylinder(0.05, raised + 0.02, 12), move=(x, 0, top + raised / 2 - 0.01)))
        top += raised
    mesh.add("shade", transform(solid, rotate=rotation((1, 0, 0), np.pi), move=(x, 0, top + lift)))
    if kind in ("drum", "cone", "bell") and rng.random() < 0.85:
        _spider(mesh, x, top + lift - 0.12 * height, radius * 0.5, top)


def _spider(mesh: MeshBuilder, x: float, z: float, radius: float, top: float) -> None:
    """The rods that carry an open shade."""
    for turn in (0.0, np.pi / 3 * 2, np.pi / 3 * 4):
        end = np.array([x + radius * np.cos(turn), radius * np.sin(turn), z])
        mesh.add("pole", tube(np.linspace((x, 0, min(top, z)), end, 3), 0.015, 6))


def _shade(rng: np.random.Generator, radius: float, height: float, kind: str | None = None) -> Solid:
    """A hollow shade whose narrow end is at the origin and whose opening looks along +z."""
    kind = kind or pick(rng, {"cone": 3, "bowl": 2, "drum": 1})
    t = np.linspace(0, 1, 12)
    if kind == "globe":
        squash = rng.uniform(0.6, 1.3)
        solid = ellipsoid((radius * 0.8, radius * 0.8, radius * 0.8 * squash), 28, 16)
        return transform(solid, move=(0, 0, radius * 0.75 * squash))
    if kind == "drum":
        r = radius * (rng.uniform(0.85, 1.0) + (1 - rng.uniform(0.85, 1.0)) * t)
        closed = rng.random() < 0.15
    elif kind == "cone":
        r = radius * (rng.uniform(0.15, 0.75) * (1 - t) + t)
        closed = rng.random() < 0.3
    elif kind == "bell":
        r = radius * (rng.uniform(0.25, 0.5) + (1 - rng.uniform(0.25, 0.5)) * t ** rng.uniform(1.5, 3))
        closed = False
    else:
        r = radius * np.sqrt(1 - (1 - t) ** 2 * rng.uniform(0.8, 1.0))
        closed = rng.random() < 0.8
    z = height * t
    wall = rng.uniform(0.012, 0.05)
    outer, inner = np.column_stack([r, z]), np.column_stack([np.maximum(r - wall, 0.01), z])
    if closed:
        inner[0, 1] += wall
        profile = stack([(0, 0), outer, inner[::-1], (0, wall)])
    else:
        profile = stack([inner[:1], outer, inner[::-1]])
    section = round_section(rng, 44, odd=0.3)
    if rng.random() < 0.12:
        pleats = rng.integers(12, 22)
        angle = np.arctan2(section[:, 1], section[:, 0])
        section = section * (1 + 0.03 * np.cos(pleats * angle))[:, None]
    return skin(profile, section)


def _aim(solid: Solid, direction: Array, at: object) -> Solid:
    """Turn a shade's opening (+z) toward `direction`, its narrow end at `at`."""
    goal = np.asarray(direction, float) / np.linalg.norm(direction)
    axis = np.cross([0, 0, 1.0], goal)
    angle = float(np.arccos(np.clip(goal[2], -1, 1)))
    turn = rotation(axis, angle) if np.linalg.norm(axis) > 1e-6 else rotation((1, 0, 0), angle)
    vertices, faces = transform(solid, move=(0, 0, -0.06))
    return transform((vertices, faces), rotate=turn, move=np.asarray(at, float))


FAMILY = Family(
    name="lamp",
    parts=PARTS,
    build=build,
    synonyms={
        "lamp": ("table lamp", "floor lamp", "desk lamp", "light"),
        "base": ("foot", "stand"),
        "pole": ("arm", "tube", "stem", "post"),
        "shade": ("lampshade", "head", "cover"),
    },
    size=(0.35, 1.7),
)
