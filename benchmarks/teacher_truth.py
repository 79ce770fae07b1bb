# SPDX-License-Identifier: Apache-2.0
"""The way from points to pixels and back: a teacher that answers the true parts must give back the true labels.

    python benchmarks/teacher_truth.py [SHAPE or folder ...] [--size 448] [--points 8192] [--json]

By pixel, the teacher answers the parts of the pictures (the label of the point that each pixel shows);
measured is the share of the visible points whose strongest part is the true one, target 99 % on every
shape. By box, it answers the box around each part in each view; every unit must hold exactly the visible
points that a projection written out here finds in the box.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from evaluation_data import shapes_folder
from numpy.typing import NDArray

from partdistill_ros.cli.progress import progress
from partdistill_ros.distillation.samples import upright_cloud
from partdistill_ros.distillation.teacher_query import units_from_teacher
from partdistill_ros.distillation.units import KnowledgeUnits, soft_labels
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scans
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import Views, views_for
from partdistill_ros.rendering.rasterize import Rendering, render_scan, visible_points
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer
from partdistill_ros.visualization.tables import aligned

TARGET = 0.99


@dataclass
class TrueParts:
    """A teacher that knows the labels of the cloud it is shown, `labels [N]`; kind: `pixel` or `box`."""

    labels: NDArray[np.int16]
    kind: str
    name: str = "truth"
    key: str = "truth"
    size: int = 448
    boxes: BoxAnswer | None = field(default=None)

    def answer(self, rendering: Rendering, parts: tuple[str, ...], category: str | None) -> PixelAnswer | BoxAnswer:
        """The parts of the pixels, or the box of each part in each view."""
        truth = np.where(rendering.index >= 0, self.labels[rendering.index], -1)
        masks = truth[:, None] == np.arange(len(parts))[:, None, None]
        if self.kind == "pixel":
            return PixelAnswer(masks.astype(np.float32))
        rows = []
        for view, part in np.argwhere(masks.any((2, 3))):
            row, column = np.nonzero(masks[view, part])
            rows.append((column.min(), row.min(), column.max() + 1, row.max() + 1, part, view))
        table = np.array(rows, np.float32).reshape(-1, 6)
        part, view = table[:, 4].astype(np.int16), table[:, 5].astype(np.int16)
        self.boxes = BoxAnswer(table[:, :4], part, np.ones(len(table), np.float32), view)
        return self.boxes


@dataclass(frozen=True)
class Outcome:
    """Of one shape: visible points in all views together (each once), the share of them that got the true
    label by pixel, boxes, and those whose unit is not what the box implies."""

    name: str
    category: str
    visible: float
    right: float
    boxes: int
    wrong_boxes: int


def measure(scan: Scan, size: int, points: int) -> Outcome:
    """Both teachers on one labeled shape, as distillation would show it to them."""
    cloud = upright_cloud(scan, points)
    if cloud.point_labels is None:
        raise PartDistillError(f"{scan.name} has no labels: give labeled shapes")
    labels, views = cloud.point_labels, views_for(cloud)
    rendering = render_scan(cloud.with_(point_labels=None), views, size)
    units = units_from_teacher(TrueParts(labels, "pixel"), rendering, len(labels), scan.parts, scan.category)
    weight = soft_labels(units, np.ones(len(scan.parts), np.float32))
    seen = visible_points(rendering, len(labels)).any(0) & (labels >= 0)
    right = (weight.argmax(1) == labels) & (weight.max(1) > 0)
    boxer = TrueParts(labels, "box")
    found = units_from_teacher(boxer, rendering, len(labels), scan.parts, scan.category)
    if boxer.boxes is None:
        raise AssertionError("the teacher was not asked")
    wrong = wrong_units(boxer.boxes, found, rendering, cloud.points, views)
    share = float(right[seen].mean())
    return Outcome(scan.name, scan.category or "", float(seen.mean()), share, len(boxer.boxes.part), wrong)


def wrong_units(
    answer: BoxAnswer, units: KnowledgeUnits, rendering: Rendering, points: NDArray[np.float32], views: Views
) -> int:
    """Boxes whose unit does not hold exactly the visible points that lie in them.

    A point's pixel is worked out here from the camera (see `rendering.cameras`); where the rendering says
    that it shows on another pixel (a slanting surface's disc), that one counts.
    """
    side = rendering.size[0]
    shown = visible_points(rendering, len(points))
    camera = views.to_camera(points).astype(np.float64)
    column = side / 2 * (1 + views.focal[:, None] * camera[..., 0] / camera[..., 2])
    row = side / 2 * (1 + views.focal[:, None] * camera[..., 1] / camera[..., 2])
    pixel = np.stack([column, row], -1)
    assert rendering.pixel is not None
    where = np.stack([rendering.pixel % side, rendering.pixel // side], -1)
    own = (np.abs(where + 0.5 - pixel) <= 0.5 + 1e-3).all(-1)
    reach = 17  # the largest disc is 16 pixels wide
    astray = shown & ~own & (np.abs(where + 0.5 - pixel) > reach).any(-1)
    left_over = list(range(len(units)))
    wrong = int(astray.sum())
    for box, part, view in zip(answer.boxes, answer.part, answer.view, strict=True):
        inside = shown[view].copy()
        for point in np.flatnonzero(inside):
            x, y = where[view, point] + 0.5
            inside[point] = box[0] <= x <= box[2] and box[1] <= y <= box[3]
        expected = np.flatnonzero(inside)
        if not len(expected) or len(expected) >= 0.98 * shown[view].sum():
            continue
        same = [k for k in left_over if units.part[k] == part and units.view[k] == view]
        match = next((k for k in same if np.array_equal(np.sort(units.points_of(k)), expected)), None)
        if match is None:
            wrong += 1
        else:
            left_over.remove(match)
    return wrong + len(left_over)


def main(arguments: list[str] | None = None) -> int:
    """Print the table (or JSON); exit code 0 within the targets, 1 outside, 2 for bad input."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shapes", nargs="*", type=Path, help="labeled shapes or folders (else the evaluation data)")
    parser.add_argument("--size", type=int, default=448, help="side of the pictures in pixels")
    parser.add_argument("--points", type=int, default=8192, help="of the cloud")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        scans = list(load_scans(options.shapes or [shapes_folder()]))
        outcomes = [measure(scan, options.size, options.points) for scan in progress(scans, "truth", len(scans))]
    except PartDistillError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps(result(outcomes)) if options.json else table(outcomes))
    return 0 if all(one.right >= TARGET and not one.wrong_boxes for one in outcomes) else 1


def result(outcomes: list[Outcome]) -> dict[str, Any]:
    """Everything that was measured."""
    return {
        "target": TARGET,
        "shapes": {one.name: vars(one) for one in outcomes},
        "worst": min(one.right for one in outcomes),
        "wrong_boxes": sum(one.wrong_boxes for one in outcomes),
    }


def table(outcomes: list[Outcome]) -> str:
    """A row per category."""
    rows = [("category", "shapes", "visible", "right by pixel, mean / worst", "boxes", "wrong units")]
    for category in sorted({one.category for one in outcomes}):
        some = [one for one in outcomes if one.category == category]
        right = [one.right for one in some]
        rows.append(
            (
                category,
                str(len(some)),
                f"{100 * np.mean([one.visible for one in some]):.1f} %",
                f"{100 * np.mean(right):.2f} / {100 * min(right):.2f} %",
                str(sum(one.boxes for one in some)),
                str(sum(one.wrong_boxes for one in some)),
            )
        )
    return aligned(rows)


if __name__ == "__main__":
    sys.exit(main())
