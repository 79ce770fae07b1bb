# SPDX-License-Identifier: Apache-2.0
"""Scans that bring their knowledge along: points and units in one file, so that no teacher is asked.

The file is a labeled-shape `.npz` without labels (any command reads its points) with the units beside
them: `unit_part [K] i2`, `unit_score [K] f4`, `unit_view [K] i2`, `unit_indptr [K + 1] i8`, `unit_indices i4`.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.unit_store import ARRAYS, MAX_BYTES
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.load import expand, load_scan
from partdistill_ros.io.parsing import parsing, read_arrays
from partdistill_ros.pointcloud.scan import Scan

TYPES = {"part": np.int16, "score": np.float32, "view": np.int16, "indptr": np.int64, "indices": np.int32}


def save_known(path: str | os.PathLike[str], scan: Scan, units: KnowledgeUnits) -> None:
    """Write a cloud with its units; labels that the scan may carry stay out.

    Raises PartDistillError for units of other points, and where the file cannot be written.
    """
    if units.n_points != len(scan.points):
        raise PartDistillError(f"{path} is not written: the units are of {units.n_points} points, not of this scan's")
    fields = {name: getattr(scan, name) for name in ("points", "colors", "normals", "category", "up", "viewpoint")}
    arrays: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    arrays |= {f"unit_{name}": getattr(units, name) for name in ARRAYS}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, parts=np.array(units.parts, str), **arrays)


def load_known(path: str | os.PathLike[str]) -> tuple[Scan, KnowledgeUnits]:
    """Points and units as `save_known` wrote them. Raises PartDistillError for a file without units, a
    damaged one, or units that do not fit the points."""
    scan = load_scan(path)
    if scan.mesh is not None:
        raise PartDistillError(f"{path} holds a mesh, units belong to the points of a cloud: import it again")
    names = {f"unit_{name}": name for name in ARRAYS}
    arrays = read_arrays(Path(path), dict.fromkeys(names, MAX_BYTES))
    missing = next((name for name in names if name not in arrays), None)
    if missing is not None:
        raise PartDistillError(f"{path} carries no knowledge ('{missing}'): make it with import-knowledge")
    with parsing(path, "file with knowledge", "import it again"):
        fields = {name: arrays[key].astype(TYPES[name], casting="same_kind") for key, name in names.items()}
    try:
        units = KnowledgeUnits(**fields, n_points=len(scan.points), parts=scan.parts)
    except PartDistillError as error:
        raise PartDistillError(f"{path} is damaged ({error}): import it again") from error
    if not ((units.score >= 0) & (units.score <= 1)).all():
        raise PartDistillError(f"{path}: 'unit_score' must lie in 0..1: import it again")
    return scan, units


def is_known(path: Path) -> bool:
    """Whether a file carries units, by its table of contents (nothing is unpacked)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return "unit_indptr.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def split_known(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[Path], list[Path]]:
    """The files that carry their knowledge, and all other scans, of files and folders."""
    files = expand(paths)
    known = [path for path in files if path.suffix.lower() == ".npz" and is_known(path)]
    return known, [path for path in files if path not in set(known)]


def select_points(units: KnowledgeUnits, index: NDArray[np.integer]) -> KnowledgeUnits:
    """The units about the points `index [M]` (each at most once), in that order, as `Scan.select` takes
    them. Units that lose all their points are gone."""
    place = np.full(units.n_points, -1, np.int64)
    place[index] = np.arange(len(index))
    moved = place[units.indices]
    sizes = np.bincount(units.owner()[moved >= 0], minlength=len(units))
    kept = sizes > 0
    return KnowledgeUnits(
        units.part[kept],
        units.score[kept],
        units.view[kept],
        np.concatenate([[0], np.cumsum(sizes[kept])]).astype(np.int64),
        moved[moved >= 0].astype(np.int32),
        len(index),
        units.parts,
    )


def with_parts(units: KnowledgeUnits, parts: Sequence[str], owner: str) -> KnowledgeUnits:
    """The same units, indexing `parts`. Raises PartDistillError, naming `owner`, for a part that is not
    among them."""
    missing = [name for name in units.parts if name not in parts]
    if missing:
        raise PartDistillError(
            f"{owner} holds knowledge about {', '.join(units.parts)}, but '{missing[0]}' is not among the parts "
            f"asked for ({', '.join(parts)}): name the same parts, or import it again under these names"
        )
    place = np.array([parts.index(name) for name in units.parts], np.int16)
    return replace(units, part=place[units.part], parts=tuple(parts))
