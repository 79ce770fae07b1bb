# SPDX-License-Identifier: Apache-2.0
"""Evaluated shapes as collections to distill on: what a teacher says of them, and what the truth says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from partdistill_ros.distillation import posing
from partdistill_ros.distillation.labels import labeled_sample
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.evaluation.shapes import Question, Shape
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.teachers.protocol import Teacher

CLOUD_POINTS = 8192  # of each shape, from which training clouds are drawn

Watch = Callable[[Iterable[Shape]], Iterable[Shape]]


def posed(question: Question, teacher: str = "") -> Scan:
    """The question's cloud as it stands in the views that the teacher of this name is shown, see `posing.posed`."""
    return posing.posed(question.cloud, teacher)


def teacher_samples(
    shapes: Sequence[Shape], teacher: Teacher, store: KnowledgeStore | None = None, watch: Watch = iter
) -> list[Sample]:
    """The shapes with what the teacher says of their ten views."""
    samples = []
    reveal = getattr(teacher, "reveal", lambda cloud: None)  # a teacher of an experiment may damage the true labels
    for number, shape in enumerate(watch(shapes)):
        question, cloud = shape.question, cloud_of(shape, teacher.name)
        reveal(cloud)
        up_unknown = question.cloud.up_unknown
        samples.append(
            make_sample(
                cloud, question.parts, question.category, teacher, store=store, seed=number, up_unknown=up_unknown
            )
        )
    return samples


def true_samples(shapes: Sequence[Shape]) -> list[Sample]:
    """The shapes with one unit for each true part: what the ceiling is trained on."""
    return [
        labeled_sample(cloud_of(shape), shape.question.parts, shape.question.category, shape.question.cloud.up_unknown)
        for shape in shapes
    ]


def cloud_of(shape: Shape, teacher: str = "") -> Scan:
    """The labeled cloud that a student learns from, upright in the unit ball, in the pose of `posed`."""
    return upright_cloud(shape.labeled.with_(up=posed(shape.question, teacher).up), CLOUD_POINTS)
