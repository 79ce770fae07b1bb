# SPDX-License-Identifier: Apache-2.0
"""Which points of a cloud are the object that somebody means; knows no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.sampling import finite_rows
from partdistill_ros.pointcloud.scan import Scan

REACH = 0.10  # meters that the point `at` may lie off the object


@dataclass(frozen=True)
class ObjectInView:
    """index: `[M]` of its points in the cloud.  scan: those points, with what is known of up.  plane: `[4]` it stands
    on, None where nobody looked for one."""

    index: NDArray[np.intp]
    scan: Scan
    plane: NDArray[np.floating] | None


def object_in_view(
    scan: Scan, mode: str, limits: TabletopParams, at: NDArray[np.floating] | None = None
) -> ObjectInView:
    """The object at the point `at [3]`; without one, that nearest to the picture's middle, or the largest of a cloud
    without rows and columns.

    mode: `object`, the cloud is the object; `tabletop`, it is one of those on the support plane.
    Raises PartDistillError where there is none.
    """
    finite = finite_rows(scan.points)
    if not len(finite):
        raise PartDistillError(f"none of the {len(scan.points)} points of the cloud is finite: check the sensor")
    if mode == "object":
        return ObjectInView(finite, scan.select(finite), None)
    found = extract_objects(scan, limits)
    if not found.objects:
        raise PartDistillError("no object stands on the support plane: move closer, or use scene_mode 'object'")
    index = _nearest(scan, found.objects, at) if at is not None else _middle(scan, found.objects)
    up = scan.up if found.up is None else found.up
    return ObjectInView(index, scan.select(index).with_(up=up), found.plane)


def _nearest(scan: Scan, objects: Sequence[NDArray[np.intp]], at: NDArray[np.floating]) -> NDArray[np.intp]:
    distances = [float(np.linalg.norm(scan.points[index] - at, axis=1).min()) for index in objects]
    best = int(np.argmin(distances))
    if distances[best] > REACH:
        raise PartDistillError(
            f"no object within {REACH:g} m of the point {np.round(at, 3).tolist()}: the nearest is "
            f"{distances[best]:.2f} m off; give the point in the cloud's frame, in meters"
        )
    return objects[best]


def _middle(scan: Scan, objects: Sequence[NDArray[np.intp]]) -> NDArray[np.intp]:
    if scan.grid is None:
        return max(objects, key=len)
    height, width = scan.grid

    def off(index: NDArray[np.intp]) -> float:
        row, column = np.divmod(index, width)
        return float(np.hypot(np.median(row) - height / 2, np.median(column) - width / 2))

    return min(objects, key=off)
