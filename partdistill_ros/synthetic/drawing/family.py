# SPDX-License-Identifier: Apache-2.0
"""What a shape family is, and how one labeled shape is drawn from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np

from partdistill_ros.pointcloud.scan import UNLABELED, Mesh, Scan
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder


@dataclass(frozen=True)
class Family:
    """One kind of object.

    parts: names in label order.
    build: draws one shape, standing along +z (flat tools lie on the plane z = 0), in any unit.
    up_unknown: the object has no vertical of its own, as tools that lie on a table.
    synonyms: other names, of the object under the key equal to `name`, of parts under theirs.
    size: range in meters of the largest extent.
    """

    name: str
    parts: tuple[str, ...]
    build: Callable[[np.random.Generator], MeshBuilder]
    up_unknown: bool = False
    synonyms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    size: tuple[float, float] = (0.1, 0.3)

    def names_of(self, part: str) -> tuple[str, ...]:
        """The part's name, then its synonyms."""
        return (part, *self.synonyms.get(part, ()))


def draw(family: Family, seed: int) -> Scan:
    """The shape of `seed`: always the same one, in meters, its bounding box centered on the origin."""
    rng = np.random.default_rng([crc32(family.name.encode()), seed])
    mesh = family.build(rng).build()
    vertices = mesh.vertices.astype(np.float64)
    low, high = vertices.min(0), vertices.max(0)
    scale = rng.uniform(*family.size) / (high - low).max()
    points = ((vertices - (low + high) / 2) * scale).astype(np.float32)
    labels = np.full(len(points), UNLABELED, np.int16)
    if mesh.face_labels is not None:
        labels[mesh.faces] = mesh.face_labels[:, None]
    return Scan(
        points=points,
        point_labels=labels,
        parts=family.parts,
        category=family.name,
        mesh=Mesh(points, mesh.faces, mesh.face_labels),
        up=np.array([0, 0, 1], np.float32),
        name=f"{family.name}_{seed:05d}",
    )
