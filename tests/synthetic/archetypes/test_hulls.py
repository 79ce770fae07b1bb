# SPDX-License-Identifier: Apache-2.0
"""Hulls know what they cover; foils, pods and propellers are of the size asked for."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.archetypes.hulls import Foil, hull, pod, propeller
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder


def test_hull_covers_its_axis_only_inside():
    for fat, end in ((0.04, 0.1), (0.1, 0.8)):
        body = hull(fat, 0.2, 0.4, 0.03, end, np.random.default_rng(1))
        _, level = body.at(0.0)
        points = np.array([[0, 0, level], [0, 0.5, level], [0, 0, level + 0.5], [0.9, 0, level]])
        assert body.covers(points).tolist() == [True, False, False, False]


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


def test_a_pod_lies_along_x_and_a_propeller_turns_about_it():
    vertices, _ = pod(np.random.default_rng(0), 0.2, 0.03)
    assert np.ptp(vertices[:, 0]) > 0.19 and np.abs(vertices[:, 1:]).max() < 0.036
    blades = np.concatenate([vertices for vertices, _ in propeller(np.random.default_rng(0), (0.5, 0, 0), 0.2, 0.02)])
    assert np.isclose(np.linalg.norm(blades[:, 1:], axis=1).max(), 0.2, atol=0.02) and np.ptp(blades[:, 0]) < 0.15
