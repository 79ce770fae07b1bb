# SPDX-License-Identifier: Apache-2.0
"""Clouds in, scans of objects in a collection out: one recording of the live node or of a bag."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.recorded_scan import Capture
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection, RecordedScan
from partdistill_ros.recording.cut import Cut, CutObject, cut_objects, picture_of
from partdistill_ros.recording.registration import JoinedObject, ObjectMoved, RegistrationConfig, transformed
from partdistill_ros.recording.transforms import Pose, move

SAME_OBJECT = 0.15  # meters between the center of a view and that of the object that it continues
MAX_TILT = 15.0  # degrees between the table's normal and +z of the object's frame beyond which they contradict


@dataclass(frozen=True)
class ChangeThreshold:
    """From where on a cloud shows something new.

    distance: meters by which a point may be off and count as unchanged, at up to 1 m from the sensor; it grows with
        the square of the range, as the noise of depth cameras does.
    fraction: of the points that must be off more than that, in either cloud; outlines flicker.
    max_points: points compared.
    """

    distance: float = 0.006
    fraction: float = 0.05
    max_points: int = 2000


@dataclass(frozen=True)
class Recording:
    """What is done with the clouds.

    join: views of one object become one scan, where the sensor's pose is given; else each view is one.
    keep_unchanged: clouds in which nothing has changed are kept too.
    limit: scans at most, None: no limit.
    """

    cut: Cut = field(default_factory=Cut)
    join: bool = False
    category: str | None = None
    keep_unchanged: bool = False
    limit: int | None = None
    change: ChangeThreshold = field(default_factory=ChangeThreshold)
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)


@dataclass(frozen=True)
class RecordedCloud:
    """A cloud of the stream: `stamp` in nanoseconds and `frame` of its header; `pose [4, 4]`, the sensor's in the
    object's frame, None where tf does not know it; `source` for the manifest."""

    scan: Scan
    stamp: int
    frame: str
    pose: Pose | None = None
    source: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """What became of the clouds, and the scans that were written."""

    clouds: int = 0
    unchanged: int = 0
    refused: int = 0
    known: int = 0
    written: list[RecordedScan] = field(default_factory=list)

    def text(self) -> str:
        """One line for people."""
        counts = [(self.unchanged, "unchanged"), (self.refused, "refused"), (self.known, "there already")]
        others = "".join(f", {count} {what}" for count, what in counts if count)
        scans = f"{len(self.written)} scan{'s' * (len(self.written) != 1)}"
        return f"{scans} of {self.clouds} cloud{'s' * (self.clouds != 1)}{others}"


class Recorder:
    """Use it from one thread. `add` the clouds, then `finish`, or `discard` what this recording made."""

    def __init__(
        self, collection: Collection, recording: Recording | None = None, report: Callable[[str], None] = print
    ) -> None:
        """`report` gets what was done and what could not be, a sentence each."""
        self.recording = recording or Recording()
        self.tally = Tally()
        self._collection = collection
        self._report = report
        self._before: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None  # objects, and the whole cloud
        self._joined = JoinedObject(self.recording.registration)
        self._captures: list[tuple[RecordedCloud, Image.Image | None]] = []
        self._known = {_key(recorded.manifest.source) for recorded in collection.scans(lambda *_: None)}

    @property
    def full(self) -> bool:
        """Whether the limit of scans is reached, with those that were there already."""
        limit = self.recording.limit
        return limit is not None and len(self.tally.written) + self.tally.known >= limit

    def add(self, cloud: RecordedCloud) -> None:
        """Cut the objects out of a cloud and keep them. What cannot be used is reported and left out.

        Raises PartDistillError only where the collection cannot be written.
        """
        if self.full:
            return
        self.tally.clouds += 1
        try:
            objects = self._objects(cloud)
        except PartDistillError as error:
            self.tally.refused += 1
            self._report(f"left out: {error}")
            return
        points = np.concatenate([found.scan.points for found in objects])
        if not self.recording.keep_unchanged and self._before is not None:
            before, cloud_before = self._before
            if is_unchanged(before, points, self.recording.change, (cloud_before, cloud.scan.points)):
                self.tally.unchanged += 1
                return
        self._before = points, cloud.scan.points
        if self.recording.join and cloud.pose is not None:
            self._join(cloud, objects[0], cloud.pose)
        else:
            for number, found in enumerate(objects):
                self._keep(cloud, found, number)

    def finish(self) -> Tally:
        """Write the joined object, if there is one; the recorder may then go on with another."""
        views, captured = self._joined.views, self._captures
        if views:
            first = captured[0][0]
            captures = [
                (Capture(cloud.stamp, cloud.frame, view.pose.tolist()), picture)
                for (cloud, picture), view in zip(captured, views, strict=True)
            ]
            scan = self._joined.scan(first.scan.name).with_(category=self.recording.category)
            self._write(scan, {**first.source, "views": len(views)}, captures)
        self._forget_joined()
        return self.tally

    def discard(self) -> list[str]:
        """Delete the scans of this recording, and forget the object in work; their names."""
        self._forget_joined()
        names = [recorded.name for recorded in self.tally.written]
        for name in names:
            self._collection.remove(name)
        self.tally.written.clear()
        return names

    def _forget_joined(self) -> None:
        self._joined, self._captures = JoinedObject(self.recording.registration), []

    def _objects(self, cloud: RecordedCloud) -> list[CutObject]:
        """The objects of the cloud; while one is being joined, that one."""
        if not self._joined.views or cloud.pose is None:
            return cut_objects(cloud.scan, self.recording.cut, cloud.pose)
        center, pose = self._joined.center(), cloud.pose

        def distance(found: CutObject) -> float:
            return float(np.linalg.norm(_center(found.scan, pose) - center))

        return [min(cut_objects(cloud.scan, replace(self.recording.cut, pick="all"), pose), key=distance)]

    def _join(self, cloud: RecordedCloud, found: CutObject, pose: Pose) -> None:
        scan = found.scan.with_(up=_up(found.scan, pose))
        if self._joined.views and np.linalg.norm(_center(scan, pose) - self._joined.center()) > SAME_OBJECT:
            self._report(f"{cloud.scan.name}: the object stands elsewhere now, a new scan begins")
            self.finish()
            if self.full:
                return
        try:
            self._joined.add(scan, pose)
        except ObjectMoved as error:
            self._report(f"{cloud.scan.name}: {error}, a new scan begins")
            self.finish()
            if self.full:
                return
            self._joined.add(scan, pose)
        self._captures.append((cloud, picture_of(cloud.scan, found.index)))
        self._report(f"{cloud.scan.name}: view {len(self._captures)}, {len(scan.points)} points")

    def _keep(self, cloud: RecordedCloud, found: CutObject, number: int) -> None:
        """One view as a scan."""
        if self.full:
            return
        name = cloud.scan.name if number == 0 else f"{cloud.scan.name}_{number + 1}"
        scan = found.scan.with_(name=name, category=self.recording.category)
        pose = None if cloud.pose is None else cloud.pose.tolist()
        if cloud.pose is not None:
            scan = transformed(scan.with_(up=_up(scan, cloud.pose)), cloud.pose)
        picture = picture_of(cloud.scan, found.index)
        self._write(scan, {**cloud.source, "object": number}, [(Capture(cloud.stamp, cloud.frame, pose), picture)])

    def _write(self, scan: Scan, source: dict[str, Any], captures: list[tuple[Capture, Image.Image | None]]) -> None:
        source = {**source, "cut": self.recording.cut.kind, "stamp": captures[0][0].stamp}
        if _key(source) in self._known:
            self.tally.known += 1
            return
        self._known.add(_key(source))
        recorded = self._collection.add(scan, source=source, captures=captures)
        self.tally.written.append(recorded)
        views = f", {len(captures)} views" if len(captures) > 1 else ""
        self._report(f"{recorded.name}: {len(scan.points)} points{views}")


def is_unchanged(
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    threshold: ChangeThreshold | None = None,
    clouds: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
) -> bool:
    """Whether two finite clouds of objects `[N, 3]` and `[M, 3]` in the sensor's frame show the same, but for noise.

    clouds: the whole clouds that they were cut from. The same scene is not cut alike twice: each object is looked for
    in all that was seen, so that a handle that is cut off in one of them is no change.
    """
    threshold = threshold or ChangeThreshold()
    if not len(before) or not len(after):
        return len(before) == len(after)
    cloud_before, cloud_after = clouds or (before, after)
    changed = max(_changed_fraction(before, cloud_after, threshold), _changed_fraction(after, cloud_before, threshold))
    return changed < threshold.fraction


def _changed_fraction(points: NDArray[np.float32], others: NDArray[np.float32], threshold: ChangeThreshold) -> float:
    """The fraction of the points that have none of the others near."""
    some = points[:: max(1, len(points) // threshold.max_points)]
    near = threshold.distance * np.maximum(1.0, np.square(some).sum(1))
    around = CropBox(tuple(some.min(0) - near.max()), tuple(some.max(0) + near.max())).inside(others)
    if not len(around):
        return 1.0
    return float((cKDTree(others[around]).query(some)[0] > near).mean())


def _center(scan: Scan, pose: Pose) -> NDArray[np.float64]:
    """The mean of the points in the object's frame."""
    center: NDArray[np.float64] = move(scan.points, pose).astype(float).mean(0)
    return center


def _up(scan: Scan, pose: Pose) -> NDArray[np.float32]:
    """Up of a scan in the sensor's frame: the table's normal where it agrees with +z of the object's frame, and
    that axis otherwise (REP 103: z is up)."""
    axis = pose[2, :3].astype(np.float32)
    if scan.up is None or float(scan.up @ axis) < np.cos(np.deg2rad(MAX_TILT)):
        return axis
    return scan.up


def _key(source: dict[str, Any]) -> str:
    """By what it is seen that the same clouds have been recorded already."""
    return json.dumps(source, sort_keys=True)
