# SPDX-License-Identifier: Apache-2.0
"""The student and the query in force, and how they follow the parameters; knows no ROS."""

from __future__ import annotations

from dataclasses import dataclass, replace

from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.scene import SceneOptions
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters, Tabletop
from partdistill_ros.scans.tabletop import TabletopParams

STUDENT_PARAMETERS = ("bundle", "device", "threads")


@dataclass(frozen=True)
class Engine:
    """Replaced as a whole, so that a cloud never meets half a change."""

    segmenter: Segmenter
    query: PartQuery

    @staticmethod
    def load(parameters: SegmenterParameters) -> Engine:
        """Raises PartDistillError for a bundle, device or query that cannot be used."""
        segmenter = Segmenter(parameters.bundle, parameters.device, parameters.threads or None)
        engine = Engine(segmenter, segmenter.query(parameters.query))
        segmenter.warm_up()
        return engine

    def adapted(self, before: SegmenterParameters, after: SegmenterParameters, reload: bool) -> Engine:
        """The engine for changed parameters, itself where nothing of it changed; `reload` asks for the
        files anew."""
        if reload or any(getattr(before, name) != getattr(after, name) for name in STUDENT_PARAMETERS):
            return Engine.load(after)
        return self if before.query == after.query else replace(self, query=self.segmenter.query(after.query))

    @property
    def bundle(self) -> str:
        """The name of the student's bundle."""
        return self.segmenter.bundle.name


def scene_options(parameters: SegmenterParameters) -> SceneOptions:
    """How a cloud becomes objects."""
    return SceneOptions(
        mode=parameters.scene_mode,
        up=parameters.up_vector(),
        min_confidence=parameters.confidence_threshold,
        max_objects=parameters.tabletop.max_objects,
        tabletop=tabletop_limits(parameters.tabletop),
    )


def tabletop_limits(parameters: Tabletop) -> TabletopParams:
    """The limits of the extraction."""
    return TabletopParams(
        min_points=parameters.min_points,
        max_range=parameters.max_range,
        max_height=parameters.max_height,
        max_size=parameters.max_size,
    )
