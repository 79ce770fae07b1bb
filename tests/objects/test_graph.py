# SPDX-License-Identifier: Apache-2.0
"""Things that touch come apart in clouds without rows and columns too."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from solids_on_table import BESIDE, CAMERA, STACKED, on_table

from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.graph import EDGE, SPARSEST, voxel_edge
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.depth_camera import camera_pose, capture
from partdistill_ros.synthetic.drawing.primitives import Solid, revolve

BOWL = [revolve([(0, 0), (0.05, 0), (0.08, 0.07), (0.075, 0.07), (0.045, 0.006), (0, 0.006)], 48)]


def merged(solids: list[Solid], around: tuple[float, ...]) -> Scan:
    """A table with solids, seen from these angles at 0.8 m, as one cloud of the world's frame in no order."""
    mesh, parts = on_table(solids)
    rng, points, labels = np.random.default_rng(0), [], []
    for angle in np.radians(around):
        pose = camera_pose((0.65 * np.cos(angle), 0.65 * np.sin(angle), 0.5), (0, 0, 0.04))
        scan = capture(mesh, pose, rng, CAMERA, parts=parts)
        points.append(scan.points @ pose[:3, :3].T + pose[:3, 3])
        labels.append(scan.point_labels)
    order = rng.permutation(sum(map(len, labels)))
    return Scan(
        np.concatenate(points)[order].astype(np.float32), point_labels=np.concatenate(labels)[order], parts=tuple(parts)
    )


def overlaps(scan: Scan, method: str) -> list[float]:
    """Best IoU of each solid."""
    objects, labels = extract_objects(scan, TabletopParams(method=method)).objects, scan.point_labels
    assert labels is not None

    def overlap(index: NDArray[np.intp], truth: NDArray[np.bool_]) -> float:
        return float(truth[index].sum() / (len(index) + truth.sum() - truth[index].sum()))

    truths = [(labels == label) & scan.finite() for label in range(1, len(scan.parts))]
    return [max((overlap(index, truth) for index in objects), default=0.0) for truth in truths]


@pytest.mark.parametrize("around", [(0,), (0, 120, 240)], ids=["one view", "merged views"])
@pytest.mark.parametrize("solids", [BESIDE, STACKED], ids=["beside", "stacked"])
def test_things_that_touch_come_apart(solids: list[Solid], around: tuple[float, ...]) -> None:
    scan = merged(solids, around)
    assert min(overlaps(scan, "auto")) > 0.8
    assert min(overlaps(scan, "clusters")) < 0.6


def test_a_bowl_stays_whole() -> None:
    assert min(overlaps(merged(BOWL, (0, 120, 240)), "auto")) > 0.85


def test_a_sparse_cloud_is_cut_by_gaps() -> None:
    scan = merged(BESIDE, (0,))
    sparse = scan.select(np.arange(0, len(scan.points), 12))
    objects = [
        extract_objects(sparse, TabletopParams(method=m, min_points=30)).objects for m in ("learned", "clusters")
    ]
    assert len(objects[0]) == len(objects[1]) > 0
    for one, other in zip(*objects, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_voxels_grow_with_the_spacing() -> None:
    grid = np.stack(np.meshgrid(np.arange(60), np.arange(60), [0]), -1).reshape(-1, 3)
    assert voxel_edge((0.002 * grid).astype(np.float32)) == EDGE
    edge = voxel_edge((0.008 * grid).astype(np.float32))
    assert edge is not None and 0.008 < edge <= SPARSEST
    assert voxel_edge((0.02 * grid).astype(np.float32)) is None and voxel_edge(grid[:5].astype(np.float32)) is None
