# SPDX-License-Identifier: Apache-2.0
"""Faults of `faults.py` done to the live node: what it is sent, killed, started, ended, and robbed of its files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fault_rows import OBJECT, QUEUE, SECONDS, Row, Stand, changed_environment, fill, quiet, wait_for_words
from hostile_messages import bad_query, malformed_cloud, valid_cloud

from partdistill_ros.errors import CommandFailed
from partdistill_ros.inference.bundle import DEFAULT_PATH, MANIFEST, MODEL
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.node_process import NodeProcess
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.families import generate

BATCH = 50
"""Hostile messages between two good clouds."""
END_SECONDS = 2.0
"""How long a node may take to end."""
SETTLE_SECONDS = 1.0
"""From the first contact with a node until it has started: one that is still starting is another row."""
HUGE = 1_000_000


def messages(stand: Stand) -> list[Row]:
    """Half of the messages are clouds, half queries."""
    rng = np.random.default_rng(stand.options.seed)
    small = Scan(rng.random((60, 3)).astype(np.float32), grid=(6, 10))
    depths = {"qos.points.depth": QUEUE, "qos.part_query.depth": QUEUE, "qos.part_query.reliability": "reliable"}
    from std_msgs.msg import String

    with stand.peer() as peer:
        node = stand.start("part_segmenter", {**OBJECT, **depths, "keep_fields": True})
        peer.nodes = [node]
        peer.connect(SECONDS)
        held = stand.good(peer, node)
        sent = {"malformed": 0, "valid": 0, "good": 1, "queries": 0}
        while sent["malformed"] + sent["valid"] + sent["queries"] < stand.options.messages:
            for _ in range(BATCH // 2):
                valid = rng.random() < 0.1
                peer.points.publish((valid_cloud if valid else malformed_cloud)(rng, peer.message(small)))
                sent["valid" if valid else "malformed"] += 1
                peer.queries.publish(String(data=bad_query(rng)))
                sent["queries"] += 1
            held = stand.good(peer, node) and held
            sent["good"] += 1
        counts = wait_for_counts(peer, sent)
        garbage = raw_bytes(stand, peer, node, rng)
        peer.nodes = []
        code = node.end()
    clouds = sent["malformed"] + sent["valid"]
    refused = counts["clouds refused: malformed"]
    accounted = counts["clouds labeled"] + counts["clouds dropped"] + refused
    every = counts["clouds received"] == accounted == clouds + sent["good"]
    sane = held and code == 0 and not counts["clouds refused: failed"] and quiet(node)
    seen = (
        f"{refused} refused, {counts['clouds dropped']} dropped for newer ones, "
        f"{counts['clouds with nothing to label']} with nothing to label, {sent['good']} good ones answered between"
    )
    return [
        Row("malformed or empty clouds", clouds, clouds * (every and sane), seen),
        Row("queries that are none", sent["queries"], counts["queries refused"], "each refused and counted"),
        garbage,
    ]  # fmt: skip


def wait_for_counts(peer: Any, sent: dict[str, int]) -> dict[str, int]:
    """The node's counts once every query has arrived, or after a while."""
    end = time.monotonic() + SECONDS
    while int(peer.received.diagnostics.get("queries refused", 0)) < sent["queries"] and time.monotonic() < end:
        peer.listen(0.2)
    peer.listen(0.5)
    counts = peer.received.diagnostics
    return {key: int(value) for key, value in counts.items() if key.startswith(("clouds", "queries"))}


def raw_bytes(stand: Stand, peer: Any, node: NodeProcess, rng: np.random.Generator) -> Row:
    """Messages that are not even messages: noise, and good ones cut off, as bytes on the wire."""
    from rclpy.serialization import serialize_message

    whole = serialize_message(peer.message(stand.scan))
    tried, held = stand.options.messages // BATCH, True
    for _ in range(tried):
        noise = rng.integers(0, 256, int(rng.integers(0, 400)), np.uint8).tobytes()
        cut = whole[: int(rng.integers(4, len(whole)))]
        for publisher in (peer.points, peer.queries):
            publisher.publish(noise)
            publisher.publish(cut)
    for _ in range(3):
        held = stand.good(peer, node) and held
    return Row("bytes that are no message", 4 * tried, 4 * tried * held, "the middleware refuses them, uncounted")


def restarts(stand: Stand) -> list[Row]:
    """One or both are killed, and come back in either order."""
    rng = np.random.default_rng(stand.options.seed)
    source = stand.folder / "mug.npz"
    save_scan(source, stand.scan)
    parameters: dict[str, dict[str, object]] = {
        "part_segmenter": dict(OBJECT),
        "scan_publisher": {"source": str(source), "rate": 10.0},
    }
    names = list(parameters)
    slowest, held = 0.0, 0
    with stand.peer() as peer:
        running = {name: stand.start(name, parameters[name]) for name in names}
        for _ in range(stand.options.restarts):
            back(stand, peer, running)
            victims = [[names[0]], [names[1]], names][int(rng.integers(3))]
            for name in victims:
                os.kill(running[name].pid, signal.SIGKILL)
            for name in rng.permutation(victims):
                running[name].end()
                peer.listen(float(rng.uniform(0, 1)))
                running[name] = stand.start(name, parameters[name])
            slowest = max(slowest, back(stand, peer, running))
            held += 1
        codes = [node.end() for node in running.values()]
    clean = not any(codes) and all(quiet(node) for node in running.values())
    seen = f"labeled clouds again after at most {slowest:.1f} s"
    return [Row("SIGKILL of node, publisher or both", stand.options.restarts, held * clean, seen)]


def back(stand: Stand, peer: Any, running: dict[str, NodeProcess]) -> float:
    """Seconds until a cloud that is stamped from now on comes back labeled."""
    begin = time.monotonic()
    now = peer.node.get_clock().now().nanoseconds
    peer.nodes = list(running.values())
    peer.until(lambda: any(stamp > now for stamp in peer.answers), "a labeled cloud", SECONDS)
    peer.nodes = []  # they are going to be killed
    peer.answers.clear()
    return time.monotonic() - begin


def bundle(stand: Stand) -> list[Row]:
    """The node holds what it needs; what it is told to load is checked first."""
    home = stand.folder / "bundle"
    shutil.copytree(DEFAULT_PATH, home)
    manifest = (home / MANIFEST).read_bytes()

    def overwrite() -> None:
        shutil.copytree(DEFAULT_PATH, home, dirs_exist_ok=True)
        (home / MODEL).write_bytes(b"\0" * (home / MODEL).stat().st_size)

    def cut_off() -> None:
        (home / MANIFEST).write_bytes(manifest[: len(manifest) // 2])

    def restore() -> None:
        shutil.copytree(DEFAULT_PATH, home, dirs_exist_ok=True)

    steps: list[tuple[str, Callable[[], object], bool]] = [
        ("bundle deleted while in use", lambda: shutil.rmtree(home), False),
        ("bundle overwritten while in use", overwrite, False),
        ("bundle's manifest cut off", cut_off, False),
        ("bundle restored", restore, True),
    ]
    rows = []
    with stand.peer() as peer:
        node = stand.start("part_segmenter", {**OBJECT, "bundle": str(home)})
        peer.nodes = [node]
        peer.connect(SECONDS)
        stand.good(peer, node)
        for name, damage, loads in steps:
            damage()
            before = stand.good(peer, node)
            answer = peer.load_bundle(str(home))
            peer.until(answer.done, "the answer of load_bundle", SECONDS)
            after = stand.good(peer, node)
            said = answer.result()
            held = before and after and said.success == loads and bool(said.message)
            rows.append(Row(name, 1, int(held), said.message.replace(str(stand.folder), "")[:90]))
        node.end()
    return rows


def disk(stand: Stand) -> list[Row]:
    """Needs the right to mount a small file system; says so where that is missing."""
    full = stand.folder / "full"
    full.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", full], capture_output=True)
    if mounted.returncode:
        return [Row("no space left", 0, 0, "not tried: a small file system cannot be mounted here (root can)")]
    try:
        return [_full_log(stand, full), _full_report(full)]
    finally:
        subprocess.run(["umount", "--lazy", full], check=True)


def _full_log(stand: Stand, full: Path) -> Row:
    from ros_peer import own_namespace

    fill(full / "filler")
    with changed_environment(ROS_LOG_DIR=str(full)):
        node = NodeProcess("part_segmenter", dict(OBJECT), Path("/dev/full"), own_namespace())
    stand.nodes.append(node)
    with stand.peer() as peer:
        peer.nodes = [node]
        peer.connect(SECONDS)
        held = stand.good(peer, node)
        refused = peer.set_query("")
        peer.until(refused.done, "the answer of set_query", SECONDS)
        held = stand.good(peer, node) and not refused.result().success and held
        code = node.end()
    return Row("no space for log and standard output", 1, int(held and code == 0), f"answers, ends with code {code}")


def _full_report(full: Path) -> Row:
    for old in full.iterdir():
        old.unlink()
    command = [sys.executable, "-m", "partdistill_ros.cli", "demo", "--out", str(full / "demo"), "--clouds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    words = (done.stderr.strip().splitlines() or [""])[-1]
    held = done.returncode in (1, 2) and "Traceback" not in done.stderr and "error:" in words
    return Row(
        "no space for the report of a demo",
        1,
        int(held),
        f"code {done.returncode}: {words.replace(str(full), '')[:90]}",
    )


def starts(stand: Stand) -> list[Row]:
    """Every node is started and ended: what it held of shared memory is gone. A managed one goes round and round in
    one process: as many threads as after the first round."""
    source = stand.folder / "mug.npz"
    save_scan(source, stand.scan)
    parameters: dict[str, tuple[dict[str, object], str]] = {
        "part_segmenter": (dict(OBJECT), "labeling"),
        "scan_publisher": ({"source": str(source)}, "playing"),
        "scan_recorder": ({"collection": str(stand.folder / "scans")}, "ready"),
        "distill_trainer": ({"store": str(stand.folder / "store")}, "ready"),
    }
    rows = []
    for name, (values, words) in parameters.items():
        held = 0
        for number in range(stand.options.starts):
            node = stand.start(name, values)
            wait_for_words(node, words)
            segments = own_segments(node)
            os.kill(node.pid, (signal.SIGINT, signal.SIGTERM)[number % 2])
            clean = node.wait(SECONDS) == 0 and quiet(node)
            held += clean and bool(segments) and not any(segment.exists() for segment in segments)
        rows.append(Row(f"start and end, {name}", stand.options.starts, held, "its shared memory is gone"))
    return [*rows, _rounds(stand)]


def _rounds(stand: Stand) -> Row:
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    node = stand.start("part_segmenter", {**OBJECT, "autostart": False})
    counts = []
    with stand.peer() as peer:
        client = peer.node.create_client(ChangeState, "part_segmenter/change_state")
        peer.until(client.service_is_ready, "the service", SECONDS)
        for _ in range(stand.options.starts):
            for name in ("CONFIGURE", "ACTIVATE", "DEACTIVATE", "CLEANUP"):
                transition = Transition(id=getattr(Transition, f"TRANSITION_{name}"))
                answer = client.call_async(ChangeState.Request(transition=transition))
                peer.until(answer.done, f"the answer to {name}", SECONDS)
                if not answer.result().success:
                    raise CommandFailed(f"{name} failed:\n{node.tail()}")
            counts.append(len(list(Path(f"/proc/{node.pid}/task").iterdir())))
    node.end()
    held = sum(count <= counts[0] for count in counts)
    return Row("configured to cleaned up", len(counts), held, f"{counts[0]} threads, {counts[-1]} in the end")


def own_segments(node: NodeProcess) -> list[Path]:
    """The segments of shared memory whose locks a node holds."""
    links = [os.readlink(link) for link in Path(f"/proc/{node.pid}/fd").iterdir() if link.exists()]
    return [Path(link.removesuffix("_el")) for link in links if link.endswith("_el") and "_port" not in link]


def signals(stand: Stand) -> list[Row]:
    """Every node, either signal, in three situations."""
    rng = np.random.default_rng(stand.options.seed)
    source = stand.folder / "huge.npz"
    huge = sample_surface(generate("mug", seed=0), HUGE)
    save_scan(source, huge)
    starts: dict[str, dict[str, object]] = {
        "part_segmenter": dict(OBJECT),
        "scan_publisher": {"source": str(source), "rate": 5.0},
    }
    rows = []
    for name, parameters in starts.items():
        for situation in ("starting", "idle", f"{HUGE:,} points in work"):
            ends = []
            for number in (signal.SIGINT, signal.SIGTERM) * stand.options.signals:
                wait = float(rng.uniform(0.0, 2.0)) if situation == "starting" else None
                load = None if situation == "idle" or wait else huge
                ends.append(_end(stand, name, parameters, number, wait, load))
            slowest = max(seconds for seconds, _ in ends)
            held = sum(clean and seconds <= END_SECONDS for seconds, clean in ends)
            rows.append(Row(f"signal, {name} {situation}", len(ends), held, f"ended after at most {slowest:.2f} s"))
    return rows


def _end(
    stand: Stand,
    name: str,
    parameters: dict[str, object],
    number: signal.Signals,
    wait: float | None,
    load: Scan | None,
) -> tuple[float, bool]:
    """Seconds from the signal to the end, and whether that was clean."""
    with stand.peer() as peer:
        node = stand.start(name, parameters)
        if wait is not None:
            wait_for_handlers(node)
            time.sleep(wait)
        elif name == "part_segmenter":
            peer.nodes = [node]
            peer.connect(SECONDS)
            peer.listen(SETTLE_SECONDS)
            if load is not None:
                peer.points.publish(peer.message(load))
                peer.until(lambda: int(peer.received.diagnostics.get("clouds received", 0)), "the cloud", SECONDS)
        else:
            peer.nodes = [node]
            hears = peer.node.create_subscription(type(peer.message(stand.scan)), "points", lambda _: None, 1)
            peer.until(lambda: peer.node.count_publishers("points") > 1, "the publisher", SECONDS)
            peer.listen(SETTLE_SECONDS)
            peer.node.destroy_subscription(hears)
        begin = time.monotonic()
        os.kill(node.pid, number)
        code = node.wait(SECONDS)
        return time.monotonic() - begin, code == 0 and quiet(node)


def wait_for_handlers(node: NodeProcess) -> None:
    """Until the first line of ours: before it, signals meet a Python that is still starting."""
    sigterm = 1 << (signal.SIGTERM - 1)
    while not sigterm & int(Path(f"/proc/{node.pid}/status").read_text().split("SigCgt:")[1].split()[0], 16):
        node.check()
        time.sleep(0.005)
