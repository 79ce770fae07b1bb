# SPDX-License-Identifier: Apache-2.0
"""What holds for every shape of every category, whatever its archetype."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from partdistill_ros.pointcloud.scan import Scan, sample_mesh
from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.drawing.family import draw
from partdistill_ros.synthetic.families import FAMILIES

COUNT = 12


@cache
def shapes(name: str) -> tuple[Scan, ...]:
    return tuple(draw(CATEGORIES[name], seed) for seed in range(COUNT))


def test_no_category_has_the_name_of_a_family():
    assert len(CATEGORIES) + len(FAMILIES) >= 80 and not set(CATEGORIES) & set(FAMILIES)


@pytest.mark.parametrize("name", CATEGORIES)
def test_a_shape_is_a_valid_labeled_mesh_of_its_size(name):
    category = CATEGORIES[name]
    for scan in shapes(name):
        mesh = scan.mesh
        assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
        assert 12 <= len(mesh.faces) <= 20_000 and np.isfinite(mesh.vertices).all()
        assert mesh.face_labels.min() >= 0 and mesh.face_labels.max() < len(category.parts)
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        np.testing.assert_allclose(low + high, 0, atol=1e-4)
        assert category.size[0] * 0.99 <= (high - low).max() <= category.size[1] * 1.01


@pytest.mark.parametrize("name", CATEGORIES)
def test_faces_look_outward(name):
    for scan in shapes(name):
        corners = scan.mesh.triangles().astype(float)
        assert np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() > 0


@pytest.mark.parametrize("name", CATEGORIES)
def test_every_part_is_there_and_two_parts_can_be_seen_in_nearly_all(name):
    parts = len(CATEGORIES[name].parts)
    fractions = np.array(
        [
            np.bincount(scan.mesh.face_labels[sample_mesh(scan.mesh, 2000)[2]], minlength=parts) / 2000
            for scan in shapes(name)
        ]
    )
    assert (fractions > 0).any(0).all() and ((fractions > 0.005).sum(1) >= 2).mean() >= 0.9


@pytest.mark.parametrize("name", CATEGORIES)
def test_shapes_are_deterministic_and_differ(name):
    again = draw(CATEGORIES[name], 3)
    np.testing.assert_array_equal(again.mesh.vertices, shapes(name)[3].mesh.vertices)
    spans = np.array([np.ptp(scan.points, axis=0) for scan in shapes(name)])
    spreads = np.array([scan.points.std(0) for scan in shapes(name)])
    assert (np.hstack([spans, spreads]) / spans.max(1, keepdims=True)).std(0).max() > 0.005


@pytest.mark.parametrize("name", CATEGORIES)
def test_synonyms_name_the_object_and_known_parts(name):
    category = CATEGORIES[name]
    assert set(category.synonyms) <= {name, *category.parts}
    assert all(word == word.lower().strip() and word for words in category.synonyms.values() for word in words)
