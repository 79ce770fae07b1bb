# SPDX-License-Identifier: Apache-2.0
"""Fills a table: what is still to be done, what that will cost, and each cell in a file of its own, so that a run which
was stopped goes on."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from partdistill_ros import __version__
from partdistill_ros.distillation.config import schedule_for
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.distilled_student import (
    AUGMENTATIONS,
    DistilledMethod,
    MakeTeacher,
    MethodConfig,
    Recipe,
)
from partdistill_ros.evaluation.methods.features import unasked_samples
from partdistill_ros.evaluation.methods.registry import make_method, method_teacher
from partdistill_ros.evaluation.miou import ShapeScore
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.evaluation.table_data import TableData
from partdistill_ros.evaluation.tables import Row, Table
from partdistill_ros.evaluation.training_samples import teacher_samples
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.io.content_key import content_key, files_key
from partdistill_ros.io.parsing import read_json
from partdistill_ros.rendering.cameras import TEN_VIEWS

PREPARED = "PartDistill's prepared data"
PROMPTED = ("clip", "detector")  # teachers that take any words


@dataclass(frozen=True)
class Run:
    """What a table is filled with.

    out: folder of the cells, the checkpoints and the teacher's knowledge.  teacher: its line.  make_teacher: instead of
    it in experiments, `teacher` being its name.  seeds: of everything that is trained.
    encoder: the public Point-M2AE, frozen in the rows `as_published`.  searched: see `pointclip.Searched`.
    rows: some of the table's, by default all.
    """

    table: Table
    data: TableData
    out: Path
    teacher: str
    seeds: tuple[int, ...] = (0,)
    epochs: int | None = None
    encoder: Path | None = None
    searched: Path | None = None
    device: str = "cpu"
    rows: tuple[Row, ...] = ()
    make_teacher: MakeTeacher | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", self.rows or tuple(self.table.rows))

    def config(self, row: Row, seed: int, learned_from: Sequence[Shape] | None) -> MethodConfig:
        """The row's options as those of a method."""
        published = row.as_published and self.encoder is not None
        recipe = Recipe(
            student="point_m2ae" if published else "patch_transformer",
            start=str(self.encoder) if published else "scratch",
            freeze_encoder=published,
            seed=seed,
            epochs=self.epochs,
            device=self.device,
            work=self.out / "work",
            augmentation=AUGMENTATIONS[row.augment],
        )
        return MethodConfig(
            teacher=self.make_teacher or self.teacher,
            train=learned_from,
            views_of=row.views_of,
            prompts=authors_prompts() if row.prompts and self.teacher.startswith(PROMPTED) else {},
            prepared=self.data.folder if self.data.name == PREPARED else None,
            searched=self.searched,
            backward=row.backward,
            recipe=recipe,
        )


@dataclass(frozen=True)
class Job:
    """Cells that are made together: those of one student."""

    row: Row
    seed: int
    categories: tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    """What was found of a row, category and seed."""

    row: str
    category: str
    seed: int
    scores: tuple[ShapeScore, ...]
    seconds: float


@dataclass
class Results:
    """cells: all that there are.  left_out: why the others are not there, by row and category."""

    cells: list[Cell] = field(default_factory=list)
    left_out: dict[tuple[str, str], str] = field(default_factory=dict)


def authors_prompts() -> dict[tuple[str, str], str]:
    """What the authors asked GLIP for, by category and part."""
    return {
        (category, part): prompt
        for category, info in CATEGORIES.items()
        for part, prompt in zip(info["parts"], info["prompts"], strict=False)
    }


def jobs_of(run: Run) -> list[Job]:
    """All of them: a category after the other, so that each is read once, then those of all categories together."""
    single = [row for row in run.rows if row.one_for == "category"]
    jobs = [Job(row, seed, (name,)) for name in run.data.categories for row in single for seed in _seeds(run, row)]
    together = [row for row in run.rows if row.one_for == "all"]
    return jobs + [Job(row, seed, run.data.categories) for row in together for seed in _seeds(run, row)]


def fill(run: Run, done: Callable[[Job, str, Results], None] = lambda job, words, results: None) -> Results:
    """Make the cells that are missing; `done` is called after each job with what came out, in words.

    A row that cannot be filled is left out with its reason. Raises PartDistillError where that is true of all.
    """
    results = Results()
    for job in jobs_of(run):
        paths = {name: _path(run, job, name) for name in job.categories}
        if not all(path.is_file() for path in paths.values()):
            try:
                _make(run, job, paths)
            except PartDistillError as error:
                results.left_out |= {(job.row.name, name): str(error) for name in job.categories}
                done(job, f"left out: {error}", results)
                continue
        cells = [_read(path) for path in paths.values()]
        results.cells += cells
        mean = np.mean([score.miou for cell in cells for score in cell.scores])
        done(job, f"mIoU {100 * mean:.1f}", results)
    if not results.cells:
        raise PartDistillError(f"no cell of the table could be filled: {next(iter(results.left_out.values()), '')}")
    return results


def _make(run: Run, job: Job, paths: Mapping[str, Path]) -> None:
    began, shapes = time.monotonic(), [shape for name in job.categories for shape in run.data.test(name)]
    method = make_method(job.row.method, shapes, run.config(job.row, job.seed, _collection(run, job)))
    evaluation, seconds = evaluate(shapes, method), time.monotonic() - began
    for name, path in paths.items():
        own = [score for score in evaluation.scores if score.category == name]
        record = {
            "schema": 1,
            "row": job.row.name,
            "category": name,
            "seed": job.seed,
            "parts": list(own[0].parts),
            "seconds": round(seconds * len(own) / len(shapes), 2),
            "shapes": [_shape_record(score) for score in own],
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _shape_record(score: ShapeScore) -> dict[str, object]:
    iou = [None if np.isnan(value) else round(float(value), 5) for value in score.iou]
    return {"name": score.name, "iou": iou, "in_truth": score.in_truth.tolist()}


def _collection(run: Run, job: Job) -> list[Shape] | None:
    """The shapes that the job's student learns from, None for the evaluated ones."""
    if job.row.setting != "pre":
        return None
    sources = {"train": (run.data.train,), "generated": (run.data.generated,)}
    read = sources.get(job.row.learns_from, (run.data.train, run.data.generated))
    return [shape for name in job.categories for source in read for shape in source(name)]


def _seeds(run: Run, row: Row) -> tuple[int, ...]:
    return run.seeds if row.is_trained else run.seeds[:1]


def _path(run: Run, job: Job, category: str) -> Path:
    """Where a cell lies: its name tells row, category and seed, and changes with every option behind it."""
    config = run.config(job.row, job.seed, None)
    options = replace(config, recipe=replace(config.recipe, work=None, device=""), prompts={}, teacher=run.teacher)
    boxes = run.teacher.partition("boxes:")[2]
    read = (run.encoder, run.searched, Path(boxes) if boxes else None)
    files = [files_key(path) for path in read if path is not None]
    prompts = sorted(f"{key} {words}" for key, words in config.prompts.items())
    row, learned_from = replace(job.row, published={}), run.data.sources if job.row.setting == "pre" else ()
    key = content_key(__version__, row, options, prompts, run.data.identity, learned_from, files, job.categories)
    words = re.sub("[^a-z0-9]+", "-", f"{job.row.name} {category}".lower()).strip("-")
    return run.out / "cells" / f"{words}-{job.seed}-{key[:8]}.json"


def _read(path: Path) -> Cell:
    """Raises PartDistillError for a damaged cell: deleted, it is made anew."""
    content = read_json(path, "delete it to have it made anew")
    try:
        scores = tuple(
            ShapeScore(
                shape["name"],
                content["category"],
                tuple(content["parts"]),
                np.array([np.nan if value is None else value for value in shape["iou"]], float),
                np.array(shape["in_truth"], bool),
            )
            for shape in content["shapes"]
        )
        return Cell(content["row"], content["category"], int(content["seed"]), scores, float(content["seconds"]))
    except (KeyError, TypeError, ValueError) as error:
        raise PartDistillError(f"{path} is no cell of a table ({error}): delete it to have it made anew") from error


@dataclass(frozen=True)
class Cost:
    """shapes: that are scored and learned from.  views: pictures that the teacher is shown.  steps: of training.
    ask, step: seconds of a shape's ten views with their answers, and of a training step, as they were measured.
    jobs: left to do, of all."""

    shapes: int
    views: int
    steps: int
    ask: float
    step: float
    jobs: tuple[int, int]

    @property
    def hours(self) -> float:
        return (self.views / len(TEN_VIEWS) * self.ask + self.steps * self.step) / 3600

    def words(self) -> str:
        """A sentence or two before the work."""
        left, every = self.jobs
        return (
            f"{left} of {every} trainings and measurements to do on {self.shapes:,} shapes: {self.views:,} views for "
            f"the teacher, {self.steps:,} training steps, about {self.hours:.1f} hours ({self.ask:.2f} s to render and "
            f"ask about a shape, {self.step:.2f} s a step)"
        )


def cost_of(run: Run) -> Cost:
    """What the missing cells will cost, from one shape that is asked about and two steps of training.

    A shape that students learn from is asked about once for all of them; methods without a student ask for themselves.
    Raises PartDistillError where the first shape cannot be read or the teacher not be loaded.
    """
    every = jobs_of(run)
    missing = [job for job in every if not all(_path(run, job, name).is_file() for name in job.categories)]
    shapes: set[str] = set()
    asked: set[tuple[str, str, bool]] = set()
    views = steps = 0
    for job in missing:
        try:
            collection, scored = _collection(run, job), [s for name in job.categories for s in run.data.test(name)]
        except PartDistillError:
            continue  # told when its turn comes
        learned = scored if collection is None else collection
        names = {shape.question.name for shape in learned}
        shapes |= names | {shape.question.name for shape in scored}
        if job.row.is_trained:
            schedule = schedule_for(len(learned), tta=collection is None, epochs=run.epochs)
            steps += schedule.epochs * max(schedule.min_steps, int(np.ceil(len(learned) / schedule.batch)))
            new = {(name, job.row.views_of, job.row.prompts) for name in names} - asked
            if job.row.method != "supervised":
                asked |= new
                views += len(TEN_VIEWS) * len(new)
        elif job.row.method != "constant":
            views += len(TEN_VIEWS) * len(scored)
    ask, step = _measured(run, missing) if missing else (0.0, 0.0)
    if run.data.name == PREPARED:
        views = 0
    return Cost(len(shapes), views, steps, ask, step, (len(missing), len(every)))


def _measured(run: Run, missing: Sequence[Job]) -> tuple[float, float]:
    """Seconds to ask about a shape, and of a training step."""
    shapes = run.data.test(missing[0].categories[0])[:1]
    config = run.config(next((job.row for job in missing if job.row.is_trained), missing[0].row), 0, None)
    ask = 0.0
    if config.prepared is None and any(job.row.method not in ("constant", "supervised") for job in missing):
        teacher = method_teacher(config, shapes)
        began = time.monotonic()
        teacher_samples(shapes, teacher, views_of=config.views_of)
        ask = time.monotonic() - began
    if not any(job.row.is_trained for job in missing):
        return ask, 0.0
    # Samples without any knowledge: a step on them takes as long as on others.
    return ask, DistilledMethod("cost", unasked_samples, shapes, "none", config).step_time(shapes)


def reasons(results: Results) -> Iterator[str]:
    """A sentence for each reason why cells are missing."""
    rows_of: dict[str, set[str]] = {}
    for (row, _), reason in results.left_out.items():
        rows_of.setdefault(reason, set()).add(row)
    for reason, rows in rows_of.items():
        yield f"{', '.join(sorted(rows))}: {reason}"
