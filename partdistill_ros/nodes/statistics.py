# SPDX-License-Identifier: Apache-2.0
"""What the diagnostics tell: rate, latency by stage, drops and the last problem."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

WINDOW = 100
"""Results that the rate and the latencies are taken over."""


@dataclass(frozen=True)
class Summary:
    """Figures over the last results.

    `rate` in Hz, `latency` (median, greatest) by stage in seconds, `idle` seconds since the last
    cloud arrived (None before the first), `problem` the last one since the previous summary.
    """

    received: int
    labeled: int
    dropped: int
    refused: int
    rate: float
    latency: Mapping[str, tuple[float, float]]
    idle: float | None
    problem: str | None


class Statistics:
    """Counts from several threads; times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: deque[float] = deque(maxlen=WINDOW)
        self._stages: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self._received = self._labeled = self._refused = 0
        self._arrival: float | None = None
        self._problem: str | None = None

    def arrived(self, now: float) -> None:
        """A cloud came in."""
        with self._lock:
            self._received += 1
            self._arrival = now

    def labeled(self, now: float, stages: Mapping[str, float]) -> None:
        """A result went out; `stages` are seconds by name."""
        with self._lock:
            self._labeled += 1
            self._finished.append(now)
            self._stages.append(dict(stages))

    def refused(self, problem: str) -> None:
        """A cloud could not be labelled, in one sentence."""
        with self._lock:
            self._refused += 1
            self._problem = problem

    def warned(self, problem: str) -> None:
        """Something is wrong though a result went out, or none was due."""
        with self._lock:
            self._problem = problem

    def summary(self, now: float, dropped: int) -> Summary:
        """The figures up to `now`; the problem is told once."""
        with self._lock:
            problem, self._problem = self._problem, None
            return Summary(
                self._received,
                self._labeled,
                dropped,
                self._refused,
                self._rate(now),
                self._latency(),
                None if self._arrival is None else now - self._arrival,
                problem,
            )

    def _rate(self, now: float) -> float:
        # Open at the end: a stream that stopped fades to 0 instead of keeping its last rate.
        recent = [time for time in self._finished if now - time <= 10.0]
        if len(recent) < 2:
            return 0.0
        interval = (recent[-1] - recent[0]) / (len(recent) - 1)
        return 1.0 / max(interval, (now - recent[-1]) / 2, 1e-6)

    def _latency(self) -> dict[str, tuple[float, float]]:
        names = dict.fromkeys(name for stages in self._stages for name in stages)
        times = {name: [stages[name] for stages in self._stages if name in stages] for name in names}
        return {name: (float(np.median(values)), max(values)) for name, values in times.items()}
