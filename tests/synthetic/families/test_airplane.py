# SPDX-License-Identifier: Apache-2.0
"""Airplanes: level, nose towards +x, the same on both sides, nothing hidden inside the fuselage."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from partdistill_ros.synthetic.drawing.primitives import MeshBuilder
from partdistill_ros.synthetic.families.airplane import FAMILY, STYLES, Foil, draw_hull


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


def test_hull_covers_its_axis_only_inside():
    for style in STYLES:
        hull = draw_hull(np.random.default_rng(1), style)
        _, level = hull.at(0.0)
        points = np.array([[0, 0, level], [0, 0.5, level], [0, 0, level + 0.5], [0.9, 0, level]])
        assert hull.covers(points).tolist() == [True, False, False, False], style


def test_foil_runs_from_its_root_to_its_span():
    foil = Foil((0.1, 0.0, 0.0), span=0.5, chord=0.2, taper=0.5, sweep=0.1, lean=0.0, thickness=0.02)
    vertices, _ = foil.solid()
    assert np.isclose(vertices[:, 1].max(), 0.5) and np.isclose(vertices[:, 1].min(), 0.0)
    root = vertices[vertices[:, 1] < 1e-9]
    assert np.isclose(np.ptp(root[:, 0]), 0.2, atol=0.01)
    builder = MeshBuilder(("wing",))
    builder.add("wing", foil.solid())
    mesh = builder.build()
    inside = mesh.triangles() - mesh.vertices.mean(0)
    assert np.einsum("ij,ij->i", inside[:, 0], np.cross(inside[:, 1], inside[:, 2])).sum() > 0, "faces point inwards"
