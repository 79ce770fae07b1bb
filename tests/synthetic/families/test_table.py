# SPDX-License-Identifier: Apache-2.0
"""Tables: the top above what carries it."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.archetypes.frames import STANDS
from partdistill_ros.synthetic.families.table import BASES, draw_deck


def test_every_shape_is_sound(check_family):
    check_family("table", {})


def test_top_is_above_the_legs(shapes, middle):
    for scan in shapes("table"):
        assert middle(scan, "top")[2] > middle(scan, "leg")[2], scan.name
        top = scan.mesh.triangles()[scan.mesh.face_labels == 0]
        assert top[..., 2].max() > scan.mesh.vertices[:, 2].max() - 0.1 * np.ptp(scan.mesh.vertices[:, 2]), scan.name


def test_what_carries_a_top_is_known():
    assert set(BASES) <= {*STANDS, "cabinets", "waterfall", "corner"}


def test_corners_lie_under_the_top():
    for seed in range(20):
        deck = draw_deck(np.random.default_rng(seed))
        bearing = np.arctan2(*(deck.outline / deck.span).T[::-1])
        for x, y in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
            corner = deck.corner(x, y, 0.9)[:2] / deck.span
            near = np.abs(np.angle(np.exp(1j * (bearing - np.arctan2(*corner[::-1]))))) < 0.12
            assert np.linalg.norm((deck.outline / deck.span)[near], axis=1).max() > np.linalg.norm(corner)
