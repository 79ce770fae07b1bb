# SPDX-License-Identifier: Apache-2.0
"""Goblets: a family of objects that no shipped model has seen, recorded by the simulated depth camera.

The family lives here, outside `synthetic/families`, so that neither the shipped student, which knows
wine glasses and trophies, nor `mini` learns it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.depth_camera import DepthCamera
from partdistill_ros.synthetic.drawing.family import Family
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, revolve, smooth
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.table_scene import make_scene

NAME, PARTS = "goblet", ("bowl", "stem", "foot")
UNSEEN = 10_000  # seeds from here on are never recorded, only tested
LEAST_SHARE = 0.09  # of a goblet's points that each part has: seen from higher up the bowl hides the stem
TRIES = 20


def build(rng: np.random.Generator) -> MeshBuilder:
    """One goblet, its foot at z = 0: a turned foot, a stem with or without a knot, a bowl with a hollow."""
    mesh = MeshBuilder(PARTS)
    wide, flat = rng.uniform(0.28, 0.48), rng.uniform(0.04, 0.12)
    thin, tall = rng.uniform(0.11, 0.18), rng.uniform(0.35, 0.8)
    slope = [(wide, 0.02), (thin * 1.3, flat), (thin, flat + 0.03)]
    mesh.add("foot", revolve([(0, 0), (wide, 0), *slope, (0, flat + 0.03)]))
    low, high = flat + 0.02, flat + tall
    knot, at = rng.uniform(1.0, 1.6), rng.uniform(0.3, 0.8)
    radius = [thin, thin, thin * knot, thin, thin * rng.uniform(1, 1.6)]
    height = low + (high - low) * np.array([0, at - 0.15, at, at + 0.15, 1])
    mesh.add("stem", revolve([(0, low), *smooth(np.column_stack([radius, height]), 24), (0, high)]))
    _bowl(rng, mesh, high, thin)
    return mesh


def _bowl(rng: np.random.Generator, mesh: MeshBuilder, bottom: float, thin: float) -> None:
    deep, belly, rim = rng.uniform(0.4, 0.9), rng.uniform(0.25, 0.5), rng.uniform(0.6, 1.25)
    control = [(thin, bottom - 0.02), (belly * 0.7, bottom + 0.1 * deep), (belly, bottom + 0.5 * deep)]
    wall = smooth(np.array([*control, (belly * rim, bottom + deep)]), 24)
    inner = wall[::-1] * [0.9, 1] + [0, 0.02]
    mesh.add("bowl", revolve([(0, bottom - 0.02), *wall, *inner[1:-4], (0, inner[-4][1])]))


FAMILY = Family(NAME, PARTS, build, size=(0.14, 0.24))


@dataclass(frozen=True)
class Recording:
    """One cloud of the camera: the whole organized scene, with true `labels [N]` (index into `PARTS`, -1 for all that
    is no goblet)."""

    scan: Scan
    labels: NDArray[np.int16]


@contextmanager
def known() -> Iterator[None]:
    """The family can be put into table scenes by its name, here and now only."""
    FAMILIES[NAME] = FAMILY
    try:
        yield
    finally:
        del FAMILIES[NAME]


def record(seed: int, width: int = 640) -> Recording:
    """A goblet on a table, seen so that each of its parts shows; always the same one for the same arguments."""
    share = width / 640
    camera = DepthCamera(width, int(480 * share), 525 * share, 525 * share, 319.5 * share, 239.5 * share)
    best: tuple[float, Recording] | None = None
    with known():
        for attempt in range(TRIES):
            scene = make_scene(seed * TRIES + attempt, (NAME,), count=1, camera=camera)
            assert scene.scan.point_labels is not None and scene.scan.parts == PARTS
            labels = np.where(scene.object_mask(0), scene.scan.point_labels, -1).astype(np.int16)
            counts = np.bincount(labels[labels >= 0], minlength=len(PARTS))
            least = float(counts.min() / max(counts.sum(), 1))
            if best is None or least > best[0]:
                best = least, Recording(scene.scan, labels)
            if least >= LEAST_SHARE:
                break
    assert best is not None
    return best[1]


def miou(answer: NDArray[np.int16], truth: NDArray[np.int16]) -> float:
    """Mean over the parts of the intersection over union, of all points of the scene."""
    pairs = [(answer == part, truth == part) for part in range(len(PARTS))]
    return float(np.mean([(said & true).sum() / max((said | true).sum(), 1) for said, true in pairs]))
