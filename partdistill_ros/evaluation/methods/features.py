# SPDX-License-Identifier: Apache-2.0
"""Distilled features, as OpenScene does (Peng et al., CVPR 2023): the student learns the teacher's dense features,
fused over the views that see a point, by cosine distance; a point is the part whose text is nearest to its feature.
Units, confidences and backward distillation play no part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.trainer import Batch, Trainer
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.methods.distilled_student import DistilledMethod, MethodConfig
from partdistill_ros.evaluation.methods.vote import pixel_votes
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.evaluation.training_samples import cloud_of, no_units
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.teachers.protocol import PixelAnswer, Teacher


@runtime_checkable
class FeatureTeacher(Protocol):
    """A teacher whose pixels lie in a text space."""

    @property
    def size(self) -> int: ...

    def text(self, parts: Sequence[str], category: str | None) -> NDArray[np.float32]:
        """Unit embeddings `[P, D]` of the parts in that space."""
        ...

    def features(self, rendering: Rendering) -> NDArray[np.float32]:
        """Unit features `[V, D, H, W]` of the pictures."""
        ...


class FeaturesMethod(DistilledMethod):
    """teacher: one that gives features."""

    def __init__(self, teacher: Teacher, shapes: Sequence[Shape], config: MethodConfig) -> None:
        if not isinstance(teacher, FeatureTeacher):
            raise PartDistillError(f"the teacher '{teacher.name}' gives no features to distill: choose mini or clip")
        # Neither checkpoints nor generated shapes: such a training knows of none.
        config = replace(config, recipe=replace(config.recipe, work=None), generated=())
        super().__init__("features", unasked_samples, shapes, "none", config)
        self.trainer_type = partial(FeatureTrainer, teacher)
        self._teacher = teacher

    def text(self, category: str, parts: Sequence[str]) -> list[NDArray[np.float32]]:
        return list(self._teacher.text(parts, category)[:, None])

    def dim(self) -> int:
        return self._teacher.text(["part"], None).shape[1]


def unasked_samples(shapes: Sequence[Shape]) -> list[Sample]:
    """The shapes without any unit: nobody is asked about parts."""
    clouds = [cloud_of(shape).points for shape in shapes]
    return [
        Sample(shape.question.name, shape.question.category, points, no_units(len(points), shape.question.parts),
               up_unknown=shape.question.cloud.up_unknown)
        for shape, points in zip(shapes, clouds, strict=True)
    ]  # fmt: skip


class FeatureTrainer(Trainer):
    """A training whose `soft_labels [N, D]` are fused features, zero where no view shows the point."""

    def __init__(self, teacher: FeatureTeacher, *settings: Any, **options: Any) -> None:
        self._teacher = teacher
        super().__init__(*settings, **options)

    def update_labels(self) -> None:
        self.soft_labels = [fused_features(self._teacher, sample) for sample in self.samples]

    def loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        wanted = batch.soft_labels.transpose(1, 2)
        known = wanted.square().sum(-1) > 0
        distance = 1 - F.cosine_similarity(embeddings, wanted, dim=-1)
        return (distance * known).sum() / known.sum().clamp(min=1)


def fused_features(teacher: FeatureTeacher, sample: Sample) -> NDArray[np.float16]:
    """Mean feature `[N, D]` of each point over the views that show it, of unit length; 0 where none does."""
    scan = Scan(points=sample.points, up=np.array([0, 0, 1], np.float32), name=sample.name)
    rendering = render_scan(scan, views_for(scan), teacher.size)
    fused = pixel_votes(PixelAnswer(teacher.features(rendering)), rendering)
    return (fused / np.maximum(np.linalg.norm(fused, axis=1, keepdims=True), 1e-9)).astype(np.float16)
