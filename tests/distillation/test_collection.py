# SPDX-License-Identifier: Apache-2.0
"""Scans become upright clouds with knowledge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation.collection import LEAST_POINTS, one_sided_masks, teach, upright_cloud
from partdistill_ros.errors import PartDistillError
from partdistill_ros.knowledge.store import KnowledgeStore
from partdistill_ros.scans.families import generate
from partdistill_ros.scans.scan import Scan


def test_a_lying_scan_is_turned_upright() -> None:
    standing = upright_cloud(generate("bottle", 1), 800)
    lying = generate("bottle", 1)
    turned = lying.points[:, [0, 2, 1]] * [1, -1, 1]
    scan = Scan(points=turned.astype(np.float32), up=np.array([0, -1, 0], np.float32), name="lying")
    cloud = upright_cloud(scan, 5000)
    assert np.ptp(cloud.points[:, 2]) == pytest.approx(np.ptp(standing.points[:, 2]), abs=0.1)
    assert cloud.up is not None and cloud.up.tolist() == [0, 0, 1]


def test_the_viewpoint_turns_with_the_cloud() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(500, 3)).astype(np.float32)
    away = points.mean(0) + np.array([0, 9, 0], np.float32)
    scan = Scan(points=points, up=np.array([0, 1, 0], np.float32), viewpoint=away)
    cloud = upright_cloud(scan, 500)
    assert cloud.viewpoint is not None
    assert cloud.viewpoint[2] > 1.5 and np.abs(cloud.viewpoint[:2]).max() < 0.8


def test_too_few_points_are_refused_by_name() -> None:
    scan = Scan(points=np.zeros((LEAST_POINTS - 1, 3), np.float32), name="tiny.ply")
    with pytest.raises(PartDistillError, match=r"tiny\.ply"):
        upright_cloud(scan, 100)


def test_one_sided_masks_show_a_side_not_the_whole() -> None:
    cloud = upright_cloud(generate("bottle", 2), 1500)
    masks = one_sided_masks(cloud, 0)
    assert masks is not None and masks.shape[1] == 1500
    share = masks.mean(1)
    assert (share > 0.15).all() and (share < 0.75).all()
    assert one_sided_masks(cloud.with_(viewpoint=np.array([0, 0, 4], np.float32)), 0) is None


def test_knowledge_does_not_depend_on_the_truth_and_is_kept(tmp_path: Path, teacher) -> None:
    store = KnowledgeStore(tmp_path)
    cloud = upright_cloud(generate("bottle", 3), 1200)
    first = teach(cloud, ("cap", "body"), "bottle", teacher, store=store)
    wrong = cloud.with_(point_labels=np.zeros(len(cloud.points), np.int16))
    second = teach(wrong, ("cap", "body"), "bottle", teacher, store=store)
    assert teacher.asked == 1
    np.testing.assert_array_equal(first.units.indices, second.units.indices)
    assert first.units.coverage().mean() > 1
