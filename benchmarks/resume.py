# SPDX-License-Identifier: Apache-2.0
"""Cancels and kills: what a trainer that is stopped at any moment keeps, and whether its end is the same.

    python benchmarks/resume.py [--kills 20] [--seed 0] [--epochs 8]

Goals are canceled at random moments, and the seconds until their results are measured. Then the trainer node is killed
(SIGKILL) at random moments of its work, five times, started again each time and sent the same goal, until it succeeds;
and so on in a new store. After each kill no process of the node may be left, and every file of the store and the work
folder must be whole or have a hidden name. The final bundles must equal that of an undisturbed run, byte for byte.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from robot import Goal, Robot
from verdict import empty_folder, verdict

from partdistill_ros.errors import CommandFailed, PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.bundle_store import BundleStore
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.environment import prepare
from partdistill_ros.nodes.node_process import NodeProcess, go_private
from partdistill_ros.synthetic.families import generate

PARTS, NAME = ("handle", "cup"), "mugs"
CANCEL_SECONDS = 2.0
IN_A_ROW = 5  # kills of one run
ORPHAN_SECONDS = 2.0  # a process that was sent SIGKILL needs a moment


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 where everything holds, 1 where not or something failed, 2 for bad input."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--cancels", type=int, default=5)
    parser.add_argument("--scans", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--out", type=Path, default=Path("out/resume"), help="empty or new folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    return verdict(measure, parser.parse_args(arguments))


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """An undisturbed run, then cancels and kills of the same goal in another store."""
    out = empty_folder(options.out)
    for seed in range(options.scans):
        save_scan(out / "scans" / f"mug_{seed}.ply", generate("mug", 500 + seed))
    prepare()
    domain = go_private()
    goal = {"scans": [str(out / "scans")], "parts": list(PARTS), "category": "mug", "output": NAME, "mode": "tta"}
    goal["epochs"] = options.epochs
    rng = random.Random(options.seed)
    with Robot(domain) as robot:
        with trainer(robot, out, "undisturbed"):
            whole = finished(robot, robot.send(**goal))
        cancels, problems, moments, stores = [], [], [], []
        with trainer(robot, out, "canceled"):
            for number in range(options.cancels):
                other = {**goal, "output": f"{NAME}_{number}"}  # each from its beginning
                cancels.append(cancel_once(robot, other, rng.uniform(0, whole)))
        for first in range(0, options.kills, IN_A_ROW):
            stores.append(f"disturbed_{len(stores)}")
            for after in moments_of(rng, min(IN_A_ROW, options.kills - first), whole):
                moments.append(kill_once(robot, goal, out / stores[-1], after, problems))
            with trainer(robot, out, stores[-1]):
                finished(robot, robot.send(**goal))
    same = {name: digest(out / name) for name in ("undisturbed", *stores)}
    return {
        "undisturbed_seconds": round(whole, 1),
        "cancel_seconds": [None if one is None else round(one, 2) for one in cancels],
        "kills": [{"after": round(after, 1), "in": stage} for after, stage in moments],
        "problems": problems,
        "bundles": same,
        "load_average": [round(one, 1) for one in os.getloadavg()],
        "reached": {
            "cancel": all(one is None or one <= CANCEL_SECONDS for one in cancels) and any(cancels),
            "equal": all(one == same["undisturbed"] for one in same.values()),
            "whole": not problems,
        },
    }


def moments_of(rng: random.Random, kills: int, whole: float) -> list[float]:
    """How long the node lives before each kill: random, and together not longer than an undisturbed run, so that
    there is always work left."""
    places = sorted(rng.uniform(0, whole) for _ in range(kills))
    return [place - before for place, before in zip(places, [0.0, *places], strict=False)]


@contextmanager
def trainer(robot: Robot, out: Path, store: str) -> Iterator[NodeProcess]:
    """The trainer node on a store."""
    parameters = {"store": str(out / store), "device": "cpu", "niceness": 0}
    node = NodeProcess("distill_trainer", parameters, out / f"{store}.log")
    robot.nodes = [node]
    try:
        yield node
    finally:
        robot.nodes = []
        node.end()


def finished(robot: Robot, goal: Goal) -> float:
    """Seconds until the goal's success. Raises CommandFailed for another end."""
    robot.until(lambda: goal.result is not None, "the end of the goal", 1200)
    if not goal.result.success:
        raise CommandFailed(f"the trainer says: {goal.result.message}")
    return goal.seconds


def cancel_once(robot: Robot, goal: dict[str, Any], after: float) -> float | None:
    """Sends the goal, cancels it, and returns the seconds to its result; None where it had ended by then."""
    sent = robot.send(**goal)
    wait(robot, sent, after)
    return None if sent.result is not None else robot.cancel(sent)


def kill_once(robot: Robot, goal: dict[str, Any], store: Path, after: float, problems: list[str]) -> tuple[float, str]:
    """Starts the node, sends the goal, kills the node; when and in which stage that was."""
    with trainer(robot, store.parent, store.name) as node:
        sent = robot.send(**goal)
        wait(robot, sent, after)
        stage = "over" if sent.result else sent.feedback[-1][1].stage if sent.feedback else "start"
        children = descendants(node.pid)
        robot.nodes = []
        os.kill(node.pid, signal.SIGKILL)
        end = time.monotonic() + ORPHAN_SECONDS
        while any(map(alive, children)) and time.monotonic() < end:
            time.sleep(0.02)
        problems += [f"process {one} outlived the node" for one in children if alive(one)]
    problems += broken(store)
    return after, stage


def wait(robot: Robot, goal: Goal, seconds: float) -> None:
    """Spins for so long, or until the goal has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and goal.result is None:
        robot.spin()


def broken(store: Path) -> list[str]:
    """Files under their real names that are not whole."""
    found = []
    for path in sorted(store.rglob("*")):
        if path.is_dir() or any(part.startswith(".") for part in path.relative_to(store).parts):
            continue
        if path.suffix in (".pt", ".npz") and not zipfile.is_zipfile(path):
            found.append(f"{path} is not whole")
    for bundle in {path.parent for path in store.rglob("bundle.json") if not path.parent.name.startswith(".")}:
        try:
            Bundle.load(bundle)
        except PartDistillError as error:
            found.append(str(error))
    return found


def digest(store: Path) -> dict[str, Any]:
    """What makes the active student: checksums of its files and its training; how many versions there are."""
    versions = BundleStore(store)
    current = versions.current(NAME)
    if current is None:
        raise CommandFailed(f"{store} has no active student")
    bundle = Bundle.load(current)
    return {**bundle.checksums, "training": dict(bundle.training), "versions": len(versions.versions(NAME))}


def descendants(pid: int) -> list[int]:
    """Every process that a process has started, and those have."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main())
