# SPDX-License-Identifier: Apache-2.0
"""The clouds that a student is distilled on, with what the teacher knows of their points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.box_fit import count_visible
from partdistill_ros.distillation.config import Augmentation
from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.posing import Pose, posed, surface_cloud
from partdistill_ros.distillation.teacher_query import Renderer, query_teacher
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import Views, bounding_sphere, random_views, views_for
from partdistill_ros.rendering.rasterize import render_points, render_scan, visible_points
from partdistill_ros.teachers.protocol import Teacher


@dataclass(frozen=True)
class Sample:
    """What the trainer sees of a scan: points `[N, 3]` in the unit ball with up = +z, and the teacher's units.

    partial_views: what single cameras see of it `[V, N]` (None: the scan is a partial view itself).
    up_unknown: nobody knows which way is up, so it is learned upside down and under free rotations too.
    views: the cameras of the units, in the frame of the points (None: unknown).
    boxes: the units are boxes of a detector, which take in neighbors of the part.
    weight: how often it is drawn, next to the other samples.
    labeled: the units are true labels, which nobody re-scores.
    drawn: boxes that have become superpoints as the teacher drew them, see `box_superpoints.with_superpoints`.
    """

    name: str
    category: str
    points: NDArray[np.float32]
    units: KnowledgeUnits
    partial_views: NDArray[np.bool_] | None = None
    up_unknown: bool = False
    views: Views | None = None
    boxes: bool = False
    weight: float = 1.0
    labeled: bool = False
    drawn: KnowledgeUnits | None = None

    @property
    def box_views(self) -> Views | None:
        """The views of its boxes; None where the units are regions, or boxes of unknown views."""
        return self.views if self.boxes else None

    @cached_property
    def num_visible(self) -> NDArray[np.int64] | None:
        """Of boxes how many points each view shows `[V]`, empty where the views are unknown; None for regions."""
        if not self.boxes:
            return None
        return np.zeros(0, np.int64) if self.views is None else count_visible(self.points, self.views)

    def __getstate__(self) -> dict[str, object]:  # what a pickle holds: counted once, not at each reading
        return self.__dict__ | {"num_visible": self.num_visible}


def with_weights(own: Sequence[Sample], generated: Sequence[Sample], weight: float | None) -> Sequence[Sample]:
    """Own and generated samples, each generated one drawn `weight` times as often as one of the own; None for all of
    them together as often as all own ones, but none oftener than one of these."""
    if weight is None:
        weight = min(1.0, len(own) / len(generated)) if own and generated else 1.0
    return DiskList(chain(own, (replace(sample, weight=weight) for sample in generated)))


def upright_cloud(scan: Scan, count: int, seed: int = 0, teacher: str = "") -> Scan:
    """`surface_cloud` in the unit ball, up = +z.  teacher: who is queried, see `posed`."""
    return upright(surface_cloud(scan, count, seed), teacher)


def upright(cloud: Scan, teacher: str = "") -> Scan:
    """`cloud` (finite points) turned up = +z, centered and scaled into the unit ball; see `upright_cloud`."""
    cloud = posed(cloud, teacher)
    return Pose.of(cloud).apply(cloud)


def partial_view_masks(
    cloud: Scan, seed: int, count: int = Augmentation.num_partial_views, size: int = 128
) -> NDArray[np.bool_] | None:
    """What each of `count` random cameras sees of a whole object `[V, N]`, None for a scan that is a partial view
    itself."""
    if cloud.viewpoint is not None:
        return None
    center, radius = bounding_sphere(cloud.points)
    rng = np.random.default_rng(seed)
    views = random_views(rng, count, center=center, radius=radius, elevation=(5, 65), distance=4.0)
    return visible_points(render_points(cloud.points, views, size), len(cloud.points))


def make_sample(
    cloud: Scan,
    parts: Sequence[str],
    category: str,
    teacher: Teacher,
    *,
    store: KnowledgeStore | None = None,
    seed: int = 0,
    up_unknown: bool = False,
    renderer: Renderer = render_scan,
    num_partial_views: int = Augmentation.num_partial_views,
) -> Sample:
    """Ask the teacher about an upright cloud. The truth that the cloud may carry plays no part."""
    cloud = cloud.with_(point_labels=None, category=category)
    views = views_for(cloud)
    units = query_teacher(cloud, parts, teacher, views=views, store=store, renderer=renderer)
    masks = partial_view_masks(cloud, seed, num_partial_views)
    return Sample(cloud.name, category, cloud.points, units, masks, up_unknown, views, teacher.kind == "box")
