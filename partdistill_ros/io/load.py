# SPDX-License-Identifier: Apache-2.0
"""Scans from files, the reader chosen by suffix."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from numpy.typing import ArrayLike

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import check_regular, parsing, warn_left_out
from partdistill_ros.io.readers.bag import is_storage
from partdistill_ros.io.readers.common import checked_mesh
from partdistill_ros.io.recorded_scan import (
    MARK,
    is_collection,
    is_recorded_scan,
    read_recorded_scan,
    recorded_scan_paths,
)
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import UNITS, Scan, geometry_problems

# suffix -> (module, function); a module is imported when the first file of its kind is read
_READERS = {
    ".npz": ("npz", "read_npz"),
    ".ply": ("ply", "read_ply"),
    ".pcd": ("pcd", "read_pcd"),
    ".obj": ("mesh", "read_mesh"),
    ".stl": ("mesh", "read_mesh"),
    ".glb": ("mesh", "read_mesh"),
}
SUFFIXES = tuple(_READERS)
"""What `load_scan` reads."""

_log = logging.getLogger(__name__)


def load_scan(path: str | os.PathLike[str], *, up: ArrayLike | str | None = None, unit: str = "m") -> Scan:
    """Read one scan from a `.npz`, `.ply`, `.pcd`, `.obj`, `.stl` or `.glb` file, or a recorded scan (a folder of a
    collection).

    Of a mesh, `points` are the vertices. `up` is the direction opposite to gravity, `[3]` or one of
    x, -x, y, -y, z, -z; without it the scan keeps what its file says, None for most formats.
    `unit` is that of the file's coordinates, m or mm; the scan is in meters.
    Raises PartDistillError for a file that is missing, damaged, of another kind, or has no finite point.
    What looks wrong in its geometry is logged.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if is_bag(file):
        raise PartDistillError(f"{file} is a bag of many clouds; read it with `partdistill bag`")
    if is_recorded_scan(file):
        return _finished(file, read_recorded_scan(file), up, unit)
    if suffix not in _READERS:
        if file.is_dir():
            raise PartDistillError(f"{file} is a folder; name one of its files: {', '.join(SUFFIXES)}")
        raise PartDistillError(f"{file}: cannot read '{suffix}' files; convert it to one of {', '.join(SUFFIXES)}")
    module, function = _READERS[suffix]
    with parsing(file, f"{suffix} file"):
        check_regular(file)
        with open(file, "rb"):
            pass
        reader = importlib.import_module(f"partdistill_ros.io.readers.{module}")
        scan: Scan = getattr(reader, function)(file)
    return _finished(file, scan, up, unit)


def load_scans(
    paths: Iterable[str | os.PathLike[str]],
    *,
    up: ArrayLike | str | None = None,
    unit: str = "m",
    on_skip: Callable[[Path, PartDistillError], None] | None = None,
) -> Iterator[Scan]:
    """Read many scans one after the other; a folder stands for every scan file, bag and collection below it, by name.

    What cannot be read is handed to `on_skip(path, error)` (default: a warning in the log) and left
    out. Raises PartDistillError at the end when nothing at all could be read.
    """
    skip = on_skip or warn_left_out
    count = skipped = 0
    for path in expand(paths):
        try:
            if is_bag(path):
                from partdistill_ros.io.readers.bag import read_bag

                scans: Iterable[Scan] = (_finished(path, scan, up, unit) for scan in read_bag(path))
            else:
                scans = (load_scan(path, up=up, unit=unit),)
            for scan in scans:
                count += 1
                yield scan
        except PartDistillError as error:
            skipped += 1
            skip(path, error)
    if not count:
        reason = f"all {skipped} files were left out" if skipped else "no files were found"
        raise PartDistillError(f"no scan to read: {reason}; give files or folders of {', '.join(SUFFIXES)}")


def expand(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """The scan files, bags and recorded scans meant by `paths`: files as given, folders by their content, sorted.

    Raises PartDistillError for a collection that cannot be read."""
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.is_dir() or is_bag(path) or is_recorded_scan(path):
            found.append(path)
        elif is_collection(path):
            found += recorded_scan_paths(path)
        else:
            found += _inside(path)
    return found


def _inside(folder: Path) -> list[Path]:
    bags = [file.parent for file in sorted(folder.rglob("metadata.yaml")) if is_bag(file.parent)]
    collections = [file.parent for file in sorted(folder.rglob(MARK))]
    files = [file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES or is_storage(file)]
    apart = {*bags, *collections}
    loose = [file for file in files if not file.name.startswith(".") and not apart & {*file.parents}]
    recorded = [path for collection in collections for path in recorded_scan_paths(collection)]
    return sorted([*loose, *bags, *recorded])


def is_bag(path: Path) -> bool:
    """Whether `path` looks like a rosbag2 recording: an mcap or sqlite3 file, or the folder around it."""
    if is_storage(path):
        return True
    return (path / "metadata.yaml").is_file() and any(is_storage(file) for file in path.iterdir())


def _finished(path: Path, scan: Scan, up: ArrayLike | str | None, unit: str) -> Scan:
    """The scan in meters, its up as asked for, its mesh checked."""
    if not len(scan.points):
        raise PartDistillError(f"{path} holds no points; record or export it again")
    if not scan.finite().any():
        raise PartDistillError(f"{path} holds no finite point, all are NaN; check the sensor's range and record again")
    if unit not in UNITS:
        raise PartDistillError(f"unit must be one of {', '.join(UNITS)}; it is {unit!r}")
    if scan.mesh is not None:
        scan = scan.with_(mesh=checked_mesh(path, scan.mesh))
    if unit != "m":
        scan = scan.scaled(UNITS[unit])
    for problem in geometry_problems(scan):
        _log.warning("%s: %s", path, problem)
    return scan if up is None else scan.with_(up=parse_up(up))
