# SPDX-License-Identifier: Apache-2.0
"""Lamps: base, pole and shade hang together; some stand, some hang."""

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

BASE, POLE, SHADE = range(3)


def test_the_pole_joins_base_and_shade():
    for seed in range(40):
        cloud = sample_surface(generate("lamp", seed), 8000)
        pole = cKDTree(cloud.points[cloud.point_labels == POLE])
        size = np.ptp(cloud.points, axis=0).max()
        assert pole.query(cloud.points[cloud.point_labels == BASE])[0].min() < 0.06 * size
        assert pole.query(cloud.points[cloud.point_labels == SHADE])[0].min() < 0.25 * size


def test_most_lamps_stand_on_their_base():
    standing = 0
    for seed in range(40):
        scan = generate("lamp", seed)
        base = scan.points[scan.point_labels == BASE, 2]
        standing += base.min() < scan.points[:, 2].min() + 0.02 * np.ptp(scan.points[:, 2])
    assert 26 <= standing < 40


def test_table_lamps_and_floor_lamps_differ_in_slenderness():
    extent = np.array([np.ptp(generate("lamp", seed).points, axis=0) for seed in range(40)])
    slender = extent[:, 2] / extent[:, :2].max(1)
    assert slender.max() > 4 and slender.min() < 1.3
