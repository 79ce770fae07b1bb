# SPDX-License-Identifier: Apache-2.0
"""Records the objects in front of a depth camera into a collection; `recording/` does the work."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.background import LatestWorker
from partdistill_ros.nodes.commands import run_node
from partdistill_ros.nodes.conversions import colors_of, read_cloud
from partdistill_ros.nodes.parameters import declare
from partdistill_ros.nodes.qos import mismatch_warning, profile
from partdistill_ros.nodes.recorder_parameters import RecorderParameters
from partdistill_ros.nodes.tf import TransformListener
from partdistill_ros.options import updated
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.recorder import RecordedCloud, Recorder
from partdistill_ros.recording.registration import require_library

STOP_SECONDS = 2.0
"""How long the end of the node waits for the cloud in work; writing a scan takes a fraction of that."""
PULSE_SECONDS = 1.0
LOG_SECONDS = 5.0
"""The same problem is logged at most this often."""


class ScanRecorder(Node):
    """`~/start` begins a recording, `~/stop` ends it and writes the joined object, `~/discard` deletes what the
    last one wrote."""

    def __init__(self, **options: Any) -> None:
        super().__init__("scan_recorder", **options)
        self._settings = declare(self, RecorderParameters())
        self._check(self._settings)
        self._transforms = TransformListener(self) if self._settings.object_frame else None
        self._recorder: Recorder | None = None
        self._recording = False
        # The recorder is used by the worker, and by services between two clouds.
        self._lock = threading.Lock()
        self._taken = -float("inf")
        self._warned: dict[str, float] = {}
        self._worker: LatestWorker[PointCloud2, None] = LatestWorker(self._take, lambda taken: None, self._unexpected)
        self._clouds: Any = None
        self._services_offered = self._offer()
        # A node that only waits for messages was seen to sleep through a SIGTERM right after a service call.
        self._pulse = self.create_timer(PULSE_SECONDS, lambda: None)
        self.add_on_set_parameters_callback(self._change)

    def start(self) -> bool:
        """Listens; records at once with `autostart`."""
        self._worker.start()
        self._listen(self._settings.qos.points.reliability)
        if self._settings.autostart:
            self.get_logger().info(self._begin())
        else:
            name = self.resolve_service_name("~/start")
            self.get_logger().info(f"ready: 'ros2 service call {name} std_srvs/srv/Trigger' begins a recording")
        return True

    def stop(self) -> bool:
        """Ends a recording as ~/stop does; False if the cloud in work did not end in time."""
        idle = self._worker.stop(STOP_SECONDS)
        if idle and self._recording:
            self._say(self._finish())
        return idle

    # --- services -----------------------------------------------------------------------------

    def _offer(self) -> list[Any]:
        try:
            from std_srvs.srv import Trigger
        except ImportError as error:
            raise PartDistillError(
                "the services of the recorder need the ROS 2 package 'std_srvs': source a ROS 2 installation that has "
                "it, or run 'make' in the repository"
            ) from error

        def answer(act: Callable[[], str]) -> Callable[[Any, Any], Any]:
            def serve(request: Any, response: Any) -> Any:
                try:
                    response.message, response.success = act(), True
                    self.get_logger().info(response.message)
                except PartDistillError as error:
                    response.message, response.success = str(error), False
                    self.get_logger().error(response.message)
                return response

            return serve

        acts = {"start": self._begin, "stop": self._finish, "discard": self._discard}
        return [self.create_service(Trigger, f"~/{name}", answer(act)) for name, act in acts.items()]

    def _begin(self) -> str:
        if self._recording:
            raise PartDistillError("a recording is under way: call ~/stop or ~/discard first")
        collection = Collection.create(self._settings.collection)
        with self._lock:
            self._recorder = Recorder(collection, self._settings.recording(), self._tell)
            self._taken, self._recording = -float("inf"), True
        return f"recording {self._points_name()} into {collection.folder}"

    def _finish(self) -> str:
        if not self._recording or self._recorder is None:
            raise PartDistillError("no recording is under way: call ~/start first")
        self._recording = False
        with self._lock:
            return self._recorder.finish().text()

    def _discard(self) -> str:
        if self._recorder is None:
            raise PartDistillError("there is no recording to discard: call ~/start first")
        self._recording = False
        with self._lock:
            names = self._recorder.discard()
            self._recorder = None
        return f"discarded: {', '.join(names) or 'nothing was written yet'}"

    # --- clouds -------------------------------------------------------------------------------

    def _listen(self, reliability: str) -> None:
        """Subscribes to clouds, in place of an earlier subscription."""
        if self._clouds is not None:
            self.destroy_subscription(self._clouds)
        topic = self._points_name()
        incompatible = mismatch_warning(
            topic, "qos.points.reliability", reliability, lambda: self.get_publishers_info_by_topic(topic), self._warn
        )
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

    def _on_points(self, message: PointCloud2) -> None:
        now = time.monotonic()
        if self._recording and now - self._taken >= self._settings.period:
            self._taken = now
            self._worker.offer(message)

    def _take(self, message: PointCloud2) -> None:
        """One cloud, on the worker's thread."""
        settings = self._settings
        try:
            cloud = read_cloud(message, self._points_name())
        except PartDistillError as error:
            self._warn(f"a cloud was left out: {error}")
            return
        scan = cloud.scan.with_(name=settings.name, colors=colors_of(cloud))
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        frame = message.header.frame_id
        recorded = RecordedCloud(scan, stamp, frame, self._pose(frame, stamp), {"topic": self._points_name()})
        if recorded.pose is None and settings.object_frame and settings.cut == "crop":
            return  # told already: the box lies in a frame that is not known
        with self._lock:
            if self._recording and self._recorder is not None:
                self._recorder.add(recorded)

    def _pose(self, frame: str, stamp: int) -> Any:
        """The sensor's pose in the object's frame, None where there is none to be had."""
        if self._transforms is None:
            return None
        try:
            return self._transforms.pose(frame, self._settings.object_frame, stamp, self._settings.tf_wait)
        except PartDistillError as error:
            self._warn(f"a view is not joined: {error}")
            return None

    # --- words and changes --------------------------------------------------------------------

    def _check(self, settings: RecorderParameters) -> None:
        """Raises PartDistillError for parameters that cannot work."""
        if not settings.collection:
            raise PartDistillError("nowhere to record to: set the parameter 'collection' to a folder")
        settings.recording()
        if settings.joins():
            require_library()

    def _change(self, changes: Sequence[Parameter[Any]]) -> SetParametersResult:
        own = {change.name: change.value for change in changes if change.name != "use_sim_time"}
        try:
            settings = updated(self._settings, own)
            self._check(settings)
            if settings.object_frame and self._transforms is None:
                self._transforms = TransformListener(self)
        except PartDistillError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._settings = settings
        return SetParametersResult(successful=True)

    def _tell(self, words: str) -> None:
        if words.startswith("left out"):
            self._warn(words)
        else:
            self._say(words)

    def _say(self, words: str) -> None:
        if self.context.ok():
            self.get_logger().info(words)
        else:
            print(words, flush=True)  # after Ctrl-C the logger complains that nobody can hear it

    def _unexpected(self, error: Exception) -> None:
        if self.context.ok():
            known = isinstance(error, PartDistillError)
            self._warn(f"a cloud was left out: {error if known else f'{type(error).__name__}: {error}'}")
            self.get_logger().debug("".join(traceback.format_exception(error)))

    def _points_name(self) -> str:
        return str(self.resolve_topic_name("points"))

    def _warn(self, words: str) -> None:
        # Not rclpy's throttle_duration_sec: it goes by the line of code, and would hold back other problems too.
        now = time.monotonic()
        if now - self._warned.get(words, -LOG_SECONDS) >= LOG_SECONDS:
            self._warned = {**dict(list(self._warned.items())[-20:]), words: now}
            self.get_logger().warning(words)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; a recording under way is then ended as by ~/stop."""
    return run_node(ScanRecorder, arguments)
