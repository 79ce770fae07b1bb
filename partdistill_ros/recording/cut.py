# SPDX-License-Identifier: Apache-2.0
"""The objects of a recorded cloud: what stands on the table, what lies in a box, or all of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.transforms import Pose

CUTS = ("tabletop", "crop", "none")
PICKS = ("largest", "nearest", "all")
PICTURE_MARGIN = 0.15  # of the object's extent, left around it in its picture


@dataclass(frozen=True)
class Cut:
    """How objects are cut out of a cloud.

    kind: `tabletop`, what stands on the support plane; `crop`, what lies in a box; `none`, the whole cloud.
    pick: of several objects on a table, the one of most points, the one nearest to the sensor, or all.
    box: in the object's frame where the sensor's pose in it is known, else in the cloud's frame.
    min_points: objects of fewer points are nothing.
    """

    kind: str = "tabletop"
    pick: str = "largest"
    box: CropBox = field(default_factory=lambda: CropBox((-1.0, -1.0, 0.0), (1.0, 1.0, 1.0)))
    min_points: int = 150
    tabletop: TabletopParams = TabletopParams()

    def __post_init__(self) -> None:
        if self.kind not in CUTS:
            raise PartDistillError(f"cut '{self.kind}' is not one of {', '.join(CUTS)}")
        if self.pick not in PICKS:
            raise PartDistillError(f"pick '{self.pick}' is not one of {', '.join(PICKS)}")

    def nothing(self) -> str:
        """What to say where there is no object."""
        if self.kind == "tabletop":
            return (
                f"no object of {self.min_points} points stands on the table: "
                "move the camera closer, or cut with a crop box"
            )
        if self.kind == "crop":
            box = f"from {self.box.low} to {self.box.high}"
            return f"fewer than {self.min_points} points lie in the crop box {box}: check its frame"
        return f"fewer than {self.min_points} finite points: check the sensor's range"


@dataclass(frozen=True)
class CutObject:
    """An object: its points (all finite, in the frame of the cloud), and their rows `index [n]` in the cloud."""

    scan: Scan
    index: NDArray[np.intp]


def cut_objects(cloud: Scan, cut: Cut, pose: Pose | None = None) -> list[CutObject]:
    """The objects of a cloud, at least one, in the order of `cut.pick`; with `all`, the largest first.

    pose: `[4, 4]` of the sensor in the object's frame, in which the crop box lies and +z is up.
    Raises PartDistillError where there is nothing.
    """
    if cut.kind == "tabletop":
        found = extract_objects(cloud, cut.tabletop)
        up = cloud.up if found.up is None else found.up
        objects = list(found.objects)
    else:
        up = cloud.up if pose is None else pose[2, :3].astype(np.float32)
        crop = cut.kind == "crop"
        objects = [replace(cut.box, pose=pose).inside(cloud.points) if crop else np.flatnonzero(cloud.finite())]
    objects = [index for index in objects if len(index) >= cut.min_points]
    if not objects:
        raise PartDistillError(f"{cloud.name}: {cut.nothing()}")
    if cut.pick == "nearest":
        eye = np.zeros(3) if cloud.viewpoint is None else cloud.viewpoint
        objects.sort(key=lambda index: float(np.linalg.norm(cloud.points[index].mean(0) - eye)))
    if cut.pick != "all":
        objects = objects[:1]
    return [CutObject(cloud.select(index).with_(up=up), index) for index in objects]


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
