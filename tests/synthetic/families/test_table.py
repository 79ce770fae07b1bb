# SPDX-License-Identifier: Apache-2.0
"""Tables: the top above what carries it, legs under the outline of the top."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.families.table import draw_plan, four_legs


def test_every_shape_is_sound(check_family):
    check_family("table", {})


def test_top_is_above_the_legs(shapes, middle):
    for scan in shapes("table"):
        assert middle(scan, "top")[2] > middle(scan, "leg")[2], scan.name
        top = scan.mesh.triangles()[scan.mesh.face_labels == 0]
        assert top[..., 2].max() > scan.mesh.vertices[:, 2].max() - 0.1 * np.ptp(scan.mesh.vertices[:, 2]), scan.name


def test_corner_lies_inside_the_outline():
    for seed in range(40):
        plan = draw_plan(np.random.default_rng(seed))
        x, y, _ = plan.corner(1.0)
        local = plan.outline / [plan.length / 2, plan.width / 2]
        for corner in ((1, 1), (-1, 1), (-1, -1), (1, -1)):
            place = np.array([x / plan.length * 2, y / plan.width * 2]) * corner
            angle = np.arctan2(*place[::-1])
            bearing = np.arctan2(local[:, 1], local[:, 0])
            near = np.abs(np.angle(np.exp(1j * (bearing - angle)))) < 0.12
            assert np.linalg.norm(local[near], axis=1).max() > np.linalg.norm(place) * 0.97


def test_four_legs_reach_from_the_floor_to_the_top():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        plan = draw_plan(rng)
        vertices = np.concatenate([solid[0] for part, solid in four_legs(plan, rng) if part == "leg"])
        assert abs(vertices[:, 2].min()) < 0.05
        assert plan.under <= vertices[:, 2].max() <= plan.height
