# SPDX-License-Identifier: Apache-2.0
"""What a viewer shows, worked out before any viewer library is asked: points, colors, camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.pictures import (
    camera_for,
    cloud_colors,
    drawable,
    drawn_up,
    label_colors,
    middle_range,
)

PARTS, OWN, CONFIDENCE = "parts", "as recorded", "confidence"
"""Ways to color the points."""
EVERYTHING, LABELED = "everything", "labeled only"
"""What to show, besides one part by its name."""

_UNSURE, _SURE = np.array([35, 30, 110.0]), np.array([250, 220, 60.0])


@dataclass(frozen=True)
class Content:
    """A labeled cloud: `labels [N] i2` into `parts` (-1 none) and, where known, `confidence [N]` in 0..1."""

    scan: Scan
    labels: NDArray[np.integer]
    parts: tuple[str, ...]
    confidence: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.scan.points):
            raise PartDistillError(f"{self.scan.name}: {len(self.labels)} labels for {len(self.scan.points)} points")
        if len(self.labels) and int(self.labels.max()) >= len(self.parts):
            raise PartDistillError(
                f"{self.scan.name}: label {int(self.labels.max())} has no name among {len(self.parts)} parts"
            )

    def with_up(self, axis: str | None) -> Content:
        """The cloud with `axis` (x, -x, ...) up; None leaves it as it is."""
        return self if axis is None else replace(self, scan=self.scan.with_(up=parse_up(axis)))

    def ways_to_color(self) -> tuple[str, ...]:
        """Those that say something about this cloud."""
        known = {PARTS: True, OWN: self.scan.colors is not None, CONFIDENCE: self.confidence is not None}
        return tuple(way for way, there in known.items() if there)

    def ways_to_select(self) -> tuple[str, ...]:
        """Everything, what has a label, or one part."""
        return (EVERYTHING, LABELED, *self.parts) if self.parts else (EVERYTHING,)


def content_of(scan: Scan) -> Content:
    """A scan with the labels that its file holds; a mesh as samples of its surface."""
    labels = np.full(len(scan.points), -1, np.int16) if scan.point_labels is None else scan.point_labels
    if scan.mesh is not None and scan.mesh.face_labels is not None:
        # The labels of faces come along with the samples, those of vertices are spread to them.
        dense = drawable(scan, labels)[0]
        assert dense.point_labels is not None
        return Content(dense, dense.point_labels, scan.parts)
    return Content(*drawable(scan, labels), scan.parts)


def chosen(content: Content, selection: str, most: int) -> NDArray[np.intp]:
    """Indices of the finite points to show, at most `most`, evenly thinned: all, those with a label, or
    those of one part. A part that is not there any more counts as everything."""
    mask = content.scan.finite()
    if selection == LABELED:
        mask &= content.labels >= 0
    elif selection in content.parts:
        mask &= content.labels == content.parts.index(selection)
    index = np.flatnonzero(mask)
    # Not a stride: it would fall in with the columns of an organized cloud.
    return index if len(index) <= most else np.sort(np.random.default_rng(0).choice(index, most, replace=False))


def colors(content: Content, way: str) -> NDArray[np.uint8]:
    """RGB `[N, 3]` in one of `ways_to_color`; others count as by part."""
    if way == OWN:
        return cloud_colors(content.scan)
    if way == CONFIDENCE and content.confidence is not None:
        share = np.nan_to_num(content.confidence, nan=0.0).clip(0, 1)[:, None]
        return np.asarray((1 - share) * _UNSURE + share * _SURE, np.float64).astype(np.uint8)
    return label_colors(content.scan, content.labels, content.parts)


@dataclass(frozen=True)
class Viewpoint:
    """Where a viewer begins: `position`, `target` and `up`, `[3]` each, in the cloud's frame."""

    position: NDArray[np.float64]
    target: NDArray[np.float64]
    up: NDArray[np.float64]


def first_viewpoint(content: Content) -> Viewpoint:
    """The camera of our pictures, on what is labeled where anything is.

    Raises PartDistillError where no point is finite.
    """
    labeled = content.scan.select(content.labels >= 0)
    subject = labeled if labeled.finite().any() else content.scan
    low, high = middle_range(subject)
    return Viewpoint(camera_for(subject).position, (low + high) / 2, drawn_up(content.scan))


def point_size(scan: Scan, shown: Sequence[int] | NDArray[np.intp]) -> float:
    """Size of a point, in the cloud's unit, that closes the gaps of a surface of so many points."""
    low, high = middle_range(scan)
    return float(np.linalg.norm(high - low) / (2.5 * np.sqrt(max(len(shown), 100))))
