# SPDX-License-Identifier: Apache-2.0
"""`Collection`: scans in a folder, each whole or not there; see `scans/member.py` for what lies where."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_folder, atomic_path
from partdistill_ros.io.load import load_scan
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
    is_collection,
    read_manifest,
    recorded_scan_paths,
)
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.visualization.pictures import camera_for, cloud_colors, draw_cloud

Skip = Callable[[Path, PartDistillError], None]
PICTURE_SIZE = (480, 360)
MESH_POINTS = 40_000  # drawn of a mesh

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecordedScan:
    """A member with a sound manifest. Its cloud is read, and checked, by `load`."""

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
        """Where members are or should be, sorted by name."""
        return recorded_scan_paths(self.folder)

    def members(self, on_skip: Skip | None = None) -> list[RecordedScan]:
        """The members whose manifests are sound, by name; the others go to `on_skip(path, error)` (default: a
        warning in the log). Clouds are not read."""
        found = []
        for path in self.paths():
            try:
                found.append(RecordedScan(path, read_manifest(path)))
            except PartDistillError as error:
                (on_skip or _warn)(path, error)
        return found

    def scans(self, on_skip: Skip | None = None) -> Iterator[tuple[RecordedScan, Scan]]:
        """Each member with its cloud, read one after the other; damaged ones go to `on_skip(path, error)`."""
        for member in self.members(on_skip):
            try:
                scan = member.load()
            except PartDistillError as error:
                (on_skip or _warn)(member.folder, error)
                continue
            yield member, scan

    def add(
        self,
        scan: Scan,
        *,
        source: Mapping[str, Any] | None = None,
        captures: Sequence[Capture] = (),
        pictures: Sequence[Image.Image | None] = (),
    ) -> RecordedScan:
        """Write a scan as a new member, named `scan.name`, with a number behind it where that is taken.

        pictures: of each capture, or none.
        Raises PartDistillError for a scan without finite points, or a place that cannot be written.
        """
        if not scan.finite().any():
            raise PartDistillError(f"{scan.name} has no finite point and is not added: check the sensor's range")
        named = _with_pictures(captures, pictures)

        def write(folder: Path) -> None:
            _write(folder, scan, dict(source or {}), named)
            _write_pictures(folder, scan, pictures)

        return self._place(scan.name, write)

    def copy(self, member: RecordedScan) -> RecordedScan:
        """A copy of another collection's member with all that lies in its folder; renamed where its name is taken.

        Raises PartDistillError where it cannot be read or written.
        """
        return self._place(member.name, lambda folder: _copy(member.folder, folder))

    def _place(self, name: str, write: Callable[[Path], None]) -> RecordedScan:
        """A new member whose folder `write` fills, named `name`, with a number behind it where that is taken."""
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
        """Delete a member; it is gone at once, and as a whole. Raises PartDistillError where there is none."""
        folder = self.folder / name
        if folder not in self.paths():
            raise PartDistillError(f"{self.folder} has no member '{name}'")
        hidden = folder.with_name(f".{name}.{secrets.token_hex(4)}.tmp")
        try:
            os.rename(folder, hidden)
        except OSError as error:
            raise PartDistillError(f"cannot delete {folder}: {error.strerror}; check its rights") from error
        shutil.rmtree(hidden, ignore_errors=True)


def plain_name(name: str) -> str:
    """`name` as a folder's: letters, digits, `.`, `-` and `_`, no more than 100, not hidden."""
    return re.sub(r"[^\w.-]+", "_", Path(name).name).lstrip("._")[:100] or "scan"


def _copy(source: Path, folder: Path) -> None:
    try:
        shutil.copytree(source, folder, dirs_exist_ok=True)
    except shutil.Error as error:
        raise PartDistillError(f"cannot copy {source}: {error.args[0][0][2]}; check its rights and the room") from error


def _write(folder: Path, scan: Scan, source: dict[str, Any], captures: tuple[Capture, ...]) -> None:
    save_scan(folder / CLOUD, scan)
    manifest = Manifest(file_hash(folder / CLOUD), len(scan.points), scan.category, source, captures)
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


def _with_pictures(captures: Sequence[Capture], pictures: Sequence[Image.Image | None]) -> tuple[Capture, ...]:
    named = list(captures)
    for number, picture in enumerate(pictures):
        if picture is not None:
            named[number] = replace(named[number], picture=_view_name(number))
    return tuple(named)


def _write_pictures(folder: Path, scan: Scan, pictures: Sequence[Image.Image | None]) -> None:
    shown = sample_surface(scan, MESH_POINTS) if scan.mesh is not None else scan
    drawing = draw_cloud(shown.points, camera_for(shown), PICTURE_SIZE)
    drawing.paint(cloud_colors(shown)).save(folder / PICTURE)
    for number, picture in enumerate(pictures):
        if picture is not None:
            (folder / VIEWS).mkdir(exist_ok=True)
            picture.save(folder / _view_name(number))


def _view_name(number: int) -> str:
    return f"{VIEWS}/{number:02d}.png"


def _warn(path: Path, error: PartDistillError) -> None:
    log.warning("left out: %s", error)
