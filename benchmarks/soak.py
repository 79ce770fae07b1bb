# SPDX-License-Identifier: Apache-2.0
"""Days in minutes: thousands of clouds through the live node while queries and bundles change all the time.

    python benchmarks/soak.py [--clouds 20000] [--query-every 50] [--bundle-every 500] [--rate 30] [--json]

A mug of 2,048 points goes over DDS from this process to that of `part_segmenter` and back. The queries
turn the order of the same names, and one of the two bundles exchanges what two names mean, so that
every pair of bundle and query has labels of its own; they are worked out beforehand without ROS. A
result whose labels are not those of the legend with the same header, or that was computed for a query
or bundle that had been replaced before the cloud was sent, is an error.

Resident memory is the median over the last tenth of the run against the tenth after the warm-up.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.cli.common import positive
from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.inference.bundle import MANIFEST, Bundle, write_bundle
from partdistill_ros.inference.scene import SceneOptions, label_scene
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.node_process import NodeProcess, go_private, running
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.families import generate
from partdistill_ros.visualization.tables import aligned

PARTS = ("handle", "cup")
"""Names that the second bundle exchanges."""
QUERIES = ("handle, cup, body", "body, handle, cup", "cup, body, handle")
"""Turned by one each, so that no order of one bundle looks like another order of the other."""
GROWTH = 5.0
"""Per cent that resident memory may grow by."""
WARM_UP = 0.1
"""Share of the run before memory is looked at: allocators and middleware reach their sizes."""
SAMPLE_EVERY = 20
"""Clouds between two looks at memory."""
IN_FLIGHT = 100
"""Clouds that may be on their way at most: 3 s of them."""
START_SECONDS = 90.0

State = tuple[str, str]
"""Name of a bundle, and the query, as the legend tells them."""


def make_bundles(folder: Path, source: str) -> dict[str, Path]:
    """Two students by name: a copy of `source`, and one in which the two PARTS mean each other."""
    bundle = Bundle.load(source)
    rows = {name: row for row, name in enumerate(bundle.vocabulary.names)}
    missing = [part for part in PARTS if part not in rows]
    if missing:
        raise PartDistillError(f"bundle {source} does not know '{missing[0]}': the soak asks for {', '.join(PARTS)}")
    order = np.arange(len(rows))
    order[[rows[part] for part in PARTS]] = [rows[part] for part in reversed(PARTS)]
    swapped = replace(bundle.vocabulary, embeddings=bundle.vocabulary.embeddings[order], encoder=None)
    spec = json.loads((bundle.path / MANIFEST).read_text())
    spec.pop("files")
    return {
        name: write_bundle(folder / name, bundle.model, {**spec, "name": name}, vocabulary)
        for name, vocabulary in (("plain", replace(bundle.vocabulary, encoder=None)), ("exchanged", swapped))
    }


def expected_labels(bundles: Mapping[str, Path], scan: Scan) -> dict[State, NDArray[np.int16]]:
    """What each bundle answers to each query, without ROS."""
    options = SceneOptions(mode="object", up=np.array([0, 0, 1], np.float32))
    answers = {}
    for name, path in bundles.items():
        segmenter = Segmenter(str(path), "cpu", 1)
        for query in QUERIES:
            answers[name, query] = label_scene(segmenter, segmenter.query(query), scan, options).labels
    return answers


@dataclass
class Books:
    """What was sent, what came back, and whether it fits."""

    expected: Mapping[State, NDArray[np.int16]]
    must: dict[int, set[State]] = field(default_factory=dict)  # by stamp: the states that may answer
    legends: dict[int, State] = field(default_factory=dict)
    clouds: dict[int, NDArray[np.int16]] = field(default_factory=dict)
    sent: int = 0
    answered: int = 0
    wrong_labels: int = 0
    outdated: int = 0
    unknown: int = 0
    delays: list[float] = field(default_factory=list)

    def send(self, stamp: int, allowed: set[State]) -> None:
        """A cloud goes out, which one of the states `allowed` answers."""
        self.sent += 1
        self.must[stamp] = allowed

    def allow(self, further: set[State]) -> None:
        """Something was asked for: clouds that are under way may be answered by it already."""
        for stamp in list(self.must)[-IN_FLIGHT:]:
            self.must[stamp] = self.must[stamp] | further

    def legend(self, stamp: int, state: State) -> None:
        """A legend came, of a cloud or of a change."""
        self.legends[stamp] = state
        self._join(stamp)

    def cloud(self, stamp: int, labels: NDArray[np.int16]) -> None:
        """A labeled cloud came."""
        self.clouds[stamp] = labels
        self.delays.append(time.time() - stamp / 1e9)
        self._join(stamp)

    def _join(self, stamp: int) -> None:
        if stamp not in self.legends or stamp not in self.clouds:
            return
        state, labels = self.legends.pop(stamp), self.clouds.pop(stamp)
        allowed = self.must.pop(stamp, None)
        self.answered += 1
        self.unknown += allowed is None
        self.wrong_labels += not np.array_equal(labels, self.expected[state])
        self.outdated += allowed is not None and state not in allowed

    def unanswered(self) -> int:
        """Clouds without an answer so far."""
        return len(self.must)


class Changes:
    """Queries and bundles that take turns; `allowed` are the states that may answer a cloud sent now."""

    def __init__(self, peer: Any, bundles: Mapping[str, Path], every: tuple[int, int]) -> None:
        self._peer, self._bundles = peer, bundles
        self._query_every, self._bundle_every = every
        self._state = (next(iter(bundles)), QUERIES[0])
        self._under_way: deque[tuple[Any, State]] = deque()
        self.queries = self.swaps = 0

    @property
    def first(self) -> State:
        """Bundle and query to start with."""
        return self._state

    def allowed(self) -> set[State]:
        """The active state and those on their way."""
        bundles, queries = {self._state[0]}, {self._state[1]}
        for _, (bundle, query) in self._under_way:
            bundles.add(bundle)
            queries.add(query)
        return {(bundle, query) for bundle in bundles for query in queries}

    def step(self, number: int) -> bool:
        """Asks for what is due after `number` clouds, and takes note of what was accepted; whether
        something was asked for."""
        self._take_note()
        bundle, query = self._under_way[-1][1] if self._under_way else self._state
        if number % self._bundle_every == 0:
            names = list(self._bundles)
            bundle = names[(names.index(bundle) + 1) % len(names)]
            self.swaps += 1
            self._under_way.append((self._peer.load_bundle(str(self._bundles[bundle])), (bundle, query)))
        elif number % self._query_every == 0:
            query = QUERIES[(QUERIES.index(query) + 1) % len(QUERIES)]
            self.queries += 1
            self._under_way.append((self._peer.set_query(query), (bundle, query)))
        else:
            return False
        return True

    def _take_note(self) -> None:
        # A bundle takes longer than a query that was asked for after it: all must have been answered.
        if self._under_way and all(future.done() for future, _ in self._under_way):
            for future, _ in self._under_way:
                if not future.result().success:
                    raise CommandFailed(f"a change was refused: {future.result().message}")
            self._state = self._under_way[-1][1]
            self._under_way.clear()


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def soak(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs the node and keeps the books."""
    prepare()
    from ros_peer import Peer, labels_of, own_namespace, stamp_of

    bundles = make_bundles(folder, options.bundle)
    scan = sample_surface(generate("mug", seed=0), 2048)
    books = Books(expected_labels(bundles, scan))
    domain = go_private()

    def on_cloud(message: Any) -> None:
        books.cloud(stamp_of(message.header), labels_of(message))

    def on_legend(message: Any) -> None:
        if message.counts:
            books.legend(stamp_of(message.header), (message.bundle, message.query))

    with Peer(domain, 10, on_cloud, on_legend) as peer:
        changes = Changes(peer, bundles, (options.query_every, options.bundle_every))
        bundle, query = changes.first
        parameters = {"bundle": str(bundles[bundle]), "query": query, "scene_mode": "object", "up": "z"}
        parameters |= {"device": "cpu", "threads": 1, "diagnostics_period": 0.5}
        log = folder / "part_segmenter.log"
        with running([lambda: NodeProcess("part_segmenter", parameters, log, own_namespace())]) as nodes:
            node = nodes[0]
            peer.nodes = nodes
            peer.connect(START_SECONDS)
            megabytes, seconds = run(options, peer, scan, books, changes, node)
            peer.listen(2.0)  # the last clouds, and the diagnostics after them
            diagnostics = dict(peer.received.diagnostics)
        code = node.end()
        if code:
            print(f"the node ended with code {code}:\n{node.tail()}", file=sys.stderr)
    return summary(options, books, changes, megabytes, seconds, diagnostics, code, log)


def run(
    options: argparse.Namespace, peer: Any, scan: Scan, books: Books, changes: Changes, node: NodeProcess
) -> tuple[list[float], float]:
    """Sends every cloud at its time; resident memory by sample, and seconds."""
    from ros_peer import stamp_of

    megabytes: list[float] = []
    begin = time.monotonic()
    for number in range(1, options.clouds + 1):
        message = peer.message(scan)
        books.send(stamp_of(message.header), changes.allowed())
        peer.points.publish(message)
        if changes.step(number):
            books.allow(changes.allowed())
        peer.listen(max(0.0005, begin + number / options.rate - time.monotonic()))
        if number % SAMPLE_EVERY == 0:
            megabytes.append(resident_megabytes(node.pid))
        if number % 1000 == 0:
            print(f"{number:,} clouds, {megabytes[-1]:.0f} MB", file=sys.stderr)
    return megabytes, time.monotonic() - begin


def summary(
    options: argparse.Namespace,
    books: Books,
    changes: Changes,
    megabytes: list[float],
    seconds: float,
    diagnostics: Mapping[str, str],
    code: int,
    log: Path,
) -> dict[str, Any]:
    """The figures of the run, and the targets that were missed."""
    start, tenth = int(len(megabytes) * WARM_UP), max(1, len(megabytes) // 10)
    early, late = (float(np.median(part)) for part in (megabytes[start : start + tenth], megabytes[-tenth:]))
    received, dropped = int(diagnostics["clouds received"]), int(diagnostics["clouds dropped"])
    result = {
        "clouds": books.sent,
        "seconds": seconds,
        "answered": books.answered,
        "dropped": dropped,
        "lost_on_the_way": books.sent - received,
        "unaccounted": books.unanswered() - dropped - (books.sent - received),
        "query_changes": changes.queries,
        "bundle_swaps": changes.swaps,
        "wrong_labels": books.wrong_labels,
        "outdated": books.outdated,
        "delay_ms": {
            "median": float(np.median(books.delays)) * 1e3,
            "p95": float(np.percentile(books.delays, 95)) * 1e3,
        },
        "megabytes": {"after_warm_up": early, "end": late, "most": max(megabytes)},
        "growth": 100 * (late / early - 1),
        "exit_code": code,
        "stack_trace": "Traceback" in log.read_text(errors="replace"),
    }
    checks = {
        f"memory grew by {result['growth']:.1f} %": result["growth"] < GROWTH,
        "labels that are not those of their legend": not books.wrong_labels,
        "answers for a query or bundle that had been replaced": not books.outdated,
        "answers to clouds that were never sent": not books.unknown,
        "clouds that are neither answered nor counted": result["unaccounted"] == 0,
        "clouds that the node failed on": not int(diagnostics["clouds refused: failed"]),
        "the node did not end cleanly": code == 0 and not result["stack_trace"],
    }
    return result | {"missed": [name for name, held in checks.items() if not held]}


def format_result(result: Mapping[str, Any]) -> str:
    """The result as text."""
    memory, delay = result["megabytes"], result["delay_ms"]
    rows = [
        ("soak", "value", "target"),
        ("clouds sent", f"{result['clouds']:,}", ""),
        ("seconds", f"{result['seconds']:.0f}", ""),
        ("query changes", str(result["query_changes"]), ""),
        ("bundle swaps", str(result["bundle_swaps"]), ""),
        ("answered", f"{result['answered']:,}", ""),
        ("dropped by the node, counted", f"{result['dropped']:,}", ""),
        ("lost before the node", f"{result['lost_on_the_way']:,}", ""),
        ("neither answered nor counted", str(result["unaccounted"]), "0"),
        ("labels not of their legend", str(result["wrong_labels"]), "0"),
        ("of a replaced query or bundle", str(result["outdated"]), "0"),
        ("publish to result, median (ms)", f"{delay['median']:.0f}", ""),
        ("publish to result, 95 % (ms)", f"{delay['p95']:.0f}", ""),
        ("resident after warm-up (MB)", f"{memory['after_warm_up']:.0f}", ""),
        ("resident at the end (MB)", f"{memory['end']:.0f}", ""),
        ("resident at most (MB)", f"{memory['most']:.0f}", ""),
        ("growth (%)", f"{result['growth']:.1f}", f"< {GROWTH:.0f}"),
        ("exit code", str(result["exit_code"]), "0"),
    ]
    missed = [f"MISSED: {name}" for name in result["missed"]] or ["every target holds"]
    return "\n".join([aligned(rows), *missed])


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit code 0 where every target holds, 1 where not or the node failed, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clouds", type=positive, default=20_000)
    parser.add_argument("--query-every", type=positive, default=50, help="clouds between two queries")
    parser.add_argument("--bundle-every", type=positive, default=500, help="clouds between two bundles")
    parser.add_argument("--rate", type=float, default=30.0, help="clouds a second")
    parser.add_argument("--bundle", default="default", help="a bundle directory that knows handle and cup")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="soak_") as folder:
            result = soak(options, Path(folder))
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1 if isinstance(error, CommandFailed) else 2
    print(json.dumps(result) if options.json else format_result(result))
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
