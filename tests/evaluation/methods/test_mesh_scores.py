# SPDX-License-Identifier: Apache-2.0
"""Scores on strips of faces small enough to work out by hand, and posts that a right teacher gets right."""

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from scipy.sparse import csr_array

from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.mesh_scores import (
    MeshScoresMethod,
    Surface,
    centrality,
    cloud_surface,
    face_scores,
    faces_under,
    mesh_surface,
    rings,
    smoothing,
)
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.pointcloud.scan import Mesh, sample_mesh

VOTE_TESTS = Path(__file__).parent / "test_vote.py"
PEAK = 1 / np.sqrt(2 * np.pi)


@pytest.fixture(scope="module")
def make_teacher():
    """The teacher of the vote's tests, who knows upper from lower halves."""
    spec = importlib.util.spec_from_file_location("vote_tests", VOTE_TESTS)
    tests = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tests)
    return tests.HalfTeacher


def chain(count, step=0.1):
    """`count` faces in a row, `step` apart along x."""
    row = np.arange(count - 1)
    edges = csr_array((np.full(count - 1, step), (row, row + 1)), shape=(count, count))
    place = np.column_stack([step * np.arange(count), np.zeros((count, 2))]).astype(np.float32)
    return Surface(place, np.ones(count, np.float32), (edges + edges.T).tocsr())


def units_of(members, part, score, count):
    sizes = [len(one) for one in members]
    return KnowledgeUnits(
        np.array(part, np.int16), np.array(score, np.float32), np.zeros(len(part), np.int16),
        np.concatenate([[0], np.cumsum(sizes)]), np.concatenate(members).astype(np.int32), count, ("top", "bottom"),
    )  # fmt: skip


def test_rings_reach_as_far_as_they_say() -> None:
    near = rings(chain(9).edges, 2).toarray()
    assert near[0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert near[4].tolist() == [0, 0, 1, 1, 1, 1, 1, 0, 0]


def test_smoothing_is_the_share_of_the_surroundings_inside_the_unit() -> None:
    units = units_of([np.arange(20), [10]], [0, 1], [1, 1], 40)
    share = smoothing(units, chain(40))
    assert share[0] == 1, "faces 0 to 5 are near the end of the chain and all inside"
    assert share[10] == 1
    assert share[19] == pytest.approx(6 / 11), "14 to 19 of 14 to 24"
    assert share[20] == pytest.approx(1 / 11), "alone in the second unit"


def test_weights_are_the_gaussian_of_the_distances_from_the_middle() -> None:
    weight = centrality(np.arange(5), chain(9))
    distance = np.array([0.2, 0.1, 0, 0.1, 0.2])
    spread = np.sqrt((distance**2).mean() - 0.12**2)
    assert weight == pytest.approx(PEAK / spread * np.exp(-0.5 * ((distance - 0.12) / spread) ** 2), rel=1e-4)
    alone = centrality(np.array([3]), chain(9))
    assert alone == pytest.approx([39.894], rel=1e-4), "one face is as wide as a hundredth of the object"


def test_the_middle_is_weighted_by_area() -> None:
    surface = chain(5)
    heavy = replace(surface, area=np.array([1, 0, 0, 0, 0], np.float32))
    weight = centrality(np.arange(5), heavy)
    assert weight[2] == max(weight), "from face 0 on, face 2 lies at the mean distance"


def test_another_piece_of_the_mesh_is_far_away_not_lost() -> None:
    surface = chain(6)
    cut = surface.edges.tolil()
    cut[2, 3] = cut[3, 2] = 0
    weight = centrality(np.arange(6), replace(surface, edges=csr_array(cut.tocsr())))
    assert np.isfinite(weight).all() and (weight > 0).all()
    assert weight[3] == weight[4] == weight[5] != weight[0]


def test_scores_add_up_over_units_and_are_zero_elsewhere() -> None:
    surface = chain(40)
    units = units_of([np.arange(20), np.arange(20), np.arange(15, 30)], [0, 0, 1], [0.5, 0.25, 0.8], 40)
    scores = face_scores(units, surface)
    share, weight = smoothing(units, surface)[:20], centrality(np.arange(20), surface)
    assert scores[:20, 0] == pytest.approx(0.75 * share * weight, rel=1e-5)
    assert (scores[30:] == 0).all() and (scores[:15, 1] == 0).all() and (scores[15:30, 1] > 0).all()


def square(height=0.0, flip=False):
    """A unit square of two faces, each with vertices of its own."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)], np.float32)
    faces = np.arange(6, dtype=np.int32).reshape(2, 3)
    return Mesh(np.column_stack([corners, np.full(6, height)]).astype(np.float32), faces[:, ::-1] if flip else faces)


def test_faces_that_share_an_edge_are_neighbors_even_with_vertices_of_their_own() -> None:
    surface = mesh_surface(square())
    radius = np.sqrt(0.5)
    assert surface.place[0] * radius == pytest.approx([2 / 3, 1 / 3, 0])
    assert surface.area * radius**2 == pytest.approx([0.5, 0.5])
    assert surface.edges.toarray() * radius == pytest.approx(np.array([[0, 1], [1, 0]]) * np.sqrt(2) / 3)


def test_points_of_a_thin_sheet_go_to_the_side_they_face() -> None:
    upper, lower = square(0.002), square(0.0, flip=True)
    sheet = Mesh(np.concatenate([upper.vertices, lower.vertices]), np.concatenate([upper.faces, lower.faces + 6]))
    points, normals, face = sample_mesh(sheet, 300, seed=5)
    assert (faces_under(sheet, points, normals) == face).mean() > 0.98
    assert (faces_under(sheet, points) == face).mean() < 0.9, "without normals the sides are confused"


def test_a_cloud_is_joined_to_its_neighbors_doubled_points_included() -> None:
    points = np.random.default_rng(0).random((60, 3)).astype(np.float32)
    surface = cloud_surface(np.concatenate([points, points[:5]]))
    assert (np.diff(surface.edges.indptr) >= 6).all()
    assert surface.edges[0, 60] > 0
    assert (surface.edges != surface.edges.T).nnz == 0


@pytest.mark.parametrize("kind", ["pixel", "box"])
@pytest.mark.parametrize("points", [0, 6000])
def test_a_teacher_that_is_right_in_every_view_is_right_on_the_faces(make_teacher, make_post, kind, points):
    post = make_post(points=points)
    if not points:
        mesh = fine(post.mesh)
        post = post.with_(points=mesh.vertices, mesh=mesh)
    result = evaluate(prepare([post]), MeshScoresMethod(make_teacher(kind)))
    assert result.method == "mesh-scores (half)" and result.setting == "zero-shot"
    assert result.sampled.overall > 80


def fine(mesh, times=3):
    """Each face cut into four, `times` over: scores are per face, and those of a post are long."""
    for _ in range(times):
        corners = mesh.triangles()
        middles = (corners + np.roll(corners, -1, 1)) / 2
        a, b, c = corners.transpose(1, 0, 2)
        ab, bc, ca = middles.transpose(1, 0, 2)
        pieces = np.stack([(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)])  # [4, 3, F, 3]
        vertices = pieces.transpose(2, 0, 1, 3).reshape(-1, 3)
        faces = np.arange(len(vertices), dtype=np.int32).reshape(-1, 3)
        mesh = Mesh(vertices.astype(np.float32), faces, np.repeat(mesh.face_labels, 4))
    return mesh
