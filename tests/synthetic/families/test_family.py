# SPDX-License-Identifier: Apache-2.0
"""What holds for every shape of every family."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import sample_mesh
from partdistill_ros.synthetic.families import FAMILIES, generate

NAMES = sorted(FAMILIES)


def test_the_registry_holds_the_fourteen_families():
    assert NAMES == [
        "airplane", "bottle", "cap", "chair", "eyeglasses", "hammer", "kettle",
        "knife", "lamp", "laptop", "mug", "pliers", "table", "vase",
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_is_a_sound_labeled_mesh(name):
    family = FAMILIES[name]
    for seed in range(12):
        scan = generate(name, seed)
        mesh = scan.mesh
        assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.int32
        assert np.isfinite(mesh.vertices).all()
        assert 100 <= len(mesh.faces) <= 20_000
        assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
        assert mesh.face_labels.shape == (len(mesh.faces),)
        assert mesh.face_labels.min() >= 0 and mesh.face_labels.max() < len(family.parts)
        assert scan.parts == family.parts and scan.category == name and scan.name == f"{name}_{seed:05d}"
        assert np.array_equal(scan.up, [0, 0, 1])


@pytest.mark.parametrize("name", NAMES)
def test_a_shape_is_centered_and_of_its_family_size(name):
    for seed in range(12):
        points = generate(name, seed).points
        low, high = points.min(0), points.max(0)
        assert np.allclose(low + high, 0, atol=1e-4)
        assert FAMILIES[name].size[0] - 1e-4 <= (high - low).max() <= FAMILIES[name].size[1] + 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_faces_look_outward(name):
    for seed in range(12):
        corners = generate(name, seed).mesh.triangles().astype(float)
        volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert volume > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_part_is_there_in_some_shapes_and_two_parts_in_nearly_all(name):
    shares = []
    for seed in range(30):
        mesh = generate(name, seed).mesh
        _, _, face = sample_mesh(mesh, 2000)
        shares.append(np.bincount(mesh.face_labels[face], minlength=len(FAMILIES[name].parts)) / 2000)
    present = np.array(shares) > 0.005
    assert present.any(0).all()
    assert (present.sum(1) >= 2).mean() >= 0.7


@pytest.mark.parametrize("name", NAMES)
def test_shapes_are_deterministic_and_differ(name):
    first, again, other = generate(name, 3), generate(name, 3), generate(name, 4)
    assert np.array_equal(first.points, again.points)
    assert np.array_equal(first.mesh.faces, again.mesh.faces)
    assert first.points.shape != other.points.shape or not np.allclose(first.points, other.points)


def test_vertex_labels_agree_with_face_labels():
    scan = generate("kettle", 1)
    assert np.array_equal(scan.point_labels[scan.mesh.faces[:, 0]], scan.mesh.face_labels)


@pytest.mark.parametrize("name", NAMES)
def test_synonyms_name_the_object_and_known_parts(name):
    family = FAMILIES[name]
    assert set(family.synonyms) <= {name, *family.parts}
    for names in family.synonyms.values():
        assert all(word == word.lower().strip() and word for word in names)


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(PartDistillError, match="no shape family 'spoon'.*mug"):
        generate("spoon", 0)
