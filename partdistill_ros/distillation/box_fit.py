# SPDX-License-Identifier: Apache-2.0
"""What is special about the units of a box teacher: a box takes in neighbors of its part."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from partdistill_ros.distillation.config import BoxConfig
from partdistill_ros.distillation.units import NEIGHBORS, KnowledgeUnits
from partdistill_ros.rendering.cameras import Views
from partdistill_ros.rendering.rasterize import render_points, visible_points
from partdistill_ros.rendering.zbuffer import project
from partdistill_ros.teachers.boxes import box_iou

DEFAULT = BoxConfig()


def specificity_weights(units: KnowledgeUnits, num_visible: NDArray[np.integer]) -> NDArray[np.float64]:
    """Weight `[K]` of each box by how much it singles out: the fraction of its view's visible points inside, to the
    power -0.7, at most 5, since a large box takes in neighbors of its part; over 95 % the weight goes down to nothing
    at 100 %, since such a box is about the object and not about a part.

    num_visible: `[V]` how many points each view shows. Units of an unknown view (-1) weigh 1.
    """
    if not len(num_visible):
        return np.ones(len(units))
    fraction = np.clip(units.sizes() / np.maximum(num_visible[units.view], 1), 1e-6, 1)
    weight = np.minimum(fraction**DEFAULT.specificity_power, DEFAULT.max_specificity)
    weight *= np.clip((1 - fraction) / DEFAULT.whole_object_fade, 0, 1)
    return np.where(units.view < 0, 1.0, weight)


def box_fit(
    points: NDArray[np.float32], views: Views, units: KnowledgeUnits, labels: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How well each unit fits the part that it names, `[K]` of `box_fits`."""
    fits: NDArray[np.float32] = box_fits(points, views, units, labels)[np.arange(len(units)), units.part]
    return fits


def best_fitting_parts(
    points: NDArray[np.float32], views: Views, units: KnowledgeUnits, labels: NDArray[np.integer]
) -> NDArray[np.intp]:
    """The part that fits each unit best, `[K]` of `box_fits`; -1 where none overlaps it."""
    fits = box_fits(points, views, units, labels)
    return np.where(fits.max(1, initial=0) > 0, fits.argmax(1), -1)


def box_fits(
    points: NDArray[np.float32], views: Views, units: KnowledgeUnits, labels: NDArray[np.integer]
) -> NDArray[np.float32]:
    """For each unit and part the intersection over union `[K, P]` of the box around the unit's points in its view with
    the best box around points that `labels [N]` gives the part: one connected region of the view, or all of them
    together. A unit of an unknown view (-1) gets the fraction of its points that have the label.
    """
    projected = project_points(points, views)
    visible = visible_points(render_points(points, views, DEFAULT.picture_size), len(points))
    parts = range(len(units.parts))
    fits = np.zeros((len(units), len(parts)), np.float32)
    boxes: dict[int, list[NDArray[np.float64]]] = {}
    for number, view in enumerate(units.view.tolist()):
        inside = units.points_of(number)
        if not len(inside):
            continue
        if view < 0:
            fits[number] = np.bincount(labels[inside], minlength=len(parts)) / len(inside)
            continue
        if view not in boxes:
            boxes[view] = [_part_boxes(projected[view][visible[view] & (labels == part)]) for part in parts]
        own = _bounding_box(projected[view][inside])
        fits[number] = [box_iou(own, others).max(initial=0) for others in boxes[view]]
    return fits


def count_visible(points: NDArray[np.float32], views: Views) -> NDArray[np.int64]:
    """How many of the points each view shows, `[V]`."""
    return visible_points(render_points(points, views, DEFAULT.picture_size), len(points)).sum(1)


def project_points(points: NDArray[np.float32], views: Views) -> NDArray[np.float32]:
    """Where each view shows the points, `[V, N, 2]` in fractions of the picture."""
    rotation, position, focal = (torch.from_numpy(array) for array in (views.rotation, views.position, views.focal))
    batch = torch.from_numpy(points).expand(len(views), -1, -1)
    uv: NDArray[np.float32] = project(batch, rotation, position, focal, 1, views.orthographic)[0].numpy()
    return uv


def _part_boxes(uv: NDArray[np.float32]) -> NDArray[np.float64]:
    """Boxes `[R, 4]` around the connected groups of `uv [M, 2]`, and around all of them."""
    if not len(uv):
        return np.zeros((0, 4))
    size = DEFAULT.grid
    cell = np.clip((uv * size).astype(np.int64), 0, size - 1)
    taken = np.zeros((size, size), bool)
    taken[cell[:, 1], cell[:, 0]] = True
    region = ndimage.label(taken, NEIGHBORS)[0][cell[:, 1], cell[:, 0]]
    groups = [_bounding_box(uv[region == group]) for group in np.unique(region)]
    return np.stack([*groups, _bounding_box(uv)])


def _bounding_box(uv: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.concatenate([uv.min(0), uv.max(0)]).astype(np.float64)
