# SPDX-License-Identifier: Apache-2.0
"""What consumers cost: processor time a cloud of numbers, field, markers, detections and an answer of ~/find_part.

    python benchmarks/consumers.py [SCENE.npz ...] [--frames 30]

Scenes: all of PARTDISTILL_DATA/osd unless named, each seen `--frames` times through a depth camera's noise. Printed in
milliseconds of one core, median over frames and scenes; and how many objects are seen under the number that they had in
the first frame.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clutter import read_scene
from live_quality import noisy_frames

from partdistill_ros.inference.parts import Boxes, find_part, found_parts
from partdistill_ros.inference.scene import SceneLabels, SceneOptions, label_scene
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.objects.part_box import principal_box
from partdistill_ros.pointcloud.scan import Scan

QUERY = "mug: handle, cup; bowl: rim, bowl; bottle: cap, body; box: lid, body"
SAME_OBJECT = 0.5  # IoU with the object of the first frame


class Costs:
    """Milliseconds of this thread by name."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, list[float]] = defaultdict(list)

    def of(self, name: str, work: Callable[[], Any]) -> Any:
        """Runs `work` and counts it."""
        begin = time.thread_time()
        result = work()
        self.milliseconds[name].append((time.thread_time() - begin) * 1e3)
        return result


def consume(costs: Costs, scan: Scan, answer: SceneLabels) -> None:
    """Everything that somebody may ask for of one labeled cloud."""
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import Cloud, cloud_message, labeled_message, markers_message
    from partdistill_ros.nodes.detections import object_detections, part_detections

    cloud = Cloud(scan, None, Header(), False)
    clouds = [scan.points[one.index] for one in answer.objects]
    about: Any = (costs, costs)
    costs.of("numbers", lambda: ObjectTracker().predictions(about, clouds, lambda indices: [None] * len(indices)))
    costs.of("labeled cloud", lambda: labeled_message(cloud, answer))
    costs.of("labeled cloud with object field", lambda: labeled_message(cloud, answer, object_field=True))
    costs.of("markers", lambda: markers_message(cloud, Boxes(scan.points, answer)))
    costs.of("detections: objects", lambda: object_detections(cloud, Boxes(scan.points, answer)))
    costs.of("detections: parts", lambda: part_detections(cloud, Boxes(scan.points, answer)))
    for part in found_parts(answer)[:1]:

        def find(name: str = part.name) -> None:
            found = find_part(answer, scan.points, name, np.zeros(3))
            principal_box(scan.points[found.index], found.object.up)
            cloud_message(Scan(scan.points[found.index]), cloud.header)

        costs.of("find_part", find)


def kept_numbers(first: SceneLabels, answer: SceneLabels) -> tuple[int, int]:
    """Of the objects of `answer` that overlap one of the first frame, how many have its number; and of how many."""
    before, now = first.object_numbers(), answer.object_numbers()
    kept = total = 0
    for one in answer.objects:
        numbers, counts = np.unique(before[one.index], return_counts=True)
        best = int(numbers[counts.argmax()])
        overlap = counts.max() / np.count_nonzero((before == best) | (now == one.number))
        if best and overlap >= SAME_OBJECT:
            total += 1
            kept += best == one.number
    return kept, total


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenes", nargs="*", type=Path)
    parser.add_argument("--frames", type=int, default=30)
    arguments = parser.parse_args()
    prepare()
    folder = Path(os.environ.get("PARTDISTILL_DATA", "../shared/data")) / "osd"
    scenes = [read_scene(path).scan for path in arguments.scenes or sorted(folder.glob("*.npz"))]
    if not scenes:
        parser.error(f"no scenes in {folder}: name some, or set PARTDISTILL_DATA")
    segmenter = Segmenter("default", "cpu", 1)
    query, costs, kept, total = segmenter.query(QUERY), Costs(), 0, 0
    options = SceneOptions(mode="tabletop", tracking=TrackingOptions())
    objects = []
    for scene in scenes:
        tracker, first = ObjectTracker(), None
        for frame in noisy_frames(scene, arguments.frames):
            answer = costs.of("labels", lambda s=frame, t=tracker: label_scene(segmenter, query, s, options, t))
            consume(costs, frame, answer)
            first = first or answer
            same = kept_numbers(first, answer)
            kept, total = kept + same[0], total + same[1]
            objects.append(len(answer.objects))
    print(f"{len(scenes)} scenes, {arguments.frames} frames each, {statistics.mean(objects):.1f} objects a frame")
    for name, milliseconds in costs.milliseconds.items():
        print(f"  {name:<34}{statistics.median(milliseconds):8.2f} ms")
    print(f"  numbers kept: {kept} of {total} ({100 * kept / max(1, total):.1f} %)")


if __name__ == "__main__":
    main()
