# SPDX-License-Identifier: Apache-2.0
"""From scans and part names to a student bundle: render, make_sample, distill, export, check."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from partdistill_ros.distillation.config import Augmentation, DistillConfig, Schedule, augmentation_for, schedule_for
from partdistill_ros.distillation.generated import PROCEDURAL, generated_scans
from partdistill_ros.distillation.known_units import load_known, select_points, split_known, with_parts
from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.distillation.samples import (
    Sample,
    make_sample,
    partial_view_masks,
    upright,
    upright_cloud,
    weighted,
)
from partdistill_ros.distillation.trainer import Progress, Trainer
from partdistill_ros.distillation.unit_store import KnowledgeStore, member_stores
from partdistill_ros.distillation.work_folder import locked
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.io.load import expand, is_bag, load_scans
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import Views
from partdistill_ros.rendering.rasterize import Rendering, load_backend, render_scan
from partdistill_ros.students.build import new_student, save_student
from partdistill_ros.teachers.clip_text import load_space
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, Teacher
from partdistill_ros.teachers.registry import load_teacher
from partdistill_ros.text.attach import attach
from partdistill_ros.text.space import TextSpace, clean_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """What a run leaves: the bundle's directory, its samples with the units as they were graded in the end, and what
    was left out, a sentence each.  work: the folder that it goes on from."""

    bundle: Path
    work: Path
    samples: tuple[Sample, ...]
    rescored: tuple[RescoredUnits, ...]
    backward_from: int | None
    left_out: tuple[str, ...]


def run(config: DistillConfig, progress: Callable[[Progress], None] | None = None) -> Path:
    """`train`, for its bundle only."""
    return train(config, progress).bundle


def train(config: DistillConfig, progress: Callable[[Progress], None] | None = None) -> Run:
    """Distill a student on the scans of one category and write its bundle.

    Scans that cannot be used are reported and left out. A run that was stopped goes on where it was; what the
    student made of the teacher's units lies in `<out>.work/backward` to be looked at.
    Raises PartDistillError where no scan is left, the output cannot be written, or another run is writing it.
    """
    space = load_space(config.text_space, config.teacher, config.device)
    check_start_space(config.start, space)
    with locked(config.out) as work:
        return _train(config, space, work, progress or (lambda _: None))


def _train(config: DistillConfig, space: TextSpace, work: Path, progress: Callable[[Progress], None]) -> Run:
    torch.manual_seed(config.seed)
    config = replace(config, category=clean_name(config.category or "object"))
    parts = tuple(clean_name(part) for part in config.parts)
    encoder = space.encoder.export(space) if config.with_text_encoder else None  # what it lacks is told before the work
    left_out: list[str] = []
    samples = make_samples(config, parts, work, progress, left_out)
    config = settled(config, len(samples))
    names = {str(config.category): [space.encode([part]) for part in parts]}
    forward_key, key = (run_key(config, samples, rule) for rule in ("", config.backward))
    trainer = Trainer(
        new_student(config.student, space.dim, config.start, config.freeze_encoder),
        samples,
        names,
        config.schedule or Schedule(),
        config.augmentation or Augmentation(),
        backward=config.backward,
        device=config.device,
        seed=config.seed,
        checkpoint=work / f"fit-{key}.pt",
        forward=work / f"forward-{forward_key}.pt",
    )
    student = trainer.run(progress)
    if config.backward == "posterior" and all(graded.posterior is None for graded in trainer.rescored):
        log.warning(
            "no unit was graded: the student agrees with its teacher by chance only. More scans, more epochs or "
            "plainer part names may help"
        )
    save_rescored(trainer, work / "backward")
    vocabulary = Vocabulary(*_known(space, (str(config.category), *parts)), {str(config.category): parts})
    progress(Progress("export", 0, 1, float("nan")))
    bundle = save_student(
        student, config.out, config.name or config.out.name, vocabulary, space, _training(config, trainer)
    )
    if encoder is not None:
        bundle = attach(bundle, encoder)
    progress(Progress("export", 1, 1, float("nan")))
    return Run(bundle, work, tuple(samples), rescored_units(trainer), trainer.state.backward_from, tuple(left_out))


def check_start_space(start: str, space: TextSpace) -> None:
    """Raises PartDistillError for first weights of a bundle whose head has learned another text space."""
    if not Path(start).is_dir():
        return
    learned = Bundle.load(start).text_space
    if learned != space.identity:
        raise PartDistillError(
            f"{start} has learned the text space '{learned}', this run has '{space.identity}': start from scratch, or "
            "choose the same teacher and --text-space"
        )


def settled(config: DistillConfig, samples: int) -> DistillConfig:
    """The configuration with the schedule and augmentation that suit its mode and collection where it has none."""
    tta, trained = config.mode == "tta", config.start == "default" or Path(config.start).is_dir()
    schedule = config.schedule or schedule_for(samples, tta=tta, trained=trained, epochs=config.epochs)
    return replace(config, schedule=schedule, augmentation=config.augmentation or augmentation_for(tta))


def save_rescored(trainer: Trainer, folder: Path) -> None:
    """Write every sample's units with their old and new scores (`partdistill units` draws them), instead of those
    of an earlier run."""
    for stale in folder.glob("*.npz"):
        stale.unlink()
    if trainer.state.backward_from is None:
        return
    names: Counter[str] = Counter()
    for graded in rescored_units(trainer):
        stem = Path(graded.name).name
        names[stem] += 1
        stem += "" if names[stem] == 1 else f"_{names[stem]}"
        graded.save(folder / f"{stem}.npz")


def rescored_units(trainer: Trainer) -> tuple[RescoredUnits, ...]:
    """Every sample's units with their old scores and those in force."""
    return tuple(
        RescoredUnits(
            sample.name,
            sample.category,
            sample.points,
            sample.units,
            graded.units.score,
            Views.none() if sample.views is None else sample.views,
        )
        for sample, graded in zip(trainer.samples, trainer.rescored, strict=True)
    )


def _training(config: DistillConfig, trainer: Trainer) -> dict[str, object]:
    own = ("teacher", "mode", "backward", "student", "start", "seed")
    return {
        "scans": len(trainer.samples),
        **{name: getattr(config, name) for name in own},
        **({"generated": list(config.generated)} if config.generated else {}),
        "epochs": trainer.state.epoch,
        "backward_from": trainer.state.backward_from,
        "loss": round(trainer.state.losses[-1], 4),
    }


def make_samples(
    config: DistillConfig,
    parts: Sequence[str],
    work: Path,
    progress: Callable[[Progress], None] = lambda _: None,
    left_out: list[str] | None = None,
) -> list[Sample]:
    """Render every scan and ask the teacher; knowledge that is in the store already is not asked again, and scans
    that carry their units are not rendered.  left_out: gets a sentence for each scan that could not be used."""
    known, paths = split_known(config.scans) if config.scans else ([], [])
    samples = [_known_sample(path, parts, config) for path in known]
    if paths or config.generated:
        asking = _Asking(config, tuple(parts), work, progress, [] if left_out is None else left_out)
        own, made = asking.samples(paths, len(samples))
        samples = weighted([*samples, *own], made, config.generated_share)
    if not samples:
        raise PartDistillError("no scan could be used: see the warnings above for what is wrong with each")
    if not any(len(sample.units) for sample in samples):
        raise PartDistillError(
            f"the teacher '{config.teacher}' saw none of {', '.join(parts)} in any view: check the names"
        )
    return samples


@dataclass(frozen=True)
class _Asking:
    """A round of questions to the teacher about scans that come from files, bags and generators."""

    config: DistillConfig
    parts: tuple[str, ...]
    work: Path
    progress: Callable[[Progress], None]
    left_out: list[str]

    def samples(self, paths: Sequence[Path], first: int) -> tuple[list[Sample], list[Sample]]:
        """Those of the scans and the generated ones.  first: number of the first one, for its random numbers."""
        config = self.config
        teacher = load_teacher(config.teacher, config.device)
        renderer = partial(render_scan, device=config.device, backend=load_backend(config.renderer, config.device))
        total = count_scans(paths, config.generated)
        store, own_stores = KnowledgeStore(self.work / "knowledge"), member_stores(paths)
        own: list[Sample] = []
        made: list[Sample] = []
        self._tell("extract", 1, total)
        for place, (scan, generated) in enumerate(self._scans(paths), 1):
            watched = _Watched(teacher, partial(self._tell, "teach", place, total))
            self._tell("render", place, total)
            try:
                cloud = self._posed(scan, teacher)
                taught = make_sample(
                    cloud,
                    self.parts,
                    str(config.category),
                    watched,
                    store=own_stores.get(scan.name, store),
                    seed=config.seed + first + place - 1,
                    up_unknown=scan.up is None and scan.viewpoint is None,
                    renderer=renderer,
                )
                (made if generated else own).append(taught)
            except PartDistillError as error:
                self._skip(Path(scan.name), error)
            if place < total or not total:
                self._tell("extract", place + 1, total)
        return own, made

    def _scans(self, paths: Sequence[Path]) -> Iterator[tuple[Scan, bool]]:
        """Every scan, and whether it is a generated one."""
        config = self.config
        own = load_scans(paths, up=config.up, on_skip=self._skip) if paths else iter(())
        made = (scan for one in config.generated for scan in generated_scans(one, config.category, self._skip))
        return chain(((scan, False) for scan in own), ((scan, True) for scan in made))

    def _posed(self, scan: Scan, teacher: Teacher) -> Scan:
        # Detections of a file belong to views about +z, see `partdistill render`: such a scan stays as it is.
        if scan.up is None and teacher.name == "boxes":
            scan = scan.with_(up=np.array([0, 0, 1], np.float32))
        return upright_cloud(scan, self.config.cloud_points, self.config.seed)

    def _tell(self, stage: str, place: int, total: int) -> None:
        self.progress(Progress(stage, place, total, float("nan")))

    def _skip(self, path: Path, error: PartDistillError) -> None:
        self.left_out.append(f"{path}: {error}")
        log.warning("%s left out: %s", path, error)


class _Watched:
    """A teacher that tells when it is asked: what lies in the store already is not."""

    def __init__(self, teacher: Teacher, tell: Callable[[], None]) -> None:
        self._teacher, self._tell = teacher, tell
        self.name, self.key, self.kind, self.size = teacher.name, teacher.key, teacher.kind, teacher.size

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer | BoxAnswer:
        """The teacher's."""
        self._tell()
        return self._teacher.answer(rendering, parts, category)


def count_scans(paths: Sequence[Path], generated: Sequence[str]) -> int:
    """How many scans files and generators will give; 0 where a bag is among them, which does not tell before it is
    read."""
    own = expand([*paths, *(one for one in generated if not one.startswith(f"{PROCEDURAL}:"))])
    if any(is_bag(path) for path in own):
        return 0
    return len(own) + sum(int(one.partition(":")[2]) for one in generated if one.startswith(f"{PROCEDURAL}:"))


def _known_sample(path: Path, parts: Sequence[str], config: DistillConfig) -> Sample:
    """A scan that brings its units along, such as `partdistill import-knowledge` writes: boxes, of unknown views."""
    scan, units = load_known(path)
    scan = scan if config.up is None else scan.with_(up=parse_up(config.up))
    units = with_parts(units, parts, str(path))
    rng = np.random.default_rng(config.seed)
    index = rng.permutation(np.flatnonzero(scan.finite()))[: config.cloud_points]
    cloud = upright(scan.select(index))
    masks = partial_view_masks(cloud, config.seed)
    flat = scan.up is None and scan.viewpoint is None
    return Sample(scan.name, str(config.category), cloud.points, select_points(units, index), masks, flat, boxes=True)


def run_key(config: DistillConfig, samples: Sequence[Sample], rule: str) -> str:
    """Changes with everything that a checkpoint depends on; rule: of backward distillation, "" for what is the
    same under every rule."""
    own = (
        "parts",
        "category",
        "teacher",
        "text_space",
        "student",
        "start",
        "freeze_encoder",
        "seed",
        "schedule",
        "augmentation",
    )
    digest = hashlib.sha256(repr((rule, [getattr(config, name) for name in own])).encode())
    if Path(config.start).is_file():
        digest.update(Path(config.start).read_bytes())
    for sample in samples:
        digest.update(f"{sample.name} {sample.weight}".encode())
        digest.update(sample.points.tobytes() + sample.units.score.tobytes() + sample.units.indices.tobytes())
    return digest.hexdigest()[:16]


def _known(space: TextSpace, names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    every = tuple(dict.fromkeys((*space.names, *names)))
    return every, space.encode(every)
