# SPDX-License-Identifier: Apache-2.0
"""The active student and query, and how they follow the parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.inference.query import PartQuery
from partdistill_ros.inference.scene import SceneOptions
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.inference.tracking import TrackingOptions
from partdistill_ros.nodes.segmenter_parameters import Objects, SegmenterParameters, Tabletop
from partdistill_ros.objects.params import TabletopParams

STUDENT_PARAMETERS = ("bundle", "device", "threads")
QUERY_PARAMETERS = ("query", "none_of_these", "scene_mode")


@dataclass(frozen=True)
class Engine:
    """Replaced as a whole, so that a cloud never meets half a change."""

    segmenter: Segmenter
    query: PartQuery

    @staticmethod
    def load(parameters: SegmenterParameters) -> Engine:
        """Raises PartDistillError for a bundle, device, query or box that cannot be used."""
        scene_options(parameters)
        segmenter = Segmenter(parameters.bundle, parameters.device, parameters.threads or None)
        engine = Engine(segmenter, _query(segmenter, parameters))
        segmenter.warm_up()
        return engine

    def adapted(
        self, before: SegmenterParameters, after: SegmenterParameters, loaded: Segmenter | None = None
    ) -> Engine:
        """The engine for changed parameters, itself where nothing of it changed; `loaded` is the student
        for `after` where it is at hand already."""
        scene_options(after)
        if loaded is not None:
            return Engine(loaded, _query(loaded, after))
        if needs_student(before, after):
            return Engine.load(after)
        if _differ(before, after, QUERY_PARAMETERS):
            return replace(self, query=_query(self.segmenter, after))
        return self

    @property
    def bundle(self) -> str:
        """The name of the student's bundle."""
        return self.segmenter.bundle.name


def needs_student(before: SegmenterParameters, after: SegmenterParameters) -> bool:
    """Whether changed parameters ask for another student, which takes a second or more to load."""
    return _differ(before, after, STUDENT_PARAMETERS)


def _differ(before: SegmenterParameters, after: SegmenterParameters, names: tuple[str, ...]) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _query(segmenter: Segmenter, parameters: SegmenterParameters) -> PartQuery:
    # Where cloud or box is said to be one object, it is not for the student to say that it is none.
    rejects = parameters.none_of_these and parameters.scene_mode == "tabletop"
    return segmenter.query(parameters.query, reject_unknown=rejects)


def scene_options(parameters: SegmenterParameters, to_crop: NDArray[np.float64] | None = None) -> SceneOptions:
    """How a cloud becomes objects; `to_crop [4, 4]` leads from its frame to that of the crop box.

    Raises PartDistillError for a box without room.
    """
    limits, memory = parameters.tabletop, parameters.memory
    return SceneOptions(
        mode=parameters.scene_mode,
        up=parameters.up_vector(),
        min_confidence=parameters.confidence_threshold,
        max_objects=limits.max_objects,
        tabletop=tabletop_limits(limits, parameters.objects),
        crop=parameters.crop.crop(to_crop),
        tracking=TrackingOptions(memory.refresh, memory.smoothing) if memory.refresh or memory.smoothing else None,
    )


def tabletop_limits(limits: Tabletop, objects: Objects) -> TabletopParams:
    """How objects are found on a support plane."""
    return TabletopParams(
        method=objects.method,
        min_points=limits.min_points,
        max_range=limits.max_range,
        max_height=limits.max_height,
        max_size=limits.max_size,
        cell=limits.cell,
    )
