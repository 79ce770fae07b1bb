# SPDX-License-Identifier: Apache-2.0
"""Shapes drawn once per family, and what every family has to keep."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.synthetic.families import FAMILIES, generate

COUNT = 40


@lru_cache(maxsize=16)
def drawn(family: str) -> tuple[Scan, ...]:
    return tuple(generate(family, seed) for seed in range(COUNT))


def face_areas(mesh: Mesh) -> NDArray[np.float64]:
    corners = mesh.triangles().astype(float)
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2


def part_middle(scan: Scan, part: str) -> NDArray[np.float64] | None:
    assert scan.mesh is not None and scan.mesh.face_labels is not None
    chosen = scan.mesh.face_labels == scan.parts.index(part)
    if not chosen.any():
        return None
    centers = scan.mesh.triangles()[chosen].mean(1).astype(float)
    return np.average(centers, axis=0, weights=face_areas(scan.mesh)[chosen] + 1e-12)


@pytest.fixture(scope="session")
def shapes() -> Callable[[str], tuple[Scan, ...]]:
    """Forty shapes of a family."""
    return drawn


@pytest.fixture(scope="session")
def middle() -> Callable[[Scan, str], NDArray[np.float64] | None]:
    """Area-weighted middle `[3]` of a part; None where the shape lacks it."""
    return part_middle


@pytest.fixture(scope="session")
def check_family() -> Callable[[str, dict[str, float]], None]:
    """Checks that hold for any family: sizes, labels, repeatability, variety and how often each part occurs."""

    def check(name: str, share: dict[str, float]) -> None:
        family, scans = FAMILIES[name], drawn(name)
        for scan in scans:
            mesh = scan.mesh
            assert mesh is not None and mesh.face_labels is not None
            assert 300 <= len(mesh.faces) <= 20000, scan.name
            assert np.isfinite(mesh.vertices).all(), scan.name
            assert set(np.unique(mesh.face_labels)) <= set(range(len(family.parts))), scan.name
            low, high = mesh.vertices.min(0), mesh.vertices.max(0)
            assert np.allclose(low + high, 0, atol=1e-4), scan.name
            assert family.size[0] * 0.99 <= (high - low).max() <= family.size[1] * 1.01, scan.name
        for part in family.parts:
            has = np.mean([(s.mesh.face_labels == family.parts.index(part)).any() for s in scans])  # type: ignore[union-attr]
            assert has >= share.get(part, 1.0), f"{part} in {has:.0%} of the shapes"
        again = generate(name, 3)
        assert again.mesh is not None and scans[3].mesh is not None
        assert np.array_equal(again.mesh.vertices, scans[3].mesh.vertices)
        spans = np.array([np.ptp(s.points, axis=0) for s in scans])
        assert (spans / spans.max(1, keepdims=True)).std(0).max() > 0.03, "the shapes hardly differ"

    return check
