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

from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.label_subscriber import LabeledCloud, LabelSubscriber, read_labeled
from partdistill_ros.nodes.node_process import NodeProcess, go_private, running
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
    last: LabeledCloud
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


class Stopwatch(LabelSubscriber):
    """Notes when each result came and how long each stage took; keeps the first and the newest message only."""

    def __init__(self, domain: int) -> None:
        super().__init__(domain=domain, on_cloud=self._time)
        self.timed = _Timed()

    def subscribe(self) -> None:
        """And the times of the stages."""
        from std_msgs.msg import Float64

        super().subscribe()
        for name in STAGES:
            self.node.create_subscription(
                Float64, f"/part_segmenter/debug/{name}_ms", self._note_of(self.timed.stages[name]), 10
            )

    @staticmethod
    def _note_of(times: list[float]) -> Any:
        return lambda message: times.append(message.data)

    def _time(self, message: Any) -> None:
        self.timed.arrivals.append(self.node.get_clock().now().nanoseconds / 1e9)
        self.timed.delays.append(self.delay(message))
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
        with Stopwatch(domain) as stopwatch, running(starts) as nodes:
            stopwatch.nodes = nodes
            processes = {"part_segmenter": nodes[0].pid, "scan_publisher": nodes[1].pid, "this process": os.getpid()}
            _wait(stopwatch, WARM, START_SECONDS)
            before = {name: _processor_seconds(pid) for name, pid in processes.items()}
            _wait(stopwatch, WARM + count, CLOUD_SECONDS * count)
            spent = {name: _processor_seconds(pid) - before[name] for name, pid in processes.items()}
            _wait_for_reports(stopwatch)
            return _stream(stopwatch, scan, rate, count, spent, nodes[0].peak_megabytes() or 0.0)


def _wait(stopwatch: Stopwatch, count: int, seconds: float) -> None:
    stopwatch.until(lambda: len(stopwatch.timed.arrivals) >= count, f"{count} labeled clouds", seconds)


def _wait_for_reports(stopwatch: Stopwatch) -> None:
    end = time.monotonic() + 1.0
    stopwatch.until(lambda: time.monotonic() > end and bool(stopwatch.received.parts), "a legend", 10.0)


def _stream(
    stopwatch: Stopwatch, scan: Scan, rate: float, count: int, spent: Mapping[str, float], megabytes: float
) -> Stream:
    timed, measured = stopwatch.timed, slice(WARM, WARM + count)
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
        parts=stopwatch.received.parts,
        same_points=all(_same(scan, cloud) for cloud in (first, last)),
        diagnostics=stopwatch.received.diagnostics,
    )


def _same(scan: Scan, cloud: LabeledCloud) -> bool:
    return cloud.grid == scan.grid and np.array_equal(cloud.points, scan.points, equal_nan=True)


def _processor_seconds(pid: int) -> float:
    """Processor time of a process so far, all its threads together."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
