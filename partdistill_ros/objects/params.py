# SPDX-License-Identifier: Apache-2.0
"""Limits of what counts as an object; lengths in meters."""

from __future__ import annotations

from dataclasses import dataclass

from partdistill_ros.errors import PartDistillError

METHODS = ("auto", "learned", "convex", "clusters")


@dataclass(frozen=True)
class TabletopParams:
    """Limits of the extraction; lengths in meters.

    method: `clusters`, free-standing groups of points; `convex`, surface patches that meet at convex edges, for
        organized clouds of a pinhole camera; `learned`, the same patches joined by a small network too; `auto`,
        learned where the cloud allows it, else clusters.
    plane_tolerance: distance within which a point supports the plane; a Kinect bends a flat table by
        up to 5 mm within 1.5 m of it.
    clearance: height from which a point starts an object; below it the table's own unevenness lies.
    foot: height from which a point next to an object's foot belongs to it; table noise is 1-2 mm
        at 1 m.
        These three grow with the square of the range beyond 1 m, as the noise of depth cameras does.
    max_range: points farther from the sensor (or, where its position is unknown, from the middle of the
        cloud) are ignored; at 4 m a Kinect's noise is 3 cm.
    max_height: how far above the table an object may reach.
    max_float, max_under: a thing whose lowest visible point is higher than this hangs, if the table is
        seen under more than that share of it: a lamp, a robot's arm. A thing whose foot is out of sight,
        behind clutter or right under the camera, hides the table below it as well.
    outline_margin: how far an object may stick out over the table's edge.
    overhang, on_table: the convex method looks so far beyond the table's edge, and wants that share of an object's
        points over the table.
    cell: edge of the cells; points closer than this are always one object, farther apart than
        about three cells never.
    rejoin: a fragment this close to an object belongs to it, as a handle does that missing depth cut off.
    fragment: size of a fragment at most, as a share of the object that it joins.
    min_points, min_size: objects with fewer points, or with a smaller largest extent, are noise.
    max_size: things with a larger extent along the table are walls or people.
    step_up: a parallel plane this much above the largest is taken instead when it has at least
        `step_share` of its support: the table, not the floor that it stands on. Lower ones are
        the tops of boxes.
    min_support: share of the points in range that the plane must hold.
    hypotheses, tried_on: planes tried, and points that they are tried on; 500 find a plane of 20 % of the
        points 49 times out of 50.
    thinned: points that the plane is fitted to in the end, and its outline drawn from.
    """

    method: str = "auto"
    plane_tolerance: float = 0.010
    clearance: float = 0.006
    foot: float = 0.004
    max_range: float = 4.0
    max_height: float = 0.60
    max_float: float = 0.10
    max_under: float = 0.40
    outline_margin: float = 0.03
    overhang: float = 0.15
    on_table: float = 0.3
    cell: float = 0.010
    rejoin: float = 0.025
    fragment: float = 0.25
    min_points: int = 150
    min_size: float = 0.03
    max_size: float = 0.70
    step_up: float = 0.25
    step_share: float = 0.15
    min_support: float = 0.05
    hypotheses: int = 500
    tried_on: int = 1500
    thinned: int = 12_000

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise PartDistillError(f"object method '{self.method}' is unknown: choose {' or '.join(METHODS)}")
        for name, value in vars(self).items():
            if name != "method" and not value > 0:
                raise PartDistillError(f"tabletop parameter {name} must be above zero, it is {value}")
