# SPDX-License-Identifier: Apache-2.0
"""What goes wrong on robots, done to the live node on purpose: it must go on, or end cleanly, and say what is true.

    python benchmarks/faults.py [--messages 10000] [--restarts 10] [--signals 5] [--only messages ...] [--json]

messages: seeded clouds and queries that are malformed, a good cloud after each batch.
restarts: node and publisher killed with SIGKILL, alone or together, and started again in any order.
bundle:   its files deleted, overwritten and restored while the node runs on them.
disk:     no space left for the node's log and standard output, nor for the report of `partdistill demo`.
          The node itself writes no other file.
signals:  Ctrl-C and SIGTERM while a node starts, idles and works on a million points.
starts:   every node started and ended, and one configured and cleaned up: shared memory and threads as before.
flood:    clouds at 100 Hz before a node is there and while it starts.
silence:  a camera whose large clouds do not arrive.
clock:    simulated time missing, jumping back and standing still.
shared_memory: a full /dev/shm.
homeless: no HOME, or one that is no folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hostile_messages import bad_query, malformed_cloud, valid_cloud
from numpy.typing import NDArray

from partdistill_ros.cli.common import positive
from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH, MANIFEST, MODEL
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.node_process import NodeProcess, go_private
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.families import generate
from partdistill_ros.visualization.tables import aligned

BATCH = 50
"""Hostile messages between two good clouds."""
QUEUE = 100
"""Depth of the queues in the test of messages, so that the middleware loses none."""
SECONDS = 60.0
"""How long anything may take before it counts as hanging."""
END_SECONDS = 2.0
"""How long a node may take to end."""
SETTLE_SECONDS = 1.0
"""From the first contact with a node until it has started: one that is still starting is another row."""
HUGE = 1_000_000
LARGE = 307_200  # points of a depth camera's picture
QUERY = "handle, cup"
OBJECT = {"query": QUERY, "scene_mode": "object", "up": "z", "device": "cpu", "threads": 1, "diagnostics_period": 0.1}


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

    def start(self, name: str, parameters: dict[str, object]) -> NodeProcess:
        """Starts a node; `close` ends it whatever happens."""
        from ros_peer import own_namespace

        node = NodeProcess(name, parameters, self.folder / f"{name}_{len(self.nodes)}.log", own_namespace())
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
        refused = peer.set_query("zzyzx")
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


def wait_for_words(node: NodeProcess, words: str) -> None:
    """Until the node has printed them."""
    end = time.monotonic() + SECONDS
    while words not in node.log.read_text(errors="replace"):
        node.check()
        if time.monotonic() > end:
            raise CommandFailed(f"'{words}' did not come within {SECONDS:.0f} s:\n{node.tail()}")
        time.sleep(0.05)


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
        script = f"mount -t tmpfs -o size=1m tmpfs /dev/shm || exit 9; {fill}; exec timeout -s INT 20 $0 -c \"$1\""
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


def quiet(node: NodeProcess) -> bool:
    """Whether it printed no stack trace."""
    return "Traceback" not in node.log.read_text(errors="replace")


FAULTS: dict[str, Callable[[Stand], list[Row]]] = {
    "messages": messages, "restarts": restarts, "bundle": bundle, "disk": disk, "signals": signals, "starts": starts,
    "flood": flood, "silence": silence, "clock": clock, "shared_memory": shared_memory, "homeless": homeless,
}  # fmt: skip


def run(options: argparse.Namespace) -> list[Row]:
    """Every fault asked for, each on a stand of its own; one that fails is a row, and the others go on."""
    prepare()
    domain = go_private()
    scan = sample_surface(generate("mug", seed=0), 2048)
    rows: list[Row] = []
    for name in options.only or FAULTS:
        with tempfile.TemporaryDirectory(prefix=f"faults_{name}_") as folder, ExitStack() as stack:
            stand = Stand(options, Path(folder), domain, scan)
            stack.callback(stand.close)
            try:
                rows += FAULTS[name](stand)
            except CommandFailed as error:
                rows.append(Row(name, 1, 0, str(error)))
        print(f"{name}: {'; '.join(row.seen for row in rows)[-200:]}", file=sys.stderr)
    return rows


def format_rows(rows: Sequence[Row]) -> str:
    """The table, and a line for each fault that was not borne."""
    table = aligned([
        ("fault", "tried", "held", "seen"), *((row.fault, str(row.tried), str(row.held), row.seen) for row in rows)
    ])  # fmt: skip
    missed = [f"MISSED: {row.fault}, {row.tried - row.held} of {row.tried}" for row in rows if row.held < row.tried]
    return "\n".join([table, *(missed or ["every fault was borne"])])


def main(arguments: list[str] | None = None) -> int:
    """Prints the table; exit code 0 where everything held, 1 where not, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--messages", type=positive, default=10_000, help="malformed clouds and queries")
    parser.add_argument("--restarts", type=positive, default=10)
    parser.add_argument("--signals", type=positive, default=5, help="of each kind in each situation")
    parser.add_argument("--starts", type=positive, default=20, help="starts and ends of each node")
    parser.add_argument("--only", nargs="+", choices=tuple(FAULTS), help="faults to try (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    options = parser.parse_args(arguments)
    try:
        rows = run(options)
    except PartDistillError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps({"rows": [asdict(row) for row in rows]}) if options.json else format_rows(rows))
    return 1 if any(row.held < row.tried for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
