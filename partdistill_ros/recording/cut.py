# SPDX-License-Identifier: Apache-2.0
"""The objects of a recorded cloud: what stands on the table, what lies in a box, or all of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.transforms import Pose, move

CUTS = ("tabletop", "crop", "none")
PICKS = ("largest", "nearest", "all")
PICTURE_MARGIN = 0.15  # of the object's extent, left around it in its picture


@dataclass(frozen=True)
class Cut:
    """How objects are cut out of a cloud.

    kind: `tabletop`, what stands on the support plane; `crop`, what lies in a box; `none`, the whole cloud.
    pick: of several objects on a table, the one of most points, the one nearest to the sensor, or all.
    low, high: corners of the box in meters, in the object's frame where the sensor's pose in it is known, else in
        the cloud's frame.
    least: objects of fewer points are nothing.
    """

    kind: str = "tabletop"
    pick: str = "largest"
    low: tuple[float, float, float] = (-1.0, -1.0, 0.0)
    high: tuple[float, float, float] = (1.0, 1.0, 1.0)
    least: int = 150
    tabletop: TabletopParams = field(default_factory=TabletopParams)

    def __post_init__(self) -> None:
        if self.kind not in CUTS:
            raise PartDistillError(f"cut '{self.kind}' is not one of {', '.join(CUTS)}")
        if self.pick not in PICKS:
            raise PartDistillError(f"pick '{self.pick}' is not one of {', '.join(PICKS)}")
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            raise PartDistillError(
                f"the crop box from {self.low} to {self.high} is empty: give the lower corner first, then the upper one"
            )


@dataclass(frozen=True)
class CutOut:
    """An object: its points (all finite, in the frame of the cloud), and their rows `index [n]` in the cloud."""

    scan: Scan
    index: NDArray[np.intp]


def cut_out(cloud: Scan, cut: Cut, pose: Pose | None = None) -> list[CutOut]:
    """The objects of a cloud, at least one, in the order of `cut.pick`; with `all`, the largest first.

    pose: `[4, 4]` of the sensor in the object's frame, in which the crop box lies and +z is up.
    Raises PartDistillError where there is nothing.
    """
    if cut.kind == "tabletop":
        found = extract_objects(cloud, cut.tabletop)
        up: NDArray[np.float32] | None = found.up
        objects = list(found.objects)
    else:
        up = cloud.up if pose is None else pose[2, :3].astype(np.float32)
        inside = cloud.finite()
        if cut.kind == "crop":
            place = cloud.points if pose is None else move(cloud.points, pose)
            inside &= ((place >= cut.low) & (place <= cut.high)).all(axis=1)
        objects = [np.flatnonzero(inside)]
    objects = [index for index in objects if len(index) >= cut.least]
    if not objects:
        raise PartDistillError(f"{cloud.name}: {_nothing(cut)}")
    if cut.pick == "nearest":
        eye = np.zeros(3) if cloud.viewpoint is None else cloud.viewpoint
        objects.sort(key=lambda index: float(np.linalg.norm(cloud.points[index].mean(0) - eye)))
    if cut.pick != "all":
        objects = objects[:1]
    return [CutOut(cloud.select(index).with_(up=up), index) for index in objects]


def picture_of(cloud: Scan, index: NDArray[np.intp]) -> Image.Image | None:
    """What the camera saw around the points `index [n]`, None for a cloud that is no picture or has no colors."""
    if cloud.grid is None or cloud.colors is None:
        return None
    rows, columns = np.divmod(index, cloud.grid[1])
    low, high = np.array([rows.min(), columns.min()]), np.array([rows.max(), columns.max()]) + 1
    margin = np.ceil((high - low).max() * PICTURE_MARGIN).astype(int)
    top, left = np.maximum(low - margin, 0)
    bottom, right = np.minimum(high + margin, cloud.grid)
    return Image.fromarray(cloud.colors.reshape(*cloud.grid, 3)[top:bottom, left:right])


def _nothing(cut: Cut) -> str:
    if cut.kind == "tabletop":
        return f"no object of {cut.least} points stands on the table: move the camera closer, or cut with a crop box"
    if cut.kind == "crop":
        return f"fewer than {cut.least} points lie in the crop box from {cut.low} to {cut.high}: check its frame"
    return f"fewer than {cut.least} finite points: check the sensor's range"
