# SPDX-License-Identifier: Apache-2.0
"""The object in view as a scan to learn from, and its labels by the student that learned it; knows no ROS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.inference.scene import SceneLabels, SceneObject
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.io.save import save_scan
from partdistill_ros.nodes.object_in_view import ObjectInView
from partdistill_ros.pointcloud.layout import unpack_colors
from partdistill_ros.pointcloud.scan import Scan


def save_view(path: Path, seen: ObjectInView, packed_colors: NDArray[np.uint32] | None) -> Path:
    """Write the object as a scan, with its colors `[N] u4` of the whole cloud; returns `path`."""
    colors = None if packed_colors is None else unpack_colors(packed_colors[seen.index])
    save_scan(path, seen.scan.with_(colors=colors, grid=None, name="view"))
    return path


def label_object(bundle: str, query: str, cloud: Scan, seen: ObjectInView) -> SceneLabels:
    """The labels of the object's points in the whole cloud, -1 elsewhere."""
    segmenter = Segmenter(bundle, "cpu")
    asked = segmenter.query(query)
    answer = segmenter.segment([cloud.points[seen.index]], asked, [seen.scan.up])[0]
    labels, confidence = np.full(len(cloud.points), -1, np.int16), np.zeros(len(cloud.points), np.float32)
    labels[seen.index], confidence[seen.index] = answer.labels, answer.confidence
    found = SceneObject(seen.index, answer.category, answer.up)
    return SceneLabels(labels, confidence, answer.parts, (found,), {}, seen.plane, answer.problem)
