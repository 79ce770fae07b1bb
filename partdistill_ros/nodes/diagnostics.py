# SPDX-License-Identifier: Apache-2.0
"""What a node says of itself: counts, rate and latency for `/diagnostics`, and a limit for its log lines."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from partdistill_ros.errors import printable
from partdistill_ros.nodes.environment import PROFILE, profile_variable

if TYPE_CHECKING:
    from partdistill_ros.nodes.engine import Engine

OK, WARN = b"\0", b"\1"
"""Levels of diagnostic_msgs/DiagnosticStatus."""
SILENCE_SECONDS = 2.5
"""After so long without a cloud there is a warning, after a longer time where clouds came seldom before."""
WINDOW = 100
"""Results that the rate and the latencies are taken over."""
REPEAT_SECONDS = 5.0
"""The same words are said at most this often; warnings, which need somebody to come, `WARNING_SECONDS`."""
WARNING_SECONDS = 60.0
LEASE_SECONDS = 30.0
"""After so long a participant that was killed is out of the graph, by Fast DDS's default after 20."""
MAX_LINES = 10
"""So many different lines in `REPEAT_SECONDS`; the rest is counted."""

IGNORED = "clouds ignored"
MALFORMED = "clouds refused: malformed"
FAILED = "clouds refused: failed"
NOTHING = "clouds with nothing to label"
QUERIES = "queries refused"
BUNDLES = "bundles refused"
INPUT = "input problems"
KINDS = (IGNORED, MALFORMED, FAILED, NOTHING, QUERIES, BUNDLES, INPUT)
"""What is counted beside clouds received, labeled and dropped.

received = labeled + dropped + ignored + refused, but for the two that may be waiting and in work; clouds
with nothing to label are labeled ones, all of whose points are unlabeled.
"""


@dataclass(frozen=True)
class Summary:
    """Figures over the last results.

    `counts` by kind since the node was activated, `rate` in Hz, `latency` (median, greatest) by stage
    in seconds, `idle` seconds since the last cloud arrived (None before the first), `problem` the last
    one since the previous summary, `last_problem` the last one of all and how many seconds ago, `silent`
    whether a cloud should have come by now.
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
    silent: bool = False


class Statistics:
    """Counts from several threads, from `begin` on; times are seconds of one monotonic clock."""

    def __init__(self, begin: float = 0.0) -> None:
        self._expected = begin + SILENCE_SECONDS
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
            interval = 0.0 if self._arrival is None else now - self._arrival
            self._arrival, self._expected = now, now + max(SILENCE_SECONDS, 4 * interval)

    def expect(self, now: float) -> None:
        """A publisher has come: its first cloud may take a while."""
        with self._lock:
            self._expected = max(self._expected, now + SILENCE_SECONDS)

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
                now > self._expected,
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


def silence(topic: str, publishers: int, what: str = "no clouds") -> str:
    """Why nothing may come on a topic, and what helps."""
    if not publishers:
        return f"{what} on {topic}: check the topic's name, its publisher and its QoS"
    ours = f"{profile_variable()}={PROFILE}"
    return (
        f"{what} on {topic}, though somebody publishes there: either it sends nothing ('ros2 topic hz {topic}'), or "
        f"what it sends is lost, as large best-effort messages are over default transports: start it with {ours}, "
        "or let it publish reliable"
    )


def verdict(summary: Summary, quiet: str, enabled: bool, fallback: str = "") -> tuple[bytes, str]:
    """Level and sentence: the last problem, why nothing comes (`quiet`, said where nothing does), why the GPU is not in
    use (`fallback`, empty where it is or need not be), or the rate."""
    if summary.problem is not None:
        return WARN, summary.problem
    if not enabled:
        return OK, "switched off: the parameter 'enable' is false (service ~/set_enabled)"
    if summary.idle is None or summary.silent:
        return WARN, quiet
    rate = f"labeling at {summary.rate:.1f} Hz"
    if fallback:
        return WARN, f"{rate} on the CPU though there is a GPU: {fallback}; set device to 'cpu' if that is meant"
    return OK, rate


def figures(summary: Summary, engine: Engine) -> dict[str, object]:
    """What is active, counts, the last problem, and latency by stage in milliseconds."""
    problem, age = summary.last_problem or ("none", 0.0)
    values: dict[str, object] = {
        "bundle": engine.bundle,
        "query": engine.query.text,
        "provider": engine.segmenter.provider,
        "provider note": engine.segmenter.provider_note or "none",
        "rate (Hz)": summary.rate,
        "clouds received": summary.received,
        "clouds labeled": summary.labeled,
        "clouds dropped": summary.dropped,
        **summary.counts,
        "last problem": problem,
        "last problem (s ago)": age if summary.last_problem else "-",
    }
    for stage, (median, greatest) in summary.latency.items():
        values[f"{stage} median (ms)"] = median * 1e3
        values[f"{stage} max (ms)"] = greatest * 1e3
    return values


class Namesakes:
    """Notices other nodes of one's own name: two robots on one network whose topics and services mix."""

    def __init__(self) -> None:
        self._since: float | None = None

    def problem(self, now: float, own: str, names: Sequence[str]) -> str:
        """What is wrong, by all full names of the domain with `own` among them; empty while nothing is known to be.

        A node that was killed is still among them until its lease has ended.
        """
        if names.count(own) < 2:
            self._since = None
            return ""
        self._since = now if self._since is None else self._since
        if now - self._since < LEASE_SECONDS:
            return ""
        return (
            f"{names.count(own) - 1} other node(s) of the same name {own} are in this ROS domain, and what one is sent "
            "reaches all: give each robot a namespace (namespace:=robot2, --ros-args -r __ns:=/robot2) or its own "
            "ROS_DOMAIN_ID"
        )


class Throttle:
    """Passes lines on to `say`; may be called from several threads.

    A broken driver sends 30 bad clouds a second, for days, each bad in its own way.
    """

    # Not rclpy's throttle_duration_sec: it goes by the line of code, and would hold back other problems too.
    def __init__(
        self,
        say: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
        *,
        repeat: float = REPEAT_SECONDS,
    ) -> None:
        self._say, self._clock, self._repeat = say, clock, repeat
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}
        self._held_back = 0

    def __call__(self, words: str) -> None:
        """Says `words`, unless they or too much else were said a moment ago; escapes of a terminal are none there."""
        words = printable(words)
        with self._lock:
            now = self._clock()
            self._said = {line: then for line, then in self._said.items() if now - then < self._repeat}
            if words in self._said:
                return
            if sum(now - then < REPEAT_SECONDS for then in self._said.values()) >= MAX_LINES:
                self._held_back += 1
                return
            self._said[words] = now
            held_back, self._held_back = self._held_back, 0
        self._say(f"{words} ({held_back} other messages were left out before this one)" if held_back else words)
