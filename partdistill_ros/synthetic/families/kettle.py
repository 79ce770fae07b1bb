# SPDX-License-Identifier: Apache-2.0
"""Kettles and teapots: stove kettles, electric ones, pour-over pots with thin necks, coffee pots."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import (
    MeshBuilder,
    Solid,
    ellipsoid,
    loft,
    rotation,
    smooth,
    transform,
    tube,
)
from partdistill_ros.synthetic.drawing.vessel import (
    Array,
    cavity,
    lip,
    loop_handle,
    pick,
    radius_at,
    round_foot,
    round_section,
    rounded,
    skin,
    spline,
    stack,
)

PARTS = ("handle", "spout", "lid", "body")


def build(rng: np.random.Generator) -> MeshBuilder:
    """One kettle of largest radius about 1; the spout points toward +x."""
    style = pick(rng, {"stove": 3, "teapot": 3.5, "electric": 2.5, "pour": 1.2, "coffee": 1.5})
    profile = _profile(rng, style)
    section = round_section(rng, 48, odd=0.2)
    mesh = MeshBuilder(PARTS)
    foot = round_foot(profile, rng.uniform(0.02, 0.3))
    open_top = rng.random() < 0.08
    if open_top:
        wall = rng.uniform(0.03, 0.08)
        mesh.add("body", skin(stack([foot, lip(profile, wall, 0.8), cavity(profile, wall, 0.1)]), section))
    else:
        mesh.add("body", skin(stack([foot, (0, profile[-1, 1])]), section))
        _lid(rng, mesh, profile, style, section)
    if style == "electric" and rng.random() < 0.6:
        base_r, base_h = profile[0, 0] * rng.uniform(0.95, 1.12), rng.uniform(0.08, 0.25)
        mesh.add("body", skin([(0, -base_h), (base_r, -base_h), (base_r, -0.3 * base_h), (base_r * 0.9, 0)], section))
    _spout(rng, mesh, profile, style)
    _handle(rng, mesh, profile, style)
    return mesh


def _profile(rng: np.random.Generator, style: str) -> Array:
    """Outer wall, heights ascending from 0 to the opening."""
    height, mouth = {
        "stove": (rng.uniform(0.9, 1.7), rng.uniform(0.35, 0.7)),
        "teapot": (rng.uniform(1.0, 2.0), rng.uniform(0.3, 0.7)),
        "electric": (rng.uniform(1.8, 3.2), rng.uniform(0.6, 0.95)),
        "pour": (rng.uniform(1.0, 1.8), rng.uniform(0.35, 0.7)),
        "coffee": (rng.uniform(2.0, 3.6), rng.uniform(0.45, 0.8)),
    }[style]
    foot = rng.uniform(0.6, 1.0)
    belly = rng.uniform(0.85, 1.0)
    kinds = {
        "stove": [[1.0, 1.0, 0.85, mouth], [foot, 1.0, belly, mouth], [1.0, 0.8, mouth]],
        "teapot": [[foot * 0.8, 0.97, 1.0, 0.9, mouth], [foot, 1, 1, mouth], [1.0, 0.9, 0.75, mouth], [0.7, 1, mouth]],
        "electric": [[1.0, 0.5 + mouth / 2, mouth], [1.0, 1.0, 0.95, mouth], [0.8, 1, 0.9, mouth]],
        "pour": [[1.0, 0.85, mouth], [1.0, 1.0, mouth], [foot, 1.0, 0.9, mouth]],
        "coffee": [[1.0, 0.75, mouth], [foot, 1.0, 0.7, mouth], [0.8, 1, 0.8, mouth * 0.9, mouth]],
    }[style]
    radii = np.array(kinds[rng.integers(len(kinds))]) * np.exp(rng.normal(0, 0.04))
    return smooth(np.column_stack([radii, np.linspace(0, height, len(radii))]), 26)


def _lid(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, style: str, section: Array) -> None:
    r, z = profile[-1]
    wide = r * rng.uniform(0.9, 1.1)
    dome = wide * rng.choice([rng.uniform(0.02, 0.15), rng.uniform(0.15, 0.6)])
    step = rng.uniform(0.0, 0.08)
    t = np.linspace(0, np.pi / 2, 9)
    cap = np.column_stack([wide * np.cos(t).clip(0) ** rng.uniform(0.7, 1.1), z + step + dome * np.sin(t)])
    mesh.add("lid", skin(stack([(wide * 0.9, z - 0.02), (wide, z - 0.01), cap]), section))
    if style == "electric" and rng.random() < 0.5:
        return
    top, size = z + step + dome, wide * rng.uniform(0.12, 0.35)
    kind = pick(rng, {"ball": 3, "button": 3, "cone": 1, "ring": 1})
    if kind == "ball":
        solid = transform(ellipsoid((size, size, size * rng.uniform(0.6, 1.3)), 18, 10), move=(0, 0, top + size * 0.6))
    elif kind == "ring":
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        path = np.column_stack([size * np.cos(angle), np.zeros(24), top + size * 0.9 + size * np.sin(angle)])
        solid = tube(path, size * rng.uniform(0.15, 0.3), 10, closed=True, normal=(0, 1, 0))
    else:
        neck = size * rng.uniform(0.3, 0.9)
        crown = size * rng.uniform(0.7, 1.6)
        wider = size if kind == "button" else size * 0.3
        solid = skin(
            [
                (neck, top - 0.03),
                (neck, top + crown * 0.4),
                (size, top + crown * 0.5),
                (wider, top + crown),
                (0, top + crown),
            ],
            section,
        )
    mesh.add("lid", solid)


def _spout(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, style: str) -> None:
    height = profile[-1, 1]
    kind = {
        "stove": pick(rng, {"short": 3, "curved": 2}),
        "teapot": pick(rng, {"curved": 4, "short": 2}),
        "electric": pick(rng, {"beak": 3, "short": 1}),
        "pour": "goose",
        "coffee": pick(rng, {"goose": 2, "curved": 2, "beak": 2, "short": 1}),
    }[style]
    if kind == "beak":
        return mesh.add("spout", _beak(rng, profile))
    at = {"short": rng.uniform(0.45, 0.85), "curved": rng.uniform(0.2, 0.6), "goose": rng.uniform(0.05, 0.3)}[kind]
    z0 = at * height
    r0 = float(radius_at(profile, z0))
    tip_z = height * rng.uniform(0.85, 1.2) if kind != "short" else z0 + rng.uniform(0.2, 0.7)
    length = {"short": rng.uniform(0.3, 0.8), "curved": rng.uniform(0.5, 1.1), "goose": rng.uniform(0.6, 1.3)}[kind]
    wide = {"short": rng.uniform(0.14, 0.3), "curved": rng.uniform(0.15, 0.32), "goose": rng.uniform(0.06, 0.13)}[kind]
    wide = min(wide, 0.45 * height, z0 * 0.9 + 0.05)
    tip = wide * (rng.uniform(0.35, 0.75) if kind != "goose" else rng.uniform(0.6, 1.0))
    start = np.array([r0 - min(0.5 * wide + 0.03, 0.3 * r0), 0, z0])
    end = np.array([float(np.max(profile[:, 0])) + length, 0, tip_z])
    if kind == "short":
        path = np.linspace(start, end, 14)
    else:
        bend = rng.uniform(0.3, 0.8)
        middle = np.array([r0 + (end[0] - r0) * bend, 0, z0 + (tip_z - z0) * rng.uniform(0.05, 0.5)])
        points = [start, [r0 + 0.12 * length, 0, z0 + 0.02], middle, end]
        if kind == "goose" or rng.random() < 0.3:
            points[-1] = end - [0.2 * length, 0, 0.02]
            points.append(end + [0.08, 0, -0.04 * rng.uniform(-1, 2)])
        path = spline(points, 26)
    along = np.linspace(0, 1, len(path))
    radius = wide + (tip - wide) * along ** rng.uniform(0.5, 1.3)
    radius *= 1 + rng.uniform(0, 0.8) * np.maximum(0, 1 - along / 0.25) ** 2 * (kind != "short")
    vertices, faces = tube(path, radius, 16, aspect=rng.choice([1.0, rng.uniform(0.7, 1.4)]), normal=(0, 1, 0))
    mesh.add("spout", (vertices, faces[:-16] if rng.random() < 0.5 else faces))


def _beak(rng: np.random.Generator, profile: Array) -> Solid:
    """The pulled-out lip of a jug: an upside-down half cone at the rim."""
    height = profile[-1, 1]
    top, drop = height * rng.uniform(0.93, 1.02), height * rng.uniform(0.15, 0.5)
    reach, half = rng.uniform(0.25, 0.6), np.deg2rad(rng.uniform(18, 40))
    angle = np.linspace(-half, half, 15)
    share = 1 - np.abs(angle / half) ** rng.uniform(0.9, 1.8)
    rings = []
    for s in np.linspace(0, 1, 8):
        z = top - drop * (1 - s)
        r = float(radius_at(profile, z)) * 0.93
        outer = np.column_stack([np.cos(angle), np.sin(angle)]) * r + np.outer(share * (reach + 0.08) * s**1.3, [1, 0])
        inner = np.column_stack([np.cos(angle), np.sin(angle)])[::-1] * (r - 0.05)
        ring = np.concatenate([outer, inner])
        tilt = rng.uniform(0, 0.01) + 0.15 * s * share * reach
        rings.append(np.column_stack([ring, np.full(len(ring), z) + np.concatenate([tilt, np.zeros(15)])]))
    return loft(np.stack(rings))


def _handle(rng: np.random.Generator, mesh: MeshBuilder, profile: Array, style: str) -> None:
    kind = {
        "stove": pick(rng, {"bail": 4, "side": 1}),
        "teapot": pick(rng, {"side": 5, "bail": 2, "stick": 0.5}),
        "electric": pick(rng, {"side": 6, "bail": 0.5}),
        "pour": pick(rng, {"side": 4, "bail": 0.6}),
        "coffee": pick(rng, {"side": 5, "stick": 1}),
    }[style]
    height = profile[-1, 1]
    thickness = rng.uniform(0.05, 0.15)
    width = rng.choice([1.0, rng.uniform(1.2, 2.5)])
    if kind == "bail":
        return mesh.add("handle", _bail(rng, profile, thickness, width))
    if kind == "stick":
        z = height * rng.uniform(0.45, 0.85)
        r = float(radius_at(profile, z))
        path = spline(
            [(0, -(r - 0.06), z), (0, -(r + 0.5), z + 0.1), (0, -(r + rng.uniform(0.9, 1.8)), z + rng.uniform(0, 0.6))],
            14,
        )
        radius = thickness * np.linspace(1, rng.uniform(1, 2), 14)
        stick = transform(tube(path, radius, 14), rotate=rotation((0, 0, 1), rng.choice([0, np.pi, -np.pi / 2])))
        return mesh.add("handle", stick)
    top = height * rng.uniform(0.75, 0.97)
    span = rng.uniform(0.45, 0.92) if style == "electric" else rng.uniform(0.4, 0.8)
    bottom = max(top - span * height, 0.05 * height)
    reach = np.clip((top - bottom) * rng.uniform(0.3, 0.65), 0.3, 1.1)
    half_span = (top - bottom) * 0.16
    solid = loop_handle(
        rng, profile, top, bottom, float(reach), min(thickness, half_span), embed=0.04, width=width,
        kinds={"arc": 5, "bent": 2, "curl": 1, "free": 0.5},
    )  # fmt: skip
    mesh.add("handle", transform(solid, scale=(-1, 1, 1)))


def _bail(rng: np.random.Generator, profile: Array, thickness: float, width: float) -> Solid:
    """An arch over the lid, from front to back or from side to side."""
    height = profile[-1, 1]
    z0 = height * rng.uniform(0.75, 0.98)
    r0 = float(radius_at(profile, z0)) - 0.03
    rise, spread = rng.uniform(0.7, 1.5), rng.uniform(0.95, 1.3)
    if rng.random() < 0.3:
        corner = r0 * spread
        path = rounded([(-r0, z0), (-corner, z0 + rise), (corner, z0 + rise), (r0, z0)], rng.uniform(0.1, 0.4), 32)
    else:
        t = np.linspace(0, np.pi, 32)
        out = -np.cos(t) * (1 + (spread - 1) * np.sin(t))
        path = np.column_stack([r0 * out, z0 + rise * np.sin(t) ** rng.uniform(0.5, 1.0)])
    if rng.random() < 0.2:
        path = path[: rng.integers(20, 26)]
    points = np.column_stack([path[:, 0], np.zeros(len(path)), path[:, 1]])
    grip = 1 + rng.uniform(0, 0.8) * (np.abs(np.linspace(-1, 1, len(path))) < 0.45)
    solid = tube(points, thickness * grip * 0.8, 14, aspect=width, normal=(0, 1, 0))
    return transform(solid, rotate=rotation((0, 0, 1), np.pi / 2 if rng.random() < 0.35 else np.pi))


FAMILY = Family(
    name="kettle",
    parts=PARTS,
    build=build,
    synonyms={
        "kettle": ("teapot", "tea kettle", "electric kettle", "coffee pot"),
        "handle": ("grip", "bail"),
        "spout": ("nozzle", "beak"),
        "lid": ("cover", "top"),
        "body": ("pot", "container", "vessel"),
    },
    size=(0.16, 0.34),
)
