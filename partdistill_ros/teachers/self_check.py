# SPDX-License-Identifier: Apache-2.0
"""A teacher on a shape whose parts are known: is it set up, how long does it take, what does it see?"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.boxes import box_iou
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, Teacher
from partdistill_ros.visualization.colors import part_colors

SHAPE, SEED, POINTS, PARTS = "mug", 900_000, 8192, ("handle", "cup")
LARGEST = 800


@dataclass(frozen=True)
class SelfCheck:
    """seconds: for ten views.  right: fraction of the mug's pixels that got their part (pixel teachers) or
    mean overlap of the best box of each part in each view with the true one (box teachers).
    boxes: how many there were.  picture: `[H, W, 3] u1`, what was seen and what was answered."""

    seconds: float
    right: float
    boxes: int
    picture: NDArray[np.uint8]


def self_check(teacher: Teacher) -> SelfCheck:
    """Ask about the handle and the cup of a procedural mug in ten views."""
    mug = sample_surface(generate(SHAPE, SEED), POINTS)
    size = min(teacher.size, LARGEST)
    rendering = render_scan(mug, views_for(mug), size)
    if mug.point_labels is None:
        raise AssertionError("procedural shapes are labeled")
    part_index = np.array([PARTS.index(part) for part in mug.parts])
    truth = np.where(rendering.index >= 0, part_index[mug.point_labels[rendering.index]], -1)
    start = time.perf_counter()
    answer = teacher.answer(rendering, PARTS, SHAPE)
    seconds = time.perf_counter() - start
    if isinstance(answer, PixelAnswer):
        seen = _enlarged(answer, size)
        right = float((seen == truth)[truth >= 0].mean())
        return SelfCheck(seconds, right, 0, _picture(rendering, seen))
    return SelfCheck(seconds, _box_overlap(answer, truth), len(answer.part), _picture(rendering, _boxed(answer, truth)))


def _enlarged(answer: PixelAnswer, size: int) -> NDArray[np.int64]:
    """Strongest part `[V, size, size]` of each pixel, -1 for none."""
    best = np.where(answer.scores.max(1) > 0, answer.scores.argmax(1), -1)
    at = np.arange(size) * best.shape[1] // size
    enlarged: NDArray[np.int64] = best[:, at][:, :, at]
    return enlarged


def _box_overlap(answer: BoxAnswer, truth: NDArray[np.integer]) -> float:
    found = []
    for view in range(len(truth)):
        for part in range(len(PARTS)):
            rows, columns = np.nonzero(truth[view] == part)
            if len(rows):
                box = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], np.float32)
                mine = answer.boxes[(answer.view == view) & (answer.part == part)]
                found.append(float(box_iou(box, mine).max(initial=0)))
    return float(np.mean(found))


def _boxed(answer: BoxAnswer, truth: NDArray[np.integer]) -> NDArray[np.int64]:
    """The part of the surest box around each pixel of the object, -1 for none."""
    seen = np.full(truth.shape, -1, np.int64)
    for k in np.argsort(answer.confidence):
        left, top, right, bottom = answer.boxes[k].round().astype(int)
        seen[answer.view[k], top:bottom, left:right] = answer.part[k]
    return np.where(truth >= 0, seen, -1)


def _picture(rendering: Rendering, seen: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Above the pictures, below the answers in the parts' colors; five views side by side."""
    colors = np.array([*part_colors(PARTS), (255, 255, 255)], np.uint8)
    answers = colors[seen]
    answers = np.where((rendering.index >= 0)[..., None], answers // 2 + rendering.picture // 2, 255)
    rows = [np.concatenate(list(planes[:5]), axis=1) for planes in (rendering.picture, answers)]
    sheet: NDArray[np.uint8] = np.concatenate(rows).astype(np.uint8)
    return sheet
