# SPDX-License-Identifier: Apache-2.0
"""Mugs: the handle touches the cup on its outside, and nearly every cup is hollow."""

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

SEEDS = range(40)


def parts_of(seed):
    cloud = sample_surface(generate("mug", seed), 4000)
    return cloud.points[cloud.point_labels == 0], cloud.points[cloud.point_labels == 1]


def test_handles_are_on_the_cup_and_reach_out():
    for seed in SEEDS:
        handle, cup = parts_of(seed)
        if not len(handle):
            continue
        gap = cKDTree(cup).query(handle)[0]
        size = np.ptp(cup, axis=0).max()
        assert gap.min() < 0.05 * size
        assert gap.max() > 0.1 * size
        assert handle[:, 2].max() < cup[:, 2].max() + 0.15 * size


def test_nearly_every_mug_has_a_handle_of_a_sensible_share():
    shares = np.array([len(handle) / (len(handle) + len(cup)) for handle, cup in map(parts_of, SEEDS)])
    assert (shares > 0).mean() >= 0.9
    assert 0.05 < shares.mean() < 0.2
    assert shares.std() > 0.02


def test_most_mugs_are_hollow():
    hollow = 0
    for seed in SEEDS:
        _, cup = parts_of(seed)
        middle = np.median(cup[:, :2], axis=0)
        on_axis = cup[np.linalg.norm(cup[:, :2] - middle, axis=1) < 0.15 * np.ptp(cup[:, 1])]
        hollow += on_axis[:, 2].max() < cup[:, 2].min() + 0.5 * np.ptp(cup[:, 2])
    assert 0.75 * len(SEEDS) <= hollow


def test_proportions_vary_widely():
    slender = [np.ptp(cup[:, 2]) / np.ptp(cup[:, 1]) for _, cup in map(parts_of, SEEDS)]
    assert max(slender) > 2 * min(slender)
