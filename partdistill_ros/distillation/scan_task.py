# SPDX-License-Identifier: Apache-2.0
"""A scan to be looked at by the teacher: in this process, or on a worker elsewhere with the same result."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

from partdistill_ros.distillation.config import Augmentation, DistillConfig
from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.distillation.teacher_query import Renderer
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.rasterize import load_backend, render_scan
from partdistill_ros.teachers.protocol import Teacher
from partdistill_ros.teachers.registry import load_teacher


@dataclass(frozen=True)
class ScanTask:
    """scan: as it was read.  store: remembers the teacher's answer.  seed: of the sample.  generated: it is drawn."""

    scan: Scan
    generated: bool
    parts: tuple[str, ...]
    config: DistillConfig
    store: KnowledgeStore
    seed: int

    def sample(self, teacher: Teacher, renderer: Renderer) -> Sample | PartDistillError:
        """Render, query the teacher, keep its answer; or what is wrong with the scan."""
        config = self.config
        try:
            return make_sample(
                upright_cloud(self.scan, config.cloud_points, config.seed, teacher.name),
                self.parts,
                str(config.category),
                teacher,
                store=self.store,
                seed=self.seed,
                up_unknown=self.scan.up_unknown,
                renderer=renderer,
                num_partial_views=num_partial_views(config),
            )
        except PartDistillError as error:
            return error


def sample_on_worker(task: ScanTask) -> Sample | PartDistillError:
    """`ScanTask.sample` with the teacher of this process, which is loaded once."""
    config = task.config
    return task.sample(*_kept_tools(config.teacher, config.renderer, config.device))


def load_tools(teacher: str, renderer: str, device: str) -> tuple[Teacher, Renderer]:
    """What looks at a scan."""
    backend = load_backend(renderer, device)
    return load_teacher(teacher, device), partial(render_scan, device=device, backend=backend)


_kept_tools = lru_cache(1)(load_tools)


def num_partial_views(config: DistillConfig) -> int:
    """How many cameras look at a whole object."""
    return (config.augmentation or Augmentation()).num_partial_views
