# SPDX-License-Identifier: Apache-2.0
"""What belongs to a vessel is where it belongs."""

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.vessels import CATEGORIES
from partdistill_ros.synthetic.drawing.family import draw

BY_NAME = {category.name: category for category in CATEGORIES}


def corners(scan, part):
    mesh = scan.mesh
    return mesh.vertices[mesh.faces[mesh.face_labels == scan.parts.index(part)]].reshape(-1, 3)


@pytest.mark.parametrize("name", BY_NAME)
def test_handles_stand_out_of_the_body(name):
    category = BY_NAME[name]
    if "handle" not in category.parts:
        return
    for seed in range(6):
        scan = draw(category, seed)
        body, handle = corners(scan, category.parts[0]), corners(scan, "handle")
        if not len(handle):  # a flask that has none
            continue
        body, handle = body - body.mean(0), handle - body.mean(0)
        out = np.linalg.norm(handle[:, :2], axis=1).max() > np.linalg.norm(body[:, :2], axis=1).max()
        assert out or handle[:, 2].max() > body[:, 2].max()


def test_the_lid_is_above_and_the_spout_in_front():
    for seed in range(6):
        scan = draw(BY_NAME["moka coffee maker"], seed)
        body = corners(scan, "body")
        if len(lid := corners(scan, "lid")):
            assert lid[:, 2].max() > body[:, 2].max()
        if len(spout := corners(scan, "spout")):
            assert spout[:, 0].max() > body[:, 0].max() * 0.9


def test_a_knob_is_on_its_lid_or_some_of_it():
    for seed in range(6):
        scan = draw(BY_NAME["teapot"], seed)
        lid, knob = corners(scan, "lid"), corners(scan, "knob")
        assert len(knob) == len(lid) == 0 or knob[:, 2].max() > lid[:, 2].max() - 0.02
    assert "knob" not in BY_NAME["jar"].parts and len(corners(draw(BY_NAME["jar"], 0), "lid"))
