# SPDX-License-Identifier: Apache-2.0
"""Labeled posts, whose upper half is `top` and whose lower half is `bottom`."""

from __future__ import annotations

import numpy as np

from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, loft

UPRIGHT = np.array([0, 0, 1], np.float32)


def sleeve(low: float, high: float) -> np.ndarray:
    """The walls of a box without floor or lid: nothing is hidden inside."""
    outline = np.array([(-0.2, -0.15), (0.2, -0.15), (0.2, 0.15), (-0.2, 0.15)])
    return loft(np.stack([np.column_stack([outline, np.full(4, level)]) for level in (low, high)]), caps=False)


def make_post(name="post_0", share=0.5, points=0, up=UPRIGHT, category="post", parts=("top", "bottom")) -> Scan:
    """A hollow post, `share` of its height the top; a mesh, or a cloud of `points` samples."""
    builder = MeshBuilder(parts)
    builder.add(parts[0], sleeve(2 - 2 * share, 2))
    builder.add(parts[1], sleeve(0, 2 - 2 * share))
    mesh = builder.build()
    scan = Scan(mesh.vertices, mesh=mesh, parts=tuple(parts), category=category, up=up, name=name)
    return sample_surface(scan, points, seed=7) if points else scan
