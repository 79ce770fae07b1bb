# SPDX-License-Identifier: Apache-2.0
"""Up by name or by numbers; the student's frame is upright, centered, in the unit ball."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import (
    center_max_radius,
    parse_up,
    rotation_to_z,
    turn_about_z,
    unit_vector,
)


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


def test_up_by_name_or_numbers() -> None:
    assert parse_up("Z").tolist() == [0, 0, 1]
    assert parse_up("+x").tolist() == [1, 0, 0]
    assert parse_up((0, 0, -2)).tolist() == [0, 0, -1]
    for wrong in ("", "w", "--z", "zz", "-", (1, 2), (0, 0, 0), (np.nan, 0, 0), "1 0 0"):
        with pytest.raises(PartDistillError, match="^up must be"):
            parse_up(wrong)


def test_directions() -> None:
    direction = unit_vector([0, 3, 4], "up")
    assert direction is not None and np.allclose(direction, [0, 0.6, 0.8])
    assert unit_vector([np.nan] * 3, "up") is None
    for wrong in ([0, 0, 0], [1, 0], [[1, 0, 0]]):
        with pytest.raises(PartDistillError, match="up must be three numbers"):
            unit_vector(wrong, "up")
