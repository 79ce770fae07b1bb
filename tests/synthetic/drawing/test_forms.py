# SPDX-License-Identifier: Apache-2.0
"""Building blocks: closed, facing outwards, of the size asked for."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.synthetic.drawing import forms
from partdistill_ros.synthetic.drawing.primitives import Solid, box, circle


def volume(solid: Solid) -> float:
    corners = solid[0][solid[1]]
    return float(np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6)


def is_closed(solid: Solid) -> bool:
    faces = solid[1]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = {tuple(edge) for edge in edges}
    return len(pairs) == len(edges) and all((b, a) in pairs for a, b in pairs)


def test_slab_is_a_closed_plate():
    solid = forms.slab(circle(1.0, 64), 0.1, edge=0.02)
    assert is_closed(solid)
    assert np.isclose(volume(solid), np.pi * 0.1, rtol=0.03)
    domed = forms.slab(circle(1.0, 64), 0.1, edge=0.02, top_dome=0.1)
    assert np.isclose(domed[0][:, 2].max(), 0.15, atol=0.01) and volume(domed) > volume(solid)


def test_sheet_is_closed_and_faces_outwards():
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 2, 9), [0.0], indexing="ij"), -1)[:, :, 0]
    solid = forms.sheet(grid, 0.1, edge=1.0)
    assert is_closed(solid)
    assert np.isclose(volume(solid), 0.2)


@pytest.mark.parametrize("radius", [0.1, [0.1, 0.1, 0.1]])
def test_bar_spans_its_ends(radius):
    solid = forms.bar((0, 0, 0), (0, 0, 2), radius, segments=32)
    assert is_closed(solid)
    assert np.isclose(volume(solid), np.pi * 0.01 * 2, rtol=0.02)


def test_rounded_path_keeps_its_ends_and_cuts_its_corner():
    path = forms.rounded_path([[0, 0, 0], [1, 0, 0], [1, 1, 0]], 0.3)
    assert np.allclose(path[0], [0, 0, 0]) and np.allclose(path[-1], [1, 1, 0])
    assert np.linalg.norm(path - [1, 0, 0], axis=1).min() > 0.1


def test_dense_path_has_equal_steps():
    path = forms.dense_path([[0, 0, 0], [1, 0, 0], [1, 3, 0]], 41)
    assert np.allclose(np.linalg.norm(np.diff(path, axis=0), axis=1), 0.1)
    closed = forms.dense_path([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], 40, closed=True)
    assert np.allclose(np.linalg.norm(np.diff(np.vstack([closed, closed[:1]]), axis=0), axis=1), 0.1)


def test_cut_shares_the_faces_out():
    solid = box((1, 1, 1))
    pieces = forms.cut(solid, lambda center: np.where(center[:, 2] > 0.4, "top", "rest"))
    assert {part for part, _ in pieces} == {"top", "rest"}
    assert sum(len(faces) for _, (_, faces) in pieces) == len(solid[1])


def test_mirrored_keeps_faces_outward():
    assert volume(forms.mirrored(box((1, 1, 1), (0, 2, 0)))) > 0


def test_without_drops_only_hidden_faces():
    solid = box((1, 1, 1))
    kept = forms.without(solid, lambda center: center[:, 2] > 0.4)
    assert 0 < len(kept[1]) < len(solid[1])
    assert (kept[0][kept[1]].mean(1)[:, 2] <= 0.4).all()


def test_weathered_moves_little_and_keeps_faces():
    pieces = [("top", forms.bar((0, 0, 0), (1, 0, 0), 0.05))]
    moved = 0
    for seed in range(20):
        ((_, (vertices, faces)),) = forms.weathered(pieces, np.random.default_rng(seed))
        shift = np.abs(vertices - pieces[0][1][0]).max()
        moved += bool(shift > 0)
        assert shift <= 0.025 and np.array_equal(faces, pieces[0][1][1])
    assert 4 <= moved <= 16


def test_pick_follows_the_weights():
    rng = np.random.default_rng(0)
    names = [forms.pick(rng, {"a": 3, "b": 1, "never": 0}) for _ in range(400)]
    assert 250 < names.count("a") < 350 and "never" not in names


def test_assemble_drops_unused_vertices():
    vertices, faces = box((1, 1, 1))
    mesh = forms.assemble(("only",), [("only", (vertices, faces[:2]))]).build()
    assert len(mesh.vertices) == len(np.unique(faces[:2]))
