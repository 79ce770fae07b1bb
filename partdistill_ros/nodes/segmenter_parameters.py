# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the `part_segmenter` node, with its meaning, default and valid values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.nodes.inputs import DepthInput, input_option
from partdistill_ros.nodes.qos import CommandQos, InputQos, OutputQos
from partdistill_ros.objects.params import METHODS
from partdistill_ros.options import option
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.frames import AXES, parse_up
from partdistill_ros.pointcloud.scan import UNITS


@dataclass(frozen=True)
class SegmenterQos:
    """Transport of each topic."""

    points: InputQos = field(default=InputQos())
    part_query: CommandQos = field(default=CommandQos())
    labeled_points: OutputQos = field(default=OutputQos())
    part_markers: OutputQos = field(default=OutputQos())


@dataclass(frozen=True)
class Tabletop:
    """Which clusters on the support plane count as objects."""

    max_objects: int = option(16, "At most this many objects a cloud, the largest first.", minimum=1, maximum=64)
    min_points: int = option(150, "Objects of fewer points are noise.", minimum=16, maximum=1_000_000)
    max_range: float = option(
        4.0,
        "Points farther from the sensor are ignored, in meters; at 4 m a Kinect's noise is 3 cm.",
        minimum=0.1,
        maximum=100.0,
    )
    max_height: float = option(
        0.6, "How far above the plane an object may reach, in meters.", minimum=0.02, maximum=10.0
    )
    max_size: float = option(
        0.7, "Things that extend farther along the plane are walls or people, in meters.", minimum=0.02, maximum=10.0
    )
    cell: float = option(
        0.01,
        "With objects.method clusters, things with a gap of less than one to two cells between them are one object; "
        "edge of a cell in meters. 0.005 tells apart what stands 1 cm apart, for twice the time, and needs points as "
        "close as that.",
        minimum=0.002,
        maximum=0.1,
    )


@dataclass(frozen=True)
class Objects:
    """How objects are told apart in tabletop mode."""

    method: str = option(
        "auto",
        "learned, convex: what touches is parted where its surface bends inwards, for organized clouds; learned asks a "
        "small network as well, which keeps handles. clusters: what touches is one object. auto: learned where the "
        "cloud is a camera's picture, else clusters.",
        choices=METHODS,
    )


@dataclass(frozen=True)
class Box:
    """An axis-aligned box."""

    min_x: float = option(-0.5, "Least x in the box, in meters.", minimum=-100.0, maximum=100.0)
    max_x: float = option(0.5, "Greatest x in the box, in meters.", minimum=-100.0, maximum=100.0)
    min_y: float = option(-0.5, "Least y in the box, in meters.", minimum=-100.0, maximum=100.0)
    max_y: float = option(0.5, "Greatest y in the box, in meters.", minimum=-100.0, maximum=100.0)
    min_z: float = option(0.0, "Least z in the box, in meters.", minimum=-100.0, maximum=100.0)
    max_z: float = option(2.0, "Greatest z in the box, in meters.", minimum=-100.0, maximum=100.0)

    def crop(self, pose: NDArray[np.float64] | None = None) -> CropBox:
        """The same for clouds, from whose frame `pose [4, 4]` leads to that of the box. Raises PartDistillError for a
        box without room."""
        return CropBox((self.min_x, self.min_y, self.min_z), (self.max_x, self.max_y, self.max_z), pose)


@dataclass(frozen=True)
class Crop(Box):
    """The box of crop mode."""

    frame: str = option("", "Frame of the box, with z up; empty: the cloud's own, whatever its z is. Others need /tf.")


@dataclass(frozen=True)
class Memory:
    """What is kept of objects that stand still from cloud to cloud."""

    refresh: int = option(
        1,
        "An object that stands still keeps its answer; so many of them are asked about again in each cloud, in "
        "turn; where clouds come faster than they are labeled, in every fourth only. 0 asks about all objects in "
        "every cloud, which costs 15 ms of one core for each.",
        minimum=0,
        maximum=64,
    )
    smoothing: float = option(
        0.0,
        "Share of the earlier answer in a new one for the same place: 0.8 averages over about five answers, so that "
        "labels flicker less; 0 takes each answer as it is. Begins anew where an object moves or the query changes.",
        minimum=0.0,
        maximum=0.95,
    )
    fixed_frame: str = option(
        "",
        "Frame in which objects stand still while the camera moves, such as map or base_link; needs /tf. Empty: the "
        "camera stands still, or everything moves and is asked about.",
    )


@dataclass(frozen=True)
class SegmenterParameters:
    """The parameters of `part_segmenter`; those not marked read-only can be changed while it runs."""

    bundle: str = option(
        "default", "Student bundle: a directory, or 'default' for the one that ships with the package."
    )
    query: str = option(
        "mug: handle, cup",
        "Parts to label: 'handle, cup', 'mug: handle, cup' or several groups separated by ';'. "
        "The topic part_query and the service ~/set_query change it too.",
    )
    input: str = input_option()
    scene_mode: str = option(
        "tabletop",
        "object: the whole cloud is one object. tabletop: objects are cut out from a support plane first. crop: "
        "what lies in a box is one object.",
        choices=("object", "tabletop", "crop"),
    )
    up: str = option(
        "auto",
        "Axis of the cloud's frame that points up in object and crop mode; auto takes z of crop.frame, or guesses "
        "from the object's form. In tabletop mode the plane tells.",
        choices=("auto", *AXES),
    )
    unit: str = option(
        "m",
        "Unit of the clouds' coordinates, which labeled clouds keep, and of depth images of floats (32FC1).",
        choices=tuple(UNITS),
    )
    confidence_threshold: float = option(
        0.0, "Points below this confidence are left unlabeled.", minimum=0.0, maximum=1.0
    )
    none_of_these: bool = option(
        True,
        "Tabletop mode with categories in the query: an object that looks more like another category that the "
        "student knows stays unlabeled; false labels every object.",
    )
    keep_fields: bool = option(
        False,
        "Every field of the input goes out again after x, y, z, rgb, label and confidence; those of the same "
        "name as input_rgb, input_label, input_confidence and input_object.",
    )
    object_field: bool = option(
        False,
        "Labeled clouds have the field object too: the number of each point's object, 1 to 65535, 0 for none. An "
        "object keeps its number where camera or memory.fixed_frame stands still.",
    )
    enable: bool = option(
        True, "false: clouds are ignored until it is true again; the service ~/set_enabled changes it too."
    )
    device: str = option(
        "auto",
        "Where the student runs; auto takes CUDA where it works, else the CPU, with weights of 8 bits where the bundle "
        "has them and the processor multiplies bytes: cpu_int8, against cpu in single precision. tensorrt, "
        "tensorrt_fp16: engines that 'partdistill info --build-engine' has built.",
        choices=("auto", "cpu", "cpu_int8", "cuda", "tensorrt", "tensorrt_fp16"),
    )
    threads: int = option(
        2,
        "CPU threads of the student, which take an object each; 0 takes one a core, at most 8.",
        minimum=0,
        maximum=256,
    )
    markers: bool = option(True, "Publish part_markers: name and box of each part, outline and number of each object.")
    detections: bool = option(
        True,
        "Publish objects and parts as vision_msgs/Detection3DArray, where that package is installed, to those who "
        "listen.",
        read_only=True,
    )
    diagnostics_period: float = option(
        1.0, "Seconds between two reports on /diagnostics.", minimum=0.1, maximum=60.0, read_only=True
    )
    autostart: bool = option(
        True, "Configure and activate at once; false waits for a lifecycle manager.", read_only=True
    )
    tabletop: Tabletop = field(default=Tabletop())
    objects: Objects = field(default=Objects())
    crop: Crop = field(default=Crop())
    memory: Memory = field(default=Memory())
    depth: DepthInput = field(default=DepthInput())
    qos: SegmenterQos = field(default=SegmenterQos())

    def up_vector(self) -> NDArray[np.float32] | None:
        """`up` as a unit vector `[3]`, None for auto."""
        return None if self.up == "auto" else parse_up(self.up)
