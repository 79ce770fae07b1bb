# SPDX-License-Identifier: Apache-2.0
"""Made-up clutter as a depth camera sees it: things that touch, lean, stand on one another and lie in bowls.

Beside the shape families there are boxes, books, cans, tins, bowls and pots, drawn here. A thing is lowered on what
is there already until it touches, on maps of heights; there is no physics, so that some overhang more than they could.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.pointcloud.scan import Mesh, sample_mesh
from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.depth_camera import DepthCamera
from partdistill_ros.synthetic.drawing.family import draw
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, box, cylinder, revolve, rotation, transform
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.table_scene import TABLE, TabletopScene, paint, record, table_top, viewpoint

SIMPLE = ("box", "book", "can", "tin", "bowl", "pot")
CLUTTER_FAMILIES = (
    "mug",
    "mug",
    "bottle",
    "kettle",
    "vase",
    "cap",
    "laptop",
    "knife",
    "pliers",
    "hammer",
    "eyeglasses",
)  # fmt: skip; mugs twice: their handles are the hardest

_CELL = 0.004  # meters, of the maps of heights
_HALF = 0.5  # of the square of the table that they cover
_NOTHING = -1e3


def make_clutter(
    seed: int,
    families: Sequence[str] = CLUTTER_FAMILIES,
    *,
    count: int | None = None,
    camera: DepthCamera | None = None,
    always: Sequence[str] = (),
) -> TabletopScene:
    """The clutter of `seed`: `count` things (1 to 14 unless told), half of them of the `families`, or of categories
    of archetypes, half simple ones; those of `always` are among them.

    `objects` names a simple thing by its kind, which is also its only part. Always the same for the same arguments.
    """
    rng = np.random.default_rng([seed, 77])
    total = count if count is not None else int(rng.integers(1, 15))
    kinds = [str(rng.choice(SIMPLE if rng.random() < 0.55 or not families else families)) for _ in range(total)]
    kinds[: len(always)] = always
    # large and flat things first: others come to stand on them
    kinds.sort(key=lambda kind: {"laptop": 0, "book": 1, "tin": 1, "box": 2, "pot": 2, "bowl": 2}.get(kind, 3))
    pose, _ = viewpoint(rng)
    cells = round(2 * _HALF / _CELL)
    top = np.zeros((cells, cells), np.float32)
    shapes = [_thing(rng, kind) for kind in kinds]
    parts = tuple(dict.fromkeys(part for _, names in shapes for part in names))
    spread = rng.uniform(0.08, 0.28)
    meshes = [table_top(rng)]
    for mesh, names in shapes:
        placed = _lowered(rng, mesh, top, spread)
        lookup = np.array([parts.index(part) for part in names], np.int16)
        assert mesh.face_labels is not None
        meshes.append(Mesh(placed, mesh.faces, lookup[mesh.face_labels], paint(rng, mesh.face_labels)))
    ids = np.concatenate([np.full(len(mesh.faces), TABLE + number, np.int16) for number, mesh in enumerate(meshes)])
    scan, object_index = record(rng, meshes, ids, pose, camera, parts, f"clutter_{seed:05d}")
    return TabletopScene(scan, object_index, tuple(kinds), pose)


def _thing(rng: np.random.Generator, kind: str) -> tuple[Mesh, tuple[str, ...]]:
    """A mesh with its lowest point at z = 0 in some stable or leaning pose, and its parts."""
    if kind in SIMPLE:
        parts: tuple[str, ...] = (kind,)
        mesh = _simple(rng, kind)
    else:
        family = CATEGORIES.get(kind) or FAMILIES[kind]
        shape = draw(family, int(rng.integers(1 << 30)))
        assert shape.mesh is not None
        mesh, parts = shape.mesh, shape.parts
    vertices = mesh.vertices.astype(float)
    chance = rng.random()
    if kind in ("box", "can", "bottle") and chance < 0.3:
        vertices = vertices @ rotation((1, 0, 0) if rng.random() < 0.5 else (0, 1, 0), np.pi / 2).T
    elif kind in ("bowl", "pot", "mug") and chance < 0.15:
        vertices = vertices * [1, -1, -1]
    if rng.random() < 0.12:
        angle = rng.uniform(0, 2 * np.pi)
        vertices = vertices @ rotation((np.cos(angle), np.sin(angle), 0), rng.uniform(0.1, 0.6)).T
    vertices = vertices @ rotation((0, 0, 1), rng.uniform(0, 2 * np.pi)).T
    vertices -= [*(vertices[:, :2].min(0) + vertices[:, :2].max(0)) / 2, vertices[:, 2].min()]
    return Mesh(vertices.astype(np.float32), mesh.faces, mesh.face_labels), parts


def _simple(rng: np.random.Generator, kind: str) -> Mesh:
    """A box, book, can, tin, bowl or pot of everyday size."""
    builder = MeshBuilder((kind,))
    if kind == "box":
        builder.add(kind, box(np.sort(rng.uniform([0.03, 0.06, 0.08], [0.09, 0.19, 0.30]))))
    elif kind == "book":
        builder.add(kind, box([rng.uniform(0.12, 0.22), rng.uniform(0.17, 0.30), rng.uniform(0.01, 0.05)]))
    elif kind == "can":
        builder.add(kind, cylinder(rng.uniform(0.025, 0.05), rng.uniform(0.07, 0.25), 40))
    elif kind == "tin":
        radius, height, lid = rng.uniform(0.06, 0.12), rng.uniform(0.03, 0.09), rng.uniform(0.0, 0.003)
        split = rng.uniform(0.4, 0.8) * height
        profile = [(radius, 0), (radius, split), (radius + lid, split), (radius + lid, height), (radius, height)]
        builder.add(kind, revolve([(0, 0), *profile, (0, height - rng.choice([0.0, lid]))], 56))
    else:
        _vessel(rng, kind, builder)
    return builder.build()


def _vessel(rng: np.random.Generator, kind: str, builder: MeshBuilder) -> None:
    """A bowl, or a straight pot that may have two lugs."""
    radius, height, wall = rng.uniform(0.05, 0.13), rng.uniform(0.05, 0.12), rng.uniform(0.003, 0.007)
    along = np.linspace(0, 1, 14)
    foot, power = (rng.uniform(0.25, 0.6), rng.uniform(0.35, 0.8)) if kind == "bowl" else (rng.uniform(0.8, 1), 0.6)
    radii = radius * (foot + (1 - foot) * along**power)
    outer = np.column_stack([radii, along * height])
    inner = np.column_stack([radii - wall, wall + along * (height - wall)])[::-1]
    builder.add(kind, revolve(np.concatenate([[(0, 0)], outer, inner, [(0, wall)]]), 56))
    if kind == "pot" and rng.random() < 0.7:
        size = [rng.uniform(0.015, 0.03), rng.uniform(0.03, 0.06), rng.uniform(0.006, 0.015)]
        for side in (-1, 1):
            builder.add(kind, transform(box(size), move=(side * (radius + size[0] / 2 - 0.004), 0, 0.85 * height)))


def _lowered(rng: np.random.Generator, mesh: Mesh, top: NDArray[np.float32], spread: float) -> NDArray[np.float32]:
    """The vertices where the mesh comes to rest on what is there, whose heights `top` it then joins.

    Half of the things look for the lowest of some places, so that they stand beside others; a third of those move on
    until they nearly touch.
    """
    points = sample_mesh(mesh, 6000, int(rng.integers(1 << 30)))[0]
    column = np.floor((points[:, :2] + _HALF) / _CELL).astype(int)
    low, size = column.min(0), np.ptp(column, axis=0) + 1
    local = tuple((column - low).T)
    under, over = np.full(size, np.inf, np.float32), np.full(size, _NOTHING, np.float32)
    np.minimum.at(under, local, points[:, 2])
    np.maximum.at(over, local, points[:, 2])

    def rest(shift: NDArray[np.int64]) -> float:
        return float((window(shift) - under).max())

    def window(shift: NDArray[np.int64]) -> NDArray[np.float32]:
        x, y = (low + shift).clip(0, np.array(top.shape) - size)
        return top[x : x + size[0], y : y + size[1]]

    places = [np.round(rng.normal(0, spread, 2) / _CELL).astype(int) for _ in range(1 if rng.random() < 0.4 else 25)]
    best = min(places, key=rest)
    if rest(best) < 0.002 and rng.random() < 0.6:
        toward = -best / max(float(np.hypot(*best)), 1e-6)
        for _ in range(120):
            moved = best + np.round(2 * toward).astype(int)
            if rest(moved) > 0.002 or np.hypot(*moved) < 4:
                break
            best = moved
    corner = (low + best).clip(0, np.array(top.shape) - size)
    best, height = corner - low, rest(best)
    seen = window(best)
    np.maximum(seen, over + height, out=seen)
    return (mesh.vertices + np.array([*(best * _CELL), height])).astype(np.float32)
