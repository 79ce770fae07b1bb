# SPDX-License-Identifier: Apache-2.0
"""Eyeglasses: two lenses side by side, two temples behind them."""

from __future__ import annotations

import numpy as np


def test_every_shape_is_sound(check_family):
    check_family("eyeglasses", {})


def test_lenses_and_temples_come_in_pairs(shapes):
    for scan in shapes("eyeglasses"):
        centers = scan.mesh.triangles().mean(1)
        for part in (0, 2):
            x = centers[scan.mesh.face_labels == part][:, 0]
            assert 0.3 < np.mean(x > 0) < 0.7, scan.name


def test_temples_are_behind_the_lenses(shapes, middle):
    for scan in shapes("eyeglasses"):
        assert middle(scan, "temple")[1] > middle(scan, "lens")[1], scan.name
