# SPDX-License-Identifier: Apache-2.0
"""The whole loop on one machine: record, name the parts, distill, and the running node gets the new student.

    python benchmarks/loop.py [--recordings 24] [--tests 12] [--recorder collect|node] [--out out/loop]

Goblets (benchmarks/goblets.py), a family that no shipped model has seen, are recorded by the simulated depth camera
into a bag (mcap) that `partdistill collect` reads, or shown to the running node `scan_recorder`. They are distilled by
the action `distill` while the live node goes on labeling; the student is then loaded into that node. The teacher is a
simulated detector (benchmarks/detections.py): `mini` knows no goblets, so the boxes are damaged truth. Truth is used
for nothing else but the scores.
Printed: the live node's mIoU on goblets that were never recorded, before and after; its rate of labeled clouds, before
and while training runs; times.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from detections import detect
from goblets import NAME, PARTS, UNSEEN, Recording, miou, record
from robot import Goal, Robot, write_bag
from verdict import empty_folder, verdict

from partdistill_ros.cli.main import main as partdistill
from partdistill_ros.errors import CommandFailed
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.node_process import NodeProcess, go_private, running
from partdistill_ros.recording.collection import Collection

SAME = 1e-4  # meters between a point as recorded and as collected
GAIN, RATE, MINUTES = 15.0, 0.70, 20.0
"""What must be reached: points of mIoU, share of the rate, and the time of the whole."""
QUERY = f"{NAME}: {', '.join(PARTS)}"
TRAINING = ("forward", "backward")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where all targets are reached, 1 where not or something failed, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--recordings", type=int, default=24)
    parser.add_argument("--tests", type=int, default=12, help="goblets that are not recorded")
    parser.add_argument("--recorder", choices=("collect", "node"), default="collect", help="who makes the collection")
    parser.add_argument("--width", type=int, default=640, help="pixels of the camera")
    parser.add_argument("--out", type=Path, default=Path("out/loop"), help="empty or new folder")
    parser.add_argument("--epochs", type=int, default=0, help="0: the trainer's own choice")
    parser.add_argument("--backward", default="", help="rule of backward distillation; default the trainer's own")
    parser.add_argument("--rate-seconds", type=float, default=20.0, help="for which each rate is measured")
    parser.add_argument("--niceness", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return verdict(measure, parser.parse_args(arguments))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """The loop from the bag to the better node."""
    options.out = empty_folder(options.out)
    prepare()
    recorded = [record(seed, options.width) for seed in range(options.recordings)]
    unseen = [record(UNSEEN + seed, options.width) for seed in range(options.tests)]
    begin = time.monotonic()
    domain = go_private()
    if options.recorder == "collect":
        collection = collect(options.out, recorded)
    else:
        collection = record_live(options.out, recorded, domain)
    boxes = simulated_boxes(collection, recorded, options.out / "detections.json")
    collected = time.monotonic() - begin
    segmenter = {"query": QUERY, "scene_mode": "tabletop", "device": "cpu", "threads": 2}
    trainer = {"store": str(options.out / "bundles"), "device": "cpu", "niceness": options.niceness}
    starts = [
        lambda: NodeProcess("part_segmenter", segmenter, options.out / "part_segmenter.log"),
        lambda: NodeProcess("distill_trainer", trainer, options.out / "distill_trainer.log"),
    ]
    with running(starts) as nodes, Robot(domain, nodes) as robot:
        robot.connect()
        before = score(robot, unseen)
        free = robot.rate(unseen[0].scan, options.rate_seconds)
        goal = robot.send(
            scans=[str(collection)],
            parts=list(PARTS),
            category=NAME,
            teacher=f"boxes:{boxes}",
            backward=options.backward,
            epochs=options.epochs,
            output="goblets",
            load_into="part_segmenter",
        )
        busy = follow(robot, goal, unseen[0], options.rate_seconds)
        after = score(robot, unseen)
    seconds = time.monotonic() - begin
    result = {
        "recordings": len(recorded),
        "collected": len(Collection.open(collection).scans()),
        "message": goal.result.message,
        "loaded": goal.result.loaded,
        "report": goal.result.report,
        "miou_before": round(100 * before, 1),
        "miou_after": round(100 * after, 1),
        "gain": round(100 * (after - before), 1),
        "rate_free": round(free, 2),
        "rate_training": round(busy, 2),
        "rate_share": round(busy / free, 3),
        "stages": stages(goal),
        "seconds": {"collect": round(collected), "goal": round(goal.seconds), "all": round(seconds)},
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "cores": os.cpu_count(),
    }
    result["reached"] = {
        "gain": result["gain"] >= GAIN,
        "rate": result["rate_share"] >= RATE,
        "time": seconds <= 60 * MINUTES,
        "loaded": bool(goal.result.loaded),
    }
    return result


def collect(out: Path, recorded: Sequence[Recording]) -> Path:
    """The bag, and the collection that `partdistill collect` makes of it."""
    bag, collection = write_bag(out / "recording", [one.scan for one in recorded]), out / "goblets"
    if partdistill(["collect", str(bag), "--out", str(collection), "--category", NAME, "--json"]):
        raise CommandFailed("the bag could not be collected")
    return collection


def record_live(out: Path, recorded: Sequence[Recording], domain: int) -> Path:
    """The collection that the node `scan_recorder` makes of the goblets that it is shown, one after the other."""
    from std_srvs.srv import Trigger

    collection = out / "goblets"
    parameters = {"collection": str(collection), "category": NAME, "name": "recording"}
    start = partial(NodeProcess, "scan_recorder", parameters, out / "scan_recorder.log")
    with running([start]) as nodes, Robot(domain, nodes) as robot:
        begun = robot.call(Trigger, "scan_recorder/start", 60.0, recorded[0].scan)
        if not begun.success:
            raise CommandFailed(f"the recorder did not start: {begun.message}")
        for count, one in enumerate(recorded, 1):
            robot.show_until(one.scan, partial(holds, collection, count), f"the recorder's scan {count}")
        robot.call(Trigger, "scan_recorder/stop", 60.0, recorded[-1].scan)
    return collection


def holds(collection: Path, count: int) -> bool:
    """Whether a collection, which may not be there yet, holds so many scans."""
    return collection.is_dir() and len(Collection.open(collection).scans()) >= count


def simulated_boxes(collection: Path, recorded: Sequence[Recording], path: Path) -> Path:
    """The detector's file about a collection."""
    from scipy.spatial import cKDTree

    finite = [np.flatnonzero(one.scan.finite()) for one in recorded]
    trees = [cKDTree(one.scan.points[rows]) for one, rows in zip(recorded, finite, strict=True)]

    def truth(source: dict[str, Any], scan: Any) -> Any:
        for one, rows, tree in zip(recorded, finite, trees, strict=True):
            if tree.query(scan.points[:9])[0].max() < SAME:
                distance, near = tree.query(scan.points)
                if distance.max() < SAME:
                    return one.labels[rows[near]]
        raise CommandFailed(f"{scan.name} is nothing that the camera recorded")

    return detect(Collection.open(collection), PARTS, NAME, truth, path)


def score(robot: Robot, unseen: Sequence[Recording]) -> float:
    """Mean mIoU of the live node's labels."""
    return float(np.mean([miou(robot.ask(one.scan), one.labels) for one in unseen]))


def follow(robot: Robot, goal: Goal, one: Recording, seconds: float) -> float:
    """Waits for the goal's end; the live node's rate while epochs went by. Raises CommandFailed where it fails."""
    robot.until(lambda: goal.result is not None or _trains(goal), "the first epoch", 1200)
    busy = 0.0 if goal.result is not None else robot.rate(one.scan, seconds)
    while goal.result is None:  # as a camera at 1 Hz
        robot.show(one.scan)
        end = time.monotonic() + 1
        while time.monotonic() < end and goal.result is None:
            robot.spin()
    if not goal.result.success:
        raise CommandFailed(f"the trainer says: {goal.result.message}")
    return busy


def _trains(goal: Goal) -> bool:
    return bool(goal.feedback) and goal.feedback[-1][1].stage in TRAINING


def stages(goal: Goal) -> dict[str, float]:
    """Seconds after the start at which each stage was first told."""
    first: dict[str, float] = {}
    for when, told in goal.feedback:
        first.setdefault(told.stage, round(when, 1))
    return first


if __name__ == "__main__":
    sys.exit(main())
