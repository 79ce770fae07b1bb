# SPDX-License-Identifier: Apache-2.0
"""OBJ, STL and GLB files, through trimesh."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.readers import common
from partdistill_ros.pointcloud.scan import Mesh, Scan


def read_mesh(path: Path) -> Scan:
    """Read a mesh: its vertices in order (those of an STL file merged where they coincide) and faces.

    A scene becomes one mesh, every object at its place. A file of points alone becomes a cloud.
    Raises PartDistillError for what trimesh cannot read.
    """
    try:
        import trimesh
    except ImportError as error:
        raise PartDistillError(f"reading {path} needs the Python package 'trimesh': pip install trimesh") from error
    if path.suffix.lower() == ".glb":
        _check_glb(path)
    try:
        loaded = trimesh.load(path, process=False, maintain_order=True)
        shape: Any = loaded.to_geometry() if isinstance(loaded, trimesh.Scene) else loaded
        if path.suffix.lower() == ".stl":
            shape.merge_vertices()
        vertices = np.asarray(getattr(shape, "vertices", np.empty((0, 3))), np.float32)
        faces = np.asarray(getattr(shape, "faces", np.empty((0, 3))), np.int32)
        vertices, faces = vertices.reshape(len(vertices), 3), faces.reshape(len(faces), 3)
    except OSError:
        raise
    except Exception as error:  # trimesh passes on whatever its parsers run into
        raise common.malformed(path, f"it is not a whole {path.suffix} file ({error})") from error
    common.check_count(path, "vertices", len(vertices))
    point_colors, face_colors = _colors(shape, len(vertices), len(faces))
    mesh = Mesh(vertices, faces, face_colors=face_colors) if len(faces) else None
    return Scan(vertices, colors=point_colors, mesh=mesh, name=path.stem)


def _colors(shape: Any, vertices: int, faces: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Colors of vertices and faces, textures sampled at the vertices; None where there are none."""
    try:
        visual = shape.visual
        if visual.kind == "texture":
            visual = visual.to_color()
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
            raise common.malformed(path, "it does not begin as a binary glTF file does")
        length, kind = struct.unpack("<I4s", head[12:])
        if kind != b"JSON" or length > size - 20:
            raise common.truncated(path, "its description is incomplete")
        text = file.read(length)
    try:
        accessors = json.loads(text).get("accessors", [])
        claimed = max((int(accessor["count"]) for accessor in accessors), default=0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise common.malformed(path, "its description is damaged") from error
    if claimed > size:
        raise common.truncated(path, f"{claimed:,} elements claimed in a file of {size:,} bytes")
