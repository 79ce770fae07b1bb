# SPDX-License-Identifier: Apache-2.0
"""Up by name, by numbers or by how a thing rests; the student's frame is upright, centered, in the unit ball."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import (
    candidate_ups,
    center_max_radius,
    parse_up,
    rotation_to_z,
    stable_pose,
    turn_about_z,
    unit_vector,
)
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate


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


def block(size, count=2000, seed=0):
    """Points `[N, 3]` on and in a box of the given sides, its corners among them."""
    rng = np.random.default_rng(seed)
    corners = np.stack(np.meshgrid(*[(-1, 1)] * 3), -1).reshape(-1, 3)
    return np.concatenate([corners, rng.uniform(-1, 1, (count, 3))]) * np.array(size) / 2


def disc(radius, height, count=3000, seed=0):
    rng = np.random.default_rng(seed)
    angle, away = rng.uniform(0, 2 * np.pi, count), radius * np.sqrt(rng.random(count))
    return np.stack([away * np.cos(angle), away * np.sin(angle), rng.choice([0, height], count)], 1)


@pytest.mark.parametrize("thin", [0, 1, 2])
def test_a_box_lies_on_its_largest_side(thin: int) -> None:
    size = np.roll([0.1, 0.5, 0.4], thin)
    up = stable_pose(block(size))
    assert up.shape == (3,) and up.dtype == np.float32
    assert abs(up[thin]) > 0.999 and np.linalg.norm(up) == pytest.approx(1)


def test_a_disc_lies_flat() -> None:
    assert abs(stable_pose(disc(0.4, 0.05))[2]) > 0.99
    upright = disc(0.4, 0.05) @ rotation_to_z([1, 0, 0])  # +z becomes +x
    assert abs(stable_pose(upright)[0]) > 0.99


@pytest.mark.parametrize("seed", range(4))
def test_a_tilted_slab_is_found(seed: int) -> None:
    normal = np.random.default_rng(seed).normal(size=3)
    normal /= np.linalg.norm(normal)
    tilted = block((0.6, 0.4, 0.05)) @ rotation_to_z(normal) + (3, -2, 1)
    assert abs(stable_pose(tilted) @ normal) > 0.999


def test_it_stands_on_its_heavy_end() -> None:
    # A cone: the base is its only flat side, and the tip points up.
    rng = np.random.default_rng(0)
    height = 1 - np.sqrt(rng.random(4000))
    angle = rng.uniform(0, 2 * np.pi, 4000)
    cone = np.stack([0.5 * (1 - height) * np.cos(angle), 0.5 * (1 - height) * np.sin(angle), 0.6 * height], 1)
    assert stable_pose(cone)[2] > 0.99
    assert stable_pose(cone * (1, 1, -1))[2] < -0.99


def test_a_tetrahedron_stands_on_any_of_its_sides() -> None:
    corners = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float)
    up = stable_pose(corners)
    assert max(corners @ up / np.sqrt(3)) > 0.999, "a corner is straight above the side it stands on"


@pytest.mark.parametrize("name", ["table", "knife", "eyeglasses"])
def test_shapes_of_the_families_rest_on_a_level_side(name: str) -> None:
    up = stable_pose(sample_surface(generate(name, 3), 3000, seed=0).points)
    assert abs(up[2]) > 0.95


@pytest.mark.parametrize(
    "points",
    [
        np.column_stack([np.random.default_rng(0).random((50, 2)), np.zeros(50)]),
        np.column_stack([np.zeros(50), np.random.default_rng(0).random((50, 2))]),
        np.linspace(0, 1, 20)[:, None] * (1.0, 2.0, 3.0),
        np.zeros((10, 3)),
        np.zeros((2, 3)),
        np.zeros((0, 3)),
    ],
    ids=["level", "standing", "line", "one place", "two points", "none"],
)
def test_points_without_a_volume_keep_their_frame(points: np.ndarray) -> None:
    assert stable_pose(points).tolist() == [0, 0, 1]
