# SPDX-License-Identifier: Apache-2.0
"""Sheets and slabs face the right way and close."""

import numpy as np

from partdistill_ros.synthetic.drawing.sheets import sheet, slab


def flat_grid(rows=5, columns=4):
    u, v = np.meshgrid(np.linspace(0, 2, rows), np.linspace(0, 1, columns), indexing="ij")
    return np.stack([u, v, np.zeros_like(u)], -1)


def volume(solid):
    corners = solid[0][solid[1]]
    return np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6


def edges_pair_up(faces):
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return {tuple(e) for e in directed} == {tuple(e) for e in directed[:, ::-1]}


def test_a_sheet_faces_u_cross_v():
    vertices, faces = sheet(flat_grid())
    a, b, c = vertices[faces[0]]
    assert np.cross(b - a, c - a)[2] > 0


def test_a_slab_is_closed_and_has_its_volume():
    solid = slab(flat_grid(), 0.1)
    assert np.isclose(volume(solid), 2 * 1 * 0.1)
    assert edges_pair_up(solid[1])
    assert np.isclose(solid[0][:, 2].min(), -0.1)


def test_a_closed_slab_is_a_pipe():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle), np.zeros(200)], -1)
    solid = slab(np.stack([ring, ring + [0, 0, 1.0]], 1), 0.1, closed=True)
    assert np.isclose(volume(solid), np.pi * (1 - 0.9**2), rtol=0.01)
    assert edges_pair_up(solid[1])
