# SPDX-License-Identifier: Apache-2.0
"""PartDistill itself (Umam et al., CVPR 2024): a student distilled from the teacher's units, forward only or
forward and backward; and the same student trained on true labels, which is the ceiling.

Three settings. `pre`: distilled on another collection. `tta`: on the evaluated shapes, without their labels.
`tta-each`: on each evaluated shape by itself. One student learns all categories of a collection together, or, as the
authors train, one each category.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from partdistill_ros.distillation.answers import predict_points
from partdistill_ros.distillation.augmentation import ALIGNED
from partdistill_ros.distillation.box_superpoints import with_superpoints
from partdistill_ros.distillation.config import Augmentation, Schedule, schedule_for
from partdistill_ros.distillation.samples import Sample, upright, with_weights
from partdistill_ros.distillation.trainer import Trainer
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.shapes import Question, Shape
from partdistill_ros.evaluation.training_samples import posed, true_samples
from partdistill_ros.io.content_key import content_key
from partdistill_ros.students.build import check_start_space, new_student, start_key
from partdistill_ros.students.names import start_folder
from partdistill_ros.students.student import Student
from partdistill_ros.teachers.protocol import Teacher
from partdistill_ros.text.space import TextSpace
from partdistill_ros.visualization.loss_chart import LossCurve

DRAWS = 1  # samples of a cloud, turned about the vertical, whose answers are averaged; the live node takes one
# The evaluated clouds are whole and upright, so the training clouds are.
WHOLE = Augmentation(partial_view=0.0, free_rotation=0.0, roll_pitch=0.05)
AUGMENTATIONS = {"turned": WHOLE, "aligned": ALIGNED}

MakeSamples = Callable[[Sequence[Shape]], list[Sample]]
"""Shapes to the samples of a training, with what teaches them."""


MakeTeacher = Callable[[Sequence[Shape]], Teacher]
"""The evaluated shapes to a teacher, one for each method."""


@dataclass(frozen=True)
class Recipe:
    """How the student of a method is trained.  start, freeze_encoder: see `students.build.new_student`.
    epochs: instead of the schedule's.  work: folder of checkpoints, from which a run that was stopped goes on,
    and the backward rules of one forward distillation share it."""

    student: str = "patch_transformer"
    start: str = "scratch"
    freeze_encoder: bool = False
    seed: int = 0
    epochs: int | None = None
    device: str = "cpu"
    work: Path | None = None
    augmentation: Augmentation = WHOLE


@dataclass(frozen=True)
class MethodConfig:
    """What every method of a comparison is given.

    teacher: as `load_teacher` takes it, or what makes one.  train: the collection to distill on (pre), None
    for the evaluated shapes (tta).  each: one evaluated shape at a time.  per_category: one student each category.
    views_of: what the teacher sees of a mesh that is learned from, `points` sampled on it or the `mesh` itself.
    prompts: by category and part what the teacher is asked for instead of the part's name.
    prepared: folder of `datasets.prepared`, whose boxes stand for a teacher's.  searched: see `pointclip.Searched`.
    backward: the rule of the method `backward`; `published` weighs units as the paper does, in `forward` too.
    generated, generated_share: shapes added to the collection, see `samples.with_weights`.
    labels: labeled shapes beside the collection, whose true labels are learned.  units: see `DistillConfig`.
    """

    teacher: str | MakeTeacher = "mini"
    train: Sequence[Shape] | None = None
    each: bool = False
    per_category: bool = False
    views_of: str = "points"
    prompts: Mapping[tuple[str, str], str] = field(default_factory=dict)
    prepared: Path | None = None
    searched: Path | None = None
    backward: str = "posterior"
    generated: Sequence[Shape] = ()
    generated_share: float | None = None
    labels: Sequence[Shape] = ()
    units: str = "points"
    recipe: Recipe = field(default_factory=Recipe)

    def __post_init__(self) -> None:
        if self.train is not None and self.each:
            raise PartDistillError("one shape at a time is a way of test-time alignment: leave the training shapes out")

    @property
    def poser(self) -> str:
        """Name of the teacher as `posed` takes it, by which shapes stand in training and when the student is asked."""
        return self.teacher.partition(":")[0] if isinstance(self.teacher, str) else ""


class DistilledMethod:
    """name: for the tables.  make_samples: shapes -> samples with what teaches them.  shapes: the evaluated ones.
    rule: of backward distillation, `none` for forward alone."""

    trainer_type: Callable[..., Trainer] = Trainer

    def __init__(
        self, name: str, make_samples: MakeSamples, shapes: Sequence[Shape], rule: str, config: MethodConfig
    ) -> None:
        self.name, self._make_samples, self._shapes, self._rule = name, make_samples, shapes, rule
        self._config, self._recipe = config, config.recipe
        self.setting = "pre" if config.train is not None else "tta-each" if config.each else "tta"
        self.curves: list[LossCurve] = []
        self.trainer: Trainer | None = None

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Train, then label; in the setting `tta-each` in turns."""
        if self._config.each:
            for shape, question in zip(self._shapes, questions, strict=True):
                yield self._label(self._distill([shape], [question], question.name), question)
            return
        collection = self._shapes if self._config.train is None else self._config.train
        groups = [list(questions)]
        if self._config.per_category:
            groups = [list(group) for _, group in groupby(questions, key=lambda question: question.category)]
        for group in groups:
            of = group[0].category if self._config.per_category else f"{len(collection)} shapes"
            student = self._distill(collection, group, of)
            for question in group:
                yield self._label(student, question)

    @cached_property
    def _space(self) -> TextSpace:
        """That of the student. Raises PartDistillError where its first weights have learned another."""
        space = TextSpace.load()
        check_start_space(self._recipe.start, space)
        return space

    def dim(self) -> int:
        """Length of the student's embeddings."""
        return self._space.dim

    def text(self, category: str, parts: Sequence[str]) -> list[NDArray[np.float32]]:
        """An embedding `[1, D]` for each part."""
        return [self._space.encode([part]) for part in parts]

    def _distill(self, collection: Sequence[Shape], questions: Sequence[Question], of: str) -> Student:
        recipe, tta = self._recipe, self._config.train is None
        parts = {question.category: question.parts for question in questions}
        own, made, labeled = (
            [aligned(shape, parts) for shape in shapes if shape.question.category in parts]
            for shapes in (collection, self._config.generated, self._config.labels)
        )
        if not own and not made and not labeled:
            raise PartDistillError("the training shapes are of other categories than the evaluated ones")
        samples = self._make_samples([*own, *made])
        if self._config.units == "superpoints":
            samples = [with_superpoints(sample) for sample in samples]
        weighted = with_weights(samples[: len(own)], samples[len(own) :], self._config.generated_share)
        samples = [*weighted, *true_samples(labeled, self._config.poser)]
        names = {name: self.text(name, parts[name]) for name in dict.fromkeys(sample.category for sample in samples)}
        trained = recipe.start == "default" or start_folder(recipe.start) is not None
        schedule = schedule_for(len(samples), tta=tta, trained=trained, epochs=recipe.epochs)
        torch.manual_seed(recipe.seed)
        trainer = self._trainer(samples, names, schedule)
        student = trainer.run()
        self.trainer = trainer
        self.curves.append(LossCurve(of, tuple(trainer.state.losses), trainer.state.backward_from))
        return student

    def step_time(self, shapes: Sequence[Shape]) -> float:
        """Seconds of a training step on these shapes, from two steps after the first."""
        parts = {shape.question.category: shape.question.parts for shape in shapes}
        names = {name: self.text(name, own) for name, own in parts.items()}
        trainer = self._trainer(self._make_samples(shapes), names, schedule_for(len(shapes)))
        batch = np.zeros(trainer.schedule.batch, np.int64)
        trainer.train_step(batch, 0)
        began = time.monotonic()
        for step in (1, 2):
            trainer.train_step(batch, step)
        return (time.monotonic() - began) / 2

    def _trainer(
        self,
        samples: Sequence[Sample],
        names: dict[str, list[NDArray[np.float32]]],
        schedule: Schedule,
    ) -> Trainer:
        recipe = self._recipe
        checkpoint = forward = None
        published = self._config.backward == "published"
        if recipe.work is not None:
            start = start_key(recipe.start)
            key = content_key(replace(recipe, work=None, device=""), start, schedule, samples, names)
            rule = "published-none" if published and self._rule == "none" else self._rule
            checkpoint = recipe.work / f"fit-{key}-{rule}.pt"
            forward = recipe.work / f"forward-{key}.pt"
        return self.trainer_type(
            new_student(recipe.student, self.dim(), recipe.start, recipe.freeze_encoder),
            samples,
            names,
            schedule,
            recipe.augmentation,
            backward=self._rule,
            device=recipe.device,
            seed=recipe.seed,
            checkpoint=checkpoint,
            forward=forward,
            published=published,
            second_opinion=recipe.start == "default",
        )

    def _label(self, student: Student, question: Question) -> NDArray[np.int16]:
        points, up_unknown = upright(posed(question, self._config.poser)).points, question.cloud.up_unknown
        parts, recipe = self.text(question.category, question.parts), self._recipe
        turned = recipe.augmentation.yaw > 0
        found = predict_points(student, points, parts, recipe.device, (recipe.seed,), DRAWS, up_unknown, turned)
        return found.argmax(1).astype(np.int16)


def aligned(shape: Shape, parts: Mapping[str, tuple[str, ...]]) -> Shape:
    """A training shape that is asked about the parts of the evaluated category, in their order."""
    return replace(shape, question=replace(shape.question, parts=parts[shape.question.category]))
