# SPDX-License-Identifier: Apache-2.0
"""The service ~/find_part: a part in the newest labeled cloud, as a grasp planner asks for it."""

from __future__ import annotations

import array
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PointStamped
from numpy.typing import NDArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from partdistill_ros.errors import PartDistillError, describe, printable
from partdistill_ros.inference.parts import FoundPart, find_part
from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.scene import SceneLabels
from partdistill_ros.nodes.background import Background
from partdistill_ros.nodes.conversions import Cloud, box_pose, box_size, cloud_message, colors_of
from partdistill_ros.nodes.engine import Engine
from partdistill_ros.nodes.tf import TransformListener
from partdistill_ros.objects.part_box import principal_box
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.transforms import TooEarly
from partdistill_ros.srv import FindPart

CLOUD_SECONDS = 2.0
"""How long an answer waits for the first cloud that is labeled with the active query."""
TF_SECONDS = 1.0
"""How long it waits for the frame of `near`: the first question subscribes to tf."""


@dataclass(frozen=True)
class _Newest:
    """With the query and not the engine: a student that was replaced would stay in memory until the next cloud."""

    cloud: Cloud
    answer: SceneLabels
    query: PartQuery


class PartFinder:
    """Keeps the newest labeled cloud, without work, and searches it when somebody asks."""

    def __init__(self, node: Node, transforms: TransformListener, active: Callable[[], Engine]) -> None:
        """`active()` is the engine whose labels are waited for; it raises PartDistillError where there is none."""
        self._node, self._transforms, self._active = node, transforms, active
        self._newest: _Newest | None = None
        self._changed = threading.Condition()
        self._background = Background()
        # A group of its own: the others must not wait while this one does.
        group = MutuallyExclusiveCallbackGroup()
        node.create_service(FindPart, "~/find_part", self._on_request, callback_group=group)

    def offer(self, cloud: Cloud, answer: SceneLabels, engine: Engine) -> None:
        """A newer labeled cloud, from any thread."""
        with self._changed:
            self._newest = _Newest(cloud, answer, engine.query)
            self._changed.notify_all()

    @property
    def idle(self) -> bool:
        """Whether no question is being answered."""
        return self._background.idle

    def forget(self) -> None:
        """Frees the cloud."""
        with self._changed:
            self._newest = None

    async def _on_request(self, request: Any, response: Any) -> Any:
        try:
            executor = self._node.executor
            assert executor is not None  # it is what runs this coroutine
            return await self._background.run(executor, lambda: self._answer(request))
        except Exception as error:
            response.success, response.message = False, printable(describe(error))
            return response

    def _answer(self, request: Any) -> Any:
        newest, near = self._placed(request.near)
        points = newest.cloud.scan.points
        if not (np.isfinite(request.within) and request.within >= 0):
            raise PartDistillError(f"within must be meters, 0 for any distance, it is {request.within:g}")
        found = find_part(newest.answer, points, request.name, near, request.within)
        box = principal_box(points[found.index], found.object.up)
        assert box is not None  # a part has more points than a box needs
        header = newest.cloud.header
        scan = Scan(points[found.index], colors_of(newest.cloud, found.index))
        return FindPart.Response(
            success=True,
            message=_told(found),
            header=header,
            part=found.name,
            category=found.object.category or "",
            object=found.object.number,
            score=found.score,
            pose=box_pose(box),
            size=box_size(box),
            points=cloud_message(scan, header),
            indices=array.array("I", found.index.astype(np.uint32).tobytes()),
        )

    def _await_newest(self) -> _Newest:
        """The newest labeled cloud; of another query than the active one it is waited for the next."""
        end = time.monotonic() + CLOUD_SECONDS
        with self._changed:
            while True:
                query, newest = self._active().query, self._newest
                if newest is not None and newest.query is query:
                    return newest
                remaining = end - time.monotonic()
                if remaining <= 0:
                    raise PartDistillError(
                        f"no cloud was labeled with the query '{query.text}' yet, within {CLOUD_SECONDS:g} s: check "
                        "that clouds come, 'ros2 topic echo /diagnostics' tells"
                    )
                self._changed.wait(remaining)

    def _placed(self, near: PointStamped) -> tuple[_Newest, NDArray[np.float64] | None]:
        """The newest labeled cloud with the point `near [3]` in its frame. The first question is what subscribes to tf,
        which knows nothing of the time before: then a later cloud is waited for."""
        end, newest = time.monotonic() + CLOUD_SECONDS, self._await_newest()
        while True:
            try:
                return newest, self._in_cloud(near, newest.cloud)
            except TooEarly:
                if not self._newer_than(newest, end - time.monotonic()):
                    raise
            newest = self._await_newest()

    def _newer_than(self, newest: _Newest, seconds: float) -> bool:
        with self._changed:
            return seconds > 0 and self._changed.wait_for(lambda: self._newest is not newest, seconds)

    def _in_cloud(self, near: PointStamped, cloud: Cloud) -> NDArray[np.float64] | None:
        """The point `near [3]` in the cloud's frame, None where none was given."""
        frame = near.header.frame_id
        if not frame:
            return None
        point = np.array([near.point.x, near.point.y, near.point.z])
        if not np.isfinite(point).all():
            raise PartDistillError(f"near must be a point in meters, it is {point.tolist()}")
        if frame == cloud.header.frame_id:
            return point
        remedy = f"or give `near` in the frame '{cloud.header.frame_id}'"
        pose = self._transforms.pose(cloud.header, frame, "near.header.frame_id", TF_SECONDS, remedy)
        return pose[:3, :3].T @ (point - pose[:3, 3])


def _told(found: FoundPart) -> str:
    words = f"{found.object.category or ''} {found.name}".strip() or "object"
    return f"{words} of object {found.object.number}, {len(found.index)} points"
