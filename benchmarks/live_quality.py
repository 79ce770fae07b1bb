# SPDX-License-Identifier: Apache-2.0
"""How well the parts of the mug in a real scene come back, once and over noisy frames. Used by `live_scene.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.scene import SceneOptions, label_scene
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.tracking import ObjectTracker, TrackingOptions
from partdistill_ros.pointcloud.scan import Scan

TRUTH = {"cup": "30", "handle": "31"}
"""Names of the mug's parts among the labels of the scan."""
NOISE = 1.4e-3  # meters at 1 m, growing with the squared range: the random error of a Kinect's depth
WAYS = {
    "each cloud alone": None,
    "memory (default)": TrackingOptions(),
    "smoothing 0.8": TrackingOptions(smoothing=0.8),
    "smoothing 0.8, all asked": TrackingOptions(refresh=0, smoothing=0.8),
}


def mug_miou(
    scan: Scan, labels: NDArray[np.int16], parts: tuple[str, ...], where: NDArray[np.bool_] | None = None
) -> dict[str, float] | None:
    """IoU of handle and cup and their mean, over the points `where` (all unless told); None where the
    query or the scan has no such parts."""
    if scan.point_labels is None or not set(TRUTH) <= set(parts) or not set(TRUTH.values()) <= set(scan.parts):
        return None
    inside = np.ones(len(labels), bool) if where is None else where
    result = {}
    for part, code in TRUTH.items():
        truth = (scan.point_labels == scan.parts.index(code)) & inside
        answer = (labels == parts.index(part)) & inside
        result[part] = float((truth & answer).sum() / max(1, (truth | answer).sum()))
    return result | {"mean": float(np.mean([result[part] for part in TRUTH]))}


def noisy_frames(scan: Scan, count: int) -> Iterator[Scan]:
    """The scan as a depth camera that stands still would see it again and again."""
    origin = np.zeros(3, np.float32) if scan.viewpoint is None else scan.viewpoint
    rays = scan.points - origin
    growth = np.linalg.norm(rays, axis=1, keepdims=True)
    for seed in range(count):
        error = np.random.default_rng(seed).normal(size=growth.shape).astype(np.float32)
        yield scan.with_(points=(origin + rays * (1 + NOISE * growth * error)).astype(np.float32))


def steadiness(segmenter: Segmenter, query: PartQuery, scan: Scan, frames: int) -> dict[str, dict[str, Any]]:
    """Per way of remembering: the scene's mIoU over noisy frames (mean and worst), the share of labeled points
    whose label changed from frame to frame, and the objects asked about in a frame."""
    result = {}
    for name, remembered in WAYS.items():
        memory, before = ObjectTracker(), None
        scores, changes, asked = [], [], []
        for frame in noisy_frames(scan, frames):
            options = SceneOptions(mode="tabletop", tracking=remembered)
            answer = label_scene(segmenter, query, frame, options, memory)
            asked.append(len(answer.objects) if remembered is None else memory.num_predicted)
            scores.append((mug_miou(scan, answer.labels, answer.parts) or {"mean": float("nan")})["mean"])
            if before is not None:
                either = (before >= 0) | (answer.labels >= 0)
                changes.append(float((before != answer.labels)[either].mean()) if either.any() else 0.0)
            before = answer.labels
        result[name] = {
            "miou": float(np.mean(scores)),
            "worst": float(np.min(scores)),
            "changed": float(np.mean(changes)) if changes else 0.0,
            "asked": float(np.mean(asked)),
        }
    return result
