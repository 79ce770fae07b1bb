# SPDX-License-Identifier: Apache-2.0
"""Chairs: upright, facing +x, with the parts where people look for them."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.families.chair import BASES, base_kind, draw_plan


def test_every_shape_is_sound(check_family):
    check_family("chair", {"back": 0.7, "arm": 0.2, "leg": 0.9})


def test_seat_above_legs_and_back_above_and_behind_the_seat(shapes, middle):
    for scan in shapes("chair"):
        seat, leg, back = (middle(scan, part) for part in ("seat", "leg", "back"))
        assert leg is None or leg[2] < seat[2], scan.name
        if back is not None:
            assert back[2] > seat[2] and back[0] < seat[0], scan.name


def test_nothing_reaches_the_floor_but_legs_or_solid_sides(shapes):
    for scan in shapes("chair"):
        lowest = scan.mesh.face_labels[scan.mesh.triangles()[..., 2].min(1).argmin()]
        assert scan.parts[lowest] in ("leg", "seat", "arm", "back"), scan.name
        if scan.parts[lowest] != "leg":
            assert (scan.mesh.face_labels == 1).sum() > 100, scan.name


def test_every_base_stands_on_the_floor_under_the_seat():
    for name, base in BASES.items():
        for seed in range(6):
            rng = np.random.default_rng(seed)
            plan = draw_plan(rng, "four")
            legs = [solid for part, solid in base(plan, rng) if part == "leg"]
            vertices = np.concatenate([vertices[np.unique(faces)] for vertices, faces in legs])
            assert abs(vertices[:, 2].min()) < 0.08, name
            assert vertices[:, 2].max() < plan.seat_top + 0.03, name


def test_office_chairs_roll_on_a_star():
    assert base_kind("office", np.random.default_rng(0)) == "star"
