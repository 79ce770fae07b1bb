# SPDX-License-Identifier: Apache-2.0
"""Clouds in, scans of objects in a collection out: one recording of the live node or of a bag."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.recorded_scan import Capture
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection, RecordedScan
from partdistill_ros.recording.cut import Cut, CutOut, cut_out, picture_of
from partdistill_ros.recording.registration import JoinedObject, ObjectMoved, RegistrationConfig, transformed
from partdistill_ros.recording.still import Stillness, is_still
from partdistill_ros.recording.transforms import Pose, move

SAME_OBJECT = 0.15  # meters between the middle of a view and that of the object that it continues
TILT = 15.0  # degrees between the table's normal and +z of the object's frame beyond which they contradict


@dataclass(frozen=True)
class Recording:
    """What is done with the clouds.

    join: views of one object become one scan, where the sensor's pose is given; else each view is one.
    keep_still: clouds in which nothing has changed are kept too.
    limit: scans at most, None: no limit.
    """

    cut: Cut = field(default_factory=Cut)
    join: bool = False
    category: str | None = None
    keep_still: bool = False
    limit: int | None = None
    stillness: Stillness = field(default_factory=Stillness)
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)


@dataclass(frozen=True)
class RecordedCloud:
    """A cloud of the stream: `stamp` in nanoseconds and `frame` of its header; `pose [4, 4]`, the sensor's in the
    object's frame, None where tf does not tell; `source` for the manifest."""

    scan: Scan
    stamp: int
    frame: str
    pose: Pose | None = None
    source: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """What became of the clouds, and the scans that were written."""

    clouds: int = 0
    still: int = 0
    refused: int = 0
    known: int = 0
    written: list[RecordedScan] = field(default_factory=list)

    def text(self) -> str:
        """One line for people."""
        others = [(self.still, "still"), (self.refused, "refused"), (self.known, "there already")]
        told = "".join(f", {count} {what}" for count, what in others if count)
        scans = f"{len(self.written)} scan{'s' * (len(self.written) != 1)}"
        return f"{scans} of {self.clouds} cloud{'s' * (self.clouds != 1)}{told}"


class Recorder:
    """Use it from one thread. `take` the clouds, then `finish`, or `discard` what this recording made."""

    def __init__(
        self, collection: Collection, recording: Recording | None = None, tell: Callable[[str], None] = print
    ) -> None:
        """`tell` hears what was done and what could not be, a sentence each."""
        self.recording = recording or Recording()
        self.tally = Tally()
        self._collection = collection
        self._tell = tell
        self._before: NDArray[np.float32] | None = None
        self._joined = JoinedObject(self.recording.registration)
        self._shots: list[tuple[RecordedCloud, Image.Image | None]] = []
        self._known = {_key(member.manifest.source) for member in collection.members(lambda *_: None)}

    @property
    def full(self) -> bool:
        """Whether the limit of scans is reached."""
        return self.recording.limit is not None and len(self.tally.written) >= self.recording.limit

    def take(self, cloud: RecordedCloud) -> None:
        """Cut the objects out of a cloud and keep them. What cannot be used is told and left out.

        Raises PartDistillError only where the collection cannot be written.
        """
        if self.full:
            return
        self.tally.clouds += 1
        try:
            objects = self._objects(cloud)
        except PartDistillError as error:
            self.tally.refused += 1
            self._tell(f"left out: {error}")
            return
        seen = np.concatenate([found.scan.points for found in objects])
        if not self.recording.keep_still and self._before is not None and is_still(self._before, seen, self._still()):
            self.tally.still += 1
            return
        self._before = seen
        if self.recording.join and cloud.pose is not None:
            self._join(cloud, objects[0])
        else:
            for number, found in enumerate(objects):
                self._keep(cloud, found, number)

    def finish(self) -> Tally:
        """Write the joined object, if there is one; the recorder may then go on with another."""
        views, shots = self._joined.views, self._shots
        if views:
            scan = self._joined.scan(shots[0][0].scan.name).with_(category=self.recording.category)
            captures = [
                Capture(cloud.stamp, cloud.frame, view.pose.tolist())
                for (cloud, _), view in zip(shots, views, strict=True)
            ]
            source = {**shots[0][0].source, "views": len(views)}
            self._write(scan, source, captures, [picture for _, picture in shots])
        self._joined, self._shots = JoinedObject(self.recording.registration), []
        return self.tally

    def discard(self) -> list[str]:
        """Delete the scans of this recording, and forget the object in work; their names."""
        self._joined, self._shots = JoinedObject(self.recording.registration), []
        names = [member.name for member in self.tally.written]
        for name in names:
            self._collection.remove(name)
        self.tally.written.clear()
        return names

    def _still(self) -> Stillness:
        return self.recording.stillness

    def _objects(self, cloud: RecordedCloud) -> list[CutOut]:
        """The objects of the cloud; while one is being joined, that one."""
        if not self._joined.views or cloud.pose is None:
            return cut_out(cloud.scan, self.recording.cut, cloud.pose)
        cut = self.recording.cut
        every = cut_out(cloud.scan, Cut(cut.kind, "all", cut.low, cut.high, cut.least, cut.tabletop), cloud.pose)
        middle = self._joined.center()

        def distance(found: CutOut) -> float:
            assert cloud.pose is not None
            return float(np.linalg.norm(move(found.scan.points, cloud.pose).astype(float).mean(0) - middle))

        return [min(every, key=distance)]

    def _join(self, cloud: RecordedCloud, found: CutOut) -> None:
        assert cloud.pose is not None
        scan = found.scan.with_(up=_up(found.scan, cloud.pose))
        if self._joined.views and self._is_elsewhere(scan, cloud.pose):
            self._tell(f"{cloud.scan.name}: the object stands elsewhere now, a new scan begins")
            self.finish()
        try:
            self._joined.add(scan, cloud.pose)
        except ObjectMoved as error:
            self._tell(f"{cloud.scan.name}: {error}, a new scan begins")
            self.finish()
            if self.full:
                return
            self._joined.add(scan, cloud.pose)
        self._shots.append((cloud, picture_of(cloud.scan, found.index)))
        self._tell(f"{cloud.scan.name}: view {len(self._shots)}, {len(scan.points)} points")

    def _is_elsewhere(self, scan: Scan, pose: Pose) -> bool:
        middle = move(scan.points, pose).astype(float).mean(0)
        return float(np.linalg.norm(middle - self._joined.center())) > SAME_OBJECT

    def _keep(self, cloud: RecordedCloud, found: CutOut, number: int) -> None:
        """One view as a scan."""
        if self.full:
            return
        name = cloud.scan.name if number == 0 else f"{cloud.scan.name}_{number + 1}"
        scan = found.scan.with_(name=name, category=self.recording.category)
        pose = None if cloud.pose is None else cloud.pose.tolist()
        if cloud.pose is not None:
            scan = transformed(scan.with_(up=_up(scan, cloud.pose)), cloud.pose)
        picture = picture_of(cloud.scan, found.index)
        self._write(scan, {**cloud.source, "object": number}, [Capture(cloud.stamp, cloud.frame, pose)], [picture])

    def _write(
        self, scan: Scan, source: dict[str, Any], captures: list[Capture], pictures: list[Image.Image | None]
    ) -> None:
        source = {**source, "cut": self.recording.cut.kind, "stamp": captures[0].stamp}
        if _key(source) in self._known:
            self.tally.known += 1
            return
        self._known.add(_key(source))
        member = self._collection.add(scan, source=source, captures=captures, pictures=pictures)
        self.tally.written.append(member)
        views = f", {len(captures)} views" if len(captures) > 1 else ""
        self._tell(f"{member.name}: {len(scan.points)} points{views}")


def _up(scan: Scan, pose: Pose) -> NDArray[np.float32]:
    """Up of a scan in the sensor's frame: the table's normal where it agrees with +z of the object's frame, and
    that axis otherwise (REP 103: z is up)."""
    axis = pose[2, :3].astype(np.float32)
    if scan.up is None or float(scan.up @ axis) < np.cos(np.deg2rad(TILT)):
        return axis
    return scan.up


def _key(source: dict[str, Any]) -> str:
    """What tells that the same clouds have been recorded already."""
    return json.dumps(source, sort_keys=True)
