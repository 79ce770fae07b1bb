# SPDX-License-Identifier: Apache-2.0
"""A real recorded table scene through the live node: how fast, how well, and what each stage takes.

    python benchmarks/live_scene.py [--bundle default] [--scan test64.pcd] [--clouds 100] [--only scene object ...]

scene: the whole organized cloud, NaN included, at 10 Hz in tabletop mode, over DDS between three processes;
steadiness: the mug's parts over 30 noisy frames, with and without memory and smoothing;
object: 2,048 points of one object at 30 Hz;  million: a scene of a million points;
limits: what each stage costs at its limit.
The truth is the labels in the scan, used for nothing else. Delays count from the stamp that a cloud gets before
it is published to its arrival with labels. Other programs on the machine lengthen all times but processor times.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from live_limits import MOST_POINTS, denser, limits
from live_quality import TRUTH, mug_miou, steadiness
from live_stream import Stream, play
from numpy.typing import NDArray
from student_latency import make_cloud

from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.pointcloud.scan import Scan


@dataclass(frozen=True)
class Target:
    """One figure against its bound; `reached` is None where it could not be measured."""

    what: str
    value: float
    bound: float
    at_least: bool = False

    @property
    def reached(self) -> bool | None:
        """Whether the bound holds."""
        if np.isnan(self.value):
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound

    def words(self) -> str:
        """The verdict as a line."""
        verdict = {True: "reached", False: "MISSED", None: "not measured"}[self.reached]
        return (
            f"{verdict:12s} {self.what}: {self.value:.4g}, {'at least' if self.at_least else 'at most'} {self.bound:g}"
        )


@dataclass(frozen=True)
class Section:
    """What one part of the benchmark measured, its targets, and the same in words."""

    result: dict[str, Any]
    targets: list[Target]
    text: list[str]


@dataclass(frozen=True)
class Setup:
    """What all parts share."""

    options: argparse.Namespace
    scan: Scan
    segmenter: Segmenter
    query: PartQuery

    def node(self, **changes: object) -> dict[str, object]:
        """Parameters of the node."""
        options = self.options
        shared = {
            "bundle": options.bundle,
            "query": options.query,
            "device": options.device,
            "threads": options.threads,
        }
        return shared | {"scene_mode": "tabletop", "memory.refresh": options.refresh} | changes


def default_scan() -> Path:
    """`scans/test64.pcd` of the evaluation data: PARTDISTILL_DATA, else ../shared/data beside the checkout."""
    root = Path(__file__).resolve().parents[1]
    return Path(os.environ.get("PARTDISTILL_DATA") or root.parent / "shared" / "data") / "scans" / "test64.pcd"


def measure_scene(setup: Setup) -> Section:
    """The scan at 10 Hz: speed by stage, and quality."""
    options, scan = setup.options, setup.scan
    stream = play(scan, options.scan, options.rate, options.clouds, setup.node())
    scores = mug_miou(scan, stream.last.labels, stream.parts)
    result = _speed(stream) | {
        "mug": scores,
        "labeled elsewhere": _labeled_elsewhere(scan, stream.last.labels),
        "convert": _median(stream, "decode") + _median(stream, "encode"),
        "same_points": stream.same_points,
    }
    targets = [
        Target("results a second", stream.rate, 8, at_least=True),
        Target("publish to result, 95 % (ms)", result["delay_p95"], 200),
        Target("convert in and out, median (ms)", result["convert"], 5),
        Target("objects cut out, median (ms)", _median(stream, "extract"), 40),
        Target("mIoU of the mug in the whole scene", float("nan") if scores is None else scores["mean"], 0.60, True),
        Target("share of table and wall labeled", result["labeled elsewhere"], 0.005),
        Target("same points in the same order (1: yes)", float(stream.same_points), 1, at_least=True),
    ]
    return Section(
        result, targets, [f"scene of {len(scan.points):,} points at {options.rate:g} Hz", *_speed_text(stream)]
    )


def measure_steadiness(setup: Setup) -> Section:
    """Noisy frames of a camera that stands still."""
    frames = setup.options.frames
    result = steadiness(setup.segmenter, setup.query, setup.scan, frames)
    text = [f"{frames} noisy frames: mIoU mean / worst, labels changed between frames, objects asked about"]
    text += [
        f"  {name:26s} {row['miou']:.3f} / {row['worst']:.3f}  {row['changed']:6.2%}  {row['asked']:.1f}"
        for name, row in result.items()
    ]
    smooth = result["smoothing 0.8"]
    return Section(result, [Target("mIoU with smoothing over noisy frames", smooth["miou"], 0.65, at_least=True)], text)


def measure_object(setup: Setup) -> Section:
    """One object of 2,048 points at 30 Hz."""
    scan = Scan(make_cloud(2048, 0), name="mug")
    stream = _played(scan, 30.0, 3 * setup.options.clouds, setup.node(scene_mode="object", up="z"))
    targets = [
        Target("object: clouds not answered", stream.lost, 0),
        Target("object: publish to result, 95 % (ms)", _p95(stream.delays), 40),
    ]
    return Section(_speed(stream), targets, ["one object of 2,048 points at 30 Hz", *_speed_text(stream)])


def measure_million(setup: Setup) -> Section:
    """A million points, as fast as they are answered at 1 Hz."""
    scan = denser(setup.scan, MOST_POINTS)
    stream = _played(scan, 1.0, max(2, setup.options.clouds // 20), setup.node())
    targets = [
        Target("million points: results", stream.answered, 1, at_least=True),
        Target("million points: peak memory of the node (MB)", stream.megabytes, 1_000),
    ]
    return Section(_speed(stream), targets, [f"scene of {len(scan.points):,} points at 1 Hz", *_speed_text(stream)])


def measure_limits(setup: Setup) -> Section:
    """Every stage at its limit."""
    found = limits(setup.segmenter, setup.query, setup.scan)
    text = ["stages at their limits, ms of processor time"]
    text += [f"  {one.stage:18s} {one.milliseconds:7.1f}  {one.limit}" for one in found]
    return Section({one.stage: asdict(one) for one in found}, [], text)


SECTIONS: dict[str, Callable[[Setup], Section]] = {
    "scene": measure_scene,
    "steadiness": measure_steadiness,
    "object": measure_object,
    "million": measure_million,
    "limits": measure_limits,
}


def _played(scan: Scan, rate: float, count: int, parameters: dict[str, object]) -> Stream:
    with tempfile.TemporaryDirectory(prefix="live_scene_") as folder:
        source = Path(folder) / "scan.pcd"
        save_scan(source, scan)
        return play(load_scan(source), source, rate, count, parameters)


def _speed(stream: Stream) -> dict[str, Any]:
    return {
        "published": stream.published,
        "answered": stream.answered,
        "lost": stream.lost,
        "rate": stream.rate,
        "delay_median": float(np.median(stream.delays)),
        "delay_p95": _p95(stream.delays),
        "stages": {
            name: {"median": float(np.median(times)), "p95": _p95(times)} for name, times in stream.stages.items()
        },
        "processor": stream.processor,
        "megabytes": stream.megabytes,
        "provider": stream.diagnostics.get("provider", ""),
    }


def _speed_text(stream: Stream) -> list[str]:
    delays = f"{np.median(stream.delays):.0f} / {_p95(stream.delays):.0f}"
    processor = ", ".join(f"{name} {spent:.0f}" for name, spent in stream.processor.items())
    return [
        f"  {stream.answered} of {stream.published} clouds answered, {stream.rate:.1f} results a second",
        f"  publish to result, median / 95 %: {delays} ms",
        f"  processor time a result: {processor} ms; peak memory of the node {stream.megabytes:.0f} MB",
        "  stages of the node, median / 95 %, ms:",
        *[f"    {name:8s} {np.median(times):7.1f} / {_p95(times):.1f}" for name, times in stream.stages.items()],
    ]


def _median(stream: Stream, stage: str) -> float:
    return float(np.median(stream.stages[stage])) if stage in stream.stages else float("nan")


def _p95(values: list[float]) -> float:
    return float(np.percentile(values, 95))


def _labeled_elsewhere(scan: Scan, labels: NDArray[np.int16]) -> float:
    """The share of the finite points that no object holds, table and walls, and that have a label."""
    outside = scan.finite()
    for index in extract_objects(scan).objects:
        outside[index] = False
    if scan.point_labels is not None:
        outside &= ~np.isin(
            scan.point_labels, [scan.parts.index(code) for code in TRUTH.values() if code in scan.parts]
        )
    return float((labels[outside] >= 0).mean()) if outside.any() else 0.0


def main(arguments: list[str] | None = None) -> int:
    """Prints what was measured; exit code 0 where every target was reached, 1 where not or a node failed, 2 for bad
    input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--scan", type=Path, default=default_scan(), help="a scan with the mug's labels")
    parser.add_argument("--bundle", default="default", help="a bundle directory or `default`")
    parser.add_argument("--query", default="mug: handle, cup")
    parser.add_argument("--clouds", type=int, default=100, help="results to measure of the scene; thrice of the object")
    parser.add_argument("--frames", type=int, default=30, help="noisy frames")
    parser.add_argument("--rate", type=float, default=10.0, help="clouds a second of the scene")
    parser.add_argument("--refresh", type=int, default=1, help="memory.refresh of the node; 0 asks about all objects")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda", "auto"))
    parser.add_argument("--only", nargs="+", choices=tuple(SECTIONS), default=list(SECTIONS), help="parts to measure")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        segmenter = Segmenter(options.bundle, options.device, options.threads)
        setup = Setup(options, load_scan(options.scan), segmenter, segmenter.query(options.query, reject_unknown=True))
        sections = {name: SECTIONS[name](setup) for name in options.only}
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, CommandFailed) else 2
    targets = [target for section in sections.values() for target in section.targets]
    if options.json:
        verdicts = [asdict(target) | {"reached": target.reached} for target in targets]
        print(json.dumps({name: section.result for name, section in sections.items()} | {"targets": verdicts}))
    else:
        print("\n".join(line for section in sections.values() for line in section.text))
        print("\n".join(target.words() for target in targets))
    return 1 if any(target.reached is False for target in targets) else 0


if __name__ == "__main__":
    sys.exit(main())
