# SPDX-License-Identifier: Apache-2.0
"""Knives: the blade ahead of the handle, thinner than it."""

from __future__ import annotations

import numpy as np


def test_every_shape_is_sound(check_family):
    check_family("knife", {})


def test_blade_ahead_of_the_handle_and_thinner(shapes, middle):
    for scan in shapes("knife"):
        assert middle(scan, "blade")[0] > middle(scan, "handle")[0], scan.name
        handle, blade = (scan.mesh.triangles()[scan.mesh.face_labels == k].reshape(-1, 3) for k in (0, 1))
        assert np.ptp(blade[:, 2]) < np.ptp(handle[:, 2]), scan.name
