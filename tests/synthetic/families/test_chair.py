# SPDX-License-Identifier: Apache-2.0
"""Chairs: upright, facing +x, with the parts where people look for them."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.frames import STANDS
from partdistill_ros.synthetic.families.chair import ARMS, BACKS, STYLES


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


def test_arms_are_on_both_sides(shapes):
    for scan in shapes("chair"):
        arm = scan.mesh.triangles()[scan.mesh.face_labels == scan.parts.index("arm")][..., 1]
        assert not arm.size or (arm.min() < 0 < arm.max()), scan.name


@pytest.mark.parametrize("style", STYLES)
def test_a_page_names_what_there_is(style):
    page = STYLES[style][1]
    assert set(page.stands) <= {"", *STANDS} and set(page.backs) <= {"", *BACKS} and set(page.arms) <= {"", *ARMS}
    assert all(np.less_equal(*getattr(page, name)) for name in ("width", "depth", "seat", "thick", "back", "bar"))
