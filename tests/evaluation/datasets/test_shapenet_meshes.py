# SPDX-License-Identifier: Apache-2.0
"""Labels of points on meshes of another turn, scale and place; other shapes are refused."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.shapenet_meshes import on_mesh
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

TO_Y = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # z up to y up
Y = np.array([0, 1, 0], np.float32)


def cloud_and_mesh(seed=3):
    mug = generate("mug", seed)
    cloud = sample_surface(mug, 1500)
    return cloud.with_(points=(cloud.points @ TO_Y.T).astype(np.float32), up=Y, name="mug_a1", normals=None), mug.mesh


def write(path, mesh, move):
    path.parent.mkdir(parents=True)
    lines = [f"v {x:.6f} {y:.6f} {z:.6f}\n" for x, y, z in move(mesh.vertices @ TO_Y.T)]
    path.write_text("".join(lines) + "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in mesh.faces))


@pytest.mark.parametrize("file", ["model.obj", "models/model_normalized.obj"])
def test_labels_come_to_lie_on_the_faces(tmp_path, file):
    cloud, mesh = cloud_and_mesh()
    write(tmp_path / "03797390" / "a1" / file, mesh, lambda v: v @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]]) * 3 + 5)
    found = on_mesh(cloud, tmp_path)
    place = np.array([cloud.parts.index(part) for part in generate("mug", 3).parts])
    assert (found.mesh.face_labels == place[mesh.face_labels]).mean() > 0.9
    np.testing.assert_allclose(found.mesh.vertices.max(0), (mesh.vertices @ TO_Y.T).max(0), atol=0.03)
    assert found.parts == cloud.parts and found.up.tolist() == [0, 1, 0] and found.name == "mug_a1"


def test_another_shape_and_none_are_refused(tmp_path):
    cloud, _ = cloud_and_mesh()
    with pytest.raises(PartDistillError, match="has no model.obj .* get ShapeNetCore from"):
        on_mesh(cloud, tmp_path)
    write(tmp_path / "03797390" / "a1" / "model.obj", generate("chair", 1).mesh, lambda v: v)
    with pytest.raises(PartDistillError, match="radii off this mesh"):
        on_mesh(cloud, tmp_path)
