# SPDX-License-Identifier: Apache-2.0
"""What every reader needs: limits, checks and the tidying of arrays that come from files."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import malformed, parse_json
from partdistill_ros.pointcloud.frames import unit_vector
from partdistill_ros.pointcloud.scan import UNLABELED, Mesh

MAX_POINTS = 50_000_000
"""Points, vertices or faces that a file may claim: 600 MB of coordinates. A recording of more is cut up first."""

COMMENT = "partdistill "
"""Opens the comment line in which our own PCD and PLY files keep what the formats have no place for (JSON)."""

_MAX_PARTS = 32_767  # point_labels are i2

_log = logging.getLogger(__name__)


def check_count(path: Path, what: str, count: int) -> None:
    """Refuse a header that claims a negative or absurd `count` before anything is allocated."""
    if not 0 <= count <= MAX_POINTS:
        raise PartDistillError(
            f"{path} claims {count:,} {what}; from 0 to {MAX_POINTS:,} can be read: mend its header or split the file"
        )


def as_colors(values: NDArray[Any]) -> NDArray[np.uint8]:
    """RGB `[..., 3] u1` from 8-bit colors, or from fractions of one in floating point."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values) * (255.0 if np.nanmax(values, initial=0.0) <= 1.0 else 1.0)
        return np.clip(np.rint(values), 0, 255).astype(np.uint8)
    if values.dtype.itemsize == 2 and values.max(initial=0) > 255:
        return (values >> 8).astype(np.uint8)
    return np.clip(values, 0, 255).astype(np.uint8)


def as_float32(path: Path, what: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """The numbers in 32 bits; those too large for them become infinite, with a warning."""
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    if values.dtype.itemsize > 4:
        lost = np.count_nonzero(np.isfinite(values) & ~np.isfinite(narrow))
        if lost:
            _log.warning("%s: %d numbers in %s are beyond 3.4e38 and taken for missing ones", path, lost, what)
    return narrow


def stack_columns(path: Path, columns: Mapping[str, NDArray[Any]], names: str) -> NDArray[np.float32] | None:
    """The columns of these names, apart by spaces, side by side `[N, K] f4`; None where one is missing."""
    if not set(names.split()) <= columns.keys():
        return None
    return np.stack([as_float32(path, name, columns[name]) for name in names.split()], -1)


def parts_from_ids(path: Path, ids: NDArray[Any]) -> tuple[NDArray[np.int16] | None, tuple[str, ...]]:
    """Labels `[N] i2` and part names for ids that nobody named: the name of a part is its id in digits.

    Negative ids become -1, unlabeled. So `int(scan.parts[label])` gives the file's id back. Where there are more ids
    than labels can count they are left out with a warning.
    """
    if ids.dtype.kind == "f":
        ids = np.nan_to_num(ids, nan=-1.0)
    ids = ids.astype(np.int64)
    known, inverse = np.unique(ids, return_inverse=True)
    if len(known) > _MAX_PARTS:
        _log.warning("%s: its %d different labels are left out; at most %d can be read", path, len(known), _MAX_PARTS)
        return None, ()
    first = int(np.searchsorted(known, 0))
    labels = np.maximum(inverse.reshape(-1) - first, UNLABELED)
    return labels.astype(np.int16), tuple(str(id_) for id_ in known[first:])


def triangulate(
    corners: NDArray[np.integer[Any]], counts: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Fans over polygons given as their corner indices one after the other and `counts [F]`.

    Returns triangles `[T, 3]` and the polygon `[T]` of each; polygons under three corners vanish.
    """
    triangles = np.maximum(counts.astype(np.intp) - 2, 0)
    polygon = np.repeat(np.arange(len(counts)), triangles)
    first = (np.cumsum(counts) - counts)[polygon].astype(np.intp)
    step = np.arange(len(polygon)) - (np.cumsum(triangles) - triangles)[polygon]
    faces = np.stack([corners[first], corners[first + step + 1], corners[first + step + 2]], -1)
    return faces.astype(np.int32), polygon


def checked_mesh(path: Path, mesh: Mesh) -> Mesh:
    """The mesh without the faces that touch a vertex that is not finite.

    Raises PartDistillError for a corner index outside the vertices.
    """
    if not len(mesh.faces):
        return mesh
    if mesh.faces.min() < 0 or mesh.faces.max() >= len(mesh.vertices):
        raise malformed(path, f"its faces name vertices outside 0..{len(mesh.vertices) - 1}")
    usable = np.asarray(np.isfinite(mesh.triangles()).all(axis=(1, 2)))
    if usable.all():
        return mesh
    _log.warning("%s: %d faces with NaN corners are left out", path, np.count_nonzero(~usable))
    labels = None if mesh.face_labels is None else mesh.face_labels[usable]
    colors = None if mesh.face_colors is None else mesh.face_colors[usable]
    return Mesh(mesh.vertices, mesh.faces[usable], labels, colors)


def as_viewpoint(path: Path, values: ArrayLike) -> NDArray[np.float32] | None:
    """The sensor's position `[3] f4`; None where it is written as NaN, unknown.

    Raises PartDistillError for anything but three numbers.
    """
    try:
        with np.errstate(over="ignore"):
            position = np.asarray(values, np.float32)
    except (TypeError, ValueError):
        position = np.empty(0, np.float32)
    if position.shape != (3,) or np.isinf(position).any():
        raise malformed(path, f"'viewpoint' must be three finite numbers, not {values!r:.60}")
    return None if np.isnan(position).any() else position


def as_grid(path: Path, values: Any, count: int) -> tuple[int, int]:
    """Height and width of an organized cloud of `count` points."""
    numbers = list(values) if isinstance(values, list | np.ndarray) else []
    whole = len(numbers) == 2 and all(isinstance(number, int | np.integer) and number > 0 for number in numbers)
    if not whole or int(numbers[0]) * int(numbers[1]) != count:
        raise malformed(path, f"'grid' must be height and width with a product of {count}, not {values!r:.60}")
    return int(numbers[0]), int(numbers[1])


def parse_comment(path: Path, comment: str) -> dict[str, Any]:
    """What one of our own comments says; nothing for any other comment."""
    if not comment.startswith(COMMENT):
        return {}
    found = parse_json(f"the comment in {path}", comment.removeprefix(COMMENT).encode("latin-1"))
    if not isinstance(found, dict):
        raise malformed(path, "the comment with its part names is damaged")
    return found


def extra_fields(path: Path, extra: Mapping[str, Any], count: int) -> dict[str, Any]:
    """What the comment in a PLY or PCD file of ours says, as `Scan` fields: category, up, viewpoint, grid."""
    found: dict[str, Any] = {}
    if "category" in extra:
        found["category"] = str(extra["category"])
    if "up" in extra:
        found["up"] = unit_vector(extra["up"], f"'up' in {path}")
    if "viewpoint" in extra:
        found["viewpoint"] = as_viewpoint(path, extra["viewpoint"])
    if "grid" in extra:
        found["grid"] = as_grid(path, extra["grid"], count)
    return found


def named_labels(
    path: Path, extra: Mapping[str, Any], ids: NDArray[Any] | None
) -> tuple[NDArray[np.int16] | None, tuple[str, ...]]:
    """Labels and part names of a PCD or PLY file: the names of our own comment where there is one, else digits."""
    if "parts" not in extra:
        return (None, ()) if ids is None else parts_from_ids(path, ids)
    if not isinstance(extra["parts"], list):
        raise malformed(path, "its part names must be a list")
    parts = part_names(path, extra["parts"])
    return None if ids is None else check_labels(path, "label", ids, len(ids), parts), parts


def parse_numbers(path: Path, text: bytes) -> NDArray[np.float64]:
    """All numbers of a text, in any layout. Raises PartDistillError where something is not a number."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)  # NumPy before 2.3 only warns and stops there
            return np.fromstring(text, sep=" ") if text.strip() else np.empty(0)
    except (ValueError, DeprecationWarning) as error:
        raise malformed(path, "there is something that is not a number among its points") from error


def part_names(path: Path, names: Sequence[object]) -> tuple[str, ...]:
    """Part names as text. Raises PartDistillError for an empty or double one."""
    parts = tuple(str(name).strip() for name in names)
    if not all(parts) or len(set(parts)) != len(parts):
        raise malformed(path, f"its part names {list(parts)} must be different and not empty")
    return parts


def check_labels(path: Path, key: str, labels: NDArray[Any], count: int, parts: Sequence[str]) -> NDArray[np.int16]:
    """Labels `[count] i2`, each -1 or an index into `parts`; raises PartDistillError otherwise."""
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise malformed(path, f"{key} must be {count} whole numbers, not {labels.dtype} {labels.shape}")
    if len(labels) and not -1 <= int(labels.min()) <= int(labels.max()) < len(parts):
        raise malformed(
            path, f"{key} holds {labels.min()}..{labels.max()}, but there are {len(parts)} parts (-1 is unlabeled)"
        )
    return labels.astype(np.int16)
