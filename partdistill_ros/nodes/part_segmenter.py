# SPDX-License-Identifier: Apache-2.0
"""The live node: clouds in, the same clouds with part labels out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeAlias

from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.executors import Executor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String

from partdistill_ros.errors import MalformedCloudError, PartDistillError, describe, printable
from partdistill_ros.inference.scene import SceneLabels, label_scene
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.tracking import ObjectTracker
from partdistill_ros.nodes import detections
from partdistill_ros.nodes.background import Background, LatestWorker, Turns
from partdistill_ros.nodes.commands import interrupted, run_node
from partdistill_ros.nodes.conversions import Cloud, labeled_message, read_cloud
from partdistill_ros.nodes.diagnostics import (
    BUNDLES,
    FAILED,
    INPUT,
    MALFORMED,
    NOTHING,
    QUERIES,
    WARNING_SECONDS,
    Namesakes,
    Statistics,
    Throttle,
    figures,
    silence,
    verdict,
)
from partdistill_ros.nodes.engine import STUDENT_PARAMETERS, Engine, needs_student, scene_options
from partdistill_ros.nodes.environment import release_memory
from partdistill_ros.nodes.find_part import PartFinder
from partdistill_ros.nodes.inputs import DepthImage, DepthSubscription, input_topic, subscribe
from partdistill_ros.nodes.outputs import Labeled, Outputs
from partdistill_ros.nodes.parameters import declare, on_change, serve_changes
from partdistill_ros.nodes.qos import InputSubscription, profile, subscription_events
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.nodes.tf import TransformListener
from partdistill_ros.options import updated
from partdistill_ros.pointcloud.scan import geometry_problems
from partdistill_ros.recording.transforms import Pose
from partdistill_ros.srv import LoadBundle, SetEnabled, SetQuery

Received: TypeAlias = PointCloud2 | DepthImage
STOP_SECONDS = 0.3
"""How long the end of the node waits for the cloud in work, which may have a million points."""
LATE_SECONDS = 0.02
"""A cloud that waited longer had one before it in work: the node is at its limit."""
LOAD_SECONDS = 30.0
"""How long a student may take to load: a file on a dead network mount never comes."""


class PartSegmenter(LifecycleNode):
    """configure loads the student, activate subscribes, deactivate stops, cleanup frees.

    Every change at run time (topic, service or parameter) goes through the parameters and their
    callback `_change`, so that there is one place where it is accepted or refused.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("part_segmenter", **options)
        self._settings = declare(self, SegmenterParameters())
        self._engine: Engine | None = None
        self._loaded: Segmenter | None = None
        self._background, self._loads = Background(), Turns()
        self._outputs: Outputs | None = None
        self._worker: LatestWorker[tuple[Received, float], tuple[Labeled, float, dict[str, float]]] | None = None
        self._statistics, self._num_publishers = Statistics(), 0
        self._transforms = TransformListener(self)
        self._input: InputSubscription | DepthSubscription | None = None
        self._active_only = ExitStack()  # closed where it ends to be active, or where activating it fails halfway
        self._namesakes = Namesakes()
        self._say = Throttle(lambda words: self.get_logger().info(words))
        self._warn = Throttle(lambda words: self.get_logger().warning(words), repeat=WARNING_SECONDS)
        on_change(self, self._change)
        serve_changes(self, self._apply)
        # For good, not from configure to cleanup: a bundle that is being loaded is answered after its cleanup.
        self._finder = PartFinder(self, self._transforms, lambda: self._active()[0])
        self.create_service(SetQuery, "~/set_query", self._on_set_query)
        self.create_service(SetEnabled, "~/set_enabled", self._on_set_enabled)
        # A group of its own: the group of the other callbacks must not wait while a bundle is loaded.
        loading = MutuallyExclusiveCallbackGroup()
        self.create_service(LoadBundle, "~/load_bundle", self._on_load_bundle, callback_group=loading)

    # --- the life of the node -----------------------------------------------------------------

    def start(self) -> bool:
        """Configures and activates where `autostart` says so; False where that failed."""
        if not self._settings.autostart:
            self.get_logger().info("waiting for a lifecycle manager (autostart is false)")
            return True
        done = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == done and self.trigger_activate() == done

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the student and offers topics."""
        try:
            self._engine = self._load_now(self._settings)
        except Exception as error:
            self._transition_failed(error)
            return TransitionCallbackReturn.FAILURE
        try:
            with_detections = self._settings.detections and detections.installed()
            self._outputs = Outputs(self, self._settings.qos, self._warn, with_detections=with_detections)
            if self._settings.detections and not with_detections:
                self._say(detections.MISSING)
        except Exception as error:
            self._transition_failed(error)
            return TransitionCallbackReturn.ERROR
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listens to clouds and queries."""
        result = super().on_activate(state)
        try:
            self._begin()
        except Exception as error:
            self._transition_failed(error)
            return TransitionCallbackReturn.ERROR
        engine, _ = self._active()
        note = f" ({engine.segmenter.provider_note})" if engine.segmenter.provider_note else ""
        self._say(
            f"labeling '{engine.query.text}' on {self._input_topic} with bundle "
            f"'{engine.bundle}' on {engine.segmenter.provider}{note}"
        )
        self._tell_remarks(engine)
        return result

    def _tell_remarks(self, engine: Engine) -> None:
        for remark in engine.query.remarks:
            self._warn(remark)

    def _begin(self) -> None:
        self._statistics, self._num_publishers = Statistics(time.monotonic()), 0
        # A tracker for each worker: that of an earlier activation may be in the middle of its last cloud.
        self._worker = LatestWorker(partial(self._label, ObjectTracker()), self._publish, self._not_labeled)
        self._worker.start()
        self._input = subscribe(self, lambda: self._settings, self._on_input, lambda words: self._problem(INPUT, words))
        self._active_only.callback(self._input.close)
        query = self._settings.qos.part_query
        queries = self.create_subscription(
            String,
            "part_query",
            self._on_query,
            profile(query.reliability, query.depth),
            event_callbacks=subscription_events(self, "part_query", query.reliability, self._warn),
        )
        self._active_only.callback(self.destroy_subscription, queries)
        # Reports go on where simulated time stands still, jumps or never comes.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self.create_timer(self._settings.diagnostics_period, self._report, clock=steady)
        self._active_only.callback(self.destroy_timer, timer)
        engine, outputs = self._active()
        outputs.announce(engine)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops listening; the student stays loaded."""
        self._end()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the student."""
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops and frees from any state."""
        self._end()
        self._free()
        return super().on_shutdown(state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees everything after a transition that failed; the node can be configured again."""
        self._end()
        self._free()
        return super().on_error(state)

    def stop(self) -> bool:
        """Ends the work in hand; False if it did not end in time. For the end of the process."""
        ended = self._worker is None or self._worker.stop(STOP_SECONDS)
        return ended and self._background.idle and self._finder.idle

    def _end(self) -> None:
        self._active_only.close()
        if self._worker is not None and self._worker.stop(STOP_SECONDS):
            self._worker = None
        self._finder.forget()

    def _free(self) -> None:
        if self._outputs is not None:
            self._outputs.free()
        self._outputs = self._engine = None
        release_memory()

    def _transition_failed(self, error: Exception) -> None:
        """Says why: rclpy says that it did. Silent where a signal has ended the context."""
        if self.context.ok() and not interrupted.is_set():
            self.get_logger().error(printable(describe(error)))

    # --- clouds -------------------------------------------------------------------------------

    def _on_input(self, message: Received) -> None:
        now, worker = time.monotonic(), self._worker
        ignored = not self._settings.enable or worker is None
        self._statistics.arrived(now, ignored=ignored)
        if worker is not None and not ignored:
            worker.offer((message, now))

    def _label(self, tracker: ObjectTracker, item: tuple[Received, float]) -> tuple[Labeled, float, dict[str, float]]:
        """One cloud, on the worker's thread, with its arrival and the seconds of each stage.

        The engine is taken once: whatever changes meanwhile, labels and legend are of one query.
        """
        received, arrival = item
        (engine, _), settings = self._active(), self._settings
        begin = time.monotonic()
        tracker.late = begin - arrival > LATE_SECONDS
        cloud = read_cloud(
            received,
            self._input_topic,
            unit=settings.unit,
            keep_fields=settings.keep_fields,
            object_field=settings.object_field,
        )
        decoded = time.monotonic()
        answer = self._answer(engine, settings, cloud, tracker)
        labeled = time.monotonic()
        message = labeled_message(cloud, answer, object_field=settings.object_field)
        stages = {"wait": begin - arrival, "decode": decoded - begin, **answer.stages}
        stages["encode"] = time.monotonic() - labeled
        return Labeled(cloud, answer, message, engine), arrival, stages

    def _answer(
        self, engine: Engine, settings: SegmenterParameters, cloud: Cloud, tracker: ObjectTracker
    ) -> SceneLabels:
        to_crop = None
        if settings.scene_mode == "crop":
            to_crop = self._pose(cloud.header, settings.crop.frame, "crop.frame")
        pose = self._pose(cloud.header, settings.memory.fixed_frame, "memory.fixed_frame")
        options = scene_options(settings, to_crop)
        return label_scene(engine.segmenter, engine.query, cloud.scan, options, tracker, pose)

    def _pose(self, header: Header, frame: str, parameter: str) -> Pose | None:
        """The cloud's frame in the one that `parameter` names; None where that is the same or none."""
        if frame in ("", header.frame_id):
            return None
        return self._transforms.pose(header, frame, parameter)

    def _publish(self, labeled: tuple[Labeled, float, dict[str, float]]) -> None:
        """The result, on the worker's thread."""
        result, arrival, stages = labeled
        (engine, outputs), begin = self._active(), time.monotonic()
        self._finder.offer(result.cloud, result.answer, result.engine)
        outputs.result(result, engine, self._settings.markers)
        end = time.monotonic()
        stages |= {"publish": end - begin, "total": end - arrival}
        self._statistics.labeled(end, stages)
        outputs.times(stages)
        if result.answer.problem is not None:
            cause = "; ".join(geometry_problems(result.cloud.scan)) or result.answer.problem
            self._problem(NOTHING, f"nothing to label: {cause}")

    def _not_labeled(self, error: Exception) -> None:
        """A cloud that could not be labeled, on the worker's thread."""
        if not self.context.ok():
            return
        kind = MALFORMED if isinstance(error, MalformedCloudError) else FAILED
        self._problem(kind, f"a cloud was not labeled: {describe(error)}")
        if not isinstance(error, PartDistillError):
            self.get_logger().debug("".join(traceback.format_exception(error)))

    def _problem(self, kind: str, problem: str) -> None:
        """Counts a problem for the diagnostics and logs it."""
        self._statistics.went_wrong(time.monotonic(), kind, printable(problem))
        self._warn(problem)

    # --- changes at run time ------------------------------------------------------------------

    def _change(self, changes: Mapping[str, object]) -> None:
        """Takes all the changes or, with an error, none."""
        settings = updated(self._settings, changes)
        engine = self._engine
        if engine is not None:
            loaded = self._loaded
            if loaded is None and needs_student(self._settings, settings):
                loaded = self._load_now(settings).segmenter
            engine = engine.adapted(self._settings, settings, loaded)
        changed = engine is not self._engine
        self._settings, self._engine = settings, engine
        if changed and engine is not None and self._outputs is not None:
            self._say(f"labeling '{engine.query.text}' with bundle '{engine.bundle}'")
            self._tell_remarks(engine)
            self._outputs.announce(engine)

    async def _apply(self, parameters: list[Parameter[Any]], reload: bool = False) -> SetParametersResult:
        """Sets parameters together. A student that they ask for (`reload`: in any case) is loaded first, beside the
        active one and without holding up the executor; those that name a student take turns, so that the last asked
        for stays."""
        try:
            if not all(self.has_parameter(one.name) for one in parameters):
                updated(self._settings, {one.name: one.value for one in parameters})  # says which there are
            if not any(one.name in STUDENT_PARAMETERS for one in parameters):
                return self.set_parameters_atomically(parameters)
            executor = self.executor
            assert executor is not None  # it is what runs this coroutine
            return await self._loads.take(executor, lambda: self._apply_student(executor, parameters, reload))
        except Exception as error:
            return SetParametersResult(successful=False, reason=printable(describe(error)))

    async def _apply_student(
        self, executor: Executor, parameters: list[Parameter[Any]], reload: bool
    ) -> SetParametersResult:
        own = {one.name: one.value for one in parameters if one.name != "use_sim_time"}
        settings = updated(self._settings, own)
        try:
            if self._engine is not None and (reload or needs_student(self._settings, settings)):
                engine = await self._background.run(executor, lambda: _load(settings), LOAD_SECONDS, _late(settings))
                self._loaded = engine.segmenter
                if reload and self._engine is None:
                    raise PartDistillError("the node was cleaned up while the bundle was loaded: configure it first")
            return self.set_parameters_atomically(parameters)
        finally:
            self._loaded = None

    def _load_now(self, settings: SegmenterParameters) -> Engine:
        """The same where the caller waits; a signal ends the wait."""

        def ended() -> bool:
            return interrupted.is_set() or not self.context.ok()

        return self._background.wait_for(lambda: _load(settings), LOAD_SECONDS, _late(settings), ended)

    def _set(self, **changes: object) -> str | None:
        """Sets parameters together; what is wrong, or None."""
        result = self.set_parameters_atomically([Parameter(name, value=value) for name, value in changes.items()])
        return None if result.successful else str(result.reason)

    def _set_query(self, query: str) -> str | None:
        problem = self._set(query=query)
        if problem is not None:
            self._problem(QUERIES, f"a query was refused, '{self._settings.query}' stays active: {problem}")
        return problem

    def _on_query(self, message: String) -> None:
        self._set_query(message.data)

    def _on_set_query(self, request: SetQuery.Request, response: SetQuery.Response) -> SetQuery.Response:
        problem = self._set_query(request.query)
        names = () if self._engine is None else self._engine.query.names
        response.success = problem is None
        remarks = () if self._engine is None or problem else self._engine.query.remarks
        labeling = "; ".join([f"labeling {', '.join(names)}", *remarks])
        response.message = problem or (labeling if names else "checked when it is configured")
        response.query = self._settings.query
        response.names = list(names)
        return response

    def _on_set_enabled(self, request: SetEnabled.Request, response: SetEnabled.Response) -> SetEnabled.Response:
        problem = self._set(enable=request.enabled)
        response.success = problem is None
        response.enabled = self._settings.enable
        response.message = problem or ("labeling" if response.enabled else "clouds are ignored")
        return response

    async def _on_load_bundle(self, request: LoadBundle.Request, response: LoadBundle.Response) -> LoadBundle.Response:
        problem = await self._load_bundle(request.bundle, request.query)
        if problem is not None:
            if not request.query and "unknown part name" in problem:
                problem += "; give the query to use with this bundle in the same call"
            self._problem(BUNDLES, f"bundle '{request.bundle}' was refused, the one before stays active: {problem}")
        response.success = problem is None
        response.message = problem or f"loaded '{self._active()[0].bundle}'"
        response.bundle = self._settings.bundle
        response.query = self._settings.query
        return response

    async def _load_bundle(self, bundle: str, query: str) -> str | None:
        """Loads the student beside the running one, then changes over; what is wrong, or None."""
        if self._engine is None:
            return "the node is not configured: configure it first, or set the parameter 'bundle'"
        changes = {"bundle": bundle} | ({"query": query} if query else {})
        result = await self._apply([Parameter(name, value=value) for name, value in changes.items()], reload=True)
        return None if result.successful else str(result.reason)

    # --- reports ------------------------------------------------------------------------------

    def _report(self) -> None:
        (engine, outputs), worker, now = self._active(), self._worker, time.monotonic()
        topic, what = self._input_topic, "no clouds" if self._settings.input == "points" else "no depth images"
        before, self._num_publishers = self._num_publishers, self.count_publishers(topic)
        if self._num_publishers > before:
            self._statistics.expect(now)
        summary = self._statistics.summary(now, 0 if worker is None else worker.dropped)
        lacking = "" if self._input is None else self._input.problem
        quiet = lacking or silence(topic, self._num_publishers if summary.silent else 0, what)
        if summary.silent and self._num_publishers and self._settings.enable and not lacking:  # that is told already
            self._warn(quiet)
        nodes = [f"{space.rstrip('/')}/{name}" for name, space in self.get_node_names_and_namespaces()]
        if mixed_up := self._namesakes.problem(now, self.get_fully_qualified_name(), nodes):
            self._warn(mixed_up)
        fallback = engine.segmenter.provider_note if engine.segmenter.fell_back else ""
        level, words = verdict(summary, quiet, self._settings.enable, fallback)
        outputs.report(level, words, figures(summary, engine))

    @property
    def _input_topic(self) -> str:
        return input_topic(self, self._settings)

    def _active(self) -> tuple[Engine, Outputs]:
        if self._engine is None or self._outputs is None:
            raise PartDistillError("the node is not configured: call its lifecycle transition 'configure' first")
        return self._engine, self._outputs


def _load(settings: SegmenterParameters) -> Engine:
    engine = Engine.load(settings)
    release_memory()
    return engine


def _late(settings: SegmenterParameters) -> str:
    """What is wrong where a student does not load in time."""
    return (
        f"bundle '{settings.bundle}' was not loaded within {LOAD_SECONDS:g} s: check that its disk or network mount "
        "answers, or copy it to this machine"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; the exit code is 0 then, 1 where it could not start."""
    return run_node(PartSegmenter, arguments)
