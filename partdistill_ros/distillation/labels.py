# SPDX-License-Identifier: Apache-2.0
"""A few labeled shapes beside the unlabeled ones: their true labels are units that no re-scoring touches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.samples import Sample, partial_view_masks, upright_cloud
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scans
from partdistill_ros.pointcloud.scan import Scan


def labeled_samples(
    paths: Sequence[str],
    parts: Sequence[str],
    category: str,
    points: int,
    on_skip: Callable[[Path, PartDistillError], None],
    *,
    up: str | None = None,
    seed: int = 0,
    num_partial_views: int = 0,
    teacher: str = "",
) -> list[Sample]:
    """The labeled shapes of files and folders as samples of at most `points` points; one without labels of these parts
    goes to `on_skip`.  up: axis that points up, whatever the files say.  teacher: name of who is
    queried about the scans, so that both stand alike, see `posing.posed`."""
    samples = []
    for number, scan in enumerate(load_scans(paths, up=up, on_skip=on_skip)):
        try:
            cloud = upright_cloud(scan, points, seed, teacher)
            masks = partial_view_masks(cloud, seed + number, num_partial_views) if num_partial_views else None
            samples.append(labeled_sample(cloud, parts, category, scan.up_unknown, masks))
        except PartDistillError as error:
            on_skip(Path(scan.name), error)
    return samples


def labeled_sample(
    cloud: Scan,
    parts: Sequence[str],
    category: str,
    up_unknown: bool = False,
    partial_views: NDArray[np.bool_] | None = None,
) -> Sample:
    """An upright cloud with one unit for each of its true parts. Raises PartDistillError where none of its points is
    labeled with one of the names `parts`."""
    labels = cloud.point_labels
    if labels is None:
        raise PartDistillError(f"{cloud.name}: it has no labels to learn from")
    place = np.array([*(parts.index(part) if part in parts else -1 for part in cloud.parts), -1], np.int16)
    wanted = place[labels]
    if not (wanted >= 0).any():
        known = f", only {', '.join(cloud.parts)}" if cloud.parts else ""
        raise PartDistillError(f"{cloud.name}: none of its points is labeled {', '.join(parts)}{known}")
    units = true_units(wanted, parts)
    return Sample(cloud.name, category, cloud.points, units, partial_views, up_unknown, labeled=True)


def true_units(labels: NDArray[np.integer], parts: Sequence[str]) -> KnowledgeUnits:
    """One unit of score 1 for each part of `labels [N]` (-1: none)."""
    held = [np.flatnonzero(labels == part) for part in range(len(parts))]
    part = np.array([number for number, points in enumerate(held) if len(points)], np.int16)
    sizes = [len(held[number]) for number in part]
    return KnowledgeUnits(
        part=part,
        score=np.ones(len(part), np.float32),
        view=np.full(len(part), -1, np.int16),
        indptr=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        indices=np.concatenate([held[number] for number in part]).astype(np.int32),
        n_points=len(labels),
        parts=tuple(parts),
    )
