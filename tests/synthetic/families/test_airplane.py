# SPDX-License-Identifier: Apache-2.0
"""Airplanes: level, nose towards +x, the same on both sides, nothing hidden inside the fuselage."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.synthetic.families.airplane import FAMILY


def test_every_shape_is_sound(check_family):
    check_family("airplane", {"engine": 0.5, "tail": 0.9})


def test_tail_is_behind_the_wings_and_wings_reach_out(shapes, middle):
    for scan in shapes("airplane"):
        tail, body = middle(scan, "tail"), middle(scan, "body")
        assert tail is None or tail[0] < body[0], scan.name
        wing = scan.mesh.triangles()[scan.mesh.face_labels == 1]
        assert np.abs(wing[..., 1]).max() > 0.8 * np.abs(scan.mesh.vertices[:, 1]).max(), scan.name


def test_wings_are_mirrored():
    """Before the waves that `weathered` adds: exact in at least a few of the shapes."""
    exact = 0
    for seed in range(12):
        mesh = FAMILY.build(np.random.default_rng(seed)).build()
        wing = mesh.vertices[np.unique(mesh.faces[mesh.face_labels == 1])]
        gap, _ = cKDTree(wing).query(wing * [1, -1, 1])
        exact += bool(gap.max() < 1e-5)
    assert exact >= 3
