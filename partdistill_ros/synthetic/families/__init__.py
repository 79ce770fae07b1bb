# SPDX-License-Identifier: Apache-2.0
"""Procedural shape families with part labels: `FAMILIES` by name, `generate` draws one shape."""

from __future__ import annotations

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.drawing.family import Family, draw
from partdistill_ros.synthetic.families import (
    airplane,
    bottle,
    cap,
    chair,
    eyeglasses,
    hammer,
    kettle,
    knife,
    lamp,
    laptop,
    mug,
    pliers,
    table,
    vase,
)

_MODULES = (
    airplane, bottle, cap, chair, eyeglasses, hammer, kettle, knife, lamp, laptop, mug, pliers, table, vase,
)  # fmt: skip

FAMILIES: dict[str, Family] = {module.FAMILY.name: module.FAMILY for module in _MODULES}

__all__ = ["FAMILIES", "Family", "generate"]


def generate(family: str, seed: int) -> Scan:
    """One labeled shape of a family: a mesh with face labels, z up, centered, in meters.

    Deterministic in `(family, seed)`; its points are the mesh's vertices.
    Raises PartDistillError for an unknown family.
    """
    if family not in FAMILIES:
        raise PartDistillError(f"no shape family '{family}': choose one of {', '.join(sorted(FAMILIES))}")
    return draw(FAMILIES[family], seed)
