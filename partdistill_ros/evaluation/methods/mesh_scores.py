# SPDX-License-Identifier: Apache-2.0
"""The teacher's answers summed face by face over a mesh, as SATR does.

Source: Abdelreheem, Skorokhodov, Ovsjanikov, Wonka, "SATR: Zero-Shot Semantic Segmentation of 3D
Shapes", ICCV 2023 (arXiv 2304.04909). The score of face f for part c is, over all boxes k of c,

    score[f, c] = sum over k with f in M_k of  s_k * N(d_k(f); mean d_k, std d_k) * |M_k and R(f)| / |R(f)|

M_k: the visible faces inside the box, s_k: its confidence; d_k(f): distance along the surface from
f to the box's capital face, the one nearest to the area-weighted center of M_k, and N the density of
the Gaussian fitted to these distances (geodesic re-weighting); R(f): the faces at most five edges
away (visibility smoothing). The largest score is the answer.

Differences: a box is a knowledge unit, so one around the whole object is dropped and a pixel
teacher's connected region with its mean probability takes a box's place; a face is visible where
its center is, not in fractions of its pixels; distances go from center to center over shared edges
(Dijkstra) instead of by the heat method, and in radii of the object. A cloud without a mesh is
scored on its sampled points, joined to their nearest neighbors, instead of faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from partdistill_ros.distillation.units import KnowledgeUnits, units_from_answer
from partdistill_ros.evaluation.methods.vote import most_voted, query_views
from partdistill_ros.evaluation.shapes import Question
from partdistill_ros.pointcloud.scan import Mesh, sample_mesh
from partdistill_ros.rendering.cameras import bounding_sphere
from partdistill_ros.rendering.rasterize import locate_points
from partdistill_ros.teachers.protocol import Teacher

RINGS = 5  # edges that the visibility smoothing reaches, as published
NEIGHBORS = 6  # of each point of a cloud
SEARCH = 3.0  # distances along the surface are followed this many times as far as the unit is wide
LEAST_SIGMA = 0.01  # of the distances in a unit, radii: a unit of one face has none
SAMPLES = 40_000  # by which the face under a point is found


@dataclass(frozen=True)
class Surface:
    """Where scores are summed: F faces or points at `place [F, 3]` in radii of the object, their
    `area [F]`, and `edges [F, F]` the lengths between neighbors."""

    place: NDArray[np.float32]
    area: NDArray[np.float32]
    edges: csr_array


class MeshScoresMethod:
    """teacher: who is queried.  Views and pose are those of the vote."""

    setting = "zero-shot"

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self.name = f"mesh-scores ({teacher.name})"

    def answer(self, questions: Sequence[Question]) -> Iterator[NDArray[np.int16]]:
        """Scores per face, and of each point the face it lies on."""
        for question in questions:
            found, mesh = query_views(self._teacher, question), question.scan.mesh
            rendering, cloud = found.rendering, question.cloud.points
            if mesh is None or not len(mesh.faces):
                surface, row = cloud_surface(cloud), np.arange(len(cloud))
            else:
                surface, row = mesh_surface(mesh), faces_under(mesh, cloud, question.cloud.normals)
                rendering = locate_points(rendering, mesh.triangles().mean(1), found.views)
            units = units_from_answer(found.answer, rendering, len(surface.place), question.parts)
            yield most_voted(face_scores(units, surface)[row], cloud)


def face_scores(units: KnowledgeUnits, surface: Surface) -> NDArray[np.float32]:
    """Score `[F, P]` of each part on each face (formula above); 0 where nothing was said."""
    owner = units.owner()
    worth = units.score[owner] * smoothing(units, surface)
    for unit in range(len(units)):
        worth[units.indptr[unit] : units.indptr[unit + 1]] *= centrality(units.points_of(unit), surface)
    return units.votes(worth)


def centrality(members: NDArray[np.integer], surface: Surface) -> NDArray[np.float64]:
    """Geodesic re-weighting `[M]` of a unit's members.

    The Gaussian peaks at the mean distance, as published, not at the capital face itself. Members
    that cannot be reached (another piece of the mesh) count as lying at the end of the search.
    """
    place = surface.place[members]
    center = np.average(place, axis=0, weights=surface.area[members] + 1e-12)
    capital = np.linalg.norm(place - center, axis=1).argmin()
    width = float(np.linalg.norm(place - place[capital], axis=1).max())
    along = dijkstra(surface.edges, indices=int(members[capital]), limit=SEARCH * width)[members]
    distance = np.minimum(along, SEARCH * width)
    sigma = max(float(distance.std()), LEAST_SIGMA)
    density: NDArray[np.float64] = np.exp(-0.5 * ((distance - distance.mean()) / sigma) ** 2)
    return density / (sigma * np.sqrt(2 * np.pi))


def smoothing(units: KnowledgeUnits, surface: Surface) -> NDArray[np.float64]:
    """Share of each member's surroundings that its unit holds, one for each of `units.indices`."""
    count = len(surface.place)
    near = rings(surface.edges, RINGS)
    inside = csc_array((np.ones(len(units.indices), np.float32), units.indices, units.indptr), (count, len(units)))
    held = (near @ inside).tocsr()[units.indices, units.owner()]
    around = np.diff(near.indptr)[units.indices]
    return np.asarray(held, np.float64).ravel() / around


def rings(edges: csr_array, count: int) -> csr_array:
    """Which faces are at most `count` edges apart, `[F, F]` with 1 where they are; each is near itself."""
    step = ((edges > 0) + eye_array(edges.shape[0], dtype=bool)).astype(np.float32).tocsr()
    near = step
    for _ in range(count - 1):
        near = near @ step
        near.data[:] = 1
    return near


def mesh_surface(mesh: Mesh) -> Surface:
    """The faces of a mesh; those that share an edge are neighbors, also where each has its own vertices."""
    corners = mesh.triangles().astype(np.float64) / bounding_sphere(mesh.vertices)[1]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    welded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    welded.merge_vertices()
    return _surface(corners.mean(1), area, np.asarray(welded.face_adjacency))


def cloud_surface(points: NDArray[np.float32]) -> Surface:
    """The points of a cloud `[N, 3]`, neighbors where one is among the nearest of the other."""
    place = points.astype(np.float64) / bounding_sphere(points)[1]
    found = cKDTree(place).query(place, k=min(NEIGHBORS + 1, len(place)))[1].reshape(len(place), -1)
    pairs = np.column_stack([np.repeat(np.arange(len(place)), found.shape[1]), found.ravel()])
    return _surface(place, np.ones(len(place)), pairs[pairs[:, 0] != pairs[:, 1]])


def _surface(place: NDArray[np.float64], area: NDArray[np.float64], pairs: NDArray[np.integer]) -> Surface:
    both = np.unique(np.concatenate([pairs, pairs[:, ::-1]]).reshape(-1, 2), axis=0)
    length = np.linalg.norm(place[both[:, 0]] - place[both[:, 1]], axis=1)
    # Doubled points are neighbors at no distance, which a sparse graph would not hold.
    edges = csr_array((np.maximum(length, 1e-9), (both[:, 0], both[:, 1])), shape=(len(place), len(place)))
    return Surface(place.astype(np.float32), area.astype(np.float32), edges)


def faces_under(
    mesh: Mesh, points: NDArray[np.float32], normals: NDArray[np.float32] | None = None
) -> NDArray[np.int64]:
    """The face `[N]` that each of `points [N, 3]` lies on: that of the nearest of many samples of the
    surface, on the side that `normals [N, 3]` face where they are given (sheets are thin)."""
    samples, sample_normals, face = sample_mesh(mesh, SAMPLES)
    places = np.concatenate([samples, mesh.triangles().mean(1)])
    owner = np.concatenate([face, np.arange(len(mesh.faces))])
    queries = points
    if normals is not None:
        side = 0.1 * bounding_sphere(mesh.vertices)[1]
        places = np.column_stack([places, side * np.concatenate([sample_normals, mesh.face_normals()])])
        queries = np.column_stack([points, side * normals])
    nearest: NDArray[np.int64] = owner[cKDTree(places).query(queries)[1]]
    return nearest
