# SPDX-License-Identifier: Apache-2.0
"""Tools: the grip at one end, the head at the other, whichever head it is."""

import numpy as np
import pytest

from partdistill_ros.synthetic.archetypes.shafts import CATEGORIES, HEADS, Shaft, build_shaft
from partdistill_ros.synthetic.drawing.family import draw


@pytest.mark.parametrize("category", CATEGORIES, ids=lambda category: category.name)
def test_the_head_is_at_the_other_end(category):
    *_, last = category.parts
    for seed in range(8):
        scan = draw(category, seed)
        centers, labels = scan.mesh.triangles().mean(1), scan.mesh.face_labels
        handle, head = centers[labels == scan.parts.index("handle")], centers[labels == scan.parts.index(last)]
        assert head[:, 0].mean() > handle[:, 0].mean() + 0.3 * np.ptp(centers[:, 0])
        assert category.up_unknown


@pytest.mark.parametrize("head", HEADS)
def test_every_head_joins_the_shaft(head):
    parts = ("handle", "head", "frame", "strings", "lens", "shaft")
    mesh = build_shaft(Shaft(head, "head"), parts, np.random.default_rng(5)).build()
    points = mesh.triangles().reshape(-1, 3)
    is_shaft = np.repeat(mesh.face_labels == 0, 3)
    shaft_end = points[is_shaft][:, 0].max()
    assert points[~is_shaft][:, 0].min() < shaft_end + 0.05
