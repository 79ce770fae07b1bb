# SPDX-License-Identifier: Apache-2.0
"""The student's frame: rotations turn up to +z, clouds end up centered in the unit ball."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import candidate_ups, center_max_radius, rotation_to_z, turn_about_z


def test_center_is_the_middle_of_the_box_and_the_radius_is_one():
    points = np.array([[0, 0, 0], [4, 0, 0], [4, 2, 0], [4, 2, 0], [4, 2, 1]], np.float32)
    normalized = center_max_radius(points)
    assert normalized.dtype == np.float32
    assert np.allclose(normalized.min(0) + normalized.max(0), 0, atol=1e-6)
    assert np.linalg.norm(normalized, axis=1).max() == pytest.approx(1)
    assert np.allclose(center_max_radius(points * 7 + [1, 2, 3]), normalized, atol=1e-6)


def test_center_without_extent():
    assert np.array_equal(center_max_radius(np.full((5, 3), 3.0)), np.zeros((5, 3)))


def test_center_keeps_precision_far_from_the_origin():
    points = np.random.default_rng(0).random((50, 3))
    assert np.allclose(center_max_radius(points + [4.5e5, 5.4e6, 0]), center_max_radius(points), atol=1e-5)


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 0, -1), (0, 3, 0), (-1, 0, 0), (0.2, -0.5, -0.8), (1e-8, 0, -1)])
def test_rotation_turns_up_to_z(up):
    rotation = rotation_to_z(up)
    assert np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.allclose(rotation @ np.array(up) / np.linalg.norm(up), [0, 0, 1], atol=1e-6)


@pytest.mark.parametrize("up", [(0, 0, 0), (np.nan, 0, 1), (np.inf, 0, 0), (0, 1), np.eye(3)])
def test_bad_up(up):
    with pytest.raises(PartDistillError, match="up must be three finite numbers"):
        rotation_to_z(up)


def test_turn_about_z():
    assert np.allclose(turn_about_z(np.pi / 2) @ [1, 0, 5], [0, 1, 5])


def test_candidates_of_a_tilted_plate_hold_its_normal_both_ways():
    normal = np.array([1, 2, 2]) / 3
    plate = np.random.default_rng(0).random((500, 3)) * [1, 1, 0.01] @ rotation_to_z(normal)
    ups = candidate_ups(plate)
    assert ups.shape == (8, 3)
    assert (ups @ normal).max() > 0.999 and (ups @ normal).min() < -0.999
    assert np.allclose(np.linalg.norm(ups, axis=1), 1)


def test_candidates_are_not_tried_twice():
    assert candidate_ups(np.random.default_rng(0).random((500, 3)) * [1, 1, 0.01]).shape == (6, 3)
