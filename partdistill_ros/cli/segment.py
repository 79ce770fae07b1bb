# SPDX-License-Identifier: Apache-2.0
"""`partdistill segment`: one cloud in, the same points with part labels out; no ROS, no torch."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.cli.common import (
    LABELED,
    PICTURES,
    Answer,
    add_engine,
    add_scene,
    add_unit,
    check_output,
    check_scene,
    say,
    scene_options,
    scene_query,
)
from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.inference.scene import SceneLabels
    from partdistill_ros.inference.segmenter import Segmenter

SUMMARY = "label the parts of one cloud or mesh"
DESCRIPTION = """\
Label the parts of a cloud or mesh (.npz .ply .pcd .obj .stl .glb).

The labeled file keeps the input's points (of a mesh: its vertices) and their order:
.npz holds points, point_labels (-1 unlabeled), confidence and parts, with --scene tabletop
also objects (numbers from 1, 0 none); .ply the same as properties, with colors for viewing."""
EXAMPLES = """\
  partdistill segment mug.ply --query "handle, cup" --up z --out labeled.ply
  partdistill segment scene.pcd --scene tabletop --query "mug: handle, cup; bottle: cap, body" \\
      --out labeled.npz --picture before_after.png
  partdistill segment chair.obj --bundle my_chairs --query "back, seat, leg" --out chair.npz --json"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("cloud", type=Path, metavar="CLOUD", help="cloud or mesh file")
    parser.add_argument(
        "--query", required=True, metavar="PARTS", help='parts to look for: "handle, cup" or "mug: handle, cup"'
    )
    parser.add_argument("--out", type=Path, required=True, metavar="LABELED", help="file to write, .npz or .ply")
    parser.add_argument("--bundle", default="default", metavar="B", help="student to ask (default: the shipped one)")
    add_scene(parser)
    add_unit(parser)
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also draw the cloud before and after")
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, metavar="C", help="leave points below it unlabeled, 0 to 1"
    )
    add_engine(parser)


def run(arguments: Namespace) -> Answer:
    """Read, label, write."""
    _check(arguments)
    from partdistill_ros.inference.scene import label_scan
    from partdistill_ros.inference.segmenter import Segmenter
    from partdistill_ros.io.load import load_scan
    from partdistill_ros.io.save import save_labeled
    from partdistill_ros.visualization.colors import label_colors

    segmenter = Segmenter(arguments.bundle, arguments.device, arguments.threads)
    query = scene_query(segmenter, arguments)
    scan = load_scan(arguments.cloud, up=arguments.up, unit=arguments.unit)
    answer = label_scan(segmenter, query, scan, scene_options(arguments, arguments.min_confidence))
    if answer.problem is not None:
        if not answer.objects or not (answer.labels >= 0).any():
            raise PartDistillError(f"{arguments.cloud}: {answer.problem}")
        say(answer.problem)
    colors = label_colors(answer.labels, answer.parts)
    numbers = answer.object_numbers() if arguments.scene == "tabletop" else None
    save_labeled(arguments.out, scan.points, answer.labels, answer.confidence, answer.parts, colors, numbers)
    if arguments.picture is not None:
        from partdistill_ros.visualization.pictures import before_after, save_picture

        save_picture(arguments.picture, before_after(scan, answer.labels, answer.parts, objects=numbers))
    return _report(arguments, segmenter, answer)


def _check(arguments: Namespace) -> None:
    check_output(arguments.out, LABELED, [arguments.cloud])
    if arguments.picture is not None:
        check_output(arguments.picture, PICTURES, [arguments.cloud])
    if not 0 <= arguments.min_confidence <= 1:
        raise PartDistillError(f"--min-confidence is {arguments.min_confidence}: it must lie between 0 and 1")
    check_scene(arguments)


def _report(arguments: Namespace, segmenter: Segmenter, answer: SceneLabels) -> Answer:
    import numpy as np

    from partdistill_ros.visualization.tables import aligned

    counts = np.bincount(answer.labels[answer.labels >= 0], minlength=len(answer.parts)).tolist()
    milliseconds = {stage: round(1e3 * seconds, 2) for stage, seconds in answer.stages.items()}
    record = {
        "input": str(arguments.cloud),
        "out": str(arguments.out),
        "picture": None if arguments.picture is None else str(arguments.picture),
        "bundle": segmenter.bundle.name,
        "query": arguments.query,
        "provider": segmenter.provider,
        "points": len(answer.labels),
        "labeled": int(sum(counts)),
        "parts": dict(zip(answer.parts, counts, strict=True)),
        "objects": [{"points": len(found.index), "category": found.category} for found in answer.objects],
        "milliseconds": milliseconds,
        "problem": answer.problem,
    }
    shares = [
        (part, str(count), f"{100 * count / len(answer.labels):.1f} %")
        for part, count in zip(answer.parts, counts, strict=True)
    ]
    kinds = ", ".join(found.category or "object" for found in answer.objects)
    lines = [
        aligned([("part", "points", "share"), *shares]),
        "",
        f"{len(answer.objects)} object{'s' * (len(answer.objects) != 1)} ({kinds}), student '{segmenter.bundle.name}' "
        f"on {segmenter.provider}, {sum(milliseconds.values()):.0f} ms",
        f"wrote {arguments.out}" + (f" and {arguments.picture}" if arguments.picture else ""),
    ]
    return Answer(record, "\n".join(lines))
