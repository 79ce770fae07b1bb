# SPDX-License-Identifier: Apache-2.0
"""The folder of one recorded scan in a collection, and what its manifest `scan.json` says.

    mugs/collection.json            the mark of a collection
    mugs/mug_0001/scan.json         the manifest
    mugs/mug_0001/cloud.ply         the scan (meters)
    mugs/mug_0001/picture.png       the scan, drawn for people
    mugs/mug_0001/views/00.png      what the camera saw, a picture a capture, where it had colors
    mugs/mug_0001/knowledge/*.npz   answers of teachers, where one was asked

Every path is relative to the scan's folder and its name is the folder's, so that scans may be copied and renamed
with any tool. `recording/` writes them.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import check_regular, parsing, read_json, reason
from partdistill_ros.io.readers.ply import read_ply
from partdistill_ros.pointcloud.scan import Scan

SCHEMA = 1
MARK, MANIFEST, CLOUD = "collection.json", "scan.json", "cloud.ply"
PICTURE, VIEWS, KNOWLEDGE = "picture.png", "views", "knowledge"
IGNORED = ("readme", "license")
"""Beginnings of file names that people may put beside the scans."""
COPY_AGAIN = "copy the folder again"


@dataclass(frozen=True)
class Capture:
    """One cloud that went into a scan: `stamp` in nanoseconds of its header, the `frame` it came in,
    `pose` its `[4][4]` sensor-to-scan transform (None: the scan is in the sensor's frame), and its picture."""

    stamp: int
    frame: str
    pose: list[list[float]] | None = None
    picture: str | None = None


@dataclass(frozen=True)
class Manifest:
    """sha256, points: of `cloud.ply`.  category: what the object is, if somebody said so.
    source: where the scan comes from (bag or topic, how it was cut), for people and for resuming."""

    sha256: str
    points: int
    category: str | None = None
    source: dict[str, Any] = field(default_factory=dict)
    captures: tuple[Capture, ...] = ()

    def to_json(self) -> str:
        """The content of `scan.json`."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


def is_collection(path: Path) -> bool:
    """Whether `path` is a collection's folder."""
    return (path / MARK).is_file()


def is_recorded_scan(path: Path) -> bool:
    """Whether `path` is the folder of one scan, or should be because it lies in a collection."""
    return (path / MANIFEST).is_file() or is_collection(path.parent)


def recorded_scan_paths(collection: Path) -> list[Path]:
    """Everything in a collection that should be a scan, sorted by name; hidden folders are writers' unfinished work.

    Raises PartDistillError for a collection of a newer schema, or one that cannot be read.
    """
    _read_checked(collection / MARK, "make the collection anew and merge this one into it")
    with parsing(collection, "collection"):
        names = [path for path in collection.iterdir() if path.name != MARK and not path.name.startswith(".")]
    return sorted(path for path in names if path.is_dir() or not path.name.lower().startswith(IGNORED))


def read_manifest(folder: Path) -> Manifest:
    """What `scan.json` says. Raises PartDistillError naming the file, the field and the remedy."""
    if not folder.is_dir():
        raise PartDistillError(
            f"{folder} is a file, but a recorded scan is a folder: bring scans in with `partdistill collection add`"
        )
    path = folder / MANIFEST
    content = _read_checked(path, f"add {CLOUD} to the collection again")
    try:
        return msgspec.convert(content, Manifest)
    except msgspec.ValidationError as error:
        raise PartDistillError(f"{path}: {reason(error)}; {COPY_AGAIN}") from None


def read_recorded_scan(folder: Path) -> Scan:
    """The cloud under the name of its folder.

    Raises PartDistillError where manifest or cloud is missing, damaged, or they do not belong together.
    """
    manifest = read_manifest(folder)
    path = folder / CLOUD
    with parsing(path, remedy=COPY_AGAIN):
        check_regular(path)
        digest = file_hash(path)
    if digest != manifest.sha256:
        raise PartDistillError(
            f"{path} ({path.stat().st_size:,} bytes) is not the file that {MANIFEST} describes: it was cut off or "
            f"changed; {COPY_AGAIN}, or bring the changed cloud in with `partdistill collection add`"
        )
    with parsing(path, remedy=COPY_AGAIN):
        return read_ply(path).with_(name=folder.name, category=manifest.category)


def files_to_copy(folder: Path) -> list[Path]:
    """The files of a recorded scan that belong to it, and nothing else that may lie in its folder.

    Raises PartDistillError for a link in it, which may lead anywhere.
    """
    link = next((path for path in (folder, *sorted(folder.rglob("*"))) if path.is_symlink()), None)
    if link is not None:
        raise PartDistillError(f"{link} is a link and not copied: put what it leads to in its place, or delete it")
    single = [folder / name for name in (MANIFEST, CLOUD, PICTURE)]
    several = [*sorted((folder / VIEWS).glob("*.png")), *sorted((folder / KNOWLEDGE).glob("*.npz"))]
    return [path for path in (*single, *several) if path.is_file()]


def file_hash(path: Path) -> str:
    """sha256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _read_checked(path: Path, remedy: str) -> Any:
    """The content of a JSON file of ours, its schema checked."""
    content = read_json(path, remedy)
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise PartDistillError(
            f"{path}: 'schema' is {schema!r:.40}, this version reads {SCHEMA}: use the version of partdistill_ros "
            "that wrote it, or copy the file again"
        )
    return content
