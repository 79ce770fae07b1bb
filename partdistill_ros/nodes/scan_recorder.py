# SPDX-License-Identifier: Apache-2.0
"""Records the objects in front of a depth camera into a collection; `recording/` does the work."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Header

from partdistill_ros.errors import PartDistillError, describe, printable
from partdistill_ros.nodes.background import LatestWorker
from partdistill_ros.nodes.commands import run_node
from partdistill_ros.nodes.conversions import colors_of, read_cloud
from partdistill_ros.nodes.diagnostics import WARNING_SECONDS, Throttle
from partdistill_ros.nodes.inputs import DepthImage, DepthSubscription, input_topic, subscribe
from partdistill_ros.nodes.parameters import declare, on_change
from partdistill_ros.nodes.qos import InputSubscription
from partdistill_ros.nodes.recorder_parameters import RecorderParameters
from partdistill_ros.nodes.tf import TransformListener
from partdistill_ros.options import updated
from partdistill_ros.pointcloud.scan import geometry_problems
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.recorder import RecordedCloud, Recorder
from partdistill_ros.recording.registration import require_library
from partdistill_ros.recording.transforms import Pose

STOP_SECONDS = 2.0
"""How long the end of the node waits for the cloud in work; writing a scan takes a fraction of that."""


@dataclass(frozen=True)
class Session:
    """What a ~/start has begun, with the parameters that hold until its end."""

    recorder: Recorder
    settings: RecorderParameters


class ScanRecorder(Node):
    """`~/start` begins a recording, `~/stop` ends it and writes the joined object, `~/discard` deletes what the
    last one wrote."""

    def __init__(self, **options: Any) -> None:
        super().__init__("scan_recorder", **options)
        self._settings = declare(self, RecorderParameters())
        self._transforms = TransformListener(self)
        self._check(self._settings)
        self._session: Session | None = None
        self._under_way = False
        # The recorder is used by the worker, and by services between two clouds.
        self._lock = threading.Lock()
        self._taken = -float("inf")
        self._warn = Throttle(lambda words: self.get_logger().warning(words), repeat=WARNING_SECONDS)
        self._worker: LatestWorker[tuple[PointCloud2 | DepthImage, Session], None] = LatestWorker(
            self._take, lambda taken: None, self._left_out
        )
        self._input: InputSubscription | DepthSubscription | None = None
        self._services_offered = self._offer()
        on_change(self, self._change)

    def start(self) -> bool:
        """Listens; records at once with `autostart`."""
        self._worker.start()
        self._input = subscribe(self, lambda: self._settings, self._on_input, self._warn)
        if self._settings.autostart:
            self.get_logger().info(self._begin())
        else:
            name = self.resolve_service_name("~/start")
            self.get_logger().info(f"ready: 'ros2 service call {name} std_srvs/srv/Trigger' begins a recording")
        return True

    def stop(self) -> bool:
        """Ends a recording as ~/stop does; False if the cloud in work did not end in time."""
        idle = self._worker.stop(STOP_SECONDS)
        if idle and self._under_way:
            try:
                self._say(self._finish())
            except PartDistillError as error:  # the node ends in order all the same
                self._say(f"the recording was not finished: {error}")
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
                    self.get_logger().info(printable(response.message))
                except PartDistillError as error:
                    response.message, response.success = str(error), False
                    self.get_logger().error(printable(response.message))
                return response

            return serve

        acts = {"start": self._begin, "stop": self._finish, "discard": self._discard}
        return [self.create_service(Trigger, f"~/{name}", answer(act)) for name, act in acts.items()]

    def _begin(self) -> str:
        if self._under_way:
            raise PartDistillError("a recording is under way: call ~/stop or ~/discard first")
        settings = self._settings
        collection = Collection.create(settings.collection)
        with self._lock:
            self._session = Session(Recorder(collection, settings.recording(), self._report), settings)
            self._taken, self._under_way = -float("inf"), True
        return f"recording {self._input_topic} into {collection.folder}"

    def _finish(self) -> str:
        if not self._under_way or self._session is None:
            raise PartDistillError("no recording is under way: call ~/start first")
        self._under_way = False
        with self._lock:
            return self._session.recorder.finish().text()

    def _discard(self) -> str:
        if self._session is None:
            raise PartDistillError("there is no recording to discard: call ~/start first")
        self._under_way = False
        with self._lock:
            names = self._session.recorder.discard()
            self._session = None
        return f"discarded: {', '.join(names) or 'nothing was written yet'}"

    # --- clouds -------------------------------------------------------------------------------

    def _on_input(self, message: PointCloud2 | DepthImage) -> None:
        now, session = time.monotonic(), self._session
        if self._under_way and session is not None and now - self._taken >= session.settings.period:
            self._taken = now
            self._worker.offer((message, session))

    def _take(self, item: tuple[PointCloud2 | DepthImage, Session]) -> None:
        """One cloud, on the worker's thread."""
        message, session = item
        settings = session.settings
        cloud = read_cloud(message, self._input_topic, unit=settings.unit)
        for problem in geometry_problems(cloud.scan):
            self._warn(f"the cloud on {self._input_topic}: {problem}")
        scan = cloud.scan.with_(name=settings.name, colors=colors_of(cloud))
        header, stamp = cloud.header, cloud.header.stamp
        nanoseconds, pose = stamp.sec * 10**9 + stamp.nanosec, self._pose(header, settings)
        recorded = RecordedCloud(scan, nanoseconds, header.frame_id, pose, {"topic": self._input_topic})
        if recorded.pose is None and settings.object_frame and settings.cut == "crop":
            return  # told already: the box lies in a frame that is not known
        with self._lock:
            if self._under_way and self._session is session:
                session.recorder.add(recorded)

    def _pose(self, header: Header, settings: RecorderParameters) -> Pose | None:
        """The sensor's pose in the object's frame, None where there is none to be had."""
        if not settings.object_frame:
            return None
        try:
            return self._transforms.pose(header, settings.object_frame, "object_frame", settings.tf_wait)
        except PartDistillError as error:
            self._warn(f"a view is not joined: {error}")
            return None

    # --- changes and log lines -----------------------------------------------------------------

    def _check(self, settings: RecorderParameters) -> None:
        """Raises PartDistillError for parameters that cannot work."""
        if not settings.collection:
            raise PartDistillError("nowhere to record to: set the parameter 'collection' to a folder")
        settings.recording()
        if settings.joins():
            require_library()
        if settings.object_frame:
            self._transforms.listen("object_frame")

    def _change(self, changes: Mapping[str, object]) -> None:
        settings = updated(self._settings, changes)
        self._check(settings)
        self._settings = settings

    def _report(self, words: str) -> None:
        if words.startswith("left out"):
            self._warn(words)
        else:
            self._say(words)

    def _say(self, words: str) -> None:
        if self.context.ok():
            self.get_logger().info(printable(words))
        else:
            print(words, flush=True)  # after Ctrl-C the logger complains that nobody can hear it

    def _left_out(self, error: Exception) -> None:
        """A cloud that could not be recorded, on the worker's thread."""
        if self.context.ok():
            self._warn(f"a cloud was left out: {describe(error)}")
            self.get_logger().debug("".join(traceback.format_exception(error)))

    @property
    def _input_topic(self) -> str:
        return input_topic(self, self._settings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the node until it is interrupted; a recording under way is then ended as by ~/stop."""
    return run_node(ScanRecorder, arguments)
