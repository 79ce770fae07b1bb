# SPDX-License-Identifier: Apache-2.0
"""Any detector's boxes: a COCO-style JSON file of detections on the pictures of `partdistill render`.

Read are a COCO results list `[{image_id, category_id, bbox: [x, y, w, h], score}, ...]` and a COCO
dataset `{"images": [...], "categories": [...], "annotations": [...]}`; a detection may name its part
itself (`"category": "handle"`). `image_id` is the number of the view, or leads through `images` to
a `file_name` such as `mug_01/view_03.png`, whose folder, if any, is the name of the scan.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.teacher import BoxAnswer


@dataclass(frozen=True)
class Detection:
    """One box: scan name ("" where the file has no folders), view number, part name in lower case,
    box (left, top, right, bottom) in pixels of a picture of `size` (width, height; None: as rendered)."""

    scan: str
    view: int
    part: str
    box: tuple[float, float, float, float]
    score: float
    size: tuple[float, float] | None


@dataclass(frozen=True)
class BoxFileTeacher:
    """The detections of one file; `key` changes with its content. size: the side at which
    box models are usually asked, and at which `partdistill render` writes for them."""

    detections: tuple[Detection, ...]
    key: str
    path: str
    name: str = "boxes"
    kind: str = "box"
    size: int = 800

    @classmethod
    def load(cls, path: str | Path) -> BoxFileTeacher:
        """Read the file. Raises PartDistillError that names the entry which is wrong."""
        try:
            content = Path(path).read_bytes()
            entries = json.loads(content)
        except OSError as error:
            raise PartDistillError(f"cannot read the detections {path}: {error.strerror}") from error
        except ValueError as error:
            raise PartDistillError(f"{path} is not valid JSON: {error}") from error
        detections, sizes = _parse(entries, str(path))
        side = max(sizes, default=cls.size)
        return cls(detections, f"boxes:{hashlib.sha256(content).hexdigest()}", str(path), size=side)

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> BoxAnswer:
        """The boxes of this scan whose name is one of `parts`, alone or behind the category's name.

        Raises PartDistillError where the file has folders and none is named as the scan, or where a
        detection names a view that was not rendered.
        """
        known = {name.strip().lower(): index for index, name in enumerate(parts)}
        if category:
            known |= {f"{category.lower()} {name}": index for name, index in known.items()}
        found = [(d, known[d.part]) for d in self._of_scan(rendering.name) if d.part in known]
        missing = [d.view for d, _ in found if d.view >= len(rendering)]
        if missing:
            raise PartDistillError(
                f"{self.path} has detections on view {max(missing)}, but only {len(rendering)} views were rendered"
            )
        height, width = rendering.size
        boxes = [_scaled(d, width, height) for d, _ in found]
        return BoxAnswer(
            np.array(boxes, np.float32).reshape(-1, 4),
            np.array([index for _, index in found], np.int16),
            np.array([d.score for d, _ in found], np.float32),
            np.array([d.view for d, _ in found], np.int16),
        )

    def _of_scan(self, name: str) -> list[Detection]:
        folders = {d.scan for d in self.detections}
        if folders <= {""}:
            return list(self.detections)
        if name not in folders:
            raise PartDistillError(
                f"{self.path} has no pictures of the scan '{name}': its file names are in {', '.join(sorted(folders))}"
            )
        return [d for d in self.detections if d.scan == name]


def _scaled(detection: Detection, width: int, height: int) -> list[float]:
    across, along = detection.size or (width, height)
    left, top, right, bottom = detection.box
    return [left * width / across, top * height / along, right * width / across, bottom * height / along]


def _parse(entries: Any, path: str) -> tuple[tuple[Detection, ...], list[int]]:
    """The detections and the sizes of the pictures they were made on, as far as the file tells."""
    if isinstance(entries, list):
        entries = {"annotations": entries}
    if not isinstance(entries, dict) or not isinstance(entries.get("annotations"), list):
        raise PartDistillError(f"{path} must hold a list of detections, or a dataset with 'annotations'")
    images = _by_id(entries, "images", path)
    names = {number: str(entry.get("name", "")) for number, entry in _by_id(entries, "categories", path).items()}
    detections = []
    for number, entry in enumerate(entries["annotations"]):
        try:
            detections.append(_detection(entry, images, names))
        except (KeyError, TypeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise PartDistillError(f"{path}: detection {number}: {reason}") from error
    sizes = [int(max(d.size)) for d in detections if d.size]
    return tuple(detections), sizes


def _by_id(entries: Mapping[str, Any], field: str, path: str) -> dict[Any, Mapping[str, Any]]:
    try:
        return {entry["id"]: entry for entry in entries.get(field, [])}
    except (KeyError, TypeError) as error:
        raise PartDistillError(f"{path}: every one of '{field}' needs an 'id'") from error


def _detection(
    entry: Mapping[str, Any], images: Mapping[Any, Mapping[str, Any]], names: Mapping[Any, str]
) -> Detection:
    image = images.get(entry["image_id"], {})
    if images and not image:
        raise ValueError(f"image_id {entry['image_id']} is not among the images")
    scan, view = _scan_and_view(image.get("file_name", entry["image_id"]))
    part = entry.get("category") or names.get(entry.get("category_id"))
    if not part:
        raise ValueError("no part name: give 'category', or 'category_id' with 'categories'")
    left, top, width, height = (float(value) for value in entry["bbox"])
    score = float(entry.get("score", 1.0))
    if not 0 <= score <= 1 or not np.isfinite([left, top, width, height]).all() or width < 0 or height < 0:
        raise ValueError("the score must be within 0-1 and the box finite with a size of 0 or more")
    size = (float(image["width"]), float(image["height"])) if "width" in image and "height" in image else None
    if size and min(size) <= 0:
        raise ValueError("the picture's width and height must be positive")
    return Detection(scan, view, str(part).strip().lower(), (left, top, left + width, top + height), score, size)


def _scan_and_view(image: object) -> tuple[str, int]:
    """Scan and view of `mug_01/view_03.png`, `view_03.png`, `"3"` or `3`."""
    path = Path(str(image))
    digits = re.findall(r"\d+", path.stem)
    if not digits:
        raise ValueError(f"cannot tell the view of the picture '{image}': name it as in view_03.png")
    return path.parent.name, int(digits[-1])
