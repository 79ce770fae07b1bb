# SPDX-License-Identifier: Apache-2.0
"""Pairs are hinged where they should be."""

import numpy as np

from partdistill_ros.synthetic.archetypes.pairs import CATEGORIES
from partdistill_ros.synthetic.drawing.family import draw

BY_NAME = {category.name: category for category in CATEGORIES}


def middle(scan, part):
    mesh = scan.mesh
    return mesh.vertices[mesh.faces[mesh.face_labels == scan.parts.index(part)]].reshape(-1, 3)


def test_the_joint_of_scissors_is_between_blade_and_handle():
    for seed in range(6):
        scan = draw(BY_NAME["scissors"], seed)
        blade, joint, handle = (middle(scan, part)[:, 0].mean() for part in ("blade", "joint", "handle"))
        assert blade > joint > handle


def test_tongs_have_no_handle_and_meet_at_their_joint():
    assert BY_NAME["tongs"].parts == ("arm", "joint")
    scan = draw(BY_NAME["tongs"], 0)
    assert np.abs(middle(scan, "joint")[:, 0].mean() - middle(scan, "arm")[:, 0].min()) < 0.1


def test_boxes_are_open_and_closed():
    spans = [np.ptp(middle(draw(BY_NAME["box"], seed), "lid"), axis=0) for seed in range(8)]
    tall = [span[2] / span.max() for span in spans]
    assert min(tall) < 0.35 and max(tall) > 0.4
