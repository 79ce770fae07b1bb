# SPDX-License-Identifier: Apache-2.0
"""Objects and parts as messages of vision_msgs, which is not part of every ROS 2 installation."""

from __future__ import annotations

import importlib.util
from typing import Any

from partdistill_ros.inference.parts import Boxes, FoundPart
from partdistill_ros.nodes.conversions import Cloud, box_pose, box_size
from partdistill_ros.objects.part_box import Box

MISSING = (
    "the topics 'objects' and 'parts' are not offered, for the message types of 'vision_msgs' are not installed: "
    "apt install ros-$ROS_DISTRO-vision-msgs, or set detections to false"
)


def installed() -> bool:
    """Whether the messages can be made."""
    return importlib.util.find_spec("vision_msgs") is not None


def object_detections(cloud: Cloud, found: Boxes) -> Any:
    """Every object as a Detection3DArray, labeled or not: `id` its number, the class its category, else 'object'."""
    named = [(str(o.object.number), o.object.category or "object", o, box) for o, box in found.objects]
    return _array(cloud, named)


def part_detections(cloud: Cloud, found: Boxes) -> Any:
    """Every part as a Detection3DArray: `id` is '3/handle' for the handle of object 3, the class 'handle'."""
    return _array(cloud, [(f"{part.object.number}/{part.name}", part.name, part, box) for part, box in found.parts])


def _array(cloud: Cloud, named: list[tuple[str, str, FoundPart, Box]]) -> Any:
    from vision_msgs.msg import Detection3DArray

    return Detection3DArray(header=cloud.header, detections=[_detection(cloud, *one) for one in named])


def _detection(cloud: Cloud, identity: str, kind: str, part: FoundPart, box: Box) -> Any:
    """In meters, whatever the unit of the cloud: the box of the markers."""
    from vision_msgs.msg import Detection3D, ObjectHypothesisWithPose

    detection = Detection3D(header=cloud.header, id=identity)
    detection.bbox.center, detection.bbox.size = box_pose(box), box_size(box)
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id, hypothesis.hypothesis.score = kind, part.score
    hypothesis.pose.pose = detection.bbox.center
    detection.results = [hypothesis]
    return detection
