# SPDX-License-Identifier: Apache-2.0
"""What each stage of the live path costs at its limit, in processor time. Used by `live_scene.py`.

Processor time and not the clock, which other programs on the machine lengthen; what runs on several threads
takes that time divided by their number.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.segmenter import Prediction, Segmenter
from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions
from partdistill_ros.nodes.segmenter_parameters import Tabletop
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.pointcloud.layout import CloudLayout, encode, encode_labeled
from partdistill_ros.pointcloud.scan import Scan

MOST_POINTS = 1_000_000
MOST_OBJECTS = Tabletop().max_objects  # of the node, unless it is told otherwise


@dataclass(frozen=True)
class Limit:
    """A stage at its limit: what that is, and milliseconds of processor time (median)."""

    stage: str
    limit: str
    milliseconds: float


def denser(scan: Scan, points: int) -> Scan:
    """The scan with each point repeated, moved by up to 1 mm, until it has so many; organized where it was."""
    times = max(1, round(points / len(scan.points)))
    error = np.random.default_rng(0).uniform(-1e-3, 1e-3, (len(scan.points), times, 3)).astype(np.float32)
    repeated = (scan.points[:, None] + error).reshape(-1, 3)
    grid = None if scan.grid is None else (scan.grid[0], scan.grid[1] * times)
    return Scan(repeated, viewpoint=scan.viewpoint, grid=grid, name=scan.name)


def limits(segmenter: Segmenter, query: PartQuery, scan: Scan, repeats: int = 5) -> list[Limit]:
    """Every stage at its limit, on a scene with a table."""
    large = denser(scan, MOST_POINTS)
    found = [scan.points[index] for index in extract_objects(scan).objects]
    things = [found[number % len(found)] for number in range(MOST_OBJECTS)]
    ups: list[NDArray[np.floating] | None] = [np.array([0.0, 0.0, 1.0])] * len(things)
    finite = large.points[large.finite()]
    size, count = f"{len(large.points):,} points", f"{len(things)} objects"

    def ask() -> list[Prediction | None]:
        return segmenter.predict(things, query, ups)

    def recall() -> None:
        for _ in range(2):
            memory.predictions(
                (segmenter, query), spaced, lambda due: [known[number] for number in due], TrackingOptions()
            )

    predictions = [prediction for prediction in ask() if prediction is not None]
    memory = ObjectTracker()
    # Side by side, or the same thing would be there twice.
    spaced = [thing + np.float32((10 * number, 0, 0)) for number, thing in enumerate(things)]
    known = [replace(prediction, points=thing[:2048]) for thing, prediction in zip(spaced, predictions, strict=True)]
    asked = replace(predictions[0], scores=np.ones(1))  # of the category asked for, or nothing would be spread
    return [
        Limit("convert", size, _milliseconds(lambda: _convert(large), repeats)),
        Limit("extract", size, _milliseconds(lambda: extract_objects(large), repeats)),
        Limit("recall", count, _milliseconds(recall, repeats) / 2),
        Limit("sample and network", f"{count}, all asked about", _milliseconds(ask, repeats)),
        Limit(
            "spread",
            f"{len(finite):,} points of one object",
            _milliseconds(lambda: segmenter.assign_labels(finite, asked, query), repeats),
        ),
    ]


def _convert(scan: Scan) -> None:
    packed = encode(scan.points)
    layout = CloudLayout(packed.fields, 1, len(scan.points), packed.point_step, packed.point_step * len(scan.points))
    points = layout.points(packed.data)
    count = len(points)
    encode_labeled(points, np.zeros(count, np.uint32), np.zeros(count, np.int16), np.zeros(count, np.float32))


def _milliseconds(work: Callable[[], object], repeats: int) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times)) * 1e3
