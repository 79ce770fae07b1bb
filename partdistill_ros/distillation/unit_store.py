# SPDX-License-Identifier: Apache-2.0
"""Knowledge units on disk: a file a scan, named by what made it, so that a second run resumes."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.parsing import parsing, read_arrays
from partdistill_ros.io.recorded_scan import KNOWLEDGE, is_recorded_scan
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import Views

SCHEMA = 1
ARRAYS = ("part", "score", "view", "indptr", "indices")
MAX_BYTES = 1 << 28
"""Of one array; a thousand units about 60,000 points each."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KnowledgeStore:
    """A folder of `<key>.npz` files; several processes may share it (entries appear whole)."""

    folder: Path

    def path(self, key: str) -> Path:
        """Where the entry of this key lies or will lie."""
        return Path(self.folder) / f"{key}.npz"

    def load(self, key: str) -> KnowledgeUnits | None:
        """The entry, or None where there is none or it is damaged (which is logged)."""
        path = self.path(key)
        if not path.exists():
            return None
        try:
            entry = read_arrays(path, dict.fromkeys((*ARRAYS, "n_points", "parts", "schema"), MAX_BYTES))
            with parsing(path, "entry of knowledge"):
                if int(entry["schema"]) != SCHEMA:
                    return None
                return KnowledgeUnits(
                    **{name: entry[name] for name in ARRAYS},
                    n_points=int(entry["n_points"]),
                    parts=tuple(str(name) for name in entry["parts"]),
                )
        except PartDistillError as error:
            log.warning("%s; it is made anew", error)
            return None

    def save(self, key: str, units: KnowledgeUnits) -> None:
        """Write an entry. Raises PartDistillError where the folder cannot be written."""
        arrays = {name: getattr(units, name) for name in ARRAYS}
        with atomic_path(self.path(key)) as temporary:
            np.savez_compressed(
                temporary, **arrays, n_points=units.n_points, parts=np.array(units.parts, str), schema=SCHEMA
            )

    def get(self, key: str, make: Callable[[], KnowledgeUnits]) -> KnowledgeUnits:
        """The entry; where there is none, `make` is called and its result kept."""
        units = self.load(key)
        if units is None:
            units = make()
            self.save(key, units)
        return units

    def __contains__(self, key: str) -> bool:
        return os.path.exists(self.path(key))


def recorded_scan_stores(paths: Iterable[Path]) -> dict[str, KnowledgeStore]:
    """A store within each recorded scan that can be written, by the name of its scan; none for names that
    come twice, from two collections."""
    scans = [path for path in paths if is_recorded_scan(path) and os.access(path, os.W_OK)]
    count = Counter(path.name for path in scans)
    return {path.name: KnowledgeStore((path / KNOWLEDGE).absolute()) for path in scans if count[path.name] == 1}


def knowledge_key(
    scan: Scan, views: Views, size: int, teacher_key: str, parts: Sequence[str], renderer: str = "zbuffer"
) -> str:
    """Name of an entry: a hash of the geometry and colors, category, views, picture size, renderer,
    teacher and part names. The scan's labels do not enter (the teacher never sees them)."""
    digest = hashlib.sha256()
    for word in (f"schema {SCHEMA}", teacher_key, renderer, str(size), scan.name, scan.category or "", *parts):
        digest.update(len(word.encode()).to_bytes(8, "little") + word.encode())
    mesh = scan.mesh
    shape = (scan.points, scan.colors, scan.normals, scan.viewpoint)
    faces = (None, None, None) if mesh is None else (mesh.vertices, mesh.faces, mesh.face_colors)
    for array in (*shape, *faces, views.rotation, views.position, views.focal, np.array(views.orthographic)):
        if array is None:
            digest.update(b"none")
        else:
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:40]
