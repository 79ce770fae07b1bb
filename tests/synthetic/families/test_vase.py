# SPDX-License-Identifier: Apache-2.0
"""Vases: foot under body under neck; handles on the side; most parts optional."""

import numpy as np

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

BODY, NECK, HANDLE, FOOT = range(4)


def labels_of(seed):
    return set(np.unique(generate("vase", seed).mesh.face_labels))


def test_parts_are_stacked():
    for seed in range(40):
        cloud = sample_surface(generate("vase", seed), 4000)
        body, neck, _, foot = (cloud.points[cloud.point_labels == k, 2] for k in range(4))
        if len(neck):
            assert neck.mean() > body.mean() and neck.min() >= body.max() - 0.12 * np.ptp(cloud.points[:, 2])
        if len(foot):
            assert foot.mean() < body.mean() and foot.max() < body.min() + 0.12 * np.ptp(cloud.points[:, 2])


def test_neck_handle_and_foot_come_and_go():
    found = [labels_of(seed) for seed in range(60)]
    for part in (NECK, HANDLE, FOOT):
        share = np.mean([part in labels for labels in found])
        assert 0.15 < share < 0.9
    assert all(BODY in labels for labels in found)
