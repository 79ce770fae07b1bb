# SPDX-License-Identifier: Apache-2.0
"""Recordings of `ros2 bag record` into a collection, read without ROS."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import warn_left_out
from partdistill_ros.io.readers.bag import BagCloud, bag_name, count_clouds, read_clouds, read_transforms
from partdistill_ros.pointcloud.scan import UNITS
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.recorder import RecordedCloud, Recorder, Recording, Tally
from partdistill_ros.recording.transforms import TransformTree, pose_of

log = logging.getLogger(__name__)

ProgressBar = Callable[[Iterable[BagCloud], str, int], Iterable[BagCloud]]
"""A progress bar over the clouds, given a label and their number."""


def collect_bag(
    bag: Path,
    collection: Collection,
    recording: Recording | None = None,
    *,
    topic: str | None = None,
    every: int = 1,
    object_frame: str | None = None,
    unit: str = "m",
    report: Callable[[str], None] = log.info,
    progress: ProgressBar = lambda clouds, label, total: clouds,
) -> Tally:
    """Cut the objects out of a bag's clouds and keep them as scans named after the bag and the message.

    object_frame: the frame in which the object stands still (a map for a moving camera, the turntable's frame for a
    turntable); the bag's tf then gives the sensor's pose in it.  unit: of the clouds, `m` or `mm`.
    A bag that was collected before adds only what is missing. A message that cannot be used is reported and left out.
    Raises PartDistillError for a bag that cannot be read, a missing topic, or an object frame unknown to its tf.
    """
    total = count_clouds(bag, topic)
    tree = None if object_frame is None else bag_transforms(bag)
    if recording is not None and recording.join and object_frame is None:
        raise PartDistillError("views can only be joined in a frame in which the object stands still: name it")
    recorder = Recorder(collection, recording, report)
    clouds = read_clouds(bag, topic, every, lambda _, error: report(f"left out: {error}"))
    posed = 0
    for cloud in progress(clouds, bag_name(bag), -(-total // every)):
        source = {"bag": bag_name(bag), "topic": cloud.topic, "message": cloud.number}
        scan = cloud.scan if unit == "m" else cloud.scan.scaled(UNITS[unit])
        recorded = RecordedCloud(scan, cloud.stamp, cloud.frame, None, source)
        if tree is not None:
            try:
                recorded = replace(recorded, pose=tree.pose(cloud.frame, str(object_frame), cloud.stamp))
                posed += 1
            except PartDistillError as error:
                recorder.tally.clouds += 1
                recorder.tally.refused += 1
                report(f"left out: {cloud.scan.name}: {error}")
                continue
        recorder.add(recorded)
        if recorder.full:
            break
    tally = recorder.finish()
    if tree is not None and not posed:
        raise PartDistillError(f"{bag}: no cloud has a pose in '{object_frame}', see above: name a frame that tf knows")
    return tally


def bag_transforms(bag: Path) -> TransformTree:
    """All that the bag's tf topics say. Raises PartDistillError where they say nothing."""
    tree, count = TransformTree(), 0
    for one in read_transforms(bag):
        try:
            tree.add(one.parent, one.child, one.stamp, pose_of(one.translation, one.quaternion), one.static)
            count += 1
        except PartDistillError as error:
            warn_left_out(bag, error)
    if not count:
        raise PartDistillError(
            f"{bag} has no tf: record the topics /tf and /tf_static too, or leave out the object's frame"
        )
    return tree
