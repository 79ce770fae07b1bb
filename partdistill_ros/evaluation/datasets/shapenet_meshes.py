# SPDX-License-Identifier: Apache-2.0
"""ShapeNetPart's labels on the meshes of ShapeNetCore, which its points were sampled on.

SYNSET/ID/model.obj (ShapeNetCore.v1) or SYNSET/ID/models/model_normalized.obj (v2). Releases differ in turn, scale and
place, so a mesh is turned about +y in quarters and fitted to the points' box; it is refused where the points do not lie
on it then. A face takes the label of the point nearest to its center.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES
from partdistill_ros.io.load import load_scan
from partdistill_ros.pointcloud.scan import Mesh, Scan, sample_mesh

FILES = ("model.obj", "models/model_normalized.obj")
SAMPLES = 5000
FARTHEST = 0.03  # median distance of the points from the surface, in their radii, of which samples leave 0.01


def on_mesh(scan: Scan, folder: Path) -> Scan:
    """The labeled cloud of a ShapeNetPart shape as a labeled mesh, in the frame of the cloud.

    Raises PartDistillError where the mesh is missing or another shape's, and for the hdf5 layout, whose shapes have no
    names.
    """
    category, _, name = scan.name.partition("_")
    home = folder / CATEGORIES[category]["synset"] / name
    path = next((home / file for file in FILES if (home / file).is_file()), None)
    if path is None:
        raise PartDistillError(
            f"{home} has no {' or '.join(FILES)}: get ShapeNetCore from https://shapenet.org, and ShapeNetPart in a "
            "layout with names, not hdf5_data"
        )
    mesh = load_scan(path).mesh
    if mesh is None or scan.point_labels is None:
        raise PartDistillError(f"{path} has no faces: get ShapeNetCore again from https://shapenet.org")
    fitted = min((_fitted(mesh, quarter, scan.points) for quarter in range(4)), key=lambda found: found[1])
    if fitted[1] > FARTHEST:
        raise PartDistillError(
            f"{path}: the points of {scan.name} lie {fitted[1]:.2f} radii off this mesh, it is another shape's: get "
            "ShapeNetCore again"
        )
    usable = scan.point_labels >= 0
    nearest = cKDTree(scan.points[usable]).query(fitted[0].triangles().mean(1))[1]
    labeled = replace(fitted[0], face_labels=scan.point_labels[usable][nearest])
    return Scan(labeled.vertices, parts=scan.parts, category=category, mesh=labeled, up=scan.up, name=scan.name)


def _fitted(mesh: Mesh, quarter: int, points: NDArray[np.float32]) -> tuple[Mesh, float]:
    """The mesh turned by quarters about +y into the box of the points, and how far they lie off it, in radii."""
    cos, sin = np.round(np.cos(quarter * np.pi / 2)), np.round(np.sin(quarter * np.pi / 2))
    corners = mesh.vertices[np.unique(mesh.faces)] @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    own, wanted = ((one.min(0), one.max(0)) for one in (corners, points))
    scale = np.linalg.norm(wanted[1] - wanted[0]) / max(float(np.linalg.norm(own[1] - own[0])), 1e-12)
    turned = mesh.vertices @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    placed = (turned - (own[0] + own[1]) / 2) * scale + (wanted[0] + wanted[1]) / 2
    moved = replace(mesh, vertices=placed.astype(np.float32))
    distance = cKDTree(sample_mesh(moved, SAMPLES)[0]).query(points)[0]
    return moved, float(np.median(distance) / (np.linalg.norm(wanted[1] - wanted[0]) / 2))
