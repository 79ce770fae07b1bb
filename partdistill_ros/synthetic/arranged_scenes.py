# SPDX-License-Identifier: Apache-2.0
"""Scenes arranged by hand as a depth camera sees them: a shelf, a tray, a pile without its table, things in a bowl."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, Solid, box, cylinder, revolve, transform


@dataclass(frozen=True)
class Arrangement:
    """solids: the things, in meters over a table at z = 0.  eye, target: where the camera is and looks.  table: whether
    there is one."""

    solids: Sequence[Solid]
    eye: tuple[float, float, float] = (0.8, 0.0, 0.6)
    target: tuple[float, float, float] = (0.0, 0.0, 0.05)
    table: bool = True


def _can(x: float, y: float, z: float, radius: float = 0.033, height: float = 0.12) -> Solid:
    return transform(cylinder(radius, height, 40), move=(x, y, z + height / 2))


def _bowl(radius: float = 0.1, height: float = 0.07, wall: float = 0.005) -> Solid:
    foot, lip = 0.7 * radius, radius - wall
    return revolve([(0, 0), (foot, 0), (radius, height), (lip, height), (foot - wall, wall), (0, wall)], 48)


def _ball(radius: float, z: float) -> Solid:
    angle = np.linspace(0, np.pi, 16)
    return revolve(list(zip(radius * np.sin(angle), z + radius * (1 - np.cos(angle)), strict=True)), 32)


ARRANGEMENTS = {
    "shelf": Arrangement(
        [
            *(_can(0, -0.1, 0), box((0.08, 0.08, 0.1), (0, 0.12, 0.05))),
            *(_can(-0.15, -0.1, 0.305), box((0.06, 0.1, 0.08), (-0.15, 0.12, 0.345))),
            box((0.3, 0.6, 0.01), (-0.15, 0, 0.3)),
        ],
        (1.0, 0.0, 0.55),
        (-0.1, 0.0, 0.15),
    ),
    "box that carries": Arrangement(
        [box((0.3, 0.4, 0.15), (0, 0, 0.075)), _can(0, -0.1, 0.15), box((0.08, 0.08, 0.1), (0, 0.08, 0.2))]
    ),
    "tray": Arrangement(
        [box((0.3, 0.4, 0.02), (0, 0, 0.01)), _can(0, -0.1, 0.02), box((0.08, 0.08, 0.1), (0, 0.08, 0.07))]
    ),
    "three on one another": Arrangement(
        [box((0.25, 0.3, 0.1), (0, 0, 0.05)), box((0.15, 0.2, 0.03), (0, 0, 0.115)), _can(0, 0, 0.13, 0.04, 0.09)]
    ),
    "no table, a pile": Arrangement(
        [box((0.3, 0.4, 0.15), (0, 0, 0.075)), _can(0, -0.1, 0.15), box((0.15, 0.2, 0.12), (0.05, 0.05, 0.21))],
        (0.35, 0.0, 0.5),
        (0.0, 0.0, 0.2),
        table=False,
    ),
    "no table, side by side": Arrangement(
        [_can(0, -0.1, 0), box((0.08, 0.08, 0.1), (0, 0.12, 0.05)), _can(0.1, 0, 0)], table=False
    ),
    "over the edge": Arrangement(
        [box((0.2, 0.3, 0.03), (0.45, 0, 0.015)), box((0.25, 0.05, 0.03), (0.5, 0.3, 0.015)), _can(0.2, -0.3, 0)],
        (1.2, 0.0, 0.6),
        (0.4, 0.0, 0.0),
    ),
    "in a bowl": Arrangement(
        [
            *(_bowl(), transform(cylinder(0.03, 0.1, 40), move=(0.01, 0, 0.055))),
            box((0.03, 0.03, 0.08), (-0.04, 0.02, 0.045)),
        ],
        (0.5, 0.0, 0.6),
    ),
    "a ball in a bowl": Arrangement([_bowl(), _ball(0.035, 0.006)], (0.5, 0.0, 0.6)),
}
FURNITURE = {"shelf": (5,)}  # numbers of what is no thing: the board


def arranged(name: str, camera: DepthCamera | None = None) -> Scan:
    """One of `ARRANGEMENTS`; its labels are 0 for the table and 1, 2, ... for the things in their order."""
    scene = ARRANGEMENTS[name]
    parts = ["table", *(f"{number}" for number in range(len(scene.solids)))]
    builder = MeshBuilder(parts)
    for cell in range(100 if scene.table else 0):
        builder.add("table", box((0.1, 0.1, 0.01), (0.1 * (cell // 10) - 0.45, 0.1 * (cell % 10) - 0.45, -0.005)))
    for number, solid in enumerate(scene.solids):
        builder.add(f"{number}", solid)
    pose = camera_pose(scene.eye, scene.target)
    return capture(builder.build(), pose, np.random.default_rng(0), camera, parts=parts, name=name)
