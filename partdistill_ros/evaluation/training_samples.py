# SPDX-License-Identifier: Apache-2.0
"""Evaluated shapes as collections to distill on: what a teacher says of them, and what the truth says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from partdistill_ros.distillation import posing
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
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
    samples = []
    for shape in shapes:
        question, cloud = shape.question, cloud_of(shape)
        labels = cloud.point_labels
        if labels is None:
            raise PartDistillError(f"{question.name}: 'supervised' learns from true labels, which this shape lacks")
        own = [question.parts.index(part) if part in question.parts else -1 for part in cloud.parts]
        place = np.array([*own, -1], np.int16)
        wanted = place[labels]
        if not (wanted >= 0).any():
            raise PartDistillError(f"{question.name}: none of its points is labeled {', '.join(question.parts)}")
        units = true_units(wanted, question.parts)
        samples.append(
            Sample(question.name, question.category, cloud.points, units, up_unknown=question.cloud.up_unknown)
        )
    return samples


def true_units(labels: np.ndarray, parts: Sequence[str]) -> KnowledgeUnits:
    """One unit of score 1 for each part of `labels [N]` (-1: none)."""
    held = [np.flatnonzero(labels == part) for part in range(len(parts))]
    part = np.array([number for number, points in enumerate(held) if len(points)], np.int16)
    sizes = [len(held[number]) for number in part]
    return KnowledgeUnits(
        part=part,
        score=np.ones(len(part), np.float32),
        view=np.full(len(part), -1, np.int16),
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        indices=np.concatenate([held[number] for number in part]).astype(np.int32),
        n_points=len(labels),
        parts=tuple(parts),
    )


def cloud_of(shape: Shape, teacher: str = "") -> Scan:
    """The labeled cloud that a student learns from, upright in the unit ball, in the pose of `posed`."""
    return upright_cloud(shape.labeled.with_(up=posed(shape.question, teacher).up), CLOUD_POINTS)
