# SPDX-License-Identifier: Apache-2.0
"""What every teacher does: answer, for rendered views and part names, with pixels or with boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.spec import parse_spec


@dataclass(frozen=True)
class PixelAnswer:
    """scores: `[V, P, H, W] f4` probability of each part in each pixel, at most 1 in sum and 0 on the
    background. H and W may be a fraction of the picture's size."""

    scores: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.scores.ndim != 4:
            raise PartDistillError(f"a pixel teacher's scores must be [V, P, H, W], got {self.scores.shape}")


@dataclass(frozen=True)
class BoxAnswer:
    """K boxes: boxes `[K, 4] f4` pixels (left, top, right, bottom) of the rendered picture, part
    `[K] i2` index into the asked names, confidence `[K] f4` 0-1, view `[K] i2`."""

    boxes: NDArray[np.float32]
    part: NDArray[np.int16]
    confidence: NDArray[np.float32]
    view: NDArray[np.int16]

    def __post_init__(self) -> None:
        count = len(self.part)
        shapes = (self.boxes.shape, self.part.shape, self.confidence.shape, self.view.shape)
        if shapes != ((count, 4), (count,), (count,), (count,)):
            raise PartDistillError(f"a box answer needs boxes [K,4], part, confidence and view [K], got {shapes}")


class Teacher(Protocol):
    """A vision-language model.

    name: for people.  key: identity for the knowledge store: whatever changes the answers (model,
    hash of the weights, prompts) must change it.  kind: `pixel` or `box`, the answer it gives.
    size: side in pixels of the pictures it wants.
    """

    @property
    def name(self) -> str: ...

    @property
    def key(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def size(self) -> int: ...

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer | BoxAnswer:
        """What the pictures show. Raises PartDistillError for names the teacher cannot take."""
        ...


def load_teacher(spec: str, device: str = "cpu") -> Teacher:
    """The teacher that a line such as `mini`, `boxes:FILE` or `clip:MODEL,method=sclip` names (see `spec`).

    Raises PartDistillError for any other name, MissingDependencyError where its extra is missing.
    """
    parsed = parse_spec(spec)
    if parsed.kind not in LOADERS:
        raise PartDistillError(f"unknown teacher '{spec}': choose one of {', '.join(sorted(LOADERS))}")
    return LOADERS[parsed.kind](spec, device)


def _load_mini(spec: str, device: str) -> Teacher:
    from partdistill_ros.teachers.mini import MiniTeacher

    if parse_spec(spec).argument:
        raise PartDistillError("the teacher 'mini' takes no argument")
    return MiniTeacher(device=device)


def _load_boxes(spec: str, device: str) -> Teacher:
    from partdistill_ros.teachers.boxes import BoxFileTeacher

    file = parse_spec(spec).argument
    if not file:
        raise PartDistillError("name the file with the detections: boxes:FILE.json")
    return BoxFileTeacher.load(file)


def _load_clip(spec: str, device: str) -> Teacher:
    from partdistill_ros.teachers.clip import ClipTeacher

    return ClipTeacher.load(spec, device)


def _load_detector(spec: str, device: str) -> Teacher:
    from partdistill_ros.teachers.detector import DetectorTeacher

    return DetectorTeacher.load(spec, device)


LOADERS: dict[str, Callable[[str, str], Teacher]] = {
    "mini": _load_mini,
    "boxes": _load_boxes,
    "clip": _load_clip,
    "detector": _load_detector,
}
