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

IGNORED = "clouds ignored"
MALFORMED = "clouds refused: malformed"
FAILED = "clouds refused: failed"
NOTHING = "clouds with nothing to label"
QUERIES = "queries refused"
BUNDLES = "bundles refused"
KINDS = (IGNORED, MALFORMED, FAILED, NOTHING, QUERIES, BUNDLES)
"""What is counted beside clouds received, labeled and dropped.

received = labeled + dropped + ignored + refused, but for the two that may be waiting and in work; clouds
with nothing to label are labeled ones, all of whose points are unlabeled.
"""


@dataclass(frozen=True)
class Summary:
    """Figures over the last results.

    `counts` by kind since the node was activated, `rate` in Hz, `latency` (median, greatest) by stage
    in seconds, `idle` seconds since the last cloud arrived (None before the first), `problem` the last
    one since the previous summary, `last_problem` the last one of all and how many seconds ago.
    """

    received: int
    labeled: int
    dropped: int
    counts: Mapping[str, int]
    rate: float
    latency: Mapping[str, tuple[float, float]]
    idle: float | None
    problem: str | None
    last_problem: tuple[str, float] | None = None


class Statistics:
    """Counts from several threads; times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._finished: deque[float] = deque(maxlen=WINDOW)
        self._stages: deque[Mapping[str, float]] = deque(maxlen=WINDOW)
        self._received = self._labeled = 0
        self._counts = dict.fromkeys(KINDS, 0)
        self._arrival: float | None = None
        self._problem: str | None = None
        self._last_problem: tuple[str, float] | None = None

    def arrived(self, now: float, *, ignored: bool = False) -> None:
        """A cloud came in; `ignored` while labeling is switched off."""
        with self._lock:
            self._received += 1
            self._counts[IGNORED] += ignored
            self._arrival = now

    def labeled(self, now: float, stages: Mapping[str, float]) -> None:
        """A result went out; `stages` are seconds by name."""
        with self._lock:
            self._labeled += 1
            self._finished.append(now)
            self._stages.append(dict(stages))

    def went_wrong(self, now: float, kind: str, problem: str) -> None:
        """Counts one of `KINDS` and keeps its reason, one sentence, for the next summary."""
        with self._lock:
            self._counts[kind] += 1
            self._problem = problem
            self._last_problem = (problem, now)

    def summary(self, now: float, dropped: int) -> Summary:
        """The figures up to `now`; the problem is told once."""
        with self._lock:
            problem, self._problem = self._problem, None
            last = self._last_problem
            return Summary(
                self._received,
                self._labeled,
                dropped,
                dict(self._counts),
                self._rate(now),
                self._latency(),
                None if self._arrival is None else now - self._arrival,
                problem,
                None if last is None else (last[0], now - last[1]),
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
