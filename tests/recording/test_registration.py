# SPDX-License-Identifier: Apache-2.0
"""Views join into the true surface though tf errs, and an object that was moved is noticed."""

from __future__ import annotations

import sys

import numpy as np
import orbit
import pytest
from scipy.spatial import cKDTree

from partdistill_ros.errors import MissingDependencyError
from partdistill_ros.pointcloud.scan import Scan, sample_mesh
from partdistill_ros.recording.cut import Cut, cut_objects
from partdistill_ros.recording.registration import JoinedObject, ObjectMoved, RegistrationConfig, transformed

ROUND = range(0, 360, 45)


def millimeters_off(scan: Scan) -> np.ndarray:
    """Distance of each point from the true mug."""
    return 1000 * cKDTree(sample_mesh(orbit.mug(), 100_000)[0]).query(scan.points)[0]


def join(view, poses, degrees=ROUND, config=None) -> JoinedObject:
    joined = JoinedObject(config)
    for angle, pose in zip(degrees, poses, strict=True):
        joined.add(cut_objects(view(angle).scan, Cut())[0].scan, pose)
    return joined


@pytest.fixture
def small_gicp():
    return pytest.importorskip("small_gicp", reason="small_gicp is not installed: the extra 'record'")


def test_views_whose_tf_errs_lie_on_the_surface(view, off, small_gicp) -> None:
    poses = [(off(8, 2, angle) if angle else np.eye(4)) @ view(angle).pose for angle in ROUND]
    by_tf = join(view, poses, config=RegistrationConfig(min_overlap=2.0)).scan("by_tf")
    refined = join(view, poses)
    scan = refined.scan("refined")
    assert millimeters_off(by_tf).mean() > 2.3 and millimeters_off(scan).mean() < 1.5
    assert all(view.correction is not None for view in refined.views[1:])
    assert scan.viewpoint is None and scan.colors is not None and scan.up[2] > 0.99
    assert len(scan.points) > 3 * len(refined.views[0].scan.points)


def test_good_poses_are_not_spoilt(view, small_gicp) -> None:
    # without the prior a view of the mug slides around the mug's axis
    joined = join(view, [view(angle).pose for angle in ROUND])
    for angle, seen in zip(ROUND, joined.views, strict=True):
        turned = seen.pose[:3, :3] @ view(angle).pose[:3, :3].T
        assert np.rad2deg(np.arccos(np.clip((np.trace(turned) - 1) / 2, -1, 1))) < 2.5
    assert millimeters_off(joined.scan("mug")).mean() < 1.4


@pytest.mark.parametrize("shift", [0.03, 0.06])
def test_a_moved_object_is_noticed_and_not_joined(view, shift, small_gicp) -> None:
    joined = join(view, [view(angle).pose for angle in (0, 30)], (0, 30))
    seen = view(45, shift=shift)
    with pytest.raises(ObjectMoved, match=r"has moved by \d+\.\d cm"):
        joined.add(cut_objects(seen.scan, Cut())[0].scan, seen.pose)
    assert len(joined.views) == 2


def test_views_from_one_side_keep_the_viewpoint(view, small_gicp) -> None:
    scan = join(view, [view(angle).pose for angle in (0, 30)], (0, 30)).scan("side")
    np.testing.assert_allclose(scan.viewpoint, view(0).pose[:3, 3], atol=1e-6)


def test_a_single_view_needs_no_library(view, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "small_gicp", None)
    joined = join(view, [view(0).pose], (0,))
    with pytest.raises(MissingDependencyError, match=r"joining views needs .*small_gicp.*partdistill_ros\[record\]"):
        joined.add(cut_objects(view(45).scan, Cut())[0].scan, view(45).pose)
    assert len(joined.views) == 1


def test_transformed_moves_everything() -> None:
    pose = np.array([[0, -1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float)
    x = np.array([[1, 0, 0]], np.float32)
    moved = transformed(Scan(x, normals=x, up=x[0]), pose)
    np.testing.assert_allclose(moved.points, [[1, 1, 0]])
    np.testing.assert_allclose(moved.normals, [[0, 1, 0]])
    np.testing.assert_allclose([moved.up, moved.viewpoint], [[0, 1, 0], [1, 0, 0]])


@pytest.mark.parametrize("colored", [True, False])
def test_a_voxel_of_the_joined_cloud_is_the_mean_of_its_points(colored) -> None:
    points = np.array([[0, 0, 0], [0.001, 0, 0], [1, 1, 1]], np.float32)
    colors = np.array([[0, 0, 0], [100, 10, 0], [7, 7, 7]], np.uint8)
    joined = JoinedObject(RegistrationConfig(voxel=0.01))
    joined.add(Scan(points, colors=colors if colored else None), np.eye(4))
    scan = joined.scan("mug")
    np.testing.assert_allclose(scan.points, [[0.0005, 0, 0], [1, 1, 1]], atol=1e-6)
    if colored:
        np.testing.assert_array_equal(scan.colors, [[50, 5, 0], [7, 7, 7]])
    else:
        assert scan.colors is None
