# SPDX-License-Identifier: Apache-2.0
"""Faults of `faults.py` around the live node: its network, clock, machine, and a year of it."""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import numpy as np
from fault_rows import OBJECT, SECONDS, Row, Stand, changed_environment, quiet, wait_for_words

from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.background import LatestWorker
from partdistill_ros.nodes.diagnostics import Statistics, Throttle
from partdistill_ros.nodes.node_process import NodeProcess
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.recording.transforms import TransformTree
from partdistill_ros.synthetic.families import generate

LARGE = 307_200  # points of a depth camera's picture
ENORMOUS = 3_000_000
YEAR = 365 * 24 * 3600
TWINS_SECONDS = 60.0


def flood(stand: Stand) -> list[Row]:
    """Clouds come at 100 Hz before the node is there, while it starts and after."""
    slowest, held = 0.0, 0
    with stand.peer() as peer:
        for _ in range(stand.options.restarts):
            peer.answers.clear()
            node = stand.start("part_segmenter", dict(OBJECT))
            begin = time.monotonic()

            def send(node: NodeProcess = node) -> bool:
                node.check()
                peer.points.publish(peer.message(stand.scan))
                time.sleep(0.01)
                return len(peer.answers) >= 5

            peer.until(send, "five labeled clouds", SECONDS)
            slowest = max(slowest, time.monotonic() - begin)
            held += node.end() == 0 and quiet(node)
    seen = f"five clouds labeled within {slowest:.1f} s of the start"
    return [Row("100 clouds a second while it starts", stand.options.restarts, held, seen)]


def silence(stand: Stand) -> list[Row]:
    """A camera whose clouds of 5 MB are best effort over default transports: they come, or it is said why not."""
    source = stand.folder / "large.npz"
    save_scan(source, sample_surface(generate("mug", seed=0), LARGE))
    node = stand.start("part_segmenter", dict(OBJECT))
    wait_for_words(node, "labeling")
    with changed_environment(FASTDDS_BUILTIN_TRANSPORTS="DEFAULT", FASTDDS_DEFAULT_PROFILES_FILE=None):
        camera = {"source": str(source), "rate": 5.0, "qos.points.reliability": "best_effort"}
        publisher = stand.start("scan_publisher", camera)
    wait_for_words(publisher, "playing")
    with stand.peer() as peer:
        begin = time.monotonic()
        peer.until(lambda: peer.answers or "though somebody publishes" in node.log.read_text(), "an end", SECONDS)
        seconds = time.monotonic() - begin
    seen = "labeled clouds" if peer.answers else "the warning"
    return [Row("large clouds over default transports", 1, int(1 < seconds < 6), f"{seen} after {seconds:.1f} s")]


def clock(stand: Stand) -> list[Row]:
    """Simulated time: none yet, forward, back by a minute, back to zero, standing still."""
    from rosgraph_msgs.msg import Clock

    node = stand.start("part_segmenter", {**OBJECT, "use_sim_time": True})
    held, moments = 0, (None, 100, 40, 0, 0)
    with stand.peer() as peer:
        peer.connect(SECONDS)
        publisher = peer.node.create_publisher(Clock, "/clock", 10)
        peer.until(publisher.get_subscription_count, "the node's clock", SECONDS)
        for moment in moments:
            if moment is not None:
                message = Clock()
                message.clock.sec = moment
                publisher.publish(message)
            peer.received.diagnostics.clear()
            good = stand.good(peer, node)
            peer.until(lambda: bool(peer.received.diagnostics), "diagnostics", SECONDS)
            held += good
        clean = node.end() == 0 and quiet(node)
    return [Row("simulated time jumps", len(moments), held * clean, "labels and diagnostics go on")]


def shared_memory(stand: Stand) -> list[Row]:
    """A /dev/shm of its own, full, and nearly so. Needs the right to mount."""
    rows = []
    for free, words in ((0, "/dev/shm is full"), (512, "labeling")):
        fill = f"head -c {(1024 - free) * 1024} /dev/zero > /dev/shm/full"
        script = f'mount -t tmpfs -o size=1m tmpfs /dev/shm || exit 9; {fill}; exec timeout -s INT 20 $0 -c "$1"'
        program = "import sys; from partdistill_ros.nodes.commands import part_segmenter as run; sys.exit(run())"
        command = ["unshare", "--mount", "bash", "-c", script, sys.executable, program]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        name = f"{free} kB of shared memory left"
        if done.returncode == 9 or "unshare" in done.stderr:
            rows.append(Row(name, 0, 0, "not tried: a file system cannot be mounted here (root can)"))
            continue
        said = done.stdout + done.stderr
        held = words in said and done.returncode in (1, 124) and "Traceback" not in said
        line = next((one for one in said.splitlines() if words in one), said[-90:])
        rows.append(Row(name, 1, int(held), line[:90]))
    return rows


def homeless(stand: Stand) -> list[Row]:
    """No HOME, and one that is no folder."""
    rows = []
    for home in ("", "/dev/null"):
        with changed_environment(HOME=home or None, ROS_HOME=None, ROS_LOG_DIR=None):
            node = stand.start("part_segmenter", dict(OBJECT))
        with stand.peer() as peer:
            peer.connect(SECONDS)
            held = stand.good(peer, node)
        clean = node.end() == 0 and quiet(node) and "ROS logs to" in node.log.read_text(errors="replace")
        rows.append(Row(f"HOME is '{home}'", 1, int(held and clean), "logs elsewhere and says where"))
    return rows


def large(stand: Stand) -> list[Row]:
    """A cloud of three million points, with good ones before and after it."""
    enormous = sample_surface(generate("mug", seed=0), ENORMOUS)
    with stand.peer() as peer:
        node = stand.start("part_segmenter", dict(OBJECT))
        peer.nodes = [node]
        peer.connect(SECONDS)
        held = stand.good(peer, node)
        begin = time.monotonic()
        peer.points.publish(peer.message(enormous))
        peer.until(lambda: peer.answers, "the answer to the large cloud", SECONDS)
        seconds = time.monotonic() - begin
        (labels,) = peer.answers.values()
        peer.answers.clear()
        held = len(labels) == ENORMOUS and bool((labels >= 0).all()) and stand.good(peer, node) and held
        peak, peer.nodes = node.peak_megabytes(), []
        held = node.end() == 0 and quiet(node) and held
    seen = f"labeled in {seconds:.1f} s, the node had {peak or 0:.0f} MB at most"
    return [Row(f"{ENORMOUS:,} points", 1, int(held), seen)]


def robots(stand: Stand) -> list[Row]:
    """Two robots with the same names on one network: in two namespaces, in two domains, and mixed up."""
    from ros_peer import own_namespace, stamp_of
    from sensor_msgs.msg import PointCloud2

    rows, count = [], 5
    with stand.peer() as peer:
        heard: dict[str, list[int]] = {"robot1": [], "robot2": []}
        points = {}
        for name, stamps in heard.items():
            stand.start("part_segmenter", dict(OBJECT), f"{own_namespace()}/{name}")
            points[name] = peer.node.create_publisher(PointCloud2, f"{name}/points", count)
            take = lambda message, stamps=stamps: stamps.append(stamp_of(message.header))  # noqa: E731
            peer.node.create_subscription(PointCloud2, f"{name}/labeled_points", take, count)
        sent: dict[str, list[int]] = {name: [] for name in heard}
        for name, publisher in points.items():
            peer.until(publisher.get_subscription_count, name, SECONDS)
            peer.until(lambda name=name: peer.node.count_publishers(f"{name}/labeled_points"), name, SECONDS)
        for number in range(count):
            for name, publisher in points.items():
                message = peer.message(stand.scan)
                sent[name].append(stamp_of(message.header))
                publisher.publish(message)
                peer.until(lambda name=name, number=number: len(heard[name]) > number, f"{name}'s answer", SECONDS)
        held = sum(len(set(heard[name]) & set(sent[name])) for name in heard) if heard == sent else 0
        rows.append(Row("two robots, two namespaces", 2 * count, held, "each answers its own clouds, once"))
        for node in stand.nodes:
            node.end()

        first = stand.start("part_segmenter", dict(OBJECT))
        with changed_environment(ROS_DOMAIN_ID=str(stand.domain % 100 + 1)):
            stand.start("part_segmenter", dict(OBJECT))
        peer.connect(SECONDS)
        wait_for_words(stand.nodes[-1], "labeling")
        peer.listen(1.0)
        held = sum(stand.good(peer, first) for _ in range(count))
        alone = len(peer.node.get_publishers_info_by_topic("labeled_points")) == 1
        rows.append(Row("two robots, two domains", count, held * alone, "the other one is not there"))

        stand.start("part_segmenter", dict(OBJECT))
        begin = time.monotonic()
        words = "of the same name"
        while words not in first.log.read_text(errors="replace") and time.monotonic() - begin < TWINS_SECONDS:
            peer.listen(0.5)
        told = words in first.log.read_text(errors="replace")
        seen = f"told after {time.monotonic() - begin:.0f} s" if told else "not told"
        rows.append(Row("two robots mixed up in one domain", 1, int(told), seen))
    return rows


def year(stand: Stand) -> list[Row]:
    """What counts and what remembers, over a year; and stamps at the ends of their range."""
    rows = [_memory(name, job) for name, job in (
        ("figures of a year", _figures), ("log lines of a year", _lines), ("frames of a year", _frames),
        ("objects beyond the last number", _objects), ("clouds beyond 2**53", _clouds),
    )]  # fmt: skip
    return [*rows, _stamps(stand)]


def _memory(name: str, job: Any) -> Row:
    """Runs the second half of a year, and says by how much memory grew in it."""
    tracemalloc.start()
    try:
        steps = job()
        next(steps)
        before = tracemalloc.get_traced_memory()[0]
        held = next(steps)
        grown = (tracemalloc.get_traced_memory()[0] - before) / 1e3
    finally:
        tracemalloc.stop()
    return Row(name, 1, int(held and grown < 300), f"{grown:+.0f} kB in its second half")


def _figures() -> Iterator[bool]:
    statistics = Statistics(0.0)
    for half in range(2):
        for number in range(20_000):
            at = half * YEAR + number / 10
            statistics.arrived(at, ignored=False)
            statistics.labeled(at, {"total": 0.02})
            statistics.went_wrong(at, "clouds refused: malformed", f"problem at {at}")
        summary = statistics.summary(at, dropped=2**53 + 1)
        yield abs(summary.rate - 10) < 0.1 and summary.received == 20_000 * (half + 1)


def _lines() -> Iterator[bool]:
    said: list[int] = []
    now = [0.0]
    say = Throttle(lambda words: said.append(len(words)), lambda: now[0], repeat=60.0)
    for half in range(2):
        said.clear()
        for at in np.linspace(half * YEAR / 2, (half + 1) * YEAR / 2, 20_000).tolist():
            now[0] = at
            for number in range(3):
                say(f"the driver fails in way {number}")
        yield len(said) >= 3 * 19_999


def _frames() -> Iterator[bool]:
    """A detector that names a frame for each thing that it sees."""
    tree = TransformTree(10.0)
    for half in range(2):
        for number in range(20_000):
            stamp = int((half * 20_000 + number) * YEAR / 40_000 * 1e9)
            tree.add("map", "camera", stamp, np.eye(4))
            tree.add("camera", f"object_{stamp}", stamp, np.eye(4))
        yield bool(np.array_equal(tree.pose("camera", "map", 0), np.eye(4)))


def _objects() -> Iterator[bool]:
    """Objects that come and go, until their numbers begin again."""
    tracker = ObjectTracker()
    clouds = np.random.default_rng(0).normal(size=(2_000, 30, 3)).astype(np.float32)
    about: Any = (object(), object())
    held = True
    for _ in range(2):
        tracker._newest = 65_000  # as after 65,000 objects
        for number, cloud in enumerate(clouds):
            tracker.predictions(about, [cloud + number], lambda indices: [None] * len(indices), TrackingOptions())
            held = held and 1 <= tracker.numbers[0] <= 65_535
        yield held


def _clouds() -> Iterator[bool]:
    worker: LatestWorker[int, int] = LatestWorker(lambda item: item, lambda result: None, lambda error: None)
    worker.dropped = 2**53
    for _ in range(2):
        before = worker.dropped
        for item in range(1_000):
            worker.offer(item)
        yield worker.dropped >= before + 999


def _stamps(stand: Stand) -> Row:
    """Stamps of clouds: the first moment, the last one, before 1970, and more nanoseconds than a second has."""
    from ros_peer import stamp_of

    moments = ((0, 0), (1, 0), (2**31 - 1, 999_999_999), (-(2**31), 0), (5, 2**32 - 1))
    held = 0
    with stand.peer() as peer:
        node = stand.start("part_segmenter", {**OBJECT, "memory.fixed_frame": ""})
        peer.nodes = [node]
        peer.connect(SECONDS)
        for seconds, nanoseconds in moments:
            message = peer.message(stand.scan)
            message.header.stamp.sec, message.header.stamp.nanosec = seconds, nanoseconds
            wanted = stamp_of(message.header)
            peer.points.publish(message)
            peer.until(lambda wanted=wanted: wanted in peer.answers, "the answer", SECONDS)
            held += 1
        peer.nodes = []
        clean = node.end() == 0 and quiet(node)
    return Row("stamps at the ends of time", len(moments), held * clean, "each cloud answered under its own")
