# SPDX-License-Identifier: Apache-2.0
"""Scans and labeled clouds to files, whole or not at all; `load.py` reads them back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.readers.common import COMMENT
from partdistill_ros.io.readers.pcd import UNLABELED_ID
from partdistill_ros.pointcloud.scan import Mesh, Scan

Fields = list[tuple[str, str, NDArray[Any]]]
"""Name, numpy type and values `[N]` of each property of a row."""

_PLY_TYPES = {"f4": "float", "u1": "uchar", "i2": "short", "i4": "int"}


def save_scan(path: str | os.PathLike[str], scan: Scan) -> None:
    """Write a scan as `.npz` (everything), `.ply` (everything), or `.pcd` (its points, without the mesh).

    The file appears only when it is complete. Raises PartDistillError for another suffix or a place
    that cannot be written.
    """
    writers: dict[str, Callable[[Path, Scan], None]] = {".npz": _scan_npz, ".ply": _scan_ply, ".pcd": _scan_pcd}
    writer = _by_suffix(path, writers)
    with atomic_path(path) as temporary:
        writer(temporary, scan)


def save_labeled(
    path: str | os.PathLike[str],
    points: NDArray[np.float32],
    labels: NDArray[np.int16],
    confidence: NDArray[np.float32],
    parts: Sequence[str],
    colors: NDArray[np.uint8],
    objects: NDArray[np.integer] | None = None,
) -> None:
    """Write a labeled cloud, points in their order: `points [N, 3]`, `labels [N]` (index into `parts`,
    -1 unlabeled), `confidence [N]` in 0..1, `colors [N, 3]` of the labels, and the
    number of each point's object, `objects [N]` from 1, 0 none, where they are known.

    `.npz` holds `points, point_labels, confidence, parts`; `.ply` the same as properties, with the colors for viewing.
    Raises PartDistillError for arrays that do not go together, another suffix, or a place that cannot be written.
    """
    count = len(points)
    shapes = [array.shape for array in (points, labels, confidence, colors)]
    if shapes != [(count, 3), (count,), (count,), (count, 3)]:
        raise PartDistillError(
            f"{path} is not written: points, labels, confidence and colors of shapes {shapes} do not go together; "
            "give [N, 3], [N], [N] and [N, 3]"
        )
    if count and not -1 <= int(labels.min()) <= int(labels.max()) < len(parts):
        raise PartDistillError(f"{path} is not written: labels must be -1 or below {len(parts)}, the number of parts")
    fields = _vectors(points, "x y z", "f4") + _vectors(colors, "red green blue", "u1")
    fields += [("label", "i2", labels), ("confidence", "f4", confidence)]
    arrays: dict[str, Any] = {
        "points": points.astype(np.float32),
        "point_labels": labels.astype(np.int16),
        "confidence": confidence.astype(np.float32),
        "parts": np.array(parts, str),
    }
    if objects is not None:
        if objects.shape != (count,):
            raise PartDistillError(f"{path} is not written: {objects.shape} object numbers for {count} points")
        fields.append(("object", "i2", objects.astype(np.int16)))
        arrays["objects"] = objects.astype(np.int16)
    writers = {
        ".npz": lambda file: np.savez_compressed(file, **arrays),
        ".ply": lambda file: _write_ply(file, fields, None, {"parts": tuple(parts)}),
    }
    writer = _by_suffix(path, writers)
    with atomic_path(path) as temporary:
        writer(temporary)


def _by_suffix(path: str | os.PathLike[str], writers: dict[str, Callable[..., None]]) -> Callable[..., None]:
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise PartDistillError(f"cannot write {path}: '{suffix}' is none of {', '.join(writers)}; choose one of these")
    return writers[suffix]


def _scan_npz(path: Path, scan: Scan) -> None:
    arrays: dict[str, Any] = {"parts": np.array(scan.parts, str)}
    if scan.mesh is not None:
        arrays |= {"vertices": scan.mesh.vertices, "faces": scan.mesh.faces}
        arrays |= {"face_labels": scan.mesh.face_labels, "face_colors": scan.mesh.face_colors}
    else:
        arrays["points"] = scan.points
    arrays |= {"normals": scan.normals, "colors": scan.colors, "point_labels": scan.point_labels}
    arrays |= {"category": scan.category, "up": scan.up, "viewpoint": scan.viewpoint, "grid": scan.grid}
    kept: dict[str, Any] = {key: value for key, value in arrays.items() if value is not None}
    np.savez_compressed(path, **kept)


def _scan_ply(path: Path, scan: Scan) -> None:
    fields = _vectors(scan.points, "x y z", "f4")
    if scan.normals is not None:
        fields += _vectors(scan.normals, "nx ny nz", "f4")
    if scan.colors is not None:
        fields += _vectors(scan.colors, "red green blue", "u1")
    if scan.point_labels is not None:
        fields.append(("label", "i2", scan.point_labels))
    _write_ply(path, fields, scan.mesh, _extra(scan))


def _scan_pcd(path: Path, scan: Scan) -> None:
    fields = _vectors(scan.points, "x y z", "f4")
    if scan.colors is not None:
        channels = scan.colors.astype(np.uint32)
        fields.append(("rgb", "u4", channels[:, 0] << 16 | channels[:, 1] << 8 | channels[:, 2]))
    if scan.normals is not None:
        fields += _vectors(scan.normals, "normal_x normal_y normal_z", "f4")
    if scan.point_labels is not None:
        fields.append(("label", "u4", np.where(scan.point_labels < 0, np.uint32(UNLABELED_ID), scan.point_labels)))
    height, width = scan.grid or (1, len(scan.points))
    origin = scan.viewpoint if scan.viewpoint is not None else np.zeros(3)
    header = [
        "# .PCD v0.7 - Point Cloud Data file format",
        f"# {COMMENT}{json.dumps({key: value for key, value in _extra(scan).items() if key != 'grid'})}",
        "VERSION 0.7",
        f"FIELDS {' '.join(name for name, _, _ in fields)}",
        f"SIZE {' '.join(kind[1] for _, kind, _ in fields)}",
        f"TYPE {' '.join(kind[0].upper() for _, kind, _ in fields)}",
        f"COUNT {' '.join('1' for _ in fields)}",
        f"WIDTH {width}",
        f"HEIGHT {height}",
        f"VIEWPOINT {origin[0]:.9g} {origin[1]:.9g} {origin[2]:.9g} 1 0 0 0",
        f"POINTS {len(scan.points)}",
        "DATA binary",
    ]
    path.write_bytes("\n".join([*header, ""]).encode("ascii") + _rows(fields).tobytes())


def _extra(scan: Scan) -> dict[str, Any]:
    """What PLY and PCD have no place for and keep in a comment."""
    extra: dict[str, Any] = {"parts": scan.parts, "category": scan.category, "grid": scan.grid}
    for key, vector in (("up", scan.up), ("viewpoint", scan.viewpoint)):
        extra[key] = None if vector is None else [float(value) for value in vector]
    has_labels = scan.point_labels is not None or scan.mesh is not None and scan.mesh.face_labels is not None
    return {key: value for key, value in extra.items() if value is not None and (key != "parts" or has_labels or value)}


def _vectors(values: NDArray[Any], names: str, kind: str) -> Fields:
    return [(name, kind, values[:, axis]) for axis, name in enumerate(names.split())]


def _rows(fields: Fields) -> NDArray[Any]:
    rows = np.empty(len(fields[0][2]), [(name, f"<{kind}") for name, kind, _ in fields])
    for name, _, values in fields:
        rows[name] = values
    return rows


def _write_ply(path: Path, fields: Fields, mesh: Mesh | None, extra: dict[str, Any]) -> None:
    header = ["ply", "format binary_little_endian 1.0", f"comment {COMMENT}{json.dumps(extra)}"]
    header.append(f"element vertex {len(fields[0][2])}")
    header += [f"property {_PLY_TYPES[kind]} {name}" for name, kind, _ in fields]
    faces = b""
    if mesh is not None:
        rows, properties = _face_rows(mesh)
        header += [f"element face {len(rows)}", *properties]
        faces = rows.tobytes()
    path.write_bytes("\n".join([*header, "end_header", ""]).encode("ascii") + _rows(fields).tobytes() + faces)


def _face_rows(mesh: Mesh) -> tuple[NDArray[Any], list[str]]:
    """Faces as PLY rows and the header lines of their properties."""
    fields: Fields = []
    if mesh.face_colors is not None:
        fields += _vectors(mesh.face_colors, "red green blue", "u1")
    if mesh.face_labels is not None:
        fields.append(("label", "i2", mesh.face_labels))
    row = [("count", "u1"), ("vertex_indices", "<i4", (3,)), *((name, f"<{kind}") for name, kind, _ in fields)]
    rows = np.empty(len(mesh.faces), row)
    rows["count"], rows["vertex_indices"] = 3, mesh.faces
    for name, _, values in fields:
        rows[name] = values
    lines = ["property list uchar int vertex_indices"]
    return rows, lines + [f"property {_PLY_TYPES[kind]} {name}" for name, kind, _ in fields]
