# SPDX-License-Identifier: Apache-2.0
"""From scans and part names to a student bundle: render, query the teacher, distill, export."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch

from partdistill_ros.distillation.answers import TextEmbeddings
from partdistill_ros.distillation.config import Augmentation, DistillConfig, Schedule, augmentation_for, schedule_for
from partdistill_ros.distillation.processes import end_others, from_first
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.rescored_units import RescoredUnits, rescored_units, save_rescored
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.sources import collect_samples
from partdistill_ros.distillation.trainer import Trainer
from partdistill_ros.distillation.work_folder import locked
from partdistill_ros.inference.bundle import check_place
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.io.content_key import content_key
from partdistill_ros.students.build import check_start_space, new_student, save_student, start_key
from partdistill_ros.students.names import start_folder
from partdistill_ros.teachers.clip_text import load_space
from partdistill_ros.text.attach import attach
from partdistill_ros.text.space import TextSpace, clean_name

log = logging.getLogger(__name__)
# What a training does not depend on, or what enters by itself: content of scans and first weights, schedule, rule.
NOT_IN_KEY = ("scans", "generated", "labels", "out", "name", "device", "renderer", "with_text_encoder", "backward",
              "backward_config", "epochs", "batch", "ray")  # fmt: skip


@dataclass(frozen=True)
class Run:
    """What a run leaves: the bundle's directory, its samples with the units as they were re-scored in the end, and what
    was left out, a sentence each.  work: the folder that it goes on from."""

    bundle: Path
    work: Path
    samples: Sequence[Sample]
    rescored: Sequence[RescoredUnits]
    backward_from: int | None
    left_out: tuple[str, ...]


def distill(config: DistillConfig, report: Callable[[Progress], None] | None = None) -> Run:
    """Distill a student on the scans of one category and write its bundle.

    Scans that cannot be used are reported and left out. A run that was stopped goes on where it was; the re-scored
    units lie in `<out>.work/backward` to be looked at.
    Raises PartDistillError where no scan is left, the output cannot be written, or another run is writing it.
    """
    check_place(config.out)
    space = load_space(config.text_space, config.teacher, config.device)
    check_start_space(config.start, space)
    with locked(config.out) as work:
        return _distill(config, space, work, report or (lambda _: None))


def _distill(config: DistillConfig, space: TextSpace, work: Path, report: Callable[[Progress], None]) -> Run:
    config = replace(config, category=clean_name(config.category or "object"))
    category, parts = str(config.category), config.parts
    encoder = space.encoder.export(space) if config.with_text_encoder else None  # fails before the work, if at all
    left_out: list[str] = []
    samples = from_first(lambda: collect_samples(config, parts, work, report, left_out))
    config = resolved(config, len(samples))
    text = {category: [space.encode([part]) for part in parts]}
    torch.manual_seed(config.seed)
    trainer = Trainer(
        new_student(config.student, space.dim, config.start, config.freeze_encoder),
        samples,
        text,
        config.schedule or Schedule(),
        config.augmentation or Augmentation(),
        backward=config.backward,
        backward_config=config.backward_config,
        device=config.device,
        seed=config.seed,
        checkpoint=work / f"fit-{run_key(config, samples, text, config.backward)}.pt",
        forward=work / f"forward-{run_key(config, samples, text)}.pt",
        second_opinion=config.start == "default",
    )
    student = trainer.run(report)
    end_others()
    if config.backward == "posterior" and all(one.posterior is None for one in trainer.rescored):
        log.warning(
            "no unit was re-scored: the student agrees with its teacher by chance only. More scans, more epochs or "
            "plainer part names may help"
        )
    rescored = rescored_units(samples, trainer.rescored)
    save_rescored(rescored if trainer.state.backward_from is not None else (), work / "backward")
    report(Progress("export", 0, 1, float("nan")))
    names = tuple(dict.fromkeys((*space.names, category, *parts)))
    vocabulary = Vocabulary(names, space.encode(names), {category: parts})
    bundle = save_student(
        student, config.out, config.name or config.out.name, vocabulary, space, training_summary(config, trainer)
    )
    bundle = bundle if encoder is None else attach(bundle, encoder)
    report(Progress("export", 1, 1, float("nan")))
    return Run(bundle, work, samples, rescored, trainer.state.backward_from, tuple(left_out))


def resolved(config: DistillConfig, num_samples: int) -> DistillConfig:
    """The configuration with the schedule and augmentation that suit its mode and data where it names none."""
    tta, trained = config.mode == "tta", config.start == "default" or start_folder(config.start) is not None
    schedule = config.schedule or schedule_for(num_samples, tta=tta, trained=trained, epochs=config.epochs)
    schedule, augmentation = replace(schedule, batch=config.batch or schedule.batch), config.augmentation
    return replace(
        config, schedule=schedule, epochs=None, batch=None, augmentation=augmentation or augmentation_for(tta)
    )


def run_key(config: DistillConfig, samples: Sequence[Sample], text: TextEmbeddings, rule: str = "") -> str:
    """Changes with everything that a checkpoint depends on; rule: of backward distillation, "" for what is the same
    under every rule."""
    options = {one.name: getattr(config, one.name) for one in fields(config) if one.name not in NOT_IN_KEY}
    numbers = config.backward_config if rule else None
    return content_key(rule, numbers, options, text, start_key(config.start), samples)


def training_summary(config: DistillConfig, trainer: Trainer) -> dict[str, object]:
    """What the bundle tells of its training."""
    own = ("teacher", "mode", "backward", "student", "start", "seed")
    return {
        "scans": len(trainer.samples),
        **{name: getattr(config, name) for name in own},
        **({"generated": list(config.generated)} if config.generated else {}),
        "epochs": trainer.state.epoch,
        "backward_from": trainer.state.backward_from,
        "loss": round(trainer.state.losses[-1], 4),
    }
