# SPDX-License-Identifier: Apache-2.0
"""Meshes with a number a face or an edge: order of the file, MeshCNN's order of edges, what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.mesh_labels import (
    faces_of_edges,
    labeled_mesh,
    read_numbers,
    read_triangles,
)
from partdistill_ros.pointcloud.scan import Mesh

OFF = "OFF\n4 3 0\n0 0 0\n1 0 0\n0 1 0\n0 0 1\n3 0 1 2\n3 0 2 3\n3 1 0 3\n"


@pytest.fixture
def mesh(tmp_path):
    (tmp_path / "1.off").write_text(OFF)
    return read_triangles(tmp_path / "1.off", "download it")


def test_faces_stand_in_the_order_of_the_file(mesh, tmp_path):
    assert mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [1, 0, 3]] and mesh.vertices[3].tolist() == [0, 0, 1]
    (tmp_path / "one_line.off").write_text(OFF.replace("OFF\n", "OFF "))
    assert read_triangles(tmp_path / "one_line.off", "").faces.tolist() == mesh.faces.tolist()
    (tmp_path / "1.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    assert read_triangles(tmp_path / "1.obj", "").faces.tolist() == [[0, 1, 2]]


def test_edges_count_in_the_order_in_which_faces_name_them(mesh, tmp_path):
    """Edges 01 12 02, 23 03, 13: face 1 has 02 23 03, face 2 has 01 03 13."""
    answer = faces_of_edges(mesh, np.array([5, 5, 6, 6, 7, 7]), tmp_path / "1.eseg", "download it")
    assert answer.tolist() == [5, 6, 7]
    with pytest.raises(PartDistillError, match="5 labels, and the mesh 6 edges: download it"):
        faces_of_edges(mesh, np.zeros(5, int), tmp_path / "1.eseg", "download it")


def test_flat_and_doubled_faces_have_no_edges(mesh, tmp_path):
    more = Mesh(mesh.vertices, np.concatenate([mesh.faces, [[0, 1, 3], [0, 0, 1]]]).astype(np.int32))
    doubled = faces_of_edges(more, np.array([5, 5, 6, 6, 7, 7]), tmp_path / "1.eseg", "")
    assert doubled.tolist() == [5, 6, 7, -1, -1]


@pytest.mark.parametrize("damage", ["OFF\n4 3 0\n0 0", OFF.replace("3 1 0 3", "4 1 0 3 2"), OFF.replace("1 0 0", "x")])
def test_a_damaged_mesh_names_file_and_remedy(tmp_path, damage):
    (tmp_path / "2.off").write_text(damage)
    with pytest.raises(PartDistillError, match=r"2\.off.*download it again"):
        read_triangles(tmp_path / "2.off", "download it again")
    with pytest.raises(PartDistillError, match=r"3\.seg.*download it again"):
        read_numbers(tmp_path / "3.seg", "download it again")


def test_labels_fit_faces_and_parts(mesh):
    scan = labeled_mesh(mesh, np.array([0, 1, -1]), "lamp", ["base", "shade"], "lamp_1", "y", "download it")
    assert scan.mesh.face_labels.tolist() == [0, 1, -1] and scan.up.tolist() == [0, 1, 0]
    for labels in ([0, 1], [0, 1, 2]):
        with pytest.raises(PartDistillError, match="lamp_1: .* 3 faces and the 2 parts of lamp: download it"):
            labeled_mesh(mesh, np.array(labels), "lamp", ["base", "shade"], "lamp_1", None, "download it")
