# SPDX-License-Identifier: Apache-2.0
"""The trainer node over DDS: goals, feedback, refusals, cancels, loading into a live node, learning on demand."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partdistill_ros.io.save import save_scan
from partdistill_ros.synthetic.families import generate

pytest.importorskip("torch", reason="torch is not installed: the extra 'train'")
pytestmark = [pytest.mark.ros, pytest.mark.timeout(900)]

SUCCEEDED, CANCELED, ABORTED = 4, 5, 6
PARTS = ["handle", "cup"]


class Client:
    """Sends goals to the trainer from the peer's node."""

    def __init__(self, peer: Any) -> None:
        from partdistill_ros.action import Distill
        from rclpy.action import ActionClient

        self.peer, self.kind = peer, Distill
        self.action = ActionClient(peer.node, Distill, "distill")

    def send(self, **goal: Any) -> Sent:
        self.peer.until(self.action.server_is_ready, "the trainer", 120)
        self.peer.meet("distill_trainer")
        return Sent(self, self.kind.Goal(**goal))


class Sent:
    """A goal, its feedback so far, and its result once there."""

    def __init__(self, client: Client, goal: Any) -> None:
        self._peer, self.feedback = client.peer, []
        future = client.action.send_goal_async(goal, feedback_callback=lambda told: self.feedback.append(told.feedback))
        self._peer.until(future.done, "the word on the goal")
        self.handle = future.result()
        assert self.handle.accepted
        self._result = self.handle.get_result_async()

    def until(self, stage: str) -> None:
        self._peer.until(lambda: self.feedback and self.feedback[-1].stage == stage, f"the stage {stage}", 300)

    def ended(self, seconds: float = 600.0) -> tuple[int, Any]:
        self._peer.until(self._result.done, "the end of the goal", seconds)
        found = self._result.result()
        return found.status, found.result


@pytest.fixture
def client(peer: Any) -> Iterator[Client]:
    made = Client(peer)
    yield made
    made.action.destroy()


@pytest.fixture
def mugs(tmp_path: Path) -> Path:
    """Two small scans."""
    for seed in (1, 2):
        save_scan(tmp_path / "scans" / f"mug_{seed}.npz", generate("mug", seed))
    return tmp_path / "scans"


@pytest.fixture
def goal(mugs: Path) -> dict[str, Any]:
    return {"scans": [str(mugs)], "parts": PARTS, "category": "mug", "mode": "tta", "epochs": 1, "output": "mugs"}


def children(pid: int) -> list[int]:
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for some in found for child in some]


def gone(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def test_a_goal_becomes_a_version_that_the_live_node_runs(
    client: Client, peer: Any, run_node: Callable[..., Any], goal: dict[str, Any], tmp_path: Path
) -> None:
    trainer = run_node("distill_trainer", store=str(tmp_path / "store"), device="cpu", niceness=0)
    run_node("part_segmenter", device="cpu", threads=1, scene_mode="object").wait_for("labeling", 300)
    peer.connect()
    sent = client.send(**goal, load_into="part_segmenter")
    second = client.send(**goal)
    status, refused = second.ended()
    assert status == ABORTED and "busy with distilling 'mugs'" in refused.message and not refused.success
    status, result = sent.ended()
    assert status == SUCCEEDED and result.success, result.message
    assert Path(result.bundle) == tmp_path / "store" / "mugs" / "v0001" and Path(result.report).is_file()
    stages = list(dict.fromkeys(told.stage for told in sent.feedback))
    assert [stage for stage in stages if stage in ("teach", "forward", "export", "evaluate")] == [
        "teach", "forward", "export", "evaluate",
    ]  # fmt: skip
    shares = [told.progress for told in sent.feedback]
    assert shares == sorted(shares) and shares[-1] == 1
    assert any(told.loss > 0 for told in sent.feedback if told.stage in ("forward", "backward"))
    # One epoch may not reach the shipped student: then it is stored, and not loaded.
    in_force = (tmp_path / "store" / "mugs" / "current").is_symlink()
    assert result.loaded == in_force and ("runs it" in result.message) == in_force
    assert not children(trainer.process.pid)


def test_canceled_it_answers_at_once_and_goes_on_from_there(
    client: Client, run_node: Callable[..., Any], goal: dict[str, Any], tmp_path: Path
) -> None:
    trainer = run_node("distill_trainer", store=str(tmp_path / "store"), device="cpu", niceness=0)
    sent = client.send(**goal)
    sent.until("forward")
    (child,) = children(trainer.process.pid)
    sent.handle.cancel_goal_async()
    status, result = sent.ended(30)
    assert status == CANCELED and "goes on from there" in result.message and gone(child, 0.5)
    again = client.send(**goal)
    status, result = again.ended()
    assert status == SUCCEEDED and "teach" not in {told.stage for told in again.feedback}, result.message


def test_a_killed_node_leaves_nobody_behind_and_its_goal_can_be_sent_again(
    client: Client, run_node: Callable[..., Any], goal: dict[str, Any], tmp_path: Path
) -> None:
    trainer = run_node("distill_trainer", store=str(tmp_path / "store"), device="cpu", niceness=0)
    client.send(**goal).until("teach")
    (child,) = children(trainer.process.pid)
    os.kill(trainer.process.pid, signal.SIGKILL)
    assert gone(child), "the child outlived its node"


def test_ended_in_order_it_takes_its_training_along(
    client: Client, run_node: Callable[..., Any], goal: dict[str, Any], tmp_path: Path
) -> None:
    trainer = run_node("distill_trainer", store=str(tmp_path / "store"), device="cpu", niceness=0)
    client.send(**goal).until("extract")
    (child,) = children(trainer.process.pid)
    code = trainer.end(signal.SIGINT)
    assert code == 0 and gone(child, 1)


def test_bad_goals_are_refused_with_the_reason(client: Client, run_node: Callable[..., Any], tmp_path: Path) -> None:
    run_node("distill_trainer", store=str(tmp_path / "store"), device="cpu")
    status, result = client.send(scans=["/nowhere"]).ended()
    assert status == ABORTED and "'parts' is empty" in result.message
    status, result = client.send(scans=["/nowhere"], parts=PARTS).ended()
    assert status == ABORTED and "/nowhere does not exist" in result.message
    status, result = client.send(scans=["/nowhere"], parts=PARTS, output="../up").ended()
    assert status == ABORTED and "cannot name a bundle" in result.message
    assert not (tmp_path / "store").exists() and not (tmp_path / "up").exists()


def test_the_object_in_view_is_learned_and_labeled(
    peer: Any, run_node: Callable[..., Any], table_scene: Any, tmp_path: Path
) -> None:
    from geometry_msgs.msg import Point
    from partdistill_ros.srv import LearnObject

    from partdistill_ros.nodes.label_subscriber import read_labeled

    run_node("distill_trainer", store=str(tmp_path / "store"), device="cpu", niceness=0, learn_timeout=1.0)
    silent = peer.call(LearnObject, "distill_trainer/learn_object", parts=PARTS)
    assert not silent.success and "no cloud came on /points within 1 s" in silent.message
    peer.node.create_timer(0.2, lambda: peer.points.publish(peer.cloud(table_scene)))
    ask = {"parts": PARTS, "category": "mug", "epochs": 1, "at": Point(x=-0.2, y=0.9, z=-0.4)}
    answer = peer.call(LearnObject, "distill_trainer/learn_object", 600, **ask)
    if not answer.success:  # the teacher may see neither part of a post
        assert "saw none of" in answer.message
        return
    labels = read_labeled(answer.labeled).labels
    assert list(answer.names) == PARTS and len(labels) == len(table_scene.points)
    on_post = np.linalg.norm(table_scene.points[:, :2] - (-0.2, 0.9), axis=1) < 0.08
    assert (labels[on_post & table_scene.finite()] >= 0).mean() > 0.5 and (labels[~on_post] < 0).all()
    assert Path(answer.bundle).parent == tmp_path / "store" / "learned_mug"
    assert not (tmp_path / "store" / "learned_mug" / "next.work").exists()
