# SPDX-License-Identifier: Apache-2.0
"""The live node: clouds in, the same clouds with part labels out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.scene import label_scene
from partdistill_ros.msg import PartLegend
from partdistill_ros.nodes.conversions import (
    diagnostics_message,
    labeled_message,
    legend_message,
    markers_message,
    read_cloud,
)
from partdistill_ros.nodes.engine import Engine, scene_options
from partdistill_ros.nodes.parameters import declare, updated
from partdistill_ros.nodes.qos import latched, mismatch_warning, profile
from partdistill_ros.nodes.reports import figures, verdict
from partdistill_ros.nodes.runtime import run_node
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.nodes.statistics import Statistics
from partdistill_ros.nodes.worker import LatestWorker
from partdistill_ros.srv import LoadBundle, SetQuery

STOP_SECONDS = 0.3
"""How long the end of the node waits for the cloud in work, which may have a million points."""
LOG_SECONDS = 5.0
"""The same problem is logged at most this often: a broken driver sends 30 clouds a second."""


class PartSegmenter(LifecycleNode):
    """configure loads the student, activate subscribes, deactivate stops, cleanup frees.

    Every change at run time (topic, service or parameter) goes through the parameters and their
    callback `_change`, so that there is one place where it is accepted or refused.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__("part_segmenter", **options)
        self._settings = declare(self, SegmenterParameters())
        self._engine: Engine | None = None
        self._worker: LatestWorker[tuple[PointCloud2, float]] | None = None
        self._statistics = Statistics()
        self._clouds: Any = None
        self._outputs: list[Any] = []
        self._services_offered: list[Any] = []
        self._reload = False
        self._warned: dict[str, float] = {}
        self.add_on_set_parameters_callback(self._change)

    # --- the life of the node -----------------------------------------------------------------

    def start(self) -> bool:
        """Configures and activates where `autostart` says so; False where that failed."""
        if not self._settings.autostart:
            self.get_logger().info("waiting for a lifecycle manager (autostart is false)")
            return True
        done = TransitionCallbackReturn.SUCCESS
        return self.trigger_configure() == done and self.trigger_activate() == done

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads the student and offers topics and services."""
        try:
            self._engine = Engine.load(self._settings)
        except Exception as error:
            self.get_logger().error(_sentence(error))
            return TransitionCallbackReturn.FAILURE
        self._create_outputs()
        self._services_offered = [
            self.create_service(SetQuery, "~/set_query", self._on_set_query),
            self.create_service(LoadBundle, "~/load_bundle", self._on_load_bundle),
        ]
        return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listens to clouds and queries."""
        result = super().on_activate(state)
        self._statistics = Statistics()
        self._worker = LatestWorker(self._label, self._unexpected)
        self._worker.start()
        self._create_inputs()
        self._announce()
        engine = self._require_engine()
        note = f" ({engine.segmenter.provider_note})" if engine.segmenter.provider_note else ""
        self.get_logger().info(
            f"labelling '{engine.query.text}' on {self._points_name()} with bundle "
            f"'{engine.bundle}' on {engine.segmenter.provider}{note}"
        )
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops listening; the student stays loaded."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Frees the student."""
        self._free()
        return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stops and frees from any state."""
        self._stop()
        self._free()
        return super().on_shutdown(state)

    def stop(self) -> bool:
        """Ends the work in hand; False if it did not end in time. For the end of the process."""
        return self._worker is None or self._worker.stop(STOP_SECONDS)

    def _create_outputs(self) -> None:
        labeled, markers = self._settings.qos.labeled_points, self._settings.qos.part_markers
        events = PublisherEventCallbacks(
            incompatible_qos=mismatch_warning("labeled_points", "qos.labeled_points.reliability", self._warn)
        )
        self._labeled = self.create_lifecycle_publisher(
            PointCloud2, "labeled_points", profile(labeled.reliability, labeled.depth), event_callbacks=events
        )
        self._legend = self.create_lifecycle_publisher(PartLegend, "part_legend", latched())
        self._markers = self.create_lifecycle_publisher(
            MarkerArray, "part_markers", profile(markers.reliability, markers.depth)
        )
        self._diagnostics = self.create_lifecycle_publisher(DiagnosticArray, "/diagnostics", 10)
        self._outputs = [self._labeled, self._legend, self._markers, self._diagnostics]

    def _create_inputs(self) -> None:
        query = self._settings.qos.part_query
        self._listen(self._settings.qos.points.reliability)
        self._queries = self.create_subscription(
            String, "part_query", self._on_query, profile(query.reliability, query.depth)
        )
        self._timer = self.create_timer(self._settings.diagnostics_period, self._report)

    def _listen(self, reliability: str) -> None:
        """Subscribes to clouds, in place of an earlier subscription."""
        if self._clouds is not None:
            self.destroy_subscription(self._clouds)
        incompatible = mismatch_warning("points", "qos.points.reliability", self._warn)
        if reliability == "auto":
            incompatible = self._give_in
        self._clouds = self.create_subscription(
            PointCloud2,
            "points",
            self._on_points,
            profile(reliability, self._settings.qos.points.depth),
            event_callbacks=SubscriptionEventCallbacks(incompatible_qos=incompatible),
        )

    def _give_in(self, event: Any) -> None:
        """A publisher does not offer what a reliable subscription asks for."""
        self.get_logger().info(f"a publisher of {self._points_name()} is best_effort: listening as best_effort")
        # Not at once: the subscription would be destroyed within a callback of its own.
        if self.executor is not None:
            self.executor.create_task(self._listen, "best_effort")

    def _stop(self) -> None:
        if self._clouds is not None:
            self.destroy_subscription(self._clouds)
            self.destroy_subscription(self._queries)
            self.destroy_timer(self._timer)
            self._clouds = None
        if self._worker is not None:
            self._worker.stop(STOP_SECONDS)

    def _free(self) -> None:
        for publisher in self._outputs:
            self.destroy_lifecycle_publisher(publisher)
        for service in self._services_offered:
            self.destroy_service(service)
        self._outputs, self._services_offered = [], []
        self._engine = None

    # --- clouds -------------------------------------------------------------------------------

    def _on_points(self, message: PointCloud2) -> None:
        now = time.monotonic()
        self._statistics.arrived(now)
        if self._settings.enable and self._worker is not None:
            self._worker.offer((message, now))

    def _label(self, item: tuple[PointCloud2, float]) -> None:
        """One cloud, on the worker's thread."""
        received, arrival = item
        engine, parameters = self._require_engine(), self._settings
        begin = time.monotonic()
        try:
            cloud = read_cloud(received, self._points_name())
            decoded = time.monotonic()
            answer = label_scene(engine.segmenter, engine.query, cloud.scan, scene_options(parameters))
        except PartDistillError as error:
            self._refuse(str(error))
            return
        if answer.problem is not None:
            self._complain(answer.problem)
        labeled = time.monotonic()
        message = labeled_message(cloud, answer)
        encoded = time.monotonic()
        self._labeled.publish(message)
        self._legend.publish(
            legend_message(cloud.header, engine.query.text, engine.bundle, answer.parts, answer.labels)
        )
        if parameters.markers and self._markers.get_subscription_count():
            self._markers.publish(markers_message(cloud, answer))
        end = time.monotonic()
        before = {"wait": begin - arrival, "decode": decoded - begin}
        after = {"encode": encoded - labeled, "publish": end - encoded, "total": end - arrival}
        self._statistics.labeled(end, before | dict(answer.stages) | after)

    def _refuse(self, problem: str) -> None:
        self._statistics.refused(problem)
        self._warn(f"a cloud was not labelled: {problem}")

    def _complain(self, problem: str) -> None:
        self._statistics.warned(problem)
        self._warn(f"nothing to label: {problem}")

    def _unexpected(self, error: Exception) -> None:
        if self.context.ok():
            self._refuse(_sentence(error))
            self.get_logger().debug("".join(traceback.format_exception(error)))

    # --- changes at run time ------------------------------------------------------------------

    def _change(self, changes: Sequence[Parameter[Any]]) -> SetParametersResult:
        """Takes all the changes or none; a refusal says why and leaves everything as it was."""
        own = {change.name: change.value for change in changes if change.name != "use_sim_time"}
        try:
            parameters = updated(self._settings, own)
            engine = self._engine and self._engine.adapted(self._settings, parameters, self._reload)
        except Exception as error:
            return SetParametersResult(successful=False, reason=_sentence(error))
        changed = engine is not self._engine
        self._settings, self._engine = parameters, engine
        if changed and engine is not None:
            self.get_logger().info(f"labelling '{engine.query.text}' with bundle '{engine.bundle}'")
            self._announce()
        return SetParametersResult(successful=True)

    def _set(self, changes: Mapping[str, str]) -> str | None:
        """Sets parameters together; what is wrong, or None."""
        result = self.set_parameters_atomically([Parameter(name, value=value) for name, value in changes.items()])
        return None if result.successful else str(result.reason)

    def _on_query(self, message: String) -> None:
        problem = self._set({"query": message.data})
        if problem is not None:
            kept = f"the query on part_query was refused, '{self._settings.query}' stays in force: {problem}"
            self._statistics.warned(kept)
            self.get_logger().error(kept)

    def _on_set_query(self, request: SetQuery.Request, response: SetQuery.Response) -> SetQuery.Response:
        problem = self._set({"query": request.query})
        query = self._require_engine().query
        response.success = problem is None
        response.message = problem or f"labelling {', '.join(query.names)}"
        response.query = self._settings.query
        response.names = list(query.names)
        return response

    def _on_load_bundle(self, request: LoadBundle.Request, response: LoadBundle.Response) -> LoadBundle.Response:
        changes = {"bundle": request.bundle} | ({"query": request.query} if request.query else {})
        self._reload = True
        try:
            problem = self._set(changes)
        finally:
            self._reload = False
        if problem and not request.query and "unknown part name" in problem:
            problem += "; give the query to use with this bundle in the same call"
        response.success = problem is None
        response.message = problem or f"loaded '{self._require_engine().bundle}'"
        response.bundle = self._settings.bundle
        response.query = self._settings.query
        return response

    def _announce(self) -> None:
        """Latches the legend of the query in force."""
        engine = self._require_engine()
        header = Header(stamp=self.get_clock().now().to_msg())
        self._legend.publish(legend_message(header, engine.query.text, engine.bundle, engine.query.names))

    # --- reports ------------------------------------------------------------------------------

    def _report(self) -> None:
        engine, worker = self._require_engine(), self._worker
        summary = self._statistics.summary(time.monotonic(), 0 if worker is None else worker.dropped)
        level, words = verdict(summary, self._points_name(), self._settings.enable)
        stamp = self.get_clock().now().to_msg()
        name = f"{self.get_fully_qualified_name()[1:]}: part segmentation"
        self._diagnostics.publish(diagnostics_message(stamp, name, level, words, figures(summary, engine)))

    def _points_name(self) -> str:
        return str(self.resolve_topic_name("points"))

    def _require_engine(self) -> Engine:
        if self._engine is None:
            raise PartDistillError("the node is not configured: call its lifecycle transition 'configure' first")
        return self._engine

    def _warn(self, words: str) -> None:
        # Not rclpy's throttle_duration_sec: it goes by the line of code, and would hold back other problems too.
        now = time.monotonic()
        if now - self._warned.get(words, -LOG_SECONDS) >= LOG_SECONDS:
            self._warned = {**dict(list(self._warned.items())[-20:]), words: now}
            self.get_logger().warning(words)


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, PartDistillError) else f"{type(error).__name__}: {error}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; the exit code is 0 then, 1 where it could not start."""
    return run_node(PartSegmenter, arguments)
