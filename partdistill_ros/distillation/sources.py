# SPDX-License-Identifier: Apache-2.0
"""Files, bags and generators become samples: read, posed upright, shown to the teacher; with progress and skips."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from partdistill_ros.distillation.box_superpoints import with_superpoints
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.generated import generated_scans, is_procedural
from partdistill_ros.distillation.known_units import load_known, select_points, split_known, with_parts
from partdistill_ros.distillation.known_views import upright_with_views
from partdistill_ros.distillation.labels import labeled_samples
from partdistill_ros.distillation.posing import usable_rows
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.ray_tasks import in_order
from partdistill_ros.distillation.samples import Sample, partial_view_masks, with_weights
from partdistill_ros.distillation.scan_task import ScanTask, load_tools, num_partial_views, sample_on_worker
from partdistill_ros.distillation.teacher_query import Renderer
from partdistill_ros.distillation.unit_store import KnowledgeStore, recorded_scan_stores
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import expand, is_bag, load_scans
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, Teacher

log = logging.getLogger(__name__)

Report = Callable[[Progress], None]


def collect_samples(
    config: DistillConfig, parts: Sequence[str], work: Path, report: Report, left_out: list[str]
) -> Sequence[Sample]:
    """Render every scan and query the teacher; units that are in the store already are not asked for again, and scans
    that carry their units are not rendered.

    left_out: gets a sentence for each scan that could not be used.
    Raises PartDistillError where no scan is left, or no labeled shape of those that were named, where the teacher saw
    none of the parts, and where superpoints are asked for and nothing can become them.
    """
    known, paths = split_known(config.scans) if config.scans else ([], [])
    samples: Sequence[Sample]
    samples = brought = DiskList[Sample]()
    for path in known:
        try:
            brought.append(_known_sample(path, parts, config))
        except PartDistillError as error:
            _leave_out(left_out, path, error)
    if paths or config.generated:
        collector = _Collector(config, tuple(parts), work, report, left_out)
        own, generated = collector.samples(paths, len(samples))
        samples = with_weights(DiskList(chain(samples, own)), generated, config.generated_share)
    if not samples:
        raise PartDistillError("no scan could be used: see the warnings above for what is wrong with each")
    if not any(len(sample.units) for sample in samples):
        raise PartDistillError(
            f"the teacher '{config.teacher}' saw none of {', '.join(parts)} in any view: check the names"
        )
    if config.units == "superpoints":
        samples = DiskList(map(with_superpoints, samples))
        if all(sample.drawn is None for sample in samples):
            raise PartDistillError("no scan has boxes of known views to become superpoints: leave --units out")
    return DiskList(chain(samples, _labeled(config, parts, left_out))) if config.labels else samples


@dataclass(frozen=True)
class _Collector:
    """Samples of scans that the teacher is queried about."""

    config: DistillConfig
    parts: tuple[str, ...]
    work: Path
    report: Report
    left_out: list[str]

    def samples(self, paths: Sequence[Path], first: int) -> tuple[Sequence[Sample], Sequence[Sample]]:
        """Those of the scans and the generated ones.  first: number of the first one, for its random numbers."""
        config = self.config
        tools = load_tools(config.teacher, config.renderer, config.device)
        total = count_scans(paths, config.generated)
        own, generated = DiskList[Sample](), DiskList[Sample]()
        self._progress("extract", 1, total)
        tasks = self._tasks(paths, config.seed + first)
        made = (
            self._here(tasks, total, *tools)
            if config.ray is None
            else in_order(sample_on_worker, tasks, config.ray, config.device)
        )
        for done, (task, found) in enumerate(made, 1):
            if isinstance(found, PartDistillError):
                self._skip(Path(task.scan.name), found)
            else:
                (generated if task.generated else own).append(found)
            if done < total or not total:
                self._progress("extract", done + 1, total)
        return own, generated

    def _here(
        self, tasks: Iterable[ScanTask], total: int, teacher: Teacher, renderer: Renderer
    ) -> Iterator[tuple[ScanTask, Sample | PartDistillError]]:
        """Each task with its sample, in this process; the same as elsewhere, and the teacher's turns are told."""
        for number, task in enumerate(tasks, 1):
            self._progress("render", number, total)
            observed = _ObservedTeacher(teacher, partial(self._progress, "teach", number, total))
            yield task, task.sample(observed, renderer)

    def _tasks(self, paths: Sequence[Path], seed: int) -> Iterator[ScanTask]:
        store, own_stores = KnowledgeStore((self.work / "knowledge").absolute()), recorded_scan_stores(paths)
        for number, (scan, generated) in enumerate(self._scans(paths)):
            kept = own_stores.get(scan.name, store)
            yield ScanTask(scan, generated, self.parts, self.config, kept, seed + number)

    def _scans(self, paths: Sequence[Path]) -> Iterator[tuple[Scan, bool]]:
        """Every scan, and whether it is a generated one."""
        config = self.config
        own = load_scans(paths, up=config.up, on_skip=self._skip) if paths else iter(())
        made = (scan for one in config.generated for scan in generated_scans(one, config.category, self._skip))
        return chain(((scan, False) for scan in own), ((scan, True) for scan in made))

    def _progress(self, stage: str, number: int, total: int) -> None:
        self.report(Progress(stage, number, total, float("nan")))

    def _skip(self, path: Path, error: PartDistillError) -> None:
        _leave_out(self.left_out, path, error)


class _ObservedTeacher:
    """A teacher that reports when it is queried: what lies in the store already is not."""

    def __init__(self, teacher: Teacher, queried: Callable[[], None]) -> None:
        self._teacher, self._queried = teacher, queried
        self.name, self.key, self.kind, self.size = teacher.name, teacher.key, teacher.kind, teacher.size

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer | BoxAnswer:
        """The teacher's."""
        self._queried()
        return self._teacher.answer(rendering, parts, category)


def _leave_out(left_out: list[str], path: Path, error: PartDistillError) -> None:
    left_out.append(f"{path}: {error}")
    log.warning("%s left out: %s", path, error)


def count_scans(paths: Sequence[Path], generated: Sequence[str]) -> int:
    """How many scans files and generators will give; 0 where a bag is among them, which tells only when read."""
    files = expand([*paths, *(one for one in generated if not is_procedural(one))])
    if any(is_bag(path) for path in files):
        return 0
    return len(files) + sum(int(one.partition(":")[2]) for one in generated if is_procedural(one))


def _labeled(config: DistillConfig, parts: Sequence[str], left_out: list[str]) -> list[Sample]:
    samples = labeled_samples(
        config.labels,
        parts,
        str(config.category),
        config.cloud_points,
        partial(_leave_out, left_out),
        up=config.up,
        seed=config.seed,
        num_partial_views=num_partial_views(config),
        teacher=config.teacher.partition(":")[0],
    )
    if not samples:
        raise PartDistillError("none of the shapes of --labels could be used: see the warnings above")
    return samples


def _known_sample(path: Path, parts: Sequence[str], config: DistillConfig) -> Sample:
    """A scan that brings its units along, such as `partdistill import-knowledge` writes: boxes, of the public views
    where these explain them."""
    scan, units = load_known(path)
    scan = scan if config.up is None else scan.with_(up=parse_up(config.up))
    units = with_parts(units, parts, str(path))
    index = np.random.default_rng(config.seed).permutation(usable_rows(scan))[: config.cloud_points]
    units = select_points(units, index)
    cloud, views = upright_with_views(scan.select(index), units)
    return Sample(
        scan.name,
        str(config.category),
        cloud.points,
        units,
        partial_view_masks(cloud, config.seed, num_partial_views(config)),
        up_unknown=scan.up_unknown,
        views=views,
        boxes=True,
    )
