# SPDX-License-Identifier: Apache-2.0
"""Things come to rest on their broad side, whichever way they are held."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.pointcloud.frames import rotation_to_z
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.pointcloud.stable_pose import resting_up
from partdistill_ros.synthetic.families import generate


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
    up = resting_up(block(size))
    assert up.shape == (3,) and up.dtype == np.float32
    assert abs(up[thin]) > 0.999 and np.linalg.norm(up) == pytest.approx(1)


def test_a_disc_lies_flat() -> None:
    assert abs(resting_up(disc(0.4, 0.05))[2]) > 0.99
    upright = disc(0.4, 0.05) @ rotation_to_z([1, 0, 0])  # +z becomes +x
    assert abs(resting_up(upright)[0]) > 0.99


@pytest.mark.parametrize("seed", range(4))
def test_a_tilted_slab_is_found(seed: int) -> None:
    normal = np.random.default_rng(seed).normal(size=3)
    normal /= np.linalg.norm(normal)
    tilted = block((0.6, 0.4, 0.05)) @ rotation_to_z(normal) + (3, -2, 1)
    assert abs(resting_up(tilted) @ normal) > 0.999


def test_it_stands_on_its_heavy_end() -> None:
    # A cone: the base is its only flat side, and the tip points up.
    rng = np.random.default_rng(0)
    height = 1 - np.sqrt(rng.random(4000))
    angle = rng.uniform(0, 2 * np.pi, 4000)
    cone = np.stack([0.5 * (1 - height) * np.cos(angle), 0.5 * (1 - height) * np.sin(angle), 0.6 * height], 1)
    assert resting_up(cone)[2] > 0.99
    assert resting_up(cone * (1, 1, -1))[2] < -0.99


def test_a_tetrahedron_stands_on_any_of_its_sides() -> None:
    corners = np.array([(1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)], float)
    up = resting_up(corners)
    assert max(corners @ up / np.sqrt(3)) > 0.999, "a corner is straight above the side it stands on"


@pytest.mark.parametrize("name", ["table", "knife", "eyeglasses"])
def test_shapes_of_the_families_rest_on_a_level_side(name: str) -> None:
    up = resting_up(sample_surface(generate(name, 3), 3000, seed=0).points)
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
    assert resting_up(points).tolist() == [0, 0, 1]
