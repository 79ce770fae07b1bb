# SPDX-License-Identifier: Apache-2.0
"""Pliers: flat, with the joint between jaws and handles."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.families.pliers import FAMILY, ROW_OF_PIVOT, SEGMENTS, STEPS, Plate, half_tool, ribbon


def test_every_shape_is_sound(check_family):
    check_family("pliers", {})


def test_joint_lies_between_handles_and_jaws(shapes, middle):
    for scan in shapes("pliers"):
        handle, joint, jaw = (middle(scan, part)[0] for part in ("handle", "joint", "jaw"))
        assert handle < joint < jaw, scan.name


def test_tool_lies_flat(shapes):
    assert FAMILY.up_unknown
    for scan in shapes("pliers"):
        assert np.ptp(scan.mesh.vertices[:, 2]) < 0.6 * np.ptp(scan.mesh.vertices[:, :2], axis=0).min() + 0.1, scan.name


def test_pivot_row_is_at_the_origin():
    for seed in range(8):
        (vertices, _), _, length, _ = half_tool(np.random.default_rng(seed))
        rows = vertices[: STEPS * SEGMENTS].reshape(STEPS, SEGMENTS, 3).mean(1)
        assert np.linalg.norm(rows[ROW_OF_PIVOT]) < 0.03
        assert np.isclose(rows[0, 0], length, atol=0.02) and np.isclose(rows[-1, 0], -1.0, atol=0.02)


def test_ribbon_faces_point_outwards():
    path = np.column_stack([np.linspace(1, -1, STEPS), np.zeros(STEPS)])
    vertices, faces = ribbon(path, np.full(STEPS, 0.1), np.full(STEPS, 0.05), 2.0)
    corners = vertices[faces]
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert np.isclose(volume, np.pi * 0.1 * 0.05 * 2, rtol=0.06)


def test_plate_covers_what_lies_inside_it():
    plate = Plate(length=0.2, width=0.1, height=0.1, turn=np.pi / 2)
    points = np.array([[0, 0, 0], [0, 0.15, 0], [0.15, 0, 0], [0, 0, 0.06]])
    assert plate.covers(points).tolist() == [True, True, False, False]
