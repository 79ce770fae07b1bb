# SPDX-License-Identifier: Apache-2.0
"""A scan played through the live node over DDS, and what came of it: rates, delays, stages, processor time, memory.

Three processes: `scan_publisher`, `part_segmenter`, and the one that measures. Used by `live_scene.py`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from partdistill_ros.cli.live import Ear, Labeled, NodeProcess, go_private, read_labeled, running, wait_until
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.outputs import STAGES
from partdistill_ros.pointcloud.scan import Scan

WARM = 5  # clouds before the measurement: connection, first memory, first answers
START_SECONDS, CLOUD_SECONDS = 180.0, 10.0


@dataclass(frozen=True)
class Stream:
    """One measurement; times in milliseconds.

    published, answered: clouds of the measured time, the former by their stamps and the publisher's rate.
    rate: results a second.  delays: from the stamp that a cloud got before it was published to its arrival
    here with labels.  stages: of the node, per cloud.  processor: per result and process.
    last: the last result; same_points: whether first and last had shape, number and order of the points sent.
    """

    published: int
    answered: int
    rate: float
    delays: list[float]
    stages: dict[str, list[float]]
    processor: dict[str, float]
    megabytes: float
    last: Labeled
    parts: tuple[str, ...]
    same_points: bool
    diagnostics: dict[str, str]

    @property
    def lost(self) -> int:
        """Clouds published and never answered."""
        return max(0, self.published - self.answered)


@dataclass
class _Timed:
    """Arrival, delay in seconds and, for the first and the newest result, the result itself."""

    arrivals: list[float] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in STAGES})
    first: Any = None
    newest: Any = None


class Stopwatch(Ear):
    """Notes when each result came and how long each stage took; keeps the first and the newest message only."""

    def __init__(self, domain: int) -> None:
        super().__init__(domain)
        self.timed = _Timed()

    def __enter__(self) -> Stopwatch:
        super().__enter__()
        from std_msgs.msg import Float64

        for name in STAGES:
            self._node.create_subscription(
                Float64, f"/part_segmenter/debug/{name}_ms", self._note_of(self.timed.stages[name]), 10
            )
        return self

    @staticmethod
    def _note_of(times: list[float]) -> Any:
        return lambda message: times.append(message.data)

    def _on_cloud(self, message: Any) -> None:
        stamp = message.header.stamp
        now = self._node.get_clock().now().nanoseconds / 1e9
        self.timed.arrivals.append(now)
        self.timed.delays.append(now - stamp.sec - stamp.nanosec / 1e9)
        self.timed.first = self.timed.first or message
        self.timed.newest = message


def play(scan: Scan, source: Path, rate: float, count: int, parameters: Mapping[str, object]) -> Stream:
    """Plays `source`, whose content is `scan`, at `rate` Hz until `count` results came after the warm-up.

    parameters: of `part_segmenter`. Raises CommandFailed with the node's own words where it ends or is silent.
    """
    prepare()
    domain = go_private()
    publisher = {"source": str(source), "rate": rate, "wait_for_subscribers": 1}
    with tempfile.TemporaryDirectory(prefix="live_") as folder:
        logs = Path(folder)
        starts = [
            lambda: NodeProcess("part_segmenter", {**parameters, "diagnostics_period": 0.5}, logs / "segmenter.log"),
            lambda: NodeProcess("scan_publisher", publisher, logs / "publisher.log"),
        ]
        with Stopwatch(domain) as ear, running(starts) as nodes:
            processes = {"part_segmenter": nodes[0].pid, "scan_publisher": nodes[1].pid, "this process": os.getpid()}
            _wait(ear, nodes, WARM, START_SECONDS)
            before = {name: _processor_seconds(pid) for name, pid in processes.items()}
            _wait(ear, nodes, WARM + count, CLOUD_SECONDS * count)
            spent = {name: _processor_seconds(pid) - before[name] for name, pid in processes.items()}
            _wait_for_reports(ear, nodes)
            return _stream(ear, scan, rate, count, spent, nodes[0].peak_megabytes() or 0.0)


def _wait(ear: Stopwatch, nodes: list[NodeProcess], count: int, seconds: float) -> None:
    wait_until(lambda: len(ear.timed.arrivals) >= count, ear, nodes, seconds, f"{count} labeled clouds")


def _wait_for_reports(ear: Stopwatch, nodes: list[NodeProcess]) -> None:
    end = time.monotonic() + 1.0
    wait_until(lambda: time.monotonic() > end and bool(ear.heard.parts), ear, nodes, 10.0, "a legend")


def _stream(
    ear: Stopwatch, scan: Scan, rate: float, count: int, spent: Mapping[str, float], megabytes: float
) -> Stream:
    timed, measured = ear.timed, slice(WARM, WARM + count)
    arrivals, delays = np.array(timed.arrivals[measured]), np.array(timed.delays[measured])
    stamps = arrivals - delays
    last, first = read_labeled(timed.newest), read_labeled(timed.first)
    return Stream(
        published=round((stamps[-1] - stamps[0]) * rate) + 1,
        answered=len(arrivals),
        rate=(len(arrivals) - 1) / float(arrivals[-1] - arrivals[0]),
        delays=[float(delay) * 1e3 for delay in delays],
        stages={name: times[measured] for name, times in timed.stages.items() if len(times) > WARM},
        processor={name: seconds * 1e3 / len(arrivals) for name, seconds in spent.items()},
        megabytes=megabytes,
        last=last,
        parts=ear.heard.parts,
        same_points=all(_same(scan, cloud) for cloud in (first, last)),
        diagnostics=ear.heard.diagnostics,
    )


def _same(scan: Scan, cloud: Labeled) -> bool:
    return cloud.grid == scan.grid and np.array_equal(cloud.points, scan.points, equal_nan=True)


def _processor_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
