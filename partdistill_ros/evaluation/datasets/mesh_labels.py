# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes with a number a face or an edge, as COSEG, MeshCNN and the Princeton benchmark have them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.parsing import parsing
from partdistill_ros.io.readers.common import check_count, checked_mesh
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.pointcloud.scan import Mesh, Scan


def read_numbers(path: Path, remedy: str) -> NDArray[np.int64]:
    """The whole numbers of a `.seg` or `.eseg` file, one a line. Raises PartDistillError with the remedy."""
    with parsing(path, "list of numbers", remedy):
        return np.asarray(path.read_text().split(), float).astype(np.int64)


def read_triangles(path: Path, remedy: str) -> Mesh:
    """The mesh of an `.off` or `.obj` file, its faces in the file's order. Raises PartDistillError with the remedy."""
    if path.suffix.lower() != ".off":
        mesh = load_scan(path).mesh
        if mesh is None:
            raise PartDistillError(f"{path} has no faces: {remedy}")
        return mesh
    with parsing(path, ".off file", remedy):
        words = path.read_text().removeprefix("OFF").split()
        vertices, faces = int(words[0]), int(words[1])
        check_count(path, "vertices and faces", vertices + faces)
        at = 3 + 3 * vertices
        places = np.array(words[3:at], np.float32).reshape(vertices, 3)
        corners = np.array(words[at : at + 4 * faces], np.int32).reshape(faces, 4)
        if (corners[:, 0] != 3).any():
            raise ValueError("some of its faces are no triangles")
    return checked_mesh(path, Mesh(places, np.ascontiguousarray(corners[:, 1:])))


def faces_of_edges(mesh: Mesh, numbers: NDArray[np.int64], path: Path, remedy: str) -> NDArray[np.int64]:
    """A number for each face `[F]`, that of most of its edges, from one for each edge; -1 for faces without edges.

    Edges count in the order in which faces name them first. Faces without area, and those that use a directed edge a
    second time, have none (how MeshCNN, Hanocka et al., SIGGRAPH 2019, reads its files).
    """
    directed = np.stack([mesh.faces, np.roll(mesh.faces, -1, axis=1)], -1)  # [F, 3, 2]
    corners = mesh.triangles().astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    kept = np.zeros(len(directed), bool)
    used: set[tuple[int, int]] = set()
    for row, edges in enumerate(directed):
        own = {(int(start), int(end)) for start, end in edges}
        if area[row] > 0 and not own & used:
            used |= own
            kept[row] = True
    undirected = np.sort(directed[kept].reshape(-1, 2), axis=1)
    _, first, inverse = np.unique(undirected, axis=0, return_index=True, return_inverse=True)
    if len(first) != len(numbers):
        raise PartDistillError(f"{path} has {len(numbers)} labels, and the mesh {len(first)} edges: {remedy}")
    place = np.empty(len(first), np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    three = numbers[place[inverse.reshape(-1)]].reshape(-1, 3)
    answer = np.full(len(directed), -1, np.int64)
    answer[kept] = np.where(three[:, 1] == three[:, 2], three[:, 1], three[:, 0])
    return answer


def labeled_mesh(
    mesh: Mesh,
    labels: NDArray[np.int64],
    category: str,
    parts: Sequence[str],
    name: str,
    up: str | None,
    remedy: str,
) -> Scan:
    """The scan of a mesh with `labels [F]`, indices into `parts`, -1 for none.

    Raises PartDistillError for labels that do not fit.
    """
    if len(labels) != len(mesh.faces) or labels.min(initial=0) < -1 or labels.max(initial=-1) >= len(parts):
        raise PartDistillError(
            f"{name}: {len(labels)} labels from {labels.min(initial=0)} to {labels.max(initial=-1)} for "
            f"{len(mesh.faces)} faces and the {len(parts)} parts of {category}: {remedy}"
        )
    own = Mesh(mesh.vertices, mesh.faces, labels.astype(np.int16))
    direction = None if up is None else parse_up(up)
    return Scan(own.vertices, parts=tuple(parts), category=category, mesh=own, up=direction, name=name)
