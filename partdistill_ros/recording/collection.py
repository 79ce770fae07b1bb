# SPDX-License-Identifier: Apache-2.0
"""`Collection`: recorded scans in a folder, each whole or not there; checked and merged.

`io/recorded_scan.py` describes what lies where.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_folder, atomic_path
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.parsing import warn_left_out
from partdistill_ros.io.recorded_scan import (
    CLOUD,
    KNOWLEDGE,
    MANIFEST,
    MARK,
    PICTURE,
    SCHEMA,
    VIEWS,
    Capture,
    Manifest,
    file_hash,
    files_to_copy,
    is_collection,
    read_manifest,
    recorded_scan_paths,
)
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.visualization.pictures import camera_for, cloud_colors, draw_cloud

Skip = Callable[[Path, PartDistillError], None]
ProgressBar = Callable[[Iterable[Any], str], Iterable[Any]]
"""A progress bar over items, given a label."""

PICTURE_SIZE = (480, 360)
MESH_POINTS = 40_000  # drawn of a mesh


@dataclass(frozen=True)
class RecordedScan:
    """A scan with a valid manifest. Its cloud is read, and checked, by `load`."""

    folder: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def knowledge(self) -> Path:
        """Folder of a `KnowledgeStore` of this scan; it need not exist."""
        return self.folder / KNOWLEDGE

    def load(self) -> Scan:
        """The scan. Raises PartDistillError where its cloud is damaged."""
        return load_scan(self.folder)


@dataclass(frozen=True)
class Collection:
    """A folder of scans. Several processes may read and add at the same time."""

    folder: Path

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Collection:
        """Raises PartDistillError for a folder that is no collection, or of a newer schema."""
        folder = Path(path)
        if not is_collection(folder):
            raise PartDistillError(
                f"{folder} is no collection (it has no {MARK}): make one with `partdistill collection add SCAN... "
                f"--to {folder}`"
            )
        recorded_scan_paths(folder)
        return cls(folder)

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> Collection:
        """Opens the collection, or makes it of a new or empty folder.

        Raises PartDistillError for a folder that holds other things, or cannot be written.
        """
        folder = Path(path)
        if is_collection(folder):
            return cls.open(folder)
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise PartDistillError(f"{folder} holds other things than a collection: choose an empty or new folder")
        with atomic_path(folder / MARK) as temporary:
            temporary.write_text(json.dumps({"schema": SCHEMA, "content": "scans for partdistill_ros"}) + "\n")
        return cls(folder)

    def paths(self) -> list[Path]:
        """Where scans are or should be, sorted by name."""
        return recorded_scan_paths(self.folder)

    def scans(self, on_skip: Skip | None = None) -> list[RecordedScan]:
        """The scans whose manifests are valid, by name; the others go to `on_skip(path, error)` (default: a
        warning in the log). Clouds are not read."""
        found = []
        for path in self.paths():
            try:
                found.append(RecordedScan(path, read_manifest(path)))
            except PartDistillError as error:
                (on_skip or warn_left_out)(path, error)
        return found

    def load(self, on_skip: Skip | None = None) -> Iterator[tuple[RecordedScan, Scan]]:
        """Each scan with its cloud, read one after the other; damaged ones go to `on_skip(path, error)`."""
        for recorded in self.scans(on_skip):
            try:
                scan = recorded.load()
            except PartDistillError as error:
                (on_skip or warn_left_out)(recorded.folder, error)
                continue
            yield recorded, scan

    def add(
        self,
        scan: Scan,
        *,
        source: Mapping[str, Any] | None = None,
        captures: Sequence[tuple[Capture, Image.Image | None]] = (),
    ) -> RecordedScan:
        """Write a scan under `scan.name`, with a number behind it where that is taken.

        captures: each with what the camera saw, or None.
        Raises PartDistillError for a scan without finite points, or a place that cannot be written.
        """
        if not scan.finite().any():
            raise PartDistillError(f"{scan.name} has no finite point and is not added: check the sensor's range")
        return self._place(scan.name, lambda folder: _write(folder, scan, dict(source or {}), captures))

    def copy(self, recorded: RecordedScan) -> RecordedScan:
        """A copy of another collection's scan, of the files that belong to it; renamed where its name is taken.

        Raises PartDistillError for a folder with a link in it, and where it cannot be read or written.
        """
        files = files_to_copy(recorded.folder)

        def write(folder: Path) -> None:
            for file in files:
                target = folder / file.relative_to(recorded.folder)
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(file, target)

        return self._place(recorded.name, write)

    def _place(self, name: str, write: Callable[[Path], None]) -> RecordedScan:
        """A new scan whose folder `write` fills, named `name`, with a number behind it where that is taken."""
        base, number = plain_name(name), 1
        while True:
            folder = self.folder / (base if number == 1 else f"{base}_{number}")
            number += 1
            if os.path.lexists(folder):
                continue
            try:
                with atomic_folder(folder) as temporary:
                    write(temporary)
                return RecordedScan(folder, read_manifest(folder))
            except FileExistsError:
                continue  # another process was faster

    def remove(self, name: str) -> None:
        """Delete a scan; it is gone at once, and as a whole. Raises PartDistillError where there is none."""
        folder = self.folder / name
        if folder not in self.paths():
            raise PartDistillError(f"{self.folder} has no scan '{name}'")
        hidden = folder.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
        try:
            os.rename(folder, hidden)
        except OSError as error:
            raise PartDistillError(f"cannot delete {folder}: {error.strerror}; check its rights") from error
        shutil.rmtree(hidden, ignore_errors=True)


@dataclass
class Checked:
    """Names of valid scans; what is wrong with each damaged one; hidden folders of interrupted writers."""

    valid: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)


def check(folder: Path, progress: ProgressBar = lambda items, label: items) -> Checked:
    """Read every cloud. Raises PartDistillError for a folder that is no collection."""
    found = Checked()
    for path in progress(Collection.open(folder).paths(), "check"):
        try:
            load_scan(path)
        except PartDistillError as error:
            found.damaged[path.name] = str(error)
        else:
            found.valid.append(path.name)
    found.unfinished = sorted(path.name for path in folder.glob(".*.tmp"))
    return found


def valid_scans(
    paths: Iterable[Path], progress: ProgressBar = lambda items, label: items
) -> tuple[list[Path], dict[str, str]]:
    """`paths` with every collection among them replaced by its valid scans, and what is wrong with the others.

    Raises PartDistillError where a collection holds nothing valid.
    """
    kept: list[Path] = []
    damaged: dict[str, str] = {}
    for path in paths:
        if not is_collection(path):
            kept.append(path)
            continue
        found = check(path, progress)
        damaged |= {str(path / name): problem for name, problem in found.damaged.items()}
        kept += [path / name for name in found.valid]
        if not found.valid:
            others = f": all {len(found.damaged)} scans are damaged" if found.damaged else ""
            raise PartDistillError(f"{path} holds no valid scan{others}; see `partdistill collection check {path}`")
    return kept, damaged


@dataclass
class Merged:
    """Names of the scans that were copied, and of those that were there already."""

    added: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)


def merge(
    sources: Sequence[Path], out: Path, on_skip: Skip | None = None, progress: ProgressBar = lambda items, label: items
) -> Merged:
    """Copy the valid scans of `sources` into the collection `out`, made where it is not there.

    Of a cloud that `out` holds already, only knowledge that is new is copied. Damaged ones, and those with links in
    their folders, go to `on_skip(path, error)`.
    Raises PartDistillError for folders that are no collections, or an `out` that cannot be written.
    """
    opened = [Collection.open(source) for source in sources]
    for source in opened:
        if out.exists() and source.folder.samefile(out):
            raise PartDistillError(f"{out} cannot be merged into itself: name another collection as the output")
    target = Collection.create(out)
    known = {recorded.manifest.sha256: recorded for recorded in target.scans(on_skip)}
    merged = Merged()
    for source in opened:
        for recorded, _ in progress(source.load(on_skip), source.folder.name):
            there = known.get(recorded.manifest.sha256)
            try:
                files = files_to_copy(recorded.folder)
            except PartDistillError as error:
                (on_skip or warn_left_out)(recorded.folder, error)
                continue
            if there is None:
                copied = target.copy(recorded)
                known[recorded.manifest.sha256] = copied
                merged.added.append(copied.name)
            else:
                _add_knowledge([file for file in files if file.parent == recorded.knowledge], there)
                merged.known.append(there.name)
    return merged


def plain_name(name: str) -> str:
    """`name` as a folder's: letters, digits, `.`, `-` and `_`, no more than 100, not hidden."""
    return re.sub(r"[^\w.-]+", "_", Path(name).name).lstrip("._")[:100] or "scan"


def _write(
    folder: Path, scan: Scan, source: dict[str, Any], captures: Sequence[tuple[Capture, Image.Image | None]]
) -> None:
    save_scan(folder / CLOUD, scan)
    shown = sample_surface(scan, MESH_POINTS) if scan.mesh is not None else scan
    draw_cloud(shown.points, camera_for(shown), PICTURE_SIZE).paint(cloud_colors(shown)).save(folder / PICTURE)
    named = []
    for number, (capture, picture) in enumerate(captures):
        if picture is not None:
            (folder / VIEWS).mkdir(exist_ok=True)
            capture = replace(capture, picture=f"{VIEWS}/{number:02d}.png")
            picture.save(folder / str(capture.picture))
        named.append(capture)
    manifest = Manifest(file_hash(folder / CLOUD), len(scan.points), scan.category, source, tuple(named))
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


def _add_knowledge(files: Sequence[Path], there: RecordedScan) -> None:
    for file in files:
        place = there.knowledge / file.name
        if not place.exists():
            with atomic_path(place) as temporary:
                shutil.copyfile(file, temporary)
