# SPDX-License-Identifier: Apache-2.0
"""Which samples of a shape no view shows: a vote cannot label them, a student can."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.evaluation.training_samples import posed
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.rendering.rasterize import locate_points, render_scan, visible_points

SIZE = 224  # pixels, as most teachers see


def hidden_samples(shapes: Sequence[Shape]) -> list[NDArray[np.bool_]]:
    """Per shape a mask `[POINTS]` of the samples that none of its ten views shows."""
    return [_hidden(shape) for shape in shapes]


def _hidden(shape: Shape) -> NDArray[np.bool_]:
    question = shape.question
    scan = question.scan.with_(up=posed(question).up)
    views = views_for(scan)
    rendering = locate_points(render_scan(scan, views, SIZE), question.cloud.points, views)
    return ~np.asarray(visible_points(rendering, len(question.cloud.points)).any(0))
