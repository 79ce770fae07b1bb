# SPDX-License-Identifier: Apache-2.0
"""The trainer node: scans and part names in, a checked student in the store out, and into a live node if asked.

Training is `partdistill distill` in a process of its own (`training_process.py`); this node follows it.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2

from partdistill_ros.action import Distill
from partdistill_ros.errors import PartDistillError, describe, printable
from partdistill_ros.inference.bundle_store import NEXT, BundleStore
from partdistill_ros.inference.scene import label_object
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.background import Background
from partdistill_ros.nodes.commands import run_node
from partdistill_ros.nodes.conversions import colors_of, labeled_message, read_cloud
from partdistill_ros.nodes.engine import tabletop_limits
from partdistill_ros.nodes.goals import distill_command, learn_command, learned_name, query_of
from partdistill_ros.nodes.inputs import DepthImage, input_topic, subscribe
from partdistill_ros.nodes.parameters import declare, on_change
from partdistill_ros.nodes.trainer_parameters import TrainerParameters
from partdistill_ros.nodes.training_process import Limits, Outcome, follow
from partdistill_ros.objects.object_in_view import object_in_view
from partdistill_ros.options import updated
from partdistill_ros.srv import LearnObject, LoadBundle

STOP_SECONDS = 3.0
"""How long the end of the node waits for its child to end."""
LOAD_SECONDS = 40.0
"""How long a live node may take to answer; it gives a student that does not load up before that."""


class DistillTrainer(Node):
    """The action `distill` and the service `~/learn_object`, one piece of work at a time.

    Work runs in the background, on a thread that the kernel ties the child to; the executor stays free for cancels
    and for the next goal, which is refused with the reason.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("distill_trainer", **options)
        self._settings = declare(self, TrainerParameters())
        self._background, self._work = Background(), ""
        self._ending = threading.Event()
        on_change(self, self._change)
        self._action = ActionServer(
            self, Distill, "distill", self._distill, cancel_callback=lambda _: CancelResponse.ACCEPT
        )
        # A group of its own: the node's would stay shut for clouds and for answers of other nodes while this one waits.
        self._learn_service = self.create_service(
            LearnObject, "~/learn_object", self._learn, callback_group=ReentrantCallbackGroup()
        )

    def start(self) -> bool:
        """Says what it is ready for."""
        settings = self._settings
        self.get_logger().info(
            f"ready to distill into {Path(settings.store).absolute()} on {settings.device} "
            f"with {settings.threads or 'all'} threads, niceness {settings.niceness}"
        )
        return True

    def stop(self) -> bool:
        """Ends the training in hand, which keeps its checkpoints."""
        self._ending.set()
        return self._background.wait_idle(STOP_SECONDS)

    # --- one piece of work at a time ----------------------------------------------------------

    async def _alone(self, what: str, work: Callable[[], Any], refused: Callable[[str], Any]) -> Any:
        """The result of `work()` in the background, or of `refused(reason)` where it fails or other work is in hand."""
        if not self._background.idle:
            return refused(f"busy with {self._work}: one at a time; cancel that, or wait for its end")
        self._work = what
        executor = self.executor
        assert executor is not None  # it is what runs this coroutine
        try:
            return await self._background.run(executor, work)
        except Exception as error:
            return refused(describe(error))

    # --- the action ---------------------------------------------------------------------------

    async def _distill(self, handle: Any) -> Any:
        goal = handle.request
        name = goal.output or goal.category or "object"
        result = await self._alone(f"distilling '{name}'", lambda: self._train(handle), _failed)
        if result.success:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        self.get_logger().info(printable(f"'{name}': {result.message}"))
        return result

    def _train(self, handle: Any) -> Any:
        begin, goal = time.monotonic(), handle.request
        feedback = Distill.Feedback(loss=math.nan, remaining=math.nan)

        def report(progress: Mapping[str, Any]) -> None:
            _fill(feedback, progress)
            if handle.is_active:
                handle.publish_feedback(feedback)

        command = distill_command(goal, self._settings.store, self._settings.device)
        outcome = self._follow(command, self._settings.threads, report, lambda: handle.is_cancel_requested)
        if outcome.record is None:
            words = outcome.problem
            if outcome.stopped:
                words = f"stopped in the stage '{feedback.stage or 'start'}'; the same goal goes on from there"
            return _failed(words, time.monotonic() - begin)
        record = outcome.record
        result = Distill.Result(success=True, bundle=record["bundle"], report=record["report"])
        result.message = _summary(record)
        if goal.load_into and record["active"]:
            query = goal.query or query_of(goal.category, goal.parts)
            result.loaded, words = self._load(goal.load_into, record["bundle"], query)
            result.message += words
        result.seconds = time.monotonic() - begin
        return result

    def _follow(
        self,
        command: Sequence[str],
        threads: int,
        report: Callable[[Mapping[str, Any]], None],
        stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        limits = Limits(self._settings.niceness, threads)

        def log(line: str) -> None:
            self.get_logger().info(printable(line))

        return follow(command, limits, report, log, lambda: self._ending.is_set() or stop())

    # --- learning the object in view ----------------------------------------------------------

    async def _learn(self, request: Any, response: Any) -> Any:
        def refused(words: str) -> Any:
            response.success, response.message = False, words
            return response

        return await self._alone("learning an object", lambda: self._learn_object(request, response), refused)

    def _learn_object(self, request: Any, response: Any) -> Any:
        begin, settings = time.monotonic(), self._settings
        cloud = read_cloud(self._next_cloud(settings.learn_timeout), self._input_topic, unit=settings.unit)
        at = np.array([request.at.x, request.at.y, request.at.z])
        limits = tabletop_limits(settings.tabletop, settings.objects)
        seen = object_in_view(cloud.scan, settings.scene_mode, limits, at if at.any() else None)
        folder = BundleStore(Path(settings.store)).folder(learned_name(request))  # a plain name within the store
        view = folder / f"{NEXT}.view.npz"
        save_scan(view, seen.scan.with_(colors=colors_of(cloud, seen.index), grid=None, name="view"))
        try:
            command = learn_command(request, view, settings.store, settings.device)
            outcome = self._follow(command, settings.learn_threads, lambda _: None)
        finally:
            view.unlink(missing_ok=True)
            shutil.rmtree(folder / f"{NEXT}.work", ignore_errors=True)  # of a scan that will not come again
        if outcome.record is None:
            raise PartDistillError(outcome.problem)
        query = query_of(request.category, request.parts)
        answer = label_object(outcome.record["bundle"], query, cloud.scan, seen)
        response.success, response.bundle = True, outcome.record["bundle"]
        response.labeled, response.names = labeled_message(cloud, answer), list(answer.parts)
        response.message = _summary(outcome.record)
        if request.load_into:
            response.message += self._load(request.load_into, response.bundle, query)[1]
        response.seconds = time.monotonic() - begin
        return response

    def _next_cloud(self, seconds: float) -> PointCloud2 | DepthImage:
        """The next cloud or depth image. It is listened to no longer than that: clouds cost time to receive."""
        arrived, clouds = threading.Event(), []

        def keep(cloud: PointCloud2 | DepthImage) -> None:
            clouds.append(cloud)
            arrived.set()

        subscription = subscribe(self, lambda: self._settings, keep, self.get_logger().warning)
        try:
            if not arrived.wait(seconds):
                raise PartDistillError(
                    subscription.problem
                    or f"no cloud came on {self._input_topic} within {seconds:g} s: is the camera on, and the topic "
                    "remapped? 'ros2 topic hz' shows it"
                )
        finally:
            subscription.close()
        return clouds[0]

    # --- the live node ------------------------------------------------------------------------

    def _load(self, node: str, bundle: str, query: str) -> tuple[bool, str]:
        """Have a live node run a bundle; whether it does, and words to add to the answer. On the working thread."""
        problem = self._load_problem(node, bundle, query)
        return problem is None, f"; {node} runs it" if problem is None else f"; not loaded: {problem}"

    def _load_problem(self, node: str, bundle: str, query: str) -> str | None:
        name = f"{node.rstrip('/')}/load_bundle"
        client: Any = self.create_client(LoadBundle, name)
        try:
            if not client.wait_for_service(5.0):
                return f"there is no service {client.srv_name}: is the node '{node}' running and active?"
            answered = threading.Event()
            future = client.call_async(LoadBundle.Request(bundle=str(Path(bundle).absolute()), query=query))
            future.add_done_callback(lambda _: answered.set())
            if not answered.wait(LOAD_SECONDS):
                return f"{client.srv_name} did not answer within {LOAD_SECONDS:g} s"
            response: Any = future.result()
            return None if response.success else str(response.message)
        finally:
            self.destroy_client(client)

    @property
    def _input_topic(self) -> str:
        return input_topic(self, self._settings)

    def _change(self, changes: Mapping[str, object]) -> None:
        self._settings = updated(self._settings, changes)


def _failed(words: str, seconds: float = 0.0) -> Any:
    return Distill.Result(success=False, message=words, seconds=seconds)


def _fill(feedback: Any, progress: Mapping[str, Any]) -> None:
    """Feedback from a line of progress; NaN where it does not know."""
    feedback.stage = str(progress["stage"])
    feedback.step, feedback.steps = int(progress["step"]), int(progress["steps"])
    feedback.progress = float(progress["share"])
    feedback.loss, feedback.remaining = (_number(progress[name]) for name in ("loss", "remaining"))


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _summary(record: Mapping[str, Any]) -> str:
    left = len(record["left_out"])
    return str(record["verdict"]) + (f"; {left} scans were left out, see the report" if left else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted."""
    return run_node(DistillTrainer, arguments)
