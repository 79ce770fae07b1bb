# SPDX-License-Identifier: Apache-2.0
"""Samples have the right size, are even where they should be, and come quickly from large clouds."""

import numpy as np
import pytest

from partdistill_ros.pointcloud.sampling import (
    EXACT_UP_TO,
    farthest_points,
    finite_rows,
    interpolate_labels,
    resample,
    voxel_downsample,
)


def sphere(count, seed=0):
    points = np.random.default_rng(seed).standard_normal((count, 3))
    return (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def test_finite_rows():
    points = np.zeros((6, 3), np.float32)
    points[1, 0], points[2, 1], points[4, 2] = np.nan, np.inf, -np.inf
    points[5] = np.inf, -np.inf, 0
    assert finite_rows(points).tolist() == [0, 3]


def test_finite_rows_of_an_empty_cloud():
    assert finite_rows(np.zeros((0, 3), np.float32)).tolist() == []


def test_voxel_downsample_keeps_one_point_per_voxel_and_knows_whose():
    points = sphere(50_000)
    representatives, of_point = voxel_downsample(points, voxels=32)
    voxel = np.floor((points - points.min(0)) / (points.max(0) - points.min(0)).max() * (32 - 1e-3)).astype(int)
    assert len(representatives) == len(np.unique(voxel, axis=0))
    assert np.array_equal(voxel[representatives][of_point], voxel)
    assert np.array_equal(of_point[representatives], np.arange(len(representatives)))


@pytest.mark.parametrize("points", [np.zeros((5, 3), np.float32), np.full((4, 3), 7e5), np.eye(3) * 1e-30])
def test_voxel_downsample_of_clouds_without_extent(points):
    representatives, of_point = voxel_downsample(points)
    assert np.allclose(points[representatives][of_point], points)


@pytest.mark.parametrize("edge", [0.05, 0.002], ids=["in a table", "sorted"])
def test_voxel_downsample_by_edge(edge):
    points = sphere(5_000).astype(np.float64)
    representatives, of_point = voxel_downsample(points, edge=edge)
    voxel = np.floor((points - points.min(0)) / edge).astype(int)
    assert len(representatives) == len(np.unique(voxel, axis=0)) and len(of_point) == len(points)
    assert np.array_equal(voxel[representatives][of_point], voxel)


def test_voxel_downsample_survives_coordinates_too_far_apart():
    points = np.array([[3e38, 0, 0], [-3e38, 0, 0]], np.float32)
    assert voxel_downsample(points)[0].tolist() == [0, 1]


@pytest.mark.parametrize("method", ["random", "farthest"])
@pytest.mark.parametrize("size", [2049, 5_000, 60_000])
def test_resample_draws_without_repetition_and_repeatably(method, size):
    points = sphere(size)
    chosen = resample(points, 2048, method=method)
    assert len(np.unique(chosen)) == 2048 and chosen.min() >= 0 and chosen.max() < size
    assert np.array_equal(chosen, resample(points, 2048, method=method))
    if method == "random" or size > 4 * 2048:
        assert not np.array_equal(chosen, resample(points, 2048, method=method, seed=1))


def test_resample_keeps_an_exact_cloud_as_it_is():
    assert np.array_equal(resample(sphere(2048), 2048), np.arange(2048))


def test_resample_repeats_every_point_of_a_small_cloud_evenly():
    chosen = resample(sphere(100), 2048)
    counts = np.bincount(chosen, minlength=100)
    assert len(chosen) == 2048 and counts.min() == 20 and counts.max() == 21


def test_farthest_is_even_where_the_cloud_is_not():
    dense, sparse = sphere(50_000), sphere(4_000, seed=1)
    points = np.concatenate([dense[dense[:, 2] > 0], sparse[sparse[:, 2] <= 0]])
    assert (points[resample(points, 2048, method="random")][:, 2] <= 0).mean() < 0.12
    assert (points[resample(points, 2048, method="farthest")][:, 2] <= 0).mean() > 0.3


def test_farthest_of_a_cloud_with_an_outlier():
    points = np.concatenate([sphere(20_000), [[1e6, 0, 0]]]).astype(np.float32)
    assert len(np.unique(resample(points, 2048, method="farthest"))) == 2048


def brute_force_farthest(points, count):
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < count:
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def test_farthest_points_are_the_farthest():
    points = sphere(2048)
    found = farthest_points(points, 128)
    assert found.dtype == np.int64 and len(set(found.tolist())) == 128

    def reach(chosen):
        return np.linalg.norm(points[:, None] - points[chosen][None], axis=-1).min(1).max()

    assert reach(found) == pytest.approx(reach(brute_force_farthest(points, 128)), rel=0.05)


def test_farthest_points_far_from_the_origin():
    points = sphere(2048).astype(np.float64)
    assert np.array_equal(farthest_points(points * 0.1 + [4.5e5, 5.4e6, 100], 64), farthest_points(points * 0.1, 64))


@pytest.mark.parametrize("points", [np.zeros((200, 3)), np.full((200, 3), 1e38), np.resize(np.eye(3), (200, 3))])
def test_farthest_points_of_degenerate_clouds(points):
    found = farthest_points(points, 128)
    assert found.shape == (128,) and found.min() >= 0 and found.max() < 200


def cube(count, seed=0):
    return np.random.default_rng(seed).random((count, 3)).astype(np.float32)


def nearest(points, sampled):
    return np.concatenate(
        [np.linalg.norm(some[:, None] - sampled[None], axis=-1).argmin(1) for some in np.array_split(points, 20)]
    )


def test_nearest_is_exact():
    points, sampled = cube(3_000), cube(200, seed=1)
    values = np.arange(400, dtype=np.float32).reshape(200, 2)
    assert np.array_equal(interpolate_labels(points, sampled, values), values[nearest(points, sampled)])


def test_the_sample_itself_is_handed_through():
    points = cube(100)
    values = np.random.default_rng(1).random((100, 3)).astype(np.float32)
    assert interpolate_labels(points, points, values) is values
    assert np.array_equal(interpolate_labels(points.copy(), points, values), values)


def test_large_cloud_is_right_to_within_a_voxel():
    points = cube(EXACT_UP_TO + 20_000)
    points[:, 2] *= 0.01
    sampled = points[:2048]
    height = sampled[:, :1].copy()
    answer = interpolate_labels(points, sampled, height)[:, 0]
    exact = height[nearest(points[:2000], sampled), 0]
    assert answer.shape == (len(points),)
    spacing, voxel = 1 / np.sqrt(2048), np.sqrt(3) / 96
    assert np.abs(answer[:2000] - exact).max() < 3 * spacing + voxel
    labels = (answer[:2000] > 0.5) == (exact > 0.5)
    assert labels.mean() > 0.985


def test_large_cloud_crowded_into_few_voxels_falls_back_to_exact():
    points = np.concatenate([cube(EXACT_UP_TO + 10) * 1e-3, [[100, 0, 0]]]).astype(np.float32)
    sampled = points[:500]
    values = np.arange(500, dtype=np.float32)[:, None]
    answer = interpolate_labels(points, sampled, values)
    assert np.array_equal(answer[:1000, 0], nearest(points[:1000], sampled).astype(np.float32))
