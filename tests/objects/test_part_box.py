# SPDX-License-Identifier: Apache-2.0
"""Boxes stand upright or along the principal axes, follow the part and survive stray points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from partdistill_ros.objects.part_box import part_box, principal_box


def brick(turn: Rotation, size=(0.3, 0.1, 0.2), center=(1.0, 2.0, 3.0)):
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (4000, 3)) * size
    return (turn.apply(points) + center).astype(np.float32)


@pytest.mark.parametrize("angle", [0.0, 0.7, 2.5])
def test_an_upright_brick_gets_its_own_box(angle):
    box = part_box(brick(Rotation.from_euler("z", angle)), np.array([0, 0, 1.0]))
    np.testing.assert_allclose(box.center, (1, 2, 3), atol=0.01)
    np.testing.assert_allclose(box.size, (0.3, 0.1, 0.2), rtol=0.08)
    assert abs(box.rotation[:, 0] @ [np.cos(angle), np.sin(angle), 0]) > 0.995


def test_up_is_the_third_axis_and_axes_are_right_handed():
    turn = Rotation.from_euler("xyz", (0.5, -1.0, 0.3))
    up = turn.apply([0, 0, 1])
    box = part_box(brick(turn), up)
    np.testing.assert_allclose(box.rotation[:, 2], up, atol=1e-6)
    np.testing.assert_allclose(box.rotation.T @ box.rotation, np.eye(3), atol=1e-6)
    assert np.linalg.det(box.rotation) == pytest.approx(1)
    np.testing.assert_allclose(Rotation.from_quat(box.quaternion()).as_matrix(), box.rotation, atol=1e-6)
    np.testing.assert_allclose(box.size, (0.3, 0.1, 0.2), rtol=0.08)


def test_a_principal_box_has_the_longest_axis_first_and_the_thinnest_towards_the_sensor():
    turn = Rotation.from_euler("xyz", (0.5, -1.0, 0.3))
    up = turn.apply([-1, 0, 0])
    box = principal_box(brick(turn), up)
    np.testing.assert_allclose(box.size, (0.3, 0.2, 0.1), rtol=0.08)
    np.testing.assert_allclose(box.center, (1, 2, 3), atol=0.01)
    assert box.rotation[:, 0] @ up > 0.99, "upwards"
    assert abs(box.rotation[:, 2] @ turn.apply([0, 1, 0])) > 0.99 and box.rotation[:, 2] @ (1, 2, 3) < 0
    assert np.linalg.det(box.rotation) == pytest.approx(1)


def test_axes_of_a_principal_box_are_ordered_by_its_lengths():
    """Two heaps a short way apart have more variance than a thin line that reaches farther."""
    heaps = np.random.default_rng(0).normal(0, 0.002, (2000, 3)) + np.repeat([[0, 0.1, 0], [0, -0.1, 0]], 1000, axis=0)
    line = np.zeros((100, 3))
    line[:, 0] = np.linspace(-0.2, 0.2, 100)
    box = principal_box(np.vstack([heaps, line]).astype(np.float32), None)
    assert box.size[0] > box.size[1] > box.size[2] and abs(box.rotation[0, 0]) > 0.99


def test_stray_points_stay_outside():
    points = brick(Rotation.identity())
    points[:20] += 50
    for box in (part_box, principal_box):
        assert box(points, None).size.max() < 0.4


def test_degenerate_parts():
    assert principal_box(np.zeros((3, 3), np.float32), None) is None
    assert part_box(np.zeros((3, 3), np.float32), None) is None
    line = np.zeros((50, 3), np.float32)
    line[:, 2] = np.linspace(0, 1, 50)
    for points in (line, np.ones((50, 3), np.float32)):
        for box in (part_box(points, None), principal_box(points, None)):
            assert np.isfinite(box.rotation).all() and (box.size > 0).all()
            assert np.linalg.det(box.rotation) == pytest.approx(1)
