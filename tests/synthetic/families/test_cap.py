# SPDX-License-Identifier: Apache-2.0
"""Caps: a crown open from below, a visor that starts at its rim."""

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

SEEDS = range(40)


def parts_of(seed):
    cloud = sample_surface(generate("cap", seed), 4000)
    return cloud.points[cloud.point_labels == 0], cloud.points[cloud.point_labels == 1]


def test_visors_touch_the_crown():
    for crown, visor in map(parts_of, SEEDS):
        if len(visor):
            assert cKDTree(crown).query(visor)[0].min() < 0.06 * np.ptp(crown, axis=0).max()


def test_visors_leave_the_crown_low_and_mostly_to_the_front():
    front = low = seen = 0
    for crown, visor in map(parts_of, SEEDS):
        if len(visor):
            seen += 1
            front += visor[:, 0].mean() > crown[:, 0].mean()
            low += visor[:, 2].mean() < crown[:, 2].mean()
    assert seen >= 0.9 * len(SEEDS)
    assert front >= 0.75 * seen and low >= 0.85 * seen


def test_crowns_are_hollow():
    for crown, _ in map(parts_of, SEEDS):
        middle = (crown.min(0) + crown.max(0))[:2] / 2
        central = crown[np.linalg.norm(crown[:, :2] - middle, axis=1) < 0.2 * np.ptp(crown[:, 1])]
        if len(central):
            assert np.median(central[:, 2]) > crown[:, 2].min() + 0.35 * np.ptp(crown[:, 2])


def test_visor_lengths_vary():
    shares = [len(visor) / 4000 for _, visor in map(parts_of, SEEDS)]
    assert max(shares) > 0.4 and min(s for s in shares if s) < 0.2
