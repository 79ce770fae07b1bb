# SPDX-License-Identifier: Apache-2.0
"""A made-up table scene as a depth camera records it: several objects, one of them a mug."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture
from partdistill_ros.synthetic.drawing.primitives import Solid, rotation, transform
from partdistill_ros.synthetic.drawing.sheets import sheet
from partdistill_ros.synthetic.families import FAMILIES, generate

TABLETOP_FAMILIES = ("mug", "bottle", "kettle", "vase", "cap", "laptop", "knife", "pliers", "hammer", "eyeglasses")
NOTHING, TABLE = -1, 0
_MIN_HANDLE_PIXELS = 120
_MIN_OBJECT_PIXELS = 150
_GAP = 0.035  # meters left free between objects, so that they are separate clusters in the cloud
_TRIES = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TabletopScene:
    """A recorded scene and the truth about it.

    scan: organized, camera frame; `point_labels` index `scan.parts`, which holds the part names of
        all its objects once each (a mug's and a kettle's handle are both `handle`).
    object_index: `[N] i2` per point: -1 nothing, 0 the table, k > 0 the object `objects[k - 1]`.
    objects: the family of each object; the first is a mug if the families include it.
    camera_pose: `[4, 4]` camera to world; the world's table top is the plane z = 0.
    """

    scan: Scan
    object_index: NDArray[np.int16]
    objects: tuple[str, ...]
    camera_pose: Floats

    def object_mask(self, number: int) -> NDArray[np.bool_]:
        """Mask `[N]` of the points of `objects[number]`."""
        return self.object_index == number + 1

    def query(self) -> str:
        """A group of part names for each kind of object on the table that has parts; a box has none."""
        kinds = [kind for kind in dict.fromkeys(self.objects) if kind in FAMILIES]
        return "; ".join(f"{kind}: {', '.join(FAMILIES[kind].parts)}" for kind in kinds)


def make_scene(
    seed: int,
    families: Sequence[str] = TABLETOP_FAMILIES,
    *,
    count: int | None = None,
    camera: DepthCamera | None = None,
) -> TabletopScene:
    """The scene of `seed`: a table with `count` objects (3 to 6 unless told) drawn from `families`.

    A mug, where the families include it, stands upright with its handle in view. The camera looks
    down at 25 to 60 degrees from 0.6 to 1.2 m off the table's center. Always the same for the same arguments.
    Raises PartDistillError for an unknown family or no families.
    """
    if not families or (unknown := [name for name in families if name not in FAMILIES]):
        wrong = f"no shape family '{unknown[0]}'" if families else "no families given"
        raise PartDistillError(f"table scene: {wrong}; choose from {', '.join(sorted(FAMILIES))}")
    best: tuple[int, TabletopScene] | None = None
    for attempt in range(_TRIES):
        scene, merit = _draw(np.random.default_rng([seed, attempt]), seed, tuple(families), count, camera)
        if merit == len(scene.objects):
            return scene
        if best is None or merit > best[0]:
            best = merit, scene
    assert best is not None
    return best[1]


def _draw(
    rng: np.random.Generator, seed: int, families: tuple[str, ...], count: int | None, camera: DepthCamera | None
) -> tuple[TabletopScene, int]:
    """One attempt and the number of its objects that are well in view."""
    total = count if count is not None else int(rng.integers(3, 7))
    names = [str(name) for name in rng.choice(families, total)]
    if "mug" in families:
        names[0] = "mug"
    pose, toward = viewpoint(rng)
    shapes, placements = _arrange(rng, names, toward, pose, camera or DepthCamera())
    objects = tuple(name for name, placement in zip(names, placements, strict=True) if placement is not None)
    parts = tuple(dict.fromkeys(part for name in objects for part in FAMILIES[name].parts))
    meshes, owner = [table_top(rng)], [TABLE]
    for shape, placement in zip(shapes, placements, strict=True):
        if placement is not None:
            owner.append(len(meshes))
            meshes.append(_placed(rng, shape, placement, parts))
    if rng.random() < 0.5:
        owner.append(NOTHING)
        meshes.append(_board(_sheet(5.0, 5.0, 40), -rng.uniform(0.5, 0.9), rng))
    ids = [np.full(len(mesh.faces), number, np.int16) for mesh, number in zip(meshes, owner, strict=True)]
    scan, object_index = record(rng, meshes, np.concatenate(ids), pose, camera, parts, f"tabletop_{seed:05d}")
    scene = TabletopScene(scan, object_index, objects, pose)
    lens = camera or DepthCamera()
    return scene, _merit(scene, lens.fx * lens.fy / 525.0**2)


def record(
    rng: np.random.Generator,
    meshes: list[Mesh],
    ids: NDArray[np.int16],
    pose: Floats,
    camera: DepthCamera | None,
    parts: tuple[str, ...],
    name: str,
) -> tuple[Scan, NDArray[np.int16]]:
    """The scan, and per point the object's number: both ride through the camera as one label."""
    labels = np.concatenate([mesh.face_labels for mesh in meshes if mesh.face_labels is not None])
    codes = ids * (len(parts) + 1) + labels + 1
    split = np.cumsum([len(mesh.faces) for mesh in meshes])[:-1]
    coded = [
        Mesh(mesh.vertices, mesh.faces, code.astype(np.int16), mesh.face_colors)
        for mesh, code in zip(meshes, np.split(codes, split), strict=True)
    ]
    scan = capture(coded, pose, rng, camera, parts=parts, name=name)
    seen = scan.point_labels
    assert seen is not None
    object_index = np.where(seen >= 0, seen // (len(parts) + 1), NOTHING).astype(np.int16)
    part_index = np.where(seen >= 0, seen % (len(parts) + 1) - 1, -1).astype(np.int16)
    return scan.with_(point_labels=part_index), object_index


def _merit(scene: TabletopScene, zoom: float) -> int:
    """How many objects show enough of themselves (a mug: of its handle too), `zoom` being the
    camera's pixels per those of the usual one."""
    good = 0
    labels = scene.scan.point_labels
    assert labels is not None
    for number, family in enumerate(scene.objects):
        mine = scene.object_mask(number)
        enough = mine.sum() >= _MIN_OBJECT_PIXELS * zoom
        if number == 0 and family == "mug":
            enough &= (mine & (labels == scene.scan.parts.index("handle"))).sum() >= _MIN_HANDLE_PIXELS * zoom
        good += int(enough)
    return good


def viewpoint(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The camera's pose, and the horizontal direction `[2]` from the table's center toward it."""
    down, around = np.deg2rad(rng.uniform(25, 60)), rng.uniform(0, 2 * np.pi)
    toward = np.array([np.cos(around), np.sin(around)])
    target = np.array([*rng.normal(0, 0.02, 2), rng.uniform(0.0, 0.08)])
    position = target + rng.uniform(0.6, 1.2) * np.array([*(toward * np.cos(down)), np.sin(down)])
    return camera_pose(position, target), toward


def _arrange(
    rng: np.random.Generator, names: list[str], toward: Floats, pose: Floats, camera: DepthCamera
) -> tuple[list[Scan], list[tuple[float, float, float] | None]]:
    """Shapes, and where each stands (x, y, yaw), None where no free place in view was found."""
    shapes: list[Scan] = []
    placements: list[tuple[float, float, float] | None] = []
    taken: list[tuple[float, float, float]] = []
    for number, name in enumerate(names):
        shape = generate(name, int(rng.integers(1 << 30)))
        radius = float(np.linalg.norm(shape.points[:, :2], axis=1).max())
        placement: tuple[float, float, float] | None = None
        for _ in range(80):
            near_center = toward * rng.uniform(0.0, 0.1) + rng.normal(0, 0.05, 2)
            x, y = map(float, rng.uniform(-0.5, 0.5, 2) if number else near_center)
            free = all(np.hypot(x - a, y - b) > radius + r + _GAP for a, b, r in taken)
            if free and _in_view(np.array([x, y, 0.03]), radius, pose, camera):
                taken.append((x, y, radius))
                placement = x, y, _yaw(rng, number == 0 and name == "mug", toward)
                break
        shapes.append(shape)
        placements.append(placement)
    return shapes, placements


def _in_view(position: Floats, radius: float, pose: Floats, camera: DepthCamera) -> bool:
    """Is most of something at `position` inside the picture, and far enough from the camera?"""
    x, y, z = (position - pose[:3, 3]) @ pose[:3, :3]
    if z < camera.near + 0.1 + radius:
        return False
    column, row = camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy
    margin = 0.5 * radius * camera.fx / z
    return bool(margin < column < camera.width - margin and margin < row < camera.height - margin)


def _yaw(rng: np.random.Generator, show_handle: bool, toward: Floats) -> float:
    """Any yaw; a handle (at +x) that must show points sideways or toward the camera."""
    if not show_handle:
        return float(rng.uniform(0, 2 * np.pi))
    return float(np.arctan2(toward[1], toward[0]) + rng.choice([-1, 1]) * np.deg2rad(rng.uniform(15, 105)))


def _placed(
    rng: np.random.Generator, shape: Scan, placement: tuple[float, float, float], parts: tuple[str, ...]
) -> Mesh:
    """The shape standing on the table, painted, its labels counted in the scene's parts."""
    mesh = shape.mesh
    assert mesh is not None and mesh.face_labels is not None
    vertices = mesh.vertices @ rotation((0, 0, 1), placement[2]).T + [
        placement[0],
        placement[1],
        -float(mesh.vertices[:, 2].min()),
    ]
    lookup = np.array([parts.index(part) for part in shape.parts], np.int16)
    return Mesh(vertices.astype(np.float32), mesh.faces, lookup[mesh.face_labels], paint(rng, mesh.face_labels))


def paint(rng: np.random.Generator, labels: NDArray[np.int16]) -> NDArray[np.uint8]:
    """One color for the object; sometimes each part has its own."""
    channels = 3 if rng.random() < 0.6 else 1
    palette = np.ones((int(labels.max()) + 1, 3)) * rng.uniform(60, 250, channels)
    if rng.random() < 0.35:
        palette = rng.uniform(40, 250, palette.shape)
    return palette[labels].astype(np.uint8)


def table_top(rng: np.random.Generator) -> Mesh:
    """A table top with its upper side at z = 0, large enough for everything on it."""
    if rng.random() < 0.25:
        top = _sheet(1.0, 1.0, 24)
        angle = np.arctan2(top[0][:, 1], top[0][:, 0])
        # square to disc: push every ring of the grid onto a circle
        ring = 2 * np.abs(top[0][:, :2]).max(1) * rng.uniform(0.65, 0.85)
        top = np.column_stack([ring * np.cos(angle), ring * np.sin(angle), top[0][:, 2]]), top[1]
    else:
        top = _sheet(rng.uniform(1.1, 1.7), rng.uniform(1.1, 1.4), 24)
    rotated = transform(top, rotate=rotation((0, 0, 1), rng.uniform(0, np.pi)))
    return _board(rotated, 0.0, rng)


def _sheet(length: float, width: float, cells: int) -> Solid:
    """A flat rectangle cut into cells: the camera drops whole faces that come too near."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, cells) * length, np.linspace(-0.5, 0.5, cells) * width, indexing="ij")
    return sheet(np.stack([x, y, np.zeros_like(x)], -1))


def _board(solid: Solid, z: float, rng: np.random.Generator) -> Mesh:
    """An unlabeled mesh of one color at height `z`."""
    vertices, faces = transform(solid, move=(0, 0, z))
    color = np.clip(rng.normal((150, 115, 85), 35), 30, 240) if rng.random() < 0.6 else np.full(3, rng.uniform(60, 230))
    return Mesh(
        vertices.astype(np.float32),
        faces.astype(np.int32),
        np.full(len(faces), -1, np.int16),
        np.tile(color.astype(np.uint8), (len(faces), 1)),
    )
