# SPDX-License-Identifier: Apache-2.0
"""`boxes:FILE`: any detector's boxes out of a COCO-style JSON file; and what is done with all boxes, whoever gives
them: overlap and non-maximum suppression.

The file holds detections on the pictures of `partdistill render`. Read are a COCO dataset
`{"images": [...], "categories": [...], "annotations": [...]}` and a COCO results list
`[{image_id, category_id, bbox: [x, y, w, h], score}, ...]`, which takes images and categories from a `manifest.json`
beside it, where there is one. A detection may name its part itself (`"category": "handle"`). `image_id` is the number
of the view, or leads through `images` to a `file_name` such as `mug_01/view_03.png`, whose folder, if any, is the name
of the scan.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import parse_json, read_text_bytes
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.protocol import BoxAnswer
from partdistill_ros.teachers.spec import TeacherSpec

MANIFEST = "manifest.json"
BEYOND = 0.01  # fraction of the picture's side that a box may lie outside, by rounding; it is cut off
MAX_BYTES = 1 << 28  # of a file; a million boxes
MAX_SIDE = 65_536  # pixels
_DECODER = json.JSONDecoder()
_SPACE = re.compile(r"[\s,:]*")
log = logging.getLogger(__name__)


def box_iou(box: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union `[K]` of `box [4]` (left, top, right, bottom) with each of `others [K, 4]`; 0 for boxes
    without area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(np.maximum(others[:, 2:] - others[:, :2], 0), axis=1)
    union = np.prod(np.maximum(box[2:] - box[:2], 0)) + areas - common
    return np.where(union > 0, common / np.maximum(union, 1e-12), 0)


def non_maximum_suppression(
    boxes: NDArray[np.float32], part: NDArray[np.int16], score: NDArray[np.float32], threshold: float
) -> NDArray[np.intp]:
    """Indices of the boxes to keep, surest first.

    boxes: `[K, 4]` (left, top, right, bottom).  part, score: `[K]`.  threshold: two boxes of the same part whose
    intersection over union exceeds it are one.
    """
    kept: list[int] = []
    for candidate in np.argsort(-score, kind="stable"):
        same_part = [index for index in kept if part[index] == part[candidate]]
        if box_iou(boxes[candidate], boxes[same_part]).max(initial=0) <= threshold:
            kept.append(int(candidate))
    return np.array(kept, np.intp)


@dataclass(frozen=True)
class Detection:
    """One box: scan name ("" where the file has no folders), view number, part name in lower case or, where
    the file names no categories, its id, box (left, top, right, bottom) in pixels of a picture of `size`
    (width, height; None: as rendered), line of the file."""

    scan: str
    view: int
    part: str | int
    box: tuple[float, float, float, float]
    score: float
    size: tuple[float, float] | None
    line: int


@dataclass(frozen=True)
class BoxFileTeacher:
    """The detections of one file; `key` changes with its content. size: the side at which
    box models are usually asked, and at which `partdistill render` writes for them.
    views: of each scan, as far as the file lists its images; None where it does not."""

    detections: tuple[Detection, ...]
    key: str
    path: str
    views: Mapping[str, frozenset[int]] | None = None
    name: str = "boxes"
    kind: str = "box"
    size: int = 800
    _logged: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def from_spec(cls, spec: TeacherSpec, device: str = "cpu") -> BoxFileTeacher:
        """The teacher of `boxes:FILE.json`. Raises PartDistillError as `load` does, and where no file is named."""
        if not spec.argument:
            raise PartDistillError("name the file with the detections: boxes:FILE.json")
        return cls.load(spec.argument)

    @classmethod
    def load(cls, path: str | Path) -> BoxFileTeacher:
        """Read the file. Raises PartDistillError that names the line and entry which is wrong."""
        path = Path(path)
        content, entries = _read(path)
        lines = entry_lines(content.decode("utf-8-sig"), "annotations")
        if isinstance(entries, list):
            entries = {"annotations": entries}
            manifest = path.with_name(MANIFEST)
            if manifest.is_file() and manifest != path:
                beside, known = _read(manifest)
                content += beside
                entries |= {name: known[name] for name in ("images", "categories") if name in known}
        detections, views, sizes = _parse(entries, lines, str(path))
        side = max(sizes, default=cls.size)
        return cls(detections, f"boxes:{hashlib.sha256(content).hexdigest()}", str(path), views, size=side)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> BoxAnswer:
        """The boxes of this scan whose name is one of `parts`, alone or behind the category's name.

        What is left out is logged: other names, and views that the file has no image of. Raises
        PartDistillError where no name is one of `parts`, where the file has folders and none is named
        as the scan, where a detection names a view that was not rendered, or a box leaves its picture.
        """
        known: dict[str | int, int] = {name.strip().lower(): index for index, name in enumerate(parts)}
        if category:
            known |= {f"{category.lower()} {name}": index for name, index in known.items()}
        known |= {number + 1: number for number in range(len(parts))}
        self._warn_names(known, parts)
        found = [(d, known[d.part]) for d in self._of_scan(rendering.name) if d.part in known]
        self._warn_views(rendering)
        height, width = rendering.size
        boxes = [self._box(d, width, height, len(rendering)) for d, _ in found]
        return BoxAnswer(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array([index for _, index in found], np.int16),
            np.array([d.score for d, _ in found], np.float32),
            np.array([d.view for d, _ in found], np.int16),
        )

    @cached_property
    def _by_scan(self) -> dict[str, list[Detection]]:
        scans: dict[str, list[Detection]] = defaultdict(list)
        for detection in self.detections:
            scans[detection.scan].append(detection)
        return dict(scans)

    @cached_property
    def _names(self) -> dict[str | int, list[int]]:
        """Lines of each name."""
        names: dict[str | int, list[int]] = defaultdict(list)
        for detection in self.detections:
            names[detection.part].append(detection.line)
        return dict(names)

    def _of_scan(self, name: str) -> list[Detection]:
        folders = {*self._by_scan, *(self.views or ())}
        if folders <= {""}:
            return list(self.detections)
        if name not in folders:
            raise PartDistillError(
                f"{self.path} has no pictures of the scan '{name}': its file names are in {', '.join(sorted(folders))}"
            )
        return self._by_scan.get(name, [])

    def _warn_names(self, known: Mapping[str | int, int], parts: Sequence[str]) -> None:
        others = {name: lines for name, lines in self._names.items() if name not in known}
        wanted = ", ".join(parts)
        for name, lines in others.items():
            self._warn(f"line {lines[0]}: '{name}' is none of {wanted}; boxes left out: {len(lines)}")
        if others and len(others) == len(self._names):
            names = ", ".join(f"'{name}' (line {lines[0]})" for name, lines in others.items())
            raise PartDistillError(f"{self.path} names none of {wanted}: it names {names}")
        if any(isinstance(name, int) for name in self._names):
            order = ", ".join(f"{number} = {name}" for number, name in enumerate(parts, 1))
            self._warn(f"no 'categories', in it or in a {MANIFEST} beside it: category_id is taken as {order}")

    def _warn_views(self, rendering: Rendering) -> None:
        if self.views is None:
            return
        listed = self.views.get(rendering.name, self.views.get("", frozenset()))
        missing = sorted(set(range(len(rendering))) - listed)
        if missing:
            views = ", ".join(map(str, missing))
            self._warn(f"no image of view {views} of '{rendering.name}': nothing is learned from there")

    def _warn(self, words: str) -> None:
        if words not in self._logged:
            self._logged.add(words)
            log.warning("%s: %s", self.path, words)

    def _box(self, detection: Detection, width: int, height: int, views: int) -> list[float]:
        """Pixels of the rendering, inside it."""
        where = f"{self.path}, line {detection.line}"
        if detection.view >= views:
            raise PartDistillError(
                f"{where}: a detection on view {detection.view}, but only {views} views were rendered"
            )
        across, along = detection.size or (width, height)
        box = np.array(detection.box) / [across, along, across, along]
        if box.min() < -BEYOND or box.max() > 1 + BEYOND:
            left, top, right, bottom = (f"{value:g}" for value in detection.box)
            raise PartDistillError(
                f"{where}: the box from ({left}, {top}) to ({right}, {bottom}) leaves the picture of {across:g} x "
                f"{along:g} pixels; 'bbox' is [left, top, width, height], in pixels of the picture that was rendered"
            )
        return list(box.clip(0, 1) * [width, height, width, height])


def _read(path: Path) -> tuple[bytes, Any]:
    content = read_text_bytes(path, max_bytes=MAX_BYTES)
    return content, parse_json(path, content)


def _parse(
    entries: Any, lines: Sequence[int], path: str
) -> tuple[tuple[Detection, ...], dict[str, frozenset[int]] | None, list[int]]:
    """The detections, the views that the images list, and the sizes of the pictures, as far as the file tells."""
    if not isinstance(entries, dict) or not isinstance(entries.get("annotations"), list):
        raise PartDistillError(f"{path} must hold a list of detections, or a dataset with 'annotations'")
    images = _by_id(entries, "images", path)
    names = {number: str(entry.get("name", "")) for number, entry in _by_id(entries, "categories", path).items()}
    detections = []
    for number, (entry, line) in enumerate(zip(entries["annotations"], lines, strict=True)):
        try:
            detections.append(_detection(entry, images, names, line))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise PartDistillError(f"{path}, line {line}: detection {number}: {reason}") from error
    sizes = [int(max(d.size)) for d in detections if d.size]
    return tuple(detections), _views(images, path) if images else None, sizes


def _views(images: Mapping[Any, Mapping[str, Any]], path: str) -> dict[str, frozenset[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for number, image in images.items():
        try:
            scan, view = _scan_and_view(image.get("file_name", number))
        except ValueError as error:
            raise PartDistillError(f"{path}: image {number}: {error}") from error
        found[scan].add(view)
    return {scan: frozenset(views) for scan, views in found.items()}


def _by_id(entries: Mapping[str, Any], field: str, path: str) -> dict[Any, Mapping[str, Any]]:
    try:
        return {entry["id"]: entry for entry in entries.get(field, [])}
    except (KeyError, TypeError) as error:
        raise PartDistillError(f"{path}: every one of '{field}' needs an 'id'") from error


def _detection(
    entry: Mapping[str, Any], images: Mapping[Any, Mapping[str, Any]], names: Mapping[Any, str], line: int
) -> Detection:
    image = images.get(entry["image_id"], {})
    if images and not image:
        raise ValueError(f"image_id {entry['image_id']} is not among the images")
    scan, view = _scan_and_view(image.get("file_name", entry["image_id"]))
    left, top, width, height = (float(value) for value in entry["bbox"])
    score = float(entry.get("score", 1.0))
    if not 0 <= score <= 1 or not np.isfinite([left, top, width, height]).all() or width < 0 or height < 0:
        raise ValueError("the score must be within 0-1 and the box finite with a size of 0 or more")
    size = (float(image["width"]), float(image["height"])) if "width" in image and "height" in image else None
    if size and not 0 < min(size) <= max(size) <= MAX_SIDE:
        raise ValueError(f"the picture's width and height must lie within 0 and {MAX_SIDE:,}")
    box = (left, top, left + width, top + height)
    return Detection(scan, view, _part(entry, names), box, score, size, line)


def _part(entry: Mapping[str, Any], names: Mapping[Any, str]) -> str | int:
    """The name of a detection's part; its `category_id` itself where the file has no names at all."""
    number = entry.get("category_id")
    name = entry.get("category") or names.get(number)
    if name:
        return str(name).strip().lower()
    if names and number is not None:
        raise ValueError(f"category_id {number} is not among the categories")
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError("no part name: give 'category', or 'category_id' with 'categories'")
    return number


def _scan_and_view(image: object) -> tuple[str, int]:
    """Scan and view of `mug_01/view_03.png`, `view_03.png`, `"3"` or `3`."""
    path = Path(str(image))
    digits = re.findall(r"\d+", path.stem)
    if not digits:
        raise ValueError(f"cannot tell the view of the picture '{image}': name it as in view_03.png")
    return path.parent.name, int(digits[-1])


def entry_lines(text: str, field: str) -> list[int]:
    """Line numbers (from 1) of the entries of the list that the JSON `text` is itself, or has as its `field`; empty
    where there is no such list."""
    start = _skip(text, 0)
    if text[start] == "{":
        start = next((value for name, value in _members(text, start) if name == field), start)
    if text[start] != "[":
        return []
    lines, line, before = [], 1, 0
    for _, value in _members(text, start):
        line += text.count("\n", before, value)
        before = value
        lines.append(line)
    return lines


def _members(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Name ("" in a list) and position of each member of the object or list that begins at `start`."""
    is_object = text[start] == "{"
    at = _skip(text, start + 1)
    while text[at] not in "]}":
        name = ""
        if is_object:
            name, at = _DECODER.raw_decode(text, at)
            at = _skip(text, at)
        yield name, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])


def _skip(text: str, at: int) -> int:
    """The next position that is neither space nor a comma or colon."""
    match = _SPACE.match(text, at)
    return at if match is None else match.end()
