# SPDX-License-Identifier: Apache-2.0
"""Every parameter of the `distill_trainer` node, with its meaning, default and valid values."""

from __future__ import annotations

from dataclasses import dataclass, field

from partdistill_ros.nodes.inputs import DepthInput, input_option
from partdistill_ros.nodes.qos import PointsQos
from partdistill_ros.nodes.segmenter_parameters import Objects, Tabletop
from partdistill_ros.options import option
from partdistill_ros.pointcloud.scan import UNITS


@dataclass(frozen=True)
class TrainerParameters:
    """The parameters of `distill_trainer`."""

    store: str = option(
        "bundles", "Folder of the bundle store; every student that passes its check gets a version there."
    )
    device: str = option(
        "auto", "Where students are trained; auto takes CUDA where it works.", choices=("auto", "cpu", "cuda")
    )
    niceness: int = option(
        10, "By how much training stands back for other processes, as 'nice' counts.", minimum=0, maximum=19
    )
    threads: int = option(
        1, "CPU threads of a training; 0 takes one a core. Fewer leave the live node its rate.", minimum=0, maximum=256
    )
    learn_threads: int = option(
        0, "CPU threads of ~/learn_object, which somebody waits for; 0 takes one a core.", minimum=0, maximum=256
    )
    learn_timeout: float = option(
        5.0, "How long ~/learn_object waits for a cloud or depth image, in seconds.", minimum=0.1, maximum=600.0
    )
    scene_mode: str = option(
        "tabletop",
        "How ~/learn_object finds its object. object: the whole cloud is one. tabletop: it stands on a support plane.",
        choices=("object", "tabletop"),
    )
    input: str = input_option()
    unit: str = option(
        "m", "Unit of the clouds' coordinates and of depth images of floats (32FC1).", choices=tuple(UNITS)
    )
    tabletop: Tabletop = field(default=Tabletop())
    objects: Objects = field(default=Objects())
    depth: DepthInput = field(default=DepthInput())
    qos: PointsQos = field(default=PointsQos())
