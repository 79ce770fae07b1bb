# SPDX-License-Identifier: Apache-2.0
"""Bottles: cap over neck over body, each a piece of the whole."""

import numpy as np

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate


def test_cap_neck_and_body_are_stacked():
    for seed in range(40):
        cloud = sample_surface(generate("bottle", seed), 4000)
        heights = [cloud.points[cloud.point_labels == k, 2] for k in range(3)]
        cap, neck, body = heights
        assert len(neck) and len(body)
        assert neck.mean() > body.mean()
        if len(cap):
            assert cap.mean() > neck.mean()
            assert cap.max() >= neck.max() - 0.02 * np.ptp(cloud.points[:, 2])


def test_necks_are_narrower_than_bodies():
    for seed in range(40):
        cloud = sample_surface(generate("bottle", seed), 4000)
        neck, body = (cloud.points[cloud.point_labels == k] for k in (1, 2))
        assert np.ptp(neck[:, 0]) < 1.02 * np.ptp(body[:, 0])


def test_open_bottles_exist():
    capless = sum(not (generate("bottle", seed).mesh.face_labels == 0).any() for seed in range(60))
    assert 2 <= capless <= 30
