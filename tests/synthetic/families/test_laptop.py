# SPDX-License-Identifier: Apache-2.0
"""Laptops: a keyboard half on the table, a screen half hinged at its rear edge."""

import numpy as np

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

SCREEN, KEYBOARD = range(2)


def halves(seed):
    cloud = sample_surface(generate("laptop", seed), 3000)
    return cloud.points[cloud.point_labels == SCREEN], cloud.points[cloud.point_labels == KEYBOARD]


def test_the_keyboard_lies_flat_in_front_and_the_screen_rises_behind():
    rising = 0
    for screen, keyboard in map(halves, range(40)):
        assert np.ptp(keyboard[:, 2]) < 0.35 * np.ptp(keyboard[:, 0])
        rising += screen[:, 2].mean() > keyboard[:, 2].max()
    assert rising >= 30


def test_the_two_halves_are_about_as_large():
    shares = [len(screen) / 3000 for screen, _ in map(halves, range(40))]
    assert 0.3 < min(shares) and max(shares) < 0.6


def test_opening_angles_vary():
    leans = []
    for screen, _ in map(halves, range(40)):
        direction = np.linalg.svd((screen - screen.mean(0))[:, [0, 2]], full_matrices=False)[2][0]
        leans.append(np.degrees(np.arctan2(abs(direction[1]), direction[0] * np.sign(direction[1]))))
    assert np.ptp(leans) > 60
