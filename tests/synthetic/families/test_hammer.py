# SPDX-License-Identifier: Apache-2.0
"""Hammers: the head at one end of the handle and across it."""

from __future__ import annotations

import numpy as np


def test_every_shape_is_sound(check_family):
    check_family("hammer", {})


def test_head_sits_across_the_end_of_the_handle(shapes, middle):
    for scan in shapes("hammer"):
        handle, head = (scan.mesh.triangles()[scan.mesh.face_labels == k].reshape(-1, 3) for k in (0, 1))
        along = middle(scan, "head") - middle(scan, "handle")
        axis = np.abs(along).argmax()
        assert np.ptp(handle[:, axis]) > np.ptp(head[:, axis]), scan.name
        across = np.delete(np.arange(3), axis)
        assert np.ptp(head[:, across], axis=0).max() > np.ptp(handle[:, across], axis=0).max() * 0.8, scan.name
