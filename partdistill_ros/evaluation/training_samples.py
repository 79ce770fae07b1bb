# SPDX-License-Identifier: Apache-2.0
"""Evaluated shapes as collections to distill on: what a teacher says of them, and what the truth says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from partdistill_ros.distillation import posing
from partdistill_ros.distillation.known_views import upright_with_views
from partdistill_ros.distillation.labels import labeled_sample
from partdistill_ros.distillation.posing import Pose, surface_cloud
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.evaluation.datasets.prepared import prepared_units
from partdistill_ros.evaluation.shapes import Question, Shape
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.teachers.protocol import Teacher

CLOUD_POINTS = 8192  # of each shape, from which training clouds are drawn

Watch = Callable[[Iterable[Shape]], Iterable[Shape]]


def posed(question: Question, teacher: str = "") -> Scan:
    """The question's cloud as it stands in the views that the teacher of this name is shown, see `posing.posed`."""
    return posing.posed(question.cloud, teacher)


def teacher_samples(
    shapes: Sequence[Shape],
    teacher: Teacher,
    store: KnowledgeStore | None = None,
    watch: Watch = iter,
    views_of: str = "points",
) -> list[Sample]:
    """The shapes with what the teacher says of their ten views.

    views_of: `points`, or `mesh` where a shape has one; the student gets points either way.
    """
    samples = []
    reveal = getattr(teacher, "reveal", lambda cloud: None)  # a teacher of an experiment may damage the true labels
    for number, shape in enumerate(watch(shapes)):
        question, cloud = shape.question, cloud_of(shape, teacher.name, views_of)
        reveal(cloud)
        up_unknown = question.cloud.up_unknown
        samples.append(
            make_sample(
                cloud, question.parts, question.category, teacher, store=store, seed=number, up_unknown=up_unknown
            )
        )
    return samples


def true_samples(shapes: Sequence[Shape], teacher: str = "") -> list[Sample]:
    """The shapes with one unit for each true part: what the ceiling is trained on.  teacher: see `posed`."""
    asked = [(shape, shape.question) for shape in shapes]
    return [
        labeled_sample(cloud_of(shape, teacher), own.parts, own.category, own.cloud.up_unknown) for shape, own in asked
    ]


def no_units(points: int, parts: Sequence[str]) -> KnowledgeUnits:
    """What is known where nothing is."""
    none = np.zeros(0, np.int32)
    return KnowledgeUnits(
        none.astype(np.int16), none.astype(np.float32), none.astype(np.int16), np.zeros(1, np.int64), none, points,
        tuple(parts),
    )  # fmt: skip


def prepared_samples(shapes: Sequence[Shape], folder: Path) -> list[Sample]:
    """Shapes of `datasets.prepared` in `folder` with the boxes that their authors found, of the public views where
    these explain them. Raises PartDistillError for shapes that are not there."""
    samples = []
    for shape in shapes:
        question, scan = shape.question, shape.labeled
        units = prepared_units(folder, question.name) or no_units(len(scan.points), question.parts)
        cloud, views = upright_with_views(scan, units)
        samples.append(Sample(question.name, question.category, cloud.points, units, views=views, boxes=True))
    return samples


def cloud_of(shape: Shape, teacher: str = "", views_of: str = "points") -> Scan:
    """The labeled cloud that a student learns from, upright in the unit ball, in the pose of `posed`; with the shape's
    mesh around it where views are to be taken of that."""
    scan = shape.labeled.with_(up=posed(shape.question, teacher).up)
    if views_of == "points" or scan.mesh is None:
        return upright_cloud(scan, CLOUD_POINTS)
    cloud = surface_cloud(scan, CLOUD_POINTS)
    pose = Pose.of(cloud)
    return pose.apply(cloud).with_(mesh=pose.apply(scan).mesh)
