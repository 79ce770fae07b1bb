# SPDX-License-Identifier: Apache-2.0
"""Which way a thing stands, when nothing tells, is guessed from its form alone."""

import numpy as np
import pytest

from partdistill_ros.distillation.augmentation import random_rotation
from partdistill_ros.pointcloud.upright import candidates, features, likely_ups, looked_at, peaks
from partdistill_ros.synthetic.families import generate
from partdistill_ros.synthetic.procedural import outer_cloud

RIGHT = np.cos(np.radians(20))


def cloud(name: str, seed: int = 0) -> np.ndarray:
    return outer_cloud(generate(name, 900 + seed), 2048, seed).points.astype(np.float64)


def test_chairs_mugs_and_tables_stand_however_they_are_turned() -> None:
    right = []
    for seed in range(3):
        for name in ("chair", "mug", "table"):
            rotation = random_rotation(np.random.default_rng(seed))
            ups, probability = likely_ups(cloud(name, seed) @ rotation.T * 0.2 + (5, -3, 1))
            right.append(ups[0] @ rotation[:, 2] > RIGHT)
            assert np.allclose(np.linalg.norm(ups, axis=1), 1) and probability.sum() == pytest.approx(1)
            assert (np.diff(probability) <= 0).all()
    assert np.mean(right) > 0.75


def test_a_box_says_that_it_does_not_know() -> None:
    box = np.random.default_rng(0).uniform(-1, 1, (3000, 3))
    box[np.arange(3000), np.arange(3000) % 3] = np.sign(box[np.arange(3000), np.arange(3000) % 3])
    ups, probability = likely_ups(box)
    assert probability[0] < 0.5 and np.abs(ups[0]).max() > RIGHT


def test_turned_about_up_it_measures_the_same() -> None:
    points = looked_at(cloud("mug"))
    assert points is not None
    axis = np.array([[0, 0, 1.0], [0, 0, -1]])
    turned = points @ np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]]).T
    standing = np.zeros((2, 2))
    np.testing.assert_allclose(features(points, axis, standing), features(turned, axis, standing), atol=0.03)
    flipped = features(points * (1, -1, -1), axis, standing)[::-1]
    np.testing.assert_allclose(features(points, axis, standing), flipped, atol=0.03)


def test_a_plane_of_the_hull_is_a_candidate_both_ways() -> None:
    normal = np.array([1, 2, 2]) / 3
    across = np.linalg.svd(normal[None])[2][1:]
    slab = np.random.default_rng(0).uniform(-1, 1, (400, 2)) @ across + np.outer(np.arange(400) % 2 * 0.1, normal)
    ups, standing = candidates(looked_at(slab))
    best = int(standing[:, 0].argmax())
    assert abs(ups[best] @ normal) > 0.999 and (ups @ -ups[best]).max() > 0.999


def test_what_lies_close_together_speaks_with_one_voice() -> None:
    near = np.array([[0, 0, 1], [0, 0.1, 0.995], [1, 0, 0]])
    ups, shares = peaks(near / np.linalg.norm(near, axis=1, keepdims=True), np.array([0.3, 0.3, 0.4]))
    assert shares.tolist() == pytest.approx([0.6, 0.4]) and ups[0, 1] == pytest.approx(0.05, abs=0.01)


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
    ups, probability = likely_ups(points)
    assert ups.tolist() == [[0, 0, 1]] and probability.tolist() == [1]
