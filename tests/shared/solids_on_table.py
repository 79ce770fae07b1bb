# SPDX-License-Identifier: Apache-2.0
"""Solids that touch, on a table, and the camera that sees them."""

from __future__ import annotations

import numpy as np

from partdistill_ros.pointcloud.scan import Mesh
from partdistill_ros.synthetic.depth_camera import DepthCamera
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, box, cylinder, transform

CAMERA = DepthCamera(width=320, height=240, fx=262.5, fy=262.5, cx=159.5, cy=119.5)
BESIDE = [box((0.08, 0.1, 0.2), (0, -0.05, 0.1)), box((0.1, 0.07, 0.08), (0.06, 0.035, 0.04))]
STACKED = [box((0.2, 0.26, 0.06), (0, 0, 0.03)), transform(cylinder(0.04, 0.12, 40), move=(0, 0, 0.12))]


def on_table(solids: list[Solid]) -> tuple[Mesh, list[str]]:
    """A table with solids on it, labeled 1, 2, ... in their order, and the names of the labels, `table` first."""
    parts = ["table", *(f"{number}" for number in range(len(solids)))]
    builder = MeshBuilder(parts)
    for x in np.linspace(-0.5, 0.5, 11):
        for y in np.linspace(-0.5, 0.5, 11):
            builder.add("table", box((0.1, 0.1, 0.01), (x, y, -0.005)))
    for number, solid in enumerate(solids):
        builder.add(f"{number}", solid)
    return builder.build(), parts
