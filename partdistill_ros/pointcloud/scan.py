# SPDX-License-Identifier: Apache-2.0
"""The data that travels from readers and generators to every other room: `Mesh` and `Scan`."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError

UNLABELED = -1
UNITS = {"m": 1.0, "mm": 0.001}
"""Meters in a unit of a file or a cloud."""

FAR = 100.0  # meters; in depth cameras' clouds nothing is farther, and nearer than 0.1 m = 100 mm nothing either
COARSEST = 1 / 500  # step of the coordinates over the size of the whole: that of a chair of 1 m, 30 km from the origin
CHECKED_POINTS = 5_000  # looked at by `geometry_problems`


@dataclass(frozen=True)
class Mesh:
    """Triangles: `vertices [V, 3] f4`, `faces [F, 3] i4`, optional `face_labels [F] i2`
    (-1 unlabeled) and `face_colors [F, 3] u1`."""

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_labels: NDArray[np.int16] | None = None
    face_colors: NDArray[np.uint8] | None = None

    def triangles(self) -> NDArray[np.float32]:
        """Corner positions `[F, 3, 3]`."""
        return self.vertices[self.faces]

    def face_normals(self) -> NDArray[np.float32]:
        """Unit normals `[F, 3]` by the right-hand rule; zero for faces without area."""
        corners = self.triangles()
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(cross, axis=1, keepdims=True)
        return (cross / np.maximum(length, 1e-20)).astype(np.float32)


@dataclass(frozen=True)
class Scan:
    """One object or scene, in the order its file gives.

    points: `[N, 3] f4` meters or model units, may hold NaN rows (organized clouds); for a mesh
        file its vertices.
    colors: `[N, 3] u1` RGB.  normals: `[N, 3] f4` unit length.
    point_labels: `[N] i2` indices into `parts`, -1 unlabeled.
    up: `[3] f4` unit vector opposite to gravity, None where unknown.
    viewpoint: `[3] f4` the sensor's position for a scan seen from one side, None for all round.
    grid: `(height, width)` of an organized cloud, None otherwise.
    """

    points: NDArray[np.float32]
    colors: NDArray[np.uint8] | None = None
    normals: NDArray[np.float32] | None = None
    point_labels: NDArray[np.int16] | None = None
    parts: tuple[str, ...] = ()
    category: str | None = None
    mesh: Mesh | None = None
    up: NDArray[np.float32] | None = None
    viewpoint: NDArray[np.float32] | None = None
    grid: tuple[int, int] | None = None
    name: str = field(default="scan")

    def __post_init__(self) -> None:
        points = self.points
        if points.ndim != 2 or points.shape[1] != 3:
            raise PartDistillError(f"{self.name}: points must be [N, 3], got {points.shape}")
        for label, array in (("colors", self.colors), ("normals", self.normals), ("point_labels", self.point_labels)):
            if array is not None and len(array) != len(points):
                raise PartDistillError(f"{self.name}: {len(array)} {label} for {len(points)} points")

    def with_(self, **changes: object) -> Scan:
        """A copy with some fields replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def select(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Scan:
        """The points chosen by an index or mask array; mesh and grid do not survive a selection."""
        pick = lambda array: None if array is None else array[index]  # noqa: E731
        return self.with_(
            points=self.points[index],
            colors=pick(self.colors),
            normals=pick(self.normals),
            point_labels=pick(self.point_labels),
            mesh=None,
            grid=None,
        )

    def scaled(self, factor: float) -> Scan:
        """All lengths times `factor`."""
        scale = np.float32(factor)
        return self.with_(
            points=self.points * scale,
            mesh=None if self.mesh is None else replace(self.mesh, vertices=self.mesh.vertices * scale),
            viewpoint=None if self.viewpoint is None else self.viewpoint * scale,
        )

    @property
    def up_unknown(self) -> bool:
        """Whether nothing tells which way is up: neither `up`, nor a viewpoint in whose frame it was recorded."""
        return self.up is None and self.viewpoint is None

    def finite(self) -> NDArray[np.bool_]:
        """Mask `[N]` of points whose coordinates are all finite."""
        return np.asarray(np.isfinite(self.points).all(axis=1))


def sample_mesh(
    mesh: Mesh, count: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Uniform surface samples: points `[count, 3]`, normals `[count, 3]`, face indices `[count]`.

    Raises PartDistillError for a mesh without area.
    """
    rng = np.random.default_rng(seed)
    corners = mesh.triangles().astype(np.float64)
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    if not len(area) or not np.isfinite(area).all() or area.sum() <= 0:
        raise PartDistillError("the mesh has no faces with a finite area to sample points from")
    face = rng.choice(len(area), size=count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    flip = u + v > 1
    u, v = np.where(flip, 1 - u, u), np.where(flip, 1 - v, v)
    picked = corners[face]
    points = picked[:, 0] + u * (picked[:, 1] - picked[:, 0]) + v * (picked[:, 2] - picked[:, 0])
    return points.astype(np.float32), mesh.face_normals()[face], face


def sample_surface(scan: Scan, count: int, seed: int = 0) -> Scan:
    """A cloud of `count` points of the scan: sampled on its mesh where it has one, else drawn from
    its finite points (with repetition only where it has fewer). Labels and colors come along."""
    if scan.mesh is not None and len(scan.mesh.faces):
        points, normals, face = sample_mesh(scan.mesh, count, seed)
        labels, colors = scan.mesh.face_labels, scan.mesh.face_colors
        return scan.with_(
            points=points,
            normals=normals,
            point_labels=None if labels is None else labels[face],
            colors=None if colors is None else colors[face],
            mesh=None,
            grid=None,
        )
    usable = np.flatnonzero(scan.finite())
    if not len(usable):
        raise PartDistillError(f"{scan.name}: no finite points")
    rng = np.random.default_rng(seed)
    if len(usable) >= count:
        index = rng.choice(usable, size=count, replace=False)
    else:
        index = np.concatenate([rng.permutation(usable), rng.choice(usable, size=count - len(usable))])
    return scan.select(index)


def geometry_problems(scan: Scan) -> list[str]:
    """What cannot be meant about a scan with finite points, a sentence each with what may be done: all points in one
    place or on one line, points so far from the origin that 32 bits hold their differences badly (a map's coordinates),
    and a cloud whose numbers look like millimeters (an object a hundred meters away)."""
    points = scan.points[:: max(1, len(scan.points) // CHECKED_POINTS)].astype(np.float64)
    points = points[np.isfinite(points).all(axis=1)]
    if len(points) < 3:
        return []
    problems = []
    centered = points - points.mean(axis=0)
    extent = np.linalg.svd(centered, compute_uv=False)
    if extent[0] <= 1e-6 * np.abs(points).max():
        problems.append(f"all {len(scan.points):,} points are in one place: no part can be told from another there")
    elif extent[1] <= 1e-6 * extent[0]:
        problems.append(f"all {len(scan.points):,} points are on one line: no part can be told from another there")
    step, size = np.spacing(np.float32(np.abs(points).max())), np.ptp(points, axis=0).max()
    if not problems and step > COARSEST * size:
        problems.append(
            f"it is {size:.2g} large and so far from the origin that numbers come in steps of {step:.2g}: "
            "subtract its center before you save it"
        )
    eye = np.median(points, axis=0) if scan.viewpoint is None else scan.viewpoint
    if scan.mesh is None and FAR < np.median(np.linalg.norm(points - eye, axis=1)) < 1000 * FAR:
        problems.append("its numbers look like millimeters, they are taken for meters: give the unit mm if they are")
    return problems
