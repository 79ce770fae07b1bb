# SPDX-License-Identifier: Apache-2.0
"""Clouds as sensors see them keep their labels, and hold what they should."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.synthetic.training.sensors import Sensing, resting_turn, sensed, welded  # noqa: E402

QUIET = {"dropped": 0.0, "one_sided": 0.0, "cut": 0.0, "neighbor": 0.0, "few": 0.0, "steps": 0.0, "free_rotation": 0.0}


def cloud(rng, sensing, up_unknown=False, count=1024):
    points = rng.normal(size=(4000, 3)) * [0.3, 0.3, 0.1]
    seen = np.stack([points[:, 0] > 0, points[:, 1] > 0])
    other = rng.normal(size=(800, 3)) * 0.2
    return points, sensed(rng, points, seen, other, up_unknown, sensing, count, 64)


def test_a_cloud_has_the_students_size_and_knows_its_points():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        _, made = cloud(rng, Sensing())
        assert made.points.shape == (1024, 3) and made.centers.shape == (64,) and np.isfinite(made.points).all()
        assert np.linalg.norm(made.points, axis=1).max() <= 1 + 1e-5
        assert (made.source >= 0).mean() > 0.6 and made.source.max() < 4000


def test_one_camera_sees_one_side():
    _, made = cloud(np.random.default_rng(1), Sensing(**{**QUIET, "one_sided": 1.0}))
    rng = np.random.default_rng(1)
    points = rng.normal(size=(4000, 3)) * [0.3, 0.3, 0.1]
    own = points[made.source[made.source >= 0]]
    assert (own[:, 0] > 0).all() or (own[:, 1] > 0).all()


def test_a_cut_takes_points_away_and_neighbors_have_no_label():
    sizes = []
    for seed in range(6):
        _, made = cloud(np.random.default_rng(seed), Sensing(**{**QUIET, "cut": 1.0}), count=4000)
        sizes.append(len(np.unique(made.source[made.source >= 0])))
    assert max(sizes) < 3950
    _, made = cloud(np.random.default_rng(3), Sensing(**{**QUIET, "neighbor": 1.0}))
    assert (made.source < 0).sum() > 5


def test_few_points_are_repeated():
    _, made = cloud(np.random.default_rng(2), Sensing(**{**QUIET, "few": 1.0}))
    assert 300 <= len(np.unique(made.points, axis=0)) < 1024


def test_welding_rounds_the_edges_and_leaves_the_faces():
    rng = np.random.default_rng(0)
    floor = np.column_stack([rng.uniform(-1, 1, (3000, 2)), np.zeros(3000)])
    wall = np.column_stack([np.full(3000, -1.0), rng.uniform(-1, 1, 3000), rng.uniform(0, 2, 3000)])
    made = welded(rng, np.concatenate([floor, wall]))
    corner = (floor[:, 0] < -0.97) & (np.abs(floor[:, 1]) < 0.9)
    inner = (np.abs(floor[:, :2]) < 0.8).all(axis=1)
    assert made[:3000][corner, 2].mean() > 0.002 and np.abs(made[:3000][inner, 2]).max() < 1e-9


def test_a_dropped_thing_lies_on_a_side_that_it_can_rest_on():
    brick = np.random.default_rng(0).uniform(-1, 1, (3000, 3)) * [0.1, 0.2, 0.9]  # it stands on no small end for long
    heights = []
    for seed in range(12):
        turn = resting_turn(np.random.default_rng(seed), brick)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
        heights.append(np.ptp(brick @ turn.T, axis=0)[2])
    assert min(heights) < 0.3 and np.median(heights) < 0.5


def test_things_are_set_down_upside_down_as_well():
    points = np.random.default_rng(0).uniform(-1, 1, (3000, 3)) * [0.4, 0.3, 0.3]
    downward = [resting_turn(np.random.default_rng(seed), points)[2, 2] < -0.95 for seed in range(30)]
    assert 0.2 < np.mean(downward) < 0.8


def test_a_camera_sees_a_dropped_thing_from_above():
    for seed in range(4):
        points, made = cloud(np.random.default_rng(seed), Sensing(**{**QUIET, "dropped": 1.0, "one_sided": 1.0}))
        own = np.unique(made.source[made.source >= 0])
        assert 200 < len(own) < 1024
        assert not (points[own, 0] > 0).all() and not (points[own, 1] > 0).all()
