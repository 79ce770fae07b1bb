# SPDX-License-Identifier: Apache-2.0
"""Forms have the extents asked for, and pieces come where the page says."""

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.bodies import FORMS, Piece, thing
from partdistill_ros.synthetic.drawing.family import draw

BENT = ("figure8", "arch", "hook", "blade", "wedge", "canopy")  # may leave some of their box empty


@pytest.mark.parametrize("form", sorted(set(FORMS) - {"cord"}))
def test_a_form_fills_its_box_and_looks_outward(form):
    size = np.array([0.6, 0.2, 0.4])
    for seed in range(4):
        vertices, faces = FORMS[form](np.random.default_rng(seed), size)
        span = np.ptp(vertices, axis=0)
        assert (span <= size * 1.12 + 0.02).all() and (form in BENT or (span >= size * 0.75).all()), (form, span)
        corners = vertices[faces]
        assert np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0


def extent(scan, part):
    mesh = scan.mesh
    corners = mesh.vertices[mesh.faces[mesh.face_labels == scan.parts.index(part)]].reshape(-1, 3)
    return corners.min(0), corners.max(0)


def test_pieces_come_where_the_page_says():
    cart = thing(
        "cart", (1.0, 1.0),
        Piece("deck", "plain", (1.0, 0.5, 0.1)),
        Piece("wheel", "face", (0.1, 0.1, 0.1), (0.8, 1, -1), (0, 0, -1), mirror="xy"),
        Piece("post", "rod", (0.05, 0.05, 0.4), (-1, 0, 1), (0, 0, 1)),
        Piece("knob", "ball", (0.1, 0.1, 0.1), (0, 0, 1), (0, 0, 1), on="post"),
        Piece("slat", "plain", (0.02, 0.4, 0.02), (0.9, 0, 1), row=("x", 5, 5)),
        Piece("never", "ball", (0.1, 0.1, 0.1), often=0.0),
    )  # fmt: skip
    scan = draw(cart, 0)
    (deck_low, deck_high), (wheel_low, wheel_high) = extent(scan, "deck"), extent(scan, "wheel")
    assert (scan.mesh.face_labels == scan.parts.index("wheel")).sum() % 4 == 0
    assert wheel_high[2] <= deck_low[2] + 0.03 and wheel_low[0] < 0 < wheel_high[0]
    post_low, post_high = extent(scan, "post")
    assert abs(post_low[2] - deck_high[2]) < 0.03 and post_high[0] < -0.2
    assert abs(extent(scan, "knob")[0][2] - post_high[2]) < 0.03
    slat_low, slat_high = extent(scan, "slat")
    assert slat_high[0] - slat_low[0] > 0.6
    assert not (scan.mesh.face_labels == scan.parts.index("never")).any()
