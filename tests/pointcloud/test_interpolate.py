# SPDX-License-Identifier: Apache-2.0
"""Every point takes the answer of the nearest sampled point, in large clouds to within a voxel."""

import numpy as np
import pytest

from partdistill_ros.pointcloud.interpolate import EXACT_UP_TO, spread


def cloud(count, seed=0):
    return np.random.default_rng(seed).random((count, 3)).astype(np.float32)


def nearest(points, sampled):
    return np.concatenate(
        [np.linalg.norm(some[:, None] - sampled[None], axis=-1).argmin(1) for some in np.array_split(points, 20)]
    )


def test_nearest_is_exact():
    points, sampled = cloud(3_000), cloud(200, seed=1)
    values = np.arange(400, dtype=np.float32).reshape(200, 2)
    assert np.array_equal(spread(points, sampled, values), values[nearest(points, sampled)])


def test_the_sample_itself_is_handed_through():
    points = cloud(100)
    values = np.random.default_rng(1).random((100, 3)).astype(np.float32)
    assert spread(points, points, values) is values
    assert np.array_equal(spread(points.copy(), points, values), values)


@pytest.mark.parametrize("smooth", [False, True])
def test_large_cloud_is_right_to_within_a_voxel(smooth):
    points = cloud(EXACT_UP_TO + 20_000)
    points[:, 2] *= 0.01
    sampled = points[:2048]
    height = sampled[:, :1].copy()
    answer = spread(points, sampled, height, smooth=smooth)[:, 0]
    exact = height[nearest(points[:2000], sampled), 0]
    assert answer.shape == (len(points),)
    spacing, voxel = 1 / np.sqrt(2048), np.sqrt(3) / 96
    assert np.abs(answer[:2000] - exact).max() < 3 * spacing + voxel
    labels = (answer[:2000] > 0.5) == (exact > 0.5)
    assert labels.mean() > (0.97 if smooth else 0.985)


def test_large_cloud_crowded_into_few_voxels_falls_back_to_exact():
    points = np.concatenate([cloud(EXACT_UP_TO + 10) * 1e-3, [[100, 0, 0]]]).astype(np.float32)
    sampled = points[:500]
    values = np.arange(500, dtype=np.float32)[:, None]
    answer = spread(points, sampled, values)
    assert np.array_equal(answer[:1000, 0], nearest(points[:1000], sampled).astype(np.float32))


def test_smooth_weighs_the_three_nearest():
    sampled = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 9, 9]], np.float32)
    values = np.eye(4, dtype=np.float32)
    halfway, on_top = spread(np.array([[0.5, 0, 0], [1, 0, 0]], np.float32), sampled, values, smooth=True)
    assert halfway[0] == pytest.approx(halfway[1]) and 0 < halfway[2] < halfway[0] and halfway[3] == 0
    assert np.allclose(on_top, [0, 1, 0, 0], atol=1e-5)
    assert halfway.sum() == pytest.approx(1)


def test_smooth_of_repeated_points_is_finite():
    sampled = np.zeros((5, 3), np.float32)
    answer = spread(np.zeros((2, 3), np.float32), sampled, np.ones((5, 2), np.float32), smooth=True)
    assert np.allclose(answer, 1)
