# SPDX-License-Identifier: Apache-2.0
"""The object that somebody means is found by its place, by the picture's middle, or by its size."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.object_in_view import object_in_view
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.scan import Scan

LIMITS = TabletopParams()
FIRST, SECOND = np.array([-0.2, 0.9, -0.4]), np.array([0.25, 1.1, -0.4])  # the posts of `table_scene`


def place(scan: Scan, index: np.ndarray) -> np.ndarray:
    return scan.points[index].mean(0)


@pytest.mark.parametrize("at", [FIRST, SECOND])
def test_the_object_at_a_point(table_scene: Scan, at: np.ndarray) -> None:
    seen = object_in_view(table_scene, "tabletop", LIMITS, at)
    assert np.linalg.norm(place(table_scene, seen.index)[:2] - at[:2]) < 0.03
    np.testing.assert_array_equal(seen.scan.points, table_scene.points[seen.index])
    assert seen.scan.up is not None and seen.scan.up[2] > 0.99 and seen.plane is not None


def test_a_point_far_from_every_object_is_refused_with_the_distance(table_scene: Scan) -> None:
    with pytest.raises(PartDistillError, match=r"no object within 0\.1 m .* nearest is"):
        object_in_view(table_scene, "tabletop", LIMITS, np.array([5.0, 5.0, 5.0]))


def test_without_a_point_the_middle_of_the_picture_counts(table_scene: Scan) -> None:
    rows = np.arange(len(table_scene.points))
    # The grid of the scene is filled row by row: the first post lies in its first rows, the second after it.
    swapped = np.roll(rows, len(rows) // 2 - 2250)  # the second post to the middle
    middle = table_scene.with_(points=table_scene.points[swapped], colors=None)
    seen = object_in_view(middle, "tabletop", LIMITS)
    assert np.linalg.norm(place(middle, seen.index)[:2] - SECOND[:2]) < 0.03
    loose = table_scene.with_(grid=None)
    largest = object_in_view(loose, "tabletop", LIMITS)
    other = object_in_view(loose, "tabletop", LIMITS, FIRST)
    assert len(largest.index) >= len(other.index)


def test_a_whole_cloud_may_be_the_object(table_scene: Scan) -> None:
    seen = object_in_view(table_scene, "object", LIMITS)
    np.testing.assert_array_equal(seen.index, np.flatnonzero(table_scene.finite()))
    assert seen.plane is None


def test_a_cloud_without_a_finite_point_is_refused() -> None:
    with pytest.raises(PartDistillError, match="none of the 4 points"):
        object_in_view(Scan(np.full((4, 3), np.nan, np.float32)), "tabletop", LIMITS)
