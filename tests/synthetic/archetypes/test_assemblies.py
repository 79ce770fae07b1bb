# SPDX-License-Identifier: Apache-2.0
"""Assemblies hang together, and their solids stand on the outside of one another."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from partdistill_ros.synthetic.archetypes.assemblies import CATEGORIES, PARTS, SOLIDS
from partdistill_ros.synthetic.drawing.family import draw

(ASSEMBLY,) = CATEGORIES


@pytest.mark.parametrize("part", PARTS)
def test_every_solid_stands_on_the_floor_and_looks_outward(part):
    for seed in range(5):
        vertices, faces = SOLIDS[part](np.random.default_rng(seed))
        assert -0.05 <= vertices[:, 2].min() <= 0.05 and 0.05 <= vertices[:, 2].max() <= 1.01
        corners = vertices[faces]
        assert np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0


def test_no_part_stays_alone_and_all_occur():
    seen = set()
    for seed in range(30):
        mesh = draw(ASSEMBLY, seed).mesh
        present = np.unique(mesh.face_labels)
        seen |= set(present)
        extent = np.ptp(mesh.vertices, axis=0).max()
        corners = {part: mesh.vertices[mesh.faces[mesh.face_labels == part]].reshape(-1, 3) for part in present}
        for part in present if len(present) > 1 else ():
            others = np.concatenate([corners[other] for other in present if other != part])
            assert cKDTree(others).query(corners[part])[0].min() < 0.35 * extent
    assert seen == set(range(len(PARTS)))
