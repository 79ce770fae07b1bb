# SPDX-License-Identifier: Apache-2.0
"""Labeled posts, whose upper half is `top` and whose lower half is `bottom`, and a toy student that knows it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.inference.bundle import write_bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.families.primitives import MeshBuilder, loft

UPRIGHT = np.array([0, 0, 1], np.float32)
TOY = Path(__file__).parents[1] / "inference" / "conftest.py"


@pytest.fixture(scope="session")
def toy_bundle(tmp_path_factory) -> Path:
    """Its student answers `top` above the middle and `bottom` below it."""
    spec = importlib.util.spec_from_file_location("toy_student", TOY)
    toy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toy)
    path = tmp_path_factory.mktemp("bundles") / "toy"
    return write_bundle(path, toy.make_student(), toy.make_spec(), toy.make_vocabulary())


@pytest.fixture(scope="session")
def toy_segmenter(toy_bundle) -> Segmenter:
    """The toy as it answers."""
    return Segmenter(toy_bundle, "cpu")


def sleeve(low, high):
    """The walls of a box without floor or lid: nothing is hidden inside."""
    outline = np.array([(-0.2, -0.15), (0.2, -0.15), (0.2, 0.15), (-0.2, 0.15)])
    return loft(np.stack([np.column_stack([outline, np.full(4, level)]) for level in (low, high)]), caps=False)


@pytest.fixture(scope="session")
def make_post():
    """A hollow post, `share` of its height the top; a mesh, or a cloud of `points` samples."""

    def make(name="post_0", share=0.5, points=0, up=UPRIGHT, category="post", parts=("top", "bottom")) -> Scan:
        builder = MeshBuilder(parts)
        builder.add(parts[0], sleeve(2 - 2 * share, 2))
        builder.add(parts[1], sleeve(0, 2 - 2 * share))
        mesh = builder.build()
        scan = Scan(mesh.vertices, mesh=mesh, parts=tuple(parts), category=category, up=up, name=name)
        return sample_surface(scan, points, seed=7) if points else scan

    return make
