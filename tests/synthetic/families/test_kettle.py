# SPDX-License-Identifier: Apache-2.0
"""Kettles: spout in front, lid on top, a handle that one can grasp."""

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate


def parts_of(seed):
    cloud = sample_surface(generate("kettle", seed), 6000)
    return [cloud.points[cloud.point_labels == k] for k in range(4)]


def test_spouts_point_to_the_front_and_touch_the_body():
    for seed in range(40):
        _, spout, _, body = parts_of(seed)
        assert spout[:, 0].max() > body[:, 0].max()
        assert cKDTree(body).query(spout)[0].min() < 0.05 * np.ptp(body, axis=0).max()


def test_lids_are_on_top():
    lids = 0
    for seed in range(40):
        _, _, lid, body = parts_of(seed)
        if len(lid):
            lids += 1
            assert lid[:, 2].mean() > body[:, 2].max() - 0.12 * np.ptp(body[:, 2])
    assert 30 <= lids < 40


def test_handles_touch_the_body_and_stand_off_it():
    for seed in range(40):
        handle, _, _, body = parts_of(seed)
        gap = cKDTree(body).query(handle)[0]
        size = np.ptp(body, axis=0).max()
        assert gap.min() < 0.06 * size and gap.max() > 0.08 * size
