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
from partdistill_ros.evaluation.training_samples import teacher_samples
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.teachers.protocol import PixelAnswer, Teacher


@runtime_checkable
class FeatureTeacher(Protocol):
    """A teacher whose pixels lie in the student's text space."""

    @property
    def size(self) -> int: ...

    def features(self, rendering: Rendering) -> NDArray[np.float32]:
        """Unit features `[V, D, H, W]` of the pictures."""
        ...


class FeaturesMethod(DistilledMethod):
    """teacher: one that gives features."""

    def __init__(self, teacher: Teacher, shapes: Sequence[Shape], config: MethodConfig) -> None:
        if not isinstance(teacher, FeatureTeacher):
            raise PartDistillError(f"the teacher '{teacher.name}' gives no features to distill: choose mini")
        # Neither checkpoints nor generated shapes: such a training knows of none.
        config = replace(config, recipe=replace(config.recipe, work=None), generated=())
        super().__init__("features", partial(teacher_samples, teacher=teacher), shapes, "none", config)
        self.trainer_type = partial(FeatureTrainer, teacher)


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
