# SPDX-License-Identifier: Apache-2.0
"""Views: where cameras stand, what they look at and how large the object appears."""

import numpy as np
import pytest
import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import (
    Views,
    bounding_sphere,
    look_at,
    near_views,
    orbit_views,
    random_views,
    ten_views,
    views_for,
)
from partdistill_ros.rendering.zbuffer import project

UP = np.array([0.0, 0.6, 0.8])


def pixels(views: Views, points: np.ndarray, size: int = 100) -> np.ndarray:
    """Pixel coordinates [V, N, 2] of points [N, 3] f4."""
    cloud = torch.from_numpy(points.astype(np.float32)).expand(len(views), -1, -1)
    cameras = (torch.from_numpy(array) for array in (views.rotation, views.position, views.focal))
    return project(cloud, *cameras, size, views.orthographic)[0].numpy()


def test_ten_views_stand_at_their_elevations():
    center = np.array([1.0, -2.0, 3.0])
    views = ten_views(UP, center, radius=0.5)
    away = (views.position - center) / 0.5
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), 2.2, rtol=1e-5)
    elevation = np.degrees(np.arcsin(away @ UP / 2.2))
    np.testing.assert_allclose(elevation, [10] * 4 + [40] * 3 + [-20] * 3, atol=1e-3)
    assert len(set(views.names)) == 10


def test_ten_views_turn_by_their_azimuths():
    views = ten_views()
    azimuth = np.degrees(np.arctan2(views.position[:, 1], views.position[:, 0])) % 360
    np.testing.assert_allclose(azimuth, [0, 90, 180, 270, 0, 120, 240, 60, 180, 300], atol=1e-3)


def test_rotations_are_right_handed_and_look_at_the_center():
    views = ten_views(UP, (1, 1, 1), 2.0)
    np.testing.assert_allclose(
        views.rotation @ views.rotation.transpose(0, 2, 1), np.tile(np.eye(3), (10, 1, 1)), atol=1e-6
    )
    np.testing.assert_allclose(np.linalg.det(views.rotation), 1, atol=1e-5)
    np.testing.assert_allclose(pixels(views, np.array([[1, 1, 1]])), 50, atol=1e-3)


def test_up_is_up_and_right_is_right():
    # Seen from +x with z up, +y lies to the right.
    views = orbit_views([0], [0])
    middle, above, aside = pixels(views, np.array([[0, 0, 0], [0, 0, 0.5], [0, 0.5, 0]]))[0]
    assert above[1] < middle[1] - 10 and abs(above[0] - middle[0]) < 1e-3
    assert aside[0] > middle[0] + 10 and abs(aside[1] - middle[1]) < 1e-3


@pytest.mark.parametrize("distance", [1.5, 2.2, 6.0])
def test_the_bounding_sphere_fills_the_picture(distance):
    points = np.random.default_rng(0).normal(size=(20000, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    seen = pixels(ten_views(distance=distance), points)
    assert seen.min() > 0 and seen.max() < 100
    assert seen.min() < 4 and seen.max() > 96


def test_a_camera_inside_the_object_is_refused():
    with pytest.raises(PartDistillError, match="exceed 1 radius"):
        ten_views(distance=0.9)


def test_looking_along_up_still_gives_a_rotation():
    rotation = look_at([[0, 0, 3]], (0, 0, 0), (0, 0, 1))
    assert np.isfinite(rotation).all()
    np.testing.assert_allclose(rotation[0] @ rotation[0].T, np.eye(3), atol=1e-6)


def test_near_views_stay_near_the_viewpoint():
    viewpoint, center = np.array([0.0, 0.0, 0.0]), np.array([0.1, 0.2, 1.0])
    views = near_views(viewpoint, center, radius=0.1)
    assert len(views) == 7 == len(set(views.names))
    np.testing.assert_allclose(views.position[0], viewpoint, atol=1e-6)
    ray = (views.position - center) / np.linalg.norm(views.position - center, axis=1, keepdims=True)
    np.testing.assert_allclose(np.degrees(np.arccos(np.clip(ray[1:] @ ray[0], -1, 1))), 15, atol=1e-3)


def test_a_viewpoint_too_near_or_at_the_center_still_gives_views():
    for viewpoint in ([0, 0, 0.05], [0, 0, 0]):
        views = near_views(viewpoint, (0, 0, 0), radius=1.0)
        np.testing.assert_allclose(np.linalg.norm(views.position, axis=1), 1.5, rtol=1e-5)
        assert np.isfinite(views.rotation).all()


def test_views_for_chooses_by_the_viewpoint():
    points = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    assert len(views_for(Scan(points))) == 10
    assert views_for(Scan(points, viewpoint=np.array([0, 0, -9], np.float32))).names[0] == "near"


def test_random_views_are_reproducible_and_in_range():
    first, second = (random_views(np.random.default_rng(4), 30, elevation=(0, 20)) for _ in range(2))
    np.testing.assert_array_equal(first.position, second.position)
    elevation = np.degrees(np.arcsin(first.position[:, 2] / 2.2))
    assert elevation.min() >= -1e-3 and elevation.max() <= 20.001


def test_bounding_sphere_ignores_missing_points():
    center, radius = bounding_sphere(np.array([[0, 0, 0], [2, 0, 0], [np.nan, 1, 1]], np.float32))
    np.testing.assert_allclose(center, [1, 0, 0])
    assert radius == pytest.approx(1)
    with pytest.raises(PartDistillError, match="no finite points"):
        bounding_sphere(np.full((4, 3), np.nan, np.float32))


def test_no_camera_at_all_is_a_set_of_views():
    none = Views.none()
    assert len(none) == 0 and none.names == () and not none.orthographic
    assert none.rotation.shape == (0, 3, 3) and none.to_camera(np.zeros((5, 3), np.float32)).shape == (0, 5, 3)


def test_views_of_wrong_shape_are_refused():
    with pytest.raises(PartDistillError, match="views need"):
        Views(np.zeros((2, 3, 3), np.float32), np.zeros((3, 3), np.float32), np.ones(2, np.float32))
