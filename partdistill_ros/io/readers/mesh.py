# SPDX-License-Identifier: Apache-2.0
"""OBJ, STL and GLB files, through trimesh."""

from __future__ import annotations

import codecs
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import malformed, parse_json, truncated
from partdistill_ros.io.readers import common
from partdistill_ros.pointcloud.scan import Mesh, Scan

MAX_BESIDE = 1 << 26
"""Bytes of a file that an OBJ file names, its materials and textures."""
MAX_PIXELS = 1 << 25
"""Of a texture; larger ones are left out, and the shape has no colors."""

STAND_IN = (2, 2)
"""Pixels of the gray picture that trimesh gives for a texture that is not there."""
UNTOLD = 102
"""Gray of what has no color of its own beside colored things."""


def read_mesh(path: Path) -> Scan:
    """Read a mesh: its vertices in order (those of an STL file merged where they coincide; of an OBJ file with textures
    or normals up to the last that a face needs) and faces.

    A scene becomes one mesh, every object at its place. A file of points alone becomes a cloud. Files that an OBJ
    file names are read from its own folder only. Raises PartDistillError, and whatever trimesh runs into.
    """
    try:
        import trimesh
    except ImportError as error:
        raise PartDistillError(f"reading {path} needs the Python package 'trimesh': pip install trimesh") from error
    kind = path.suffix.lower()[1:]
    if kind == "glb":
        _check_glb(path)
    beside = _Beside(path.parent)
    if kind == "obj":
        return _read_obj(path, lambda **order: _loaded(trimesh, path, kind, beside, **order))
    loaded = _loaded(trimesh, path, kind, beside, maintain_order=True)
    if isinstance(loaded, trimesh.Scene):
        drawn = (loaded.geometry[name] for _, name in map(loaded.graph.get, loaded.graph.nodes_geometry))
        common.check_count(path, "vertices in all its objects", sum(len(shape.vertices) for shape in drawn))
    shape: Any = loaded.to_geometry() if isinstance(loaded, trimesh.Scene) else loaded
    if kind == "stl":
        shape.merge_vertices()
    vertices, faces = _vertices(path, shape), _faces(shape)
    return _scan(path, vertices, faces, *_colors(shape, len(vertices), len(faces)))


def _loaded(trimesh: Any, path: Path, kind: str, beside: _Beside, **order: bool) -> Any:
    # of materials that need only some of the vertices, trimesh makes NumPy warn of means of nothing
    with open(path, "rb") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        if kind == "obj" and file.read(3) != codecs.BOM_UTF8:  # after such a mark the first line would not be told
            file.seek(0)
        return trimesh.load(file, file_type=kind, resolver=beside, process=False, **order)


def _vertices(path: Path, shape: Any) -> NDArray[np.float32]:
    vertices = common.as_float32(path, "vertices", np.asarray(getattr(shape, "vertices", np.empty((0, 3)))))
    common.check_count(path, "vertices", len(vertices))
    return vertices.reshape(len(vertices), 3)


def _faces(shape: Any) -> NDArray[np.int32]:
    faces = np.asarray(getattr(shape, "faces", np.empty((0, 3))), np.int32)
    return faces.reshape(len(faces), 3)


def _scan(
    path: Path,
    vertices: NDArray[np.float32],
    faces: NDArray[np.int32],
    point_colors: NDArray[np.uint8] | None,
    face_colors: NDArray[np.uint8] | None,
) -> Scan:
    mesh = Mesh(vertices, faces, face_colors=face_colors) if len(faces) else None
    return Scan(vertices, colors=point_colors, mesh=mesh, name=path.stem)


def _read_obj(path: Path, load: Callable[..., Any]) -> Scan:
    """The vertices of the file, each once and in its order, and the faces of all its materials.

    trimesh makes a mesh of each material. In the file's order each begins with the same vertices, up to the last that
    it needs; but there a vertex has one place in a texture, and none where the material does not need it."""
    pieces = _pieces(load(maintain_order=True))
    vertices = _vertices(path, max(pieces, key=lambda piece: len(piece.vertices), default=None))
    faces = np.concatenate([_faces(None), *map(_faces, pieces)])
    textured = any(_picture(piece) is not None for piece in pieces)
    if len(pieces) < 2 and not textured:
        return _scan(path, vertices, faces, *_colors(pieces[0] if pieces else None, len(vertices), len(faces)))
    corner_colors = _corner_colors(pieces, _pieces(load(maintain_order=False)) if textured else pieces)
    if corner_colors is None:
        return _scan(path, vertices, faces, None, None)
    face_colors = corner_colors.mean(1)
    sums = [np.bincount(faces.ravel(), corner_colors[..., i].ravel(), len(vertices)) for i in range(3)]
    count = np.bincount(faces.ravel(), minlength=len(vertices))
    point_colors = np.where(count > 0, np.array(sums) / np.maximum(count, 1), UNTOLD).T
    return _scan(path, vertices, faces, point_colors.round().astype(np.uint8), face_colors.round().astype(np.uint8))


def _pieces(loaded: Any) -> list[Any]:
    return list(loaded.geometry.values()) if hasattr(loaded, "geometry") else [loaded]


def _corner_colors(pieces: list[Any], textured: list[Any]) -> NDArray[np.uint8] | None:
    """RGB at each corner of all faces `[F, 3, 3]`; None where no piece has a color. `textured` are the same pieces with
    vertices of their own, one for each place in the texture."""
    if [len(piece.faces) for piece in pieces] != [len(twin.faces) for twin in textured]:
        return None
    found = []
    for twin in textured:
        colors, _ = _colors(twin, len(twin.vertices), len(twin.faces))
        main = getattr(getattr(twin.visual, "material", None), "main_color", None)
        if colors is None and main is not None:
            colors = np.broadcast_to(np.asarray(main[:3], np.uint8), (len(twin.vertices), 3))
        found.append(None if colors is None else colors[twin.faces])
    if all(colors is None for colors in found):
        return None
    gray = [np.full((len(piece.faces), 3, 3), UNTOLD, np.uint8) for piece in pieces]
    return np.concatenate([other if colors is None else colors for colors, other in zip(found, gray, strict=True)])


class _Beside(Mapping[str, bytes]):
    """What trimesh asks for the files that a mesh names: only regular ones in its folder, and not of any size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, name: str) -> bytes:
        path = self.folder / os.path.basename(name.replace("\\", "/").strip())
        if not path.is_file() or path.stat().st_size > MAX_BESIDE:
            raise KeyError(name)
        return path.read_bytes()

    def __iter__(self) -> Iterator[str]:
        return (path.name for path in self.folder.iterdir() if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _picture(shape: Any) -> Any:
    """The texture of a shape; None where it has none, or one that is missing or too large."""
    material = getattr(getattr(shape, "visual", None), "material", None)
    picture = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if picture is None or picture.size == STAND_IN or picture.width * picture.height > MAX_PIXELS:
        return None
    return picture


def _colors(shape: Any, vertices: int, faces: int) -> tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None]:
    """Colors of vertices and faces, textures sampled at the vertices; None where there are none."""
    try:
        visual = shape.visual
        if visual.kind == "texture":
            if _picture(shape) is None:
                return None, None
            # of a mesh, without which trimesh cannot tell the colors of faces
            plain = visual.to_color()
            visual = type(plain)(shape, vertex_colors=plain.vertex_colors)
        if visual.kind not in ("vertex", "face"):
            return None, None
        point_colors = np.asarray(visual.vertex_colors)[:, :3].astype(np.uint8)
        face_colors = np.asarray(visual.face_colors)[:, :3].astype(np.uint8) if faces else None
    except Exception:  # noqa: BLE001 - a missing picture file or Pillow: the shape is usable without colors
        return None, None
    if len(point_colors) != vertices or face_colors is not None and len(face_colors) != faces:
        return None, None
    return point_colors, face_colors


def _check_glb(path: Path) -> None:
    """Refuse accessors that claim more elements than the file has bytes: without a buffer behind it an
    accessor is filled with zeros, so a file of 200 bytes could ask for any amount of memory."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(20)
        if len(head) < 20 or head[:4] != b"glTF":
            raise malformed(path, "it does not begin as a binary glTF file does")
        if head[4:8] != struct.pack("<I", 2):
            raise malformed(path, f"it is glTF of version {int.from_bytes(head[4:8], 'little')}, not 2")
        length, kind = struct.unpack("<I4s", head[12:])
        if kind != b"JSON" or length > size - 20:
            raise truncated(path, "its description is incomplete")
        content = parse_json(path, file.read(length))
    try:
        claimed = max((int(accessor["count"]) for accessor in content.get("accessors", [])), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise malformed(path, "its description is damaged") from error
    if claimed > size:
        raise truncated(path, f"{claimed:,} elements claimed in a file of {size:,} bytes")
