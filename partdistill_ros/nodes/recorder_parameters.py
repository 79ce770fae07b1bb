# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the `scan_recorder` node, with its meaning, default and valid values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from partdistill_ros.nodes.inputs import DepthInput, input_option
from partdistill_ros.nodes.qos import PointsQos
from partdistill_ros.nodes.segmenter_parameters import Box, Objects
from partdistill_ros.options import option
from partdistill_ros.pointcloud.scan import UNITS
from partdistill_ros.recording.cut import CUTS, PICKS, Cut
from partdistill_ros.recording.recorder import Recording


@dataclass(frozen=True)
class RecorderParameters:
    """The parameters of `scan_recorder`."""

    collection: str = option("", "Folder of the collection to write into; made where it is not there.")
    name: str = option("scan", "What the scans are called; the second gets _2, and so on.")
    category: str = option("", "What the objects are, for example mug; may be empty.")
    input: str = input_option()
    unit: str = option(
        "m",
        "Unit of the clouds' coordinates and of depth images of floats (32FC1); scans are in meters.",
        choices=tuple(UNITS),
    )
    cut: str = option(
        "tabletop",
        "tabletop: what stands on the support plane. crop: what lies in the box crop.*, which is of the object frame "
        "or, without one, of the cloud's. none: the whole cloud.",
        choices=CUTS,
    )
    pick: str = option(
        "largest",
        "Which of several objects on a table; all: each is a scan of its own, and views are not joined.",
        choices=PICKS,
    )
    min_points: int = option(150, "Objects of fewer points are noise.", minimum=16, maximum=1_000_000)
    max_range: float = option(
        2.0, "Points farther from the sensor are ignored by cut tabletop, in meters.", minimum=0.1, maximum=100.0
    )
    objects: Objects = field(default=Objects())
    crop: Box = field(default=Box(-0.2, 0.2, -0.2, 0.2, 0.005, 0.5))
    depth: DepthInput = field(default=DepthInput())
    object_frame: str = option(
        "",
        "Frame of tf in which the object stands still: map or base_link for a moving camera, the turntable's frame "
        "for a turntable. Views are then joined into one scan; empty: each view is a scan.",
    )
    join: bool = option(True, "false: do not join views, though object_frame is given.")
    tf_wait: float = option(
        0.5, "How long to wait for the transform of a cloud's time, in seconds.", minimum=0.0, maximum=10.0
    )
    period: float = option(0.5, "Take the newest cloud at most this often, in seconds.", minimum=0.0, maximum=3600.0)
    keep_still: bool = option(False, "Keep clouds in which nothing has changed too.")
    autostart: bool = option(False, "Record at once; false waits for ~/start.", read_only=True)
    qos: PointsQos = field(default=PointsQos())

    def recording(self) -> Recording:
        """What the recorder is to do. Raises PartDistillError for what does not go together."""
        cut = Cut(self.cut, self.pick, self.crop.crop(), self.min_points)
        cut = replace(cut, tabletop=replace(cut.tabletop, max_range=self.max_range, method=self.objects.method))
        category = " ".join(self.category.split()).lower() or None
        return Recording(cut, join=self.joins(), category=category, keep_unchanged=self.keep_still)

    def joins(self) -> bool:
        """Whether views become one scan."""
        return bool(self.object_frame) and self.join and self.pick != "all"
