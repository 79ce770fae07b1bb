# SPDX-License-Identifier: Apache-2.0
"""Poses between frames at a time, as tf2 answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from partdistill_ros.errors import PartDistillError
from partdistill_ros.recording.transforms import SECOND, NotYetKnown, TooEarly, TransformTree, move, pose_of


def about_z(degrees: float, x: float = 0.0) -> np.ndarray:
    return pose_of((x, 0, 0), Rotation.from_euler("z", degrees, degrees=True).as_quat())


@pytest.fixture
def tree() -> TransformTree:
    """world <- base (turning 0 to 90 degrees from 10 to 11 s) <- camera (fixed, 1 m ahead); world <- table."""
    tree = TransformTree()
    tree.add("world", "base", 11 * SECOND, about_z(90))
    tree.add("world", "base", 10 * SECOND, about_z(0))
    tree.add("base", "/camera", 0, about_z(0, 1.0), static=True)
    tree.add("world", "table", 0, about_z(0, 5.0), static=True)
    return tree


@pytest.mark.parametrize(("share", "degrees"), [(0, 0), (0.5, 45), (1, 90)])
def test_between_two_messages(tree, share, degrees) -> None:
    stamp = int((10 + share) * SECOND)
    angle = np.deg2rad(degrees)
    origin = np.zeros((1, 3), np.float32)
    np.testing.assert_allclose(
        move(origin, tree.pose("camera", "world", stamp))[0], [np.cos(angle), np.sin(angle), 0], atol=1e-6
    )
    across = move(origin, tree.pose("camera", "table", stamp))[0]
    np.testing.assert_allclose(across, [np.cos(angle) - 5, np.sin(angle), 0], atol=1e-6)
    there, back = tree.pose("camera", "table", stamp), tree.pose("table", "camera", stamp)
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-12)


def test_fixed_frames_have_no_time(tree) -> None:
    assert tree.pose("camera", "base", 99 * SECOND)[0, 3] == 1
    np.testing.assert_array_equal(tree.pose("nowhere", "nowhere", 0), np.eye(4))


def test_too_late_may_come_and_too_early_never(tree) -> None:
    with pytest.raises(NotYetKnown, match="newest transform of 'base' in 'world' is 1.000 s before"):
        tree.pose("camera", "world", 12 * SECOND)
    with pytest.raises(TooEarly, match="first transform of 'base' in 'world' is 1.000 s after"):
        tree.pose("camera", "world", 9 * SECOND)
    with pytest.raises(NotYetKnown, match="does not connect 'camera' with 'moon'; frames known: base, camera"):
        tree.pose("camera", "moon", 10 * SECOND)


def test_old_poses_are_forgotten() -> None:
    tree = TransformTree(keep_seconds=5)
    for second in range(20):
        tree.add("world", "base", second * SECOND, about_z(second))
    assert tree.pose("base", "world", 16 * SECOND) is not None
    with pytest.raises(PartDistillError, match="6.000 s after"):
        tree.pose("base", "world", 8 * SECOND)


def test_a_frame_that_gets_another_parent(tree) -> None:
    tree.add("table", "base", 20 * SECOND, about_z(0))
    assert tree.pose("base", "table", 20 * SECOND)[0, 3] == 0


def test_a_loop_ends() -> None:
    tree = TransformTree()
    tree.add("a", "b", 0, np.eye(4), static=True)
    tree.add("b", "a", 0, np.eye(4), static=True)
    assert tree.pose("a", "b", 0).shape == (4, 4)


@pytest.mark.parametrize(("translation", "quaternion"), [
    ((0, 0, 0), (0, 0, 0, 0)), ((0, float("nan"), 0), (0, 0, 0, 1)), ((0, 0, 0), (5, 0, 0, 1)),
])  # fmt: skip
def test_numbers_that_are_no_pose(translation, quaternion) -> None:
    with pytest.raises(PartDistillError, match="are no pose: check who sends tf"):
        pose_of(translation, quaternion)


def test_a_clock_that_was_set_back_begins_anew() -> None:
    tree = TransformTree(keep_seconds=5)
    for second in (100, 101, 10, 11):
        tree.add("world", "base", second * SECOND, about_z(0, float(second)))
    assert tree.pose("base", "world", 10 * SECOND)[0, 3] == 10
    with pytest.raises(NotYetKnown, match="89.000 s before"):
        tree.pose("base", "world", 100 * SECOND)
    tree.add("base", "camera", 0, np.eye(4), static=True)
    tree.forget()
    assert tree.pose("camera", "base", 0) is not None
    with pytest.raises(NotYetKnown, match="does not connect"):
        tree.pose("base", "world", 11 * SECOND)


def test_without_a_time_the_newest_counts(tree) -> None:
    np.testing.assert_allclose(tree.pose("base", "world", 0), about_z(90), atol=1e-12)


def test_frames_that_nobody_tells_of_any_more_are_forgotten_before_they_are_many() -> None:
    tree = TransformTree(10.0)
    tree.add("map", "table", 0, about_z(0), static=True)
    for second in range(1200):
        tree.add("map", "camera", second * SECOND, about_z(0))
        tree.add("camera", f"object_{second}", second * SECOND, about_z(0, 1.0))
    assert tree.pose("object_1199", "table", 0)[0, 3] == 1.0
    with pytest.raises(PartDistillError, match="object_5"):
        tree.pose("object_5", "table", 0)
