# SPDX-License-Identifier: Apache-2.0
"""A simulated outside detector: boxes about the rendered views of a collection, in a file for `--teacher boxes:FILE`.

It stands for a real open-vocabulary detector, whose weights are not shipped and which would have to be asked about
pictures that look real. It is told the truth of the simulated recordings and damages it as such detectors fail
(`controlled_teacher.py`: boxes too large, missed, misnamed, around everything), as badly as PartSLIP's detector does
on PartNetE. The students are told nothing but its boxes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from controlled_teacher import ControlledTeacher
from numpy.typing import NDArray

from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.samples import upright_cloud
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.collection import Collection
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import render_scan

SIZE = 448  # pixels a side; twice what makes the boxes' edges fine enough
Truth = Callable[[dict[str, Any], Scan], NDArray[np.int16]]
"""From where a member comes and its scan to the labels `[N]` of its points."""


def detect(collection: Collection, parts: tuple[str, ...], category: str, truth: Truth, path: Path) -> Path:
    """Write the boxes of every view of every member as a COCO dataset; returns `path`."""
    teacher = ControlledTeacher("box")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    count = DistillConfig.__dataclass_fields__["cloud_points"].default
    for member, scan in collection.load():
        labeled = scan.with_(point_labels=truth(dict(member.manifest.source), scan), parts=parts)
        cloud = upright_cloud(labeled, count)  # the cloud that the trainer will show its views of
        teacher.reveal(cloud)
        views = views_for(cloud)
        answer: Any = teacher.answer(render_scan(cloud, views, SIZE), parts, category)
        first = len(images)
        for view in range(len(views)):
            name = f"{scan.name}/view_{view:02d}.png"
            images.append({"id": first + view, "file_name": name, "width": SIZE, "height": SIZE})
        for box, part, score, view in zip(answer.boxes, answer.part, answer.confidence, answer.view, strict=True):
            left, top, right, bottom = (float(side) for side in np.clip(box, 0, SIZE))
            if right > left and bottom > top:
                shape = [left, top, right - left, bottom - top]
                entry = {"image_id": first + int(view), "category": parts[part], "bbox": shape, "score": float(score)}
                annotations.append(entry)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path
