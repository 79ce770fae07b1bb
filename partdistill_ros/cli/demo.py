# SPDX-License-Identifier: Apache-2.0
"""`partdistill demo`: a simulated table scene goes through the real node over ROS and comes back labeled."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.cli.common import Answer, check_folder, positive, say
from partdistill_ros.errors import CommandFailed, PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.nodes.label_subscriber import Received
    from partdistill_ros.nodes.node_process import NodeProcess
    from partdistill_ros.pointcloud.scan import Scan
    from partdistill_ros.synthetic.table_scene import TabletopScene

SUMMARY = "a table scene through the live node: picture, labeled PLY, timings"
DESCRIPTION = """\
A table with clutter, a mug among it, as a depth camera sees it, is played by the node scan_publisher,
labeled by the node part_segmenter in another process, and received again here, all over ROS 2 on a
domain of its own. Writes before_after.png, labeled.ply, timings.json, the scene and the nodes' logs."""
EXAMPLES = """\
  partdistill demo
  partdistill demo --out /tmp/demo --seed 7 --clouds 20 --json"""

SEED = 7
STAGES = (
    "wait",
    "decode",
    "extract",
    "recall",
    "sample",
    "network",
    "spread",
    "publish",
    "total",
)  # as the node names them
FAMILIES = ("mug", "bottle")  # what is asked about; half of the other things are boxes, books, cans, bowls and pots
THINGS = 7
RATE = 2.0  # scenes a second: slower than the node, so that delays are not those of a queue


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR", help="folder (default out/demo)")
    parser.add_argument("--seed", type=int, default=SEED, metavar="S", help="which scene")
    parser.add_argument("--clouds", type=positive, default=6, metavar="N", help="labeled clouds to wait for")
    parser.add_argument("--bundle", default="default", metavar="B", help="student (default: the shipped one)")
    parser.add_argument("--query", metavar="PARTS", help="parts to label (default: those of the objects on the table)")
    parser.add_argument("--timeout", type=positive, default=120, metavar="S", help="seconds the nodes may take")


def run(arguments: Namespace) -> Answer:
    """Make the scene, run the nodes, write what came back."""
    check_folder(arguments.out)
    from partdistill_ros.nodes.environment import prepare

    prepare()
    from partdistill_ros.inference.bundle import Bundle
    from partdistill_ros.inference.query import parse_query
    from partdistill_ros.synthetic.clutter_scene import make_clutter

    vocabulary = Bundle.load(arguments.bundle).vocabulary
    start = time.monotonic()
    scene = make_clutter(arguments.seed, FAMILIES, count=THINGS, always=FAMILIES)
    query = arguments.query or scene.query()
    parse_query(query, vocabulary)
    say(f"a table with {', '.join(scene.objects)}; query: {query}")
    scan_file = _prepare_folder(arguments.out, scene.scan)
    made = time.monotonic() - start
    result = _live(arguments, scan_file, query)
    check_order(scene.scan, result.received)
    return _write(arguments, scene, query, made, result)


def _prepare_folder(out: Path, scan: Scan) -> Path:
    from partdistill_ros.io.save import save_scan

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PartDistillError(f"cannot make the folder {out}: {error.strerror}; choose another with --out") from error
    path = out / "scene.pcd"
    save_scan(path, scan)
    return path.resolve()


@dataclass(frozen=True)
class _Result:
    """What the live part gave: received messages, seconds until the first label, memory and pids."""

    received: Received
    first: float
    megabytes: float | None
    processes: dict[str, int]


def _live(arguments: Namespace, scan_file: Path, query: str) -> _Result:
    from partdistill_ros.nodes.label_subscriber import LabelSubscriber
    from partdistill_ros.nodes.node_process import NodeProcess, go_private, running

    domain = go_private()
    logs = {name: (arguments.out / f"{name}.log").resolve() for name in ("part_segmenter", "scan_publisher")}
    bundle = arguments.bundle if arguments.bundle == "default" else str(Path(arguments.bundle).resolve())
    segmenter = {
        "bundle": bundle,
        "query": query,
        "scene_mode": "tabletop",
        "object_field": True,
        "diagnostics_period": 0.5,
    }
    publisher = {"source": str(scan_file), "rate": RATE, "wait_for_subscribers": 1}
    say(f"starting the nodes part_segmenter and scan_publisher on ROS domain {domain}")

    def start(name: str, parameters: dict[str, Any]) -> NodeProcess:
        return NodeProcess(name, parameters, logs[name])

    begin = time.monotonic()
    with (
        LabelSubscriber(domain=domain) as subscriber,
        running([lambda: start("part_segmenter", segmenter), lambda: start("scan_publisher", publisher)]) as nodes,
    ):
        subscriber.nodes, received = nodes, subscriber.received
        what = "the first labeled cloud (--timeout)"
        subscriber.until(lambda: bool(received.clouds), what, arguments.timeout)
        first = time.monotonic() - begin
        say(f"first labeled cloud after {first:.1f} s; waiting for {arguments.clouds}")
        left = max(1.0, arguments.timeout - first)

        def done() -> bool:
            labeled = int(received.diagnostics.get("clouds labeled", 0))
            return len(received.clouds) >= arguments.clouds and bool(received.parts) and labeled >= arguments.clouds

        subscriber.until(done, f"{arguments.clouds} labeled clouds (--timeout)", left)
        memory = nodes[0].peak_megabytes()
        return _Result(received, first, memory, {node.name: node.pid for node in nodes})


def check_order(scan: Scan, received: Received) -> None:
    """Raises CommandFailed where a cloud came back with other points, or in another order."""
    import numpy as np

    for cloud in received.clouds:
        if cloud.grid != scan.grid or not np.array_equal(cloud.points, scan.points, equal_nan=True):
            raise CommandFailed("a labeled cloud came back with other points, or in another order, than were sent")


def _write(arguments: Namespace, scene: TabletopScene, query: str, made: float, result: _Result) -> Answer:
    import json

    from partdistill_ros.evaluation.scene_scores import score_scene
    from partdistill_ros.io.atomic import atomic_path
    from partdistill_ros.io.save import save_labeled
    from partdistill_ros.visualization.colors import label_colors
    from partdistill_ros.visualization.pictures import before_after, save_picture

    out, received = arguments.out, result.received
    last = received.clouds[-1]
    colors = label_colors(last.labels, received.parts)
    save_labeled(out / "labeled.ply", last.points, last.labels, last.confidence, received.parts, colors, last.objects)
    titles = ("what the camera saw", "what the node answered")
    picture = before_after(scene.scan, last.labels, received.parts, objects=last.objects, titles=titles)
    save_picture(out / "before_after.png", picture)
    record = {
        "out": str(out),
        "picture": str(out / "before_after.png"),
        "labeled": str(out / "labeled.ply"),
        "timings": str(out / "timings.json"),
        "query": query,
        "objects": list(scene.objects),
        "points": len(last.points),
        "labeled_points": int((last.labels >= 0).sum()),
        "clouds": len(received.clouds),
        "seconds": {"scene": round(made, 2), "first_cloud": round(result.first, 2)},
        "milliseconds": _milliseconds(received),
        "node_megabytes": result.megabytes,
        "processes": result.processes,
        "provider": received.diagnostics.get("provider"),
        "truth": score_scene(scene, last.labels, received.parts),
    }
    with atomic_path(out / "timings.json") as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n")
    return Answer(record, _table(record))


def _milliseconds(received: Received) -> dict[str, float]:
    """Medians: by stage as the node reports them, and from publication to arrival here."""
    from statistics import median

    reported = {name: received.diagnostics.get(f"{name} median (ms)") for name in STAGES}
    stages = {name: float(value) for name, value in reported.items() if value is not None}
    stages["published to labeled"] = round(1e3 * median(cloud.delay for cloud in received.clouds), 1)
    return stages


def _table(record: dict[str, Any]) -> str:
    from partdistill_ros.visualization.tables import aligned

    stages = [(stage, f"{value:.1f}") for stage, value in record["milliseconds"].items()]
    memory = record["node_megabytes"]
    lines = [
        f"{record['clouds']} clouds of {record['points']:,} points crossed DDS, {record['labeled_points']:,} points "
        "of each labeled, all points in their order",
        "",
        aligned([("stage, median", "ms"), *stages]),
        "",
        f"start to first labeled cloud {record['seconds']['first_cloud']} s"
        + (f", node's peak memory {memory:.0f} MB" if memory else "")
        + f", student on {record['provider']}",
    ]
    if record["truth"]:
        lines += [
            "",
            aligned([("object", "mIoU %"), *((name, f"{value:.1f}") for name, value in record["truth"].items())]),
        ]
    lines += ["", f"see {record['picture']}", f"    {record['labeled']}", f"    {record['timings']}"]
    return "\n".join(lines)
