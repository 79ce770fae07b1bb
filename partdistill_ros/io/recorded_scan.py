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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from partdistill_ros.errors import PartDistillError

SCHEMA = 1
MARK, MANIFEST, CLOUD = "collection.json", "scan.json", "cloud.ply"
PICTURE, VIEWS, KNOWLEDGE = "picture.png", "views", "knowledge"
IGNORED = ("readme", "license")
"""Beginnings of file names that people may put beside the scans."""


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
        captures = [vars(capture) for capture in self.captures]
        return json.dumps({"schema": SCHEMA, **vars(self), "captures": captures}, indent=1) + "\n"


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
    _check_schema(
        collection / MARK, _read_json(collection / MARK, "make the collection anew and merge this one into it")
    )
    try:
        names = [path for path in collection.iterdir() if path.name != MARK and not path.name.startswith(".")]
    except OSError as error:
        raise PartDistillError(f"{collection} cannot be read: {error.strerror}; check its rights") from error
    return sorted(path for path in names if path.is_dir() or not path.name.lower().startswith(IGNORED))


def read_manifest(folder: Path) -> Manifest:
    """What `scan.json` says. Raises PartDistillError naming the file, the field and the remedy."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise PartDistillError(
            f"{folder} is a file, but a recorded scan is a folder: bring scans in with `partdistill collection add`"
        )
    content = _read_json(path, f"add {CLOUD} to the collection again")
    _check_schema(path, content)
    try:
        captures = tuple(Capture(**_typed(path, one, _CAPTURE)) for one in _typed(path, content, _LISTS)["captures"])
        return Manifest(**_typed(path, content, _FIELDS), captures=captures)
    except TypeError as error:
        raise PartDistillError(f"{path} cannot be understood ({error}): add {CLOUD} to the collection again") from error


def file_hash(path: Path) -> str:
    """sha256 of a file in hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def check_cloud(folder: Path, manifest: Manifest) -> Path:
    """The cloud's path, after a comparison with its checksum. Raises PartDistillError where it differs."""
    path = folder / CLOUD
    try:
        found = file_hash(path)
    except OSError as error:
        raise PartDistillError(f"{path} cannot be read: {error.strerror}; copy the folder again") from error
    if found != manifest.sha256:
        size = path.stat().st_size
        raise PartDistillError(
            f"{path} ({size:,} bytes) is not the file that {MANIFEST} describes: it was cut off or changed; "
            "copy the folder again, or bring the changed cloud in with `partdistill collection add`"
        )
    return path


_Types = dict[str, tuple[type, ...]]
_LISTS: _Types = {"captures": (list,)}
_FIELDS: _Types = {"sha256": (str,), "points": (int,), "category": (str, type(None)), "source": (dict,)}
_CAPTURE: _Types = {
    "stamp": (int,),
    "frame": (str,),
    "pose": (list, type(None)),
    "picture": (str, type(None)),
}


def _typed(path: Path, content: Any, types: _Types) -> dict[str, Any]:
    """The fields `types` of an object, each of one of its types."""
    if not isinstance(content, dict):
        raise PartDistillError(f"{path}: an object was expected, not {content!r:.40}; copy the folder again")
    for name, kinds in types.items():
        if name not in content or not isinstance(content[name], kinds):
            wanted = " or ".join("null" if kind is type(None) else kind.__name__ for kind in kinds)
            shown = f"is {content[name]!r:.40}" if name in content else "is missing"
            raise PartDistillError(f"{path}: '{name}' {shown}, it must be {wanted}; copy the folder again")
    return {name: content[name] for name in types}


def _read_json(path: Path, remedy: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PartDistillError(f"{path} cannot be read: {error.strerror}; {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise PartDistillError(f"{path} is damaged ({error}); {remedy}") from error


def _check_schema(path: Path, content: Any) -> None:
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise PartDistillError(
            f"{path}: 'schema' is {schema!r:.40}, this version reads {SCHEMA}: use the version of partdistill_ros "
            "that wrote it, or copy the file again"
        )
