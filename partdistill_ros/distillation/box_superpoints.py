# SPDX-License-Identifier: Apache-2.0
"""Boxes as the superpoints that lie mostly inside them, as PartSLIP (Liu et al., CVPR 2023) lets them vote."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from partdistill_ros.distillation.config import BoxConfig
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.pointcloud.superpoints import superpoints
from partdistill_ros.rendering.rasterize import render_points, visible_points

INSIDE = 0.5  # of a superpoint's points in a view that lie in the box which takes it,
SHOWN = 0.1  # if so much of all its points lies there: of one hidden almost wholly a box says nothing


def with_superpoints(sample: Sample) -> Sample:
    """The sample with its boxes as the superpoints that lie mostly inside them, hidden points included; a box that
    holds none stays as it is, and so do regions and boxes of unknown views. `drawn` keeps the boxes as the teacher drew
    them, by which they are weighed and re-scored."""
    if sample.box_views is None or not len(sample.units):
        return sample
    units, piece = sample.units, superpoints(sample.points)
    visible = visible_points(render_points(sample.points, sample.box_views, BoxConfig.picture_size), len(piece))
    count = int(piece.max()) + 1
    size = np.bincount(piece)
    seen = [np.bincount(piece[own], minlength=count) for own in visible]
    held = []
    for number, view in enumerate(units.view.tolist()):
        own = units.points_of(number)
        inside = np.bincount(piece[own], minlength=count)
        taken = (inside > INSIDE * seen[view]) & (inside > SHOWN * size)
        held.append(np.flatnonzero(taken[piece]).astype(np.int32) if taken.any() else own)
    indptr = np.concatenate([[0], np.cumsum([len(own) for own in held])]).astype(np.int64)
    return replace(sample, units=replace(units, indptr=indptr, indices=np.concatenate(held)), drawn=units)
