# SPDX-License-Identifier: Apache-2.0
"""The labeled shape file: a mesh or a cloud with part labels in one `.npz`."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.io.parsing import malformed, read_arrays
from partdistill_ros.io.readers import common
from partdistill_ros.pointcloud.frames import unit_vector
from partdistill_ros.pointcloud.scan import Mesh, Scan

_ROWS = {"vertices", "faces", "face_labels", "face_colors", "points", "normals", "colors", "point_labels"}
_OTHERS = {"parts", "category", "up", "viewpoint", "grid"}
ROW_BYTES = 24  # of three f8

Arrays = dict[str, NDArray[Any]]


def read_npz(path: Path) -> Scan:
    """Read `vertices, faces[, face_labels, face_colors]` or `points[, normals, colors, point_labels]`,
    with `parts [P]`, `category`, `up [3]`, `viewpoint [3]` (NaN: unknown) and `grid [2]` where given.

    Other keys are ignored. Raises PartDistillError for what does not fit together.
    """
    arrays = _load(path)
    parts = common.part_names(path, arrays["parts"].reshape(-1).tolist()) if "parts" in arrays else ()
    mesh = _mesh(path, arrays, parts) if "vertices" in arrays else None
    points = mesh.vertices if mesh is not None else _floats(path, arrays, "points")
    assert points is not None
    labels = arrays.get("point_labels")
    return Scan(
        points=points,
        colors=_colors(path, arrays, "colors", len(points)),
        normals=_floats(path, arrays, "normals", len(points)),
        point_labels=None if labels is None else common.check_labels(path, "point_labels", labels, len(points), parts),
        parts=parts,
        category=str(arrays["category"].reshape(-1)[0]) if arrays.get("category", np.empty(0)).size else None,
        mesh=mesh,
        up=unit_vector(arrays["up"], f"'up' in {path}") if "up" in arrays else None,
        viewpoint=common.as_viewpoint(path, arrays["viewpoint"]) if "viewpoint" in arrays else None,
        grid=common.as_grid(path, arrays["grid"], len(points)) if "grid" in arrays else None,
        name=path.stem,
    )


def _load(path: Path) -> Arrays:
    """The known arrays of the archive."""
    limits = dict.fromkeys(_ROWS, ROW_BYTES * common.MAX_POINTS) | dict.fromkeys(_OTHERS, 1 << 24)
    arrays = read_arrays(path, limits)
    if "points" not in arrays and not {"vertices", "faces"} <= arrays.keys():
        with zipfile.ZipFile(path) as archive:
            found = ", ".join(sorted(name.removesuffix(".npy") for name in archive.namelist())) or "nothing"
        raise malformed(path, f"it needs the keys 'points', or 'vertices' and 'faces'; it holds {found:.200}")
    return arrays


def _mesh(path: Path, arrays: Arrays, parts: tuple[str, ...]) -> Mesh:
    vertices = _floats(path, arrays, "vertices")
    faces = arrays["faces"]
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind not in "iu":
        raise malformed(path, f"'faces' must be whole numbers [F, 3], not {faces.dtype} {faces.shape}")
    labels = arrays.get("face_labels")
    assert vertices is not None
    return Mesh(
        vertices,
        np.clip(faces, -1, len(vertices)).astype(np.int32),
        None if labels is None else common.check_labels(path, "face_labels", labels, len(faces), parts),
        _colors(path, arrays, "face_colors", len(faces)),
    )


def _floats(path: Path, arrays: Arrays, key: str, count: int | None = None) -> NDArray[np.float32] | None:
    """`[N, 3] f4` under `key` (None where absent), N being `count` where it is given."""
    values = arrays.get(key)
    if values is None:
        return None
    if values.ndim != 2 or values.shape[1] != 3 or values.dtype.kind not in "fiu":
        raise malformed(path, f"'{key}' must be numbers [N, 3], not {values.dtype} {values.shape}")
    if count is not None and len(values) != count:
        raise malformed(path, f"'{key}' has {len(values)} rows for {count} points")
    return common.as_float32(path, key, values)


def _colors(path: Path, arrays: Arrays, key: str, count: int) -> NDArray[np.uint8] | None:
    values = arrays.get(key)
    if values is None:
        return None
    if values.shape not in ((count, 3), (count, 4)) or values.dtype.kind not in "fiu":
        raise malformed(path, f"'{key}' must be colors [{count}, 3], not {values.dtype} {values.shape}")
    return common.as_colors(values[:, :3])
