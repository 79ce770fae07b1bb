# SPDX-License-Identifier: Apache-2.0
"""From a scan to its knowledge units: choose views, render, ask the teacher, project back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from partdistill_ros.distillation.unit_store import KnowledgeStore, knowledge_key
from partdistill_ros.distillation.units import KnowledgeUnits, units_from_answer
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import Views, views_for
from partdistill_ros.rendering.rasterize import BUILT_IN, Rendering, render_scan
from partdistill_ros.teachers.protocol import Teacher

Renderer = Callable[[Scan, Views, int], Rendering]


def query_teacher(
    scan: Scan,
    parts: Sequence[str],
    teacher: Teacher,
    *,
    views: Views | None = None,
    store: KnowledgeStore | None = None,
    renderer: Renderer = render_scan,
) -> KnowledgeUnits:
    """Units about `scan.points`, from the store where it has them.

    views: by default the ten views, or views near the recording viewpoint of a one-sided scan.
    renderer: `render_scan`, or a `functools.partial` of it with `backend` and `device`.
    Raises PartDistillError for a scan without finite points or an empty list of parts.
    """
    if not parts:
        raise PartDistillError("no part names were given to ask the teacher for")
    cameras = views_for(scan) if views is None else views
    side = teacher.size

    def make() -> KnowledgeUnits:
        return units_from_teacher(teacher, renderer(scan, cameras, side), len(scan.points), parts, scan.category)

    if store is None:
        return make()
    return store.get(knowledge_key(scan, cameras, side, teacher.key, parts, renderer_name(renderer)), make)


def units_from_teacher(
    teacher: Teacher, rendering: Rendering, n_points: int, parts: Sequence[str], category: str | None
) -> KnowledgeUnits:
    """The teacher's answer about a rendering, as units."""
    return units_from_answer(teacher.answer(rendering, parts, category), rendering, n_points, parts)


def renderer_name(renderer: Renderer) -> str:
    """What distinguishes a renderer in the store: its function and its backend (not the device)."""
    function = renderer.func if isinstance(renderer, partial) else renderer
    options = renderer.keywords if isinstance(renderer, partial) else {}
    name: str = getattr(function, "__qualname__", type(function).__name__)
    return f"{name} {type(options.get('backend', BUILT_IN)).__name__}"
