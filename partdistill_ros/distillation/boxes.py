# SPDX-License-Identifier: Apache-2.0
"""How well a detector's boxes fit the boxes that labeled points would get."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from partdistill_ros.distillation.units import NEIGHBORS, KnowledgeUnits
from partdistill_ros.rendering.cameras import Views
from partdistill_ros.rendering.rasterize import render_points, visible_points
from partdistill_ros.rendering.zbuffer import project
from partdistill_ros.teachers.boxes import box_iou

GRID = 32  # cells along a picture, in which the points of a part hang together
SIZE = 128  # pixels of the pictures that tell which points a view sees


def box_match(
    points: NDArray[np.float32], views: Views, units: KnowledgeUnits, labels: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How well each unit fits the part it names, `[K]` of `box_fits`."""
    found: NDArray[np.float32] = box_fits(points, views, units, labels)[np.arange(len(units)), units.part]
    return found


def box_fits(
    points: NDArray[np.float32], views: Views, units: KnowledgeUnits, labels: NDArray[np.integer]
) -> NDArray[np.float32]:
    """For each unit and part the intersection over union `[K, P]` of the box around the unit's points in its view with
    the best box around points that `labels [N]` gives the part: one connected region of the view, or all of them
    together.

    A unit that names no view (-1) gets the share of its points that have the label.
    """
    spots = _project(points, views)
    seen = visible_points(render_points(points, views, SIZE), len(points))
    parts = range(len(units.parts))
    found = np.zeros((len(units), len(parts)), np.float32)
    boxes: dict[int, list[NDArray[np.float64]]] = {}
    for number, view in enumerate(units.view.tolist()):
        samples = units.points_of(number)
        if not len(samples):
            continue
        if view < 0:
            found[number] = np.bincount(labels[samples], minlength=len(parts)) / len(samples)
            continue
        if view not in boxes:
            boxes[view] = [_boxes(spots[view][seen[view] & (labels == part)]) for part in parts]
        own = _around(spots[view][samples])
        found[number] = [box_iou(own, others).max(initial=0) for others in boxes[view]]
    return found


def box_names(
    points: NDArray[np.float32], views: Views, units: KnowledgeUnits, labels: NDArray[np.integer]
) -> NDArray[np.intp]:
    """The part that fits each unit best, `[K]` of `box_fits`; -1 where none overlaps it."""
    fits = box_fits(points, views, units, labels)
    return np.where(fits.max(1, initial=0) > 0, fits.argmax(1), -1)


def shown_points(points: NDArray[np.float32], views: Views) -> NDArray[np.int64]:
    """How many of the points each view shows, `[V]`."""
    return visible_points(render_points(points, views, SIZE), len(points)).sum(1)


def _project(points: NDArray[np.float32], views: Views) -> NDArray[np.float32]:
    """Where each view shows the points, `[V, N, 2]` in shares of the picture."""
    rotation, position, focal = (torch.from_numpy(array) for array in (views.rotation, views.position, views.focal))
    spread = torch.from_numpy(points).expand(len(views), -1, -1)
    spots: NDArray[np.float32] = project(spread, rotation, position, focal, 1, views.orthographic)[0].numpy()
    return spots


def _boxes(spots: NDArray[np.float32]) -> NDArray[np.float64]:
    """Boxes `[R, 4]` around the connected groups of `spots [M, 2]`, and around all of them."""
    if not len(spots):
        return np.zeros((0, 4))
    cell = np.clip((spots * GRID).astype(np.int64), 0, GRID - 1)
    taken = np.zeros((GRID, GRID), bool)
    taken[cell[:, 1], cell[:, 0]] = True
    region = ndimage.label(taken, NEIGHBORS)[0][cell[:, 1], cell[:, 0]]
    groups = [_around(spots[region == group]) for group in np.unique(region)]
    return np.stack([*groups, _around(spots)])


def _around(spots: NDArray[np.floating]) -> NDArray[np.float64]:
    return np.concatenate([spots.min(0), spots.max(0)]).astype(np.float64)
