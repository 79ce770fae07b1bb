# SPDX-License-Identifier: Apache-2.0
"""What the faults of `faults.py` share: a row of the table, a stand with a node and a good cloud, a full disk."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import CommandFailed
from partdistill_ros.nodes.node_process import NodeProcess
from partdistill_ros.pointcloud.scan import Scan

SECONDS = 60.0
"""How long anything may take before it counts as hanging."""
QUEUE = 100
"""Depth of the queues in the test of messages, so that the middleware loses none."""
QUERY = "handle, cup"
OBJECT = {"query": QUERY, "scene_mode": "object", "up": "z", "device": "cpu", "threads": 1, "diagnostics_period": 0.1}
"""Parameters with which every point of a good cloud is labeled."""


@dataclass(frozen=True)
class Row:
    """One fault: how often it was tried, how often everything held, and what was seen."""

    fault: str
    tried: int
    held: int
    seen: str


@dataclass
class Stand:
    """A good cloud and its labels, the other end of the node, and what runs."""

    options: argparse.Namespace
    folder: Path
    domain: int
    scan: Scan
    labels: NDArray[np.int16] | None = None
    nodes: list[NodeProcess] = field(default_factory=list)

    @contextmanager
    def peer(self) -> Iterator[Any]:
        """Hears clouds into `answers`, stamps to labels."""
        from ros_peer import Peer, labels_of, stamp_of

        answers: dict[int, NDArray[np.int16]] = {}
        with Peer(
            self.domain, QUEUE, lambda m: answers.__setitem__(stamp_of(m.header), labels_of(m)), lambda m: None
        ) as peer:
            peer.answers = answers
            yield peer

    def start(self, name: str, parameters: dict[str, object], namespace: str | None = None) -> NodeProcess:
        """Starts a node in a namespace, by default that of the peer; `close` ends it whatever happens."""
        from ros_peer import own_namespace

        log = self.folder / f"{name}_{len(self.nodes)}.log"
        node = NodeProcess(name, parameters, log, namespace or own_namespace())
        self.nodes.append(node)
        return node

    def close(self) -> None:
        """Ends what still runs."""
        for node in self.nodes:
            node.end()

    def good(self, peer: Any, node: NodeProcess) -> bool:
        """Whether a good cloud is answered, and as ever. Raises CommandFailed where no answer comes."""
        from ros_peer import stamp_of

        message = peer.message(self.scan)
        stamp = stamp_of(message.header)
        peer.points.publish(message)
        peer.until(lambda: stamp in peer.answers, "the answer to a good cloud", SECONDS)
        labels = peer.answers[stamp]
        peer.answers.clear()
        if self.labels is None:
            self.labels = labels
        return np.array_equal(labels, self.labels) and bool((labels >= 0).all())


def wait_for_words(node: NodeProcess, words: str) -> None:
    """Until the node has printed them."""
    end = time.monotonic() + SECONDS
    while words not in node.log.read_text(errors="replace"):
        node.check()
        if time.monotonic() > end:
            raise CommandFailed(f"'{words}' did not come within {SECONDS:.0f} s:\n{node.tail()}")
        time.sleep(0.05)


@contextmanager
def changed_environment(**changes: str | None) -> Iterator[None]:
    """Variables that a process started meanwhile finds; None: not set."""
    before = dict(os.environ)
    for name, value in changes.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def fill(path: Path) -> None:
    """Writes until nothing more fits."""
    try:
        with open(path, "wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return


def quiet(node: NodeProcess) -> bool:
    """Whether it printed no stack trace."""
    return "Traceback" not in node.log.read_text(errors="replace")
