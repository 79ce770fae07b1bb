# SPDX-License-Identifier: Apache-2.0
"""Where frames were at a time, from the messages of tf, live or out of a bag.

tf2 has no wheel, and a bag must be readable without ROS; hence the few lines here.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from partdistill_ros.errors import PartDistillError

Pose = NDArray[np.float64]
"""`[4, 4]`, takes points of one frame to another."""

SECOND = 1_000_000_000  # nanoseconds
MANY_FRAMES = 1_000
"""With so many, those that nobody has told of for a while are forgotten."""


class NotYetKnown(PartDistillError):
    """The transform of that time may still be on its way."""


class TooEarly(PartDistillError):
    """No message will ever tell of that time."""


@dataclass
class _Edge:
    """The poses of a frame in its parent, by time; one without a time where it never moves."""

    parent: str
    stamps: list[int] = field(default_factory=list)
    poses: list[Pose] = field(default_factory=list)
    static: bool = False


class TransformTree:
    """Frames and their parents over time; safe to fill and ask from several threads."""

    def __init__(self, keep_seconds: float = float("inf")) -> None:
        """keep_seconds: older poses than this before the newest are forgotten. One that comes with such an old stamp
        tells that the clock was set back, as for a bag that begins again: then the newer ones are."""
        self._edges: dict[str, _Edge] = {}
        self._keep = keep_seconds * SECOND
        self._lock = threading.Lock()

    def add(self, parent: str, child: str, stamp: int, pose: Pose, static: bool = False) -> None:
        """`pose` takes points of `child` to `parent`; `stamp` in nanoseconds, poses may come out of order."""
        parent, child = parent.lstrip("/"), child.lstrip("/")
        with self._lock:
            edge = self._edges.get(child)
            if edge is None and len(self._edges) >= MANY_FRAMES:
                self._forget_stale(stamp)
            set_back = edge is not None and bool(edge.stamps) and edge.stamps[-1] - stamp > self._keep
            if edge is None or edge.parent != parent or static or set_back:
                edge = self._edges[child] = _Edge(parent, static=static)
            index = bisect.bisect_left(edge.stamps, stamp)
            if index < len(edge.stamps) and edge.stamps[index] == stamp:
                edge.poses[index] = pose
                return
            edge.stamps.insert(index, stamp)
            edge.poses.insert(index, pose)
            while edge.stamps[-1] - edge.stamps[0] > self._keep:
                del edge.stamps[0], edge.poses[0]

    def _forget_stale(self, now: int) -> None:
        """Some detectors name a frame for each thing that they see, for a year."""
        self._edges = {
            child: edge for child, edge in self._edges.items() if edge.static or now - edge.stamps[-1] <= self._keep
        }

    def forget(self) -> None:
        """Only what never moves stays known, as after a clock that was set back."""
        with self._lock:
            self._edges = {child: edge for child, edge in self._edges.items() if edge.static}

    def pose(self, source: str, target: str, stamp: int) -> Pose:
        """`[4, 4]`: takes points of frame `source` to frame `target`, at `stamp`; 0 is the newest time known.

        Raises NotYetKnown where only later messages can tell, TooEarly for a time before all that is known.
        """
        source, target = source.lstrip("/"), target.lstrip("/")
        with self._lock:
            above = self._chain(target)
            shared = next((frame for frame in self._chain(source) if frame in above), None)
            if shared is None:
                known = ", ".join(sorted({*self._edges, *(edge.parent for edge in self._edges.values())})) or "none"
                raise NotYetKnown(f"tf does not connect '{source}' with '{target}'; frames known: {known}")
            # Only up to the first frame that both have above them: what is above may be of another time.
            pose: Pose = np.linalg.inv(self._climb(target, shared, stamp)) @ self._climb(source, shared, stamp)
        return pose

    def _chain(self, frame: str) -> list[str]:
        """`frame` and those above it."""
        chain = [frame]
        while (edge := self._edges.get(chain[-1])) is not None and edge.parent not in chain:
            chain.append(edge.parent)
        return chain

    def _climb(self, frame: str, top: str, stamp: int) -> Pose:
        """The pose of `frame` in `top`, a frame above it."""
        pose = np.eye(4)
        while frame != top:
            edge = self._edges[frame]
            pose = _at(edge, frame, stamp) @ pose
            frame = edge.parent
        return pose


def _at(edge: _Edge, frame: str, stamp: int) -> Pose:
    """The pose of an edge at a time, between two messages by interpolation."""
    if edge.static or stamp == 0:
        return edge.poses[-1]
    index = bisect.bisect_left(edge.stamps, stamp)
    if index == len(edge.stamps):
        late = (stamp - edge.stamps[-1]) / SECOND
        raise NotYetKnown(f"the newest transform of '{frame}' in '{edge.parent}' is {late:.3f} s before the cloud")
    if edge.stamps[index] == stamp:
        return edge.poses[index]
    if index == 0:
        early = (edge.stamps[0] - stamp) / SECOND
        raise TooEarly(
            f"the first transform of '{frame}' in '{edge.parent}' is {early:.3f} s after the cloud: "
            "start the recording after tf, and check that the clocks agree"
        )
    before, after = edge.poses[index - 1], edge.poses[index]
    weight = (stamp - edge.stamps[index - 1]) / (edge.stamps[index] - edge.stamps[index - 1])
    pose = np.eye(4)
    rotation = Slerp([0, 1], Rotation.from_matrix(np.stack([before[:3, :3], after[:3, :3]])))
    pose[:3, :3] = rotation(weight).as_matrix()
    pose[:3, 3] = (1 - weight) * before[:3, 3] + weight * after[:3, 3]
    return pose


def pose_of(translation: Sequence[float], quaternion: Sequence[float]) -> Pose:
    """`[4, 4]` of a translation in meters and a quaternion x, y, z, w.

    Raises PartDistillError for numbers that are no pose.
    """
    values = np.array([*translation, *quaternion], float)
    length = float(np.linalg.norm(values[3:]))
    if not np.isfinite(values).all() or not 0.9 < length < 1.1:
        raise PartDistillError(f"translation {translation} and quaternion {quaternion} are no pose: check who sends tf")
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_quat(values[3:]).as_matrix()
    pose[:3, 3] = values[:3]
    return pose


def move(points: NDArray[np.float32], pose: Pose) -> NDArray[np.float32]:
    """`points [N, 3]` taken to the other frame."""
    return (points.astype(np.float64) @ pose[:3, :3].T + pose[:3, 3]).astype(np.float32)
