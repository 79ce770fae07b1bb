# SPDX-License-Identifier: Apache-2.0
"""Which cameras the numbered views of prepared boxes are: the ten public ones, if the boxes themselves say so.

The authors of PartDistill made their boxes with PartSLIP's code: `rendering.cameras.TEN_VIEWS` as PyTorch3D counts
them, +y up and azimuth 0 at +z, around a shape in the unit ball. Their files do not say whether the axes were exchanged
before. So other axes and quarter turns are tried too, and the best of them is taken only if the boxes fit it better
than they fit the same cameras numbered otherwise, and cameras that nobody uses fit them no better.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.box_fit import project_points
from partdistill_ros.distillation.config import BoxConfig
from partdistill_ros.distillation.posing import Pose, posed
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import TEN_VIEWS, Views, bounding_sphere, orbit_views
from partdistill_ros.rendering.rasterize import render_points, visible_points

SURE = 2.0  # standard errors, over the units, by which one numbering must fit better than another to be told from it
PYTORCH3D = -90.0  # degrees from +x, where `orbit_views` begins, to +z, where PyTorch3D does, about +y
TURNS = (PYTORCH3D, 0.0, 90.0, 180.0)
UNUSED = tuple(turn + 45.0 for turn in TURNS)  # turns that no convention has
MOST_POINTS = 2048  # that are looked at


def upright_with_views(scan: Scan, units: KnowledgeUnits) -> tuple[Scan, Views | None]:
    """The scan (finite points) upright in the unit ball, and there the views that its units' numbers count; None where
    the boxes do not tell."""
    standing = posed(scan)
    views, pose = public_views(standing.points, units, scan.up), Pose.of(standing)
    return pose.apply(standing), None if views is None else pose.views_after(views)


def public_views(points: NDArray[np.float32], units: KnowledgeUnits, up: NDArray[np.float32] | None) -> Views | None:
    """The ten views, in the frame of `points [N, 3]`, that the units' numbers count; None where the boxes do not tell.

    up: None where it is unknown.
    """
    boxes = np.flatnonzero(units.view >= 0)
    if not len(boxes) or units.view.max() >= len(TEN_VIEWS):
        return None
    center, radius = bounding_sphere(points)
    elevation, azimuth = np.array(TEN_VIEWS).T

    def cameras(axis: tuple[float, ...] | NDArray[np.float32], turn: float) -> Views:
        return orbit_views(elevation, azimuth + turn, up=axis, center=center, radius=radius)

    axes = ((0, 1, 0), (0, 0, 1)) if up is None else (up,)
    tried = [cameras(axis, turn) for axis in axes for turn in TURNS]
    fits = [box_purity(points, views, units)[boxes] for views in tried]
    own = [fit[np.arange(len(boxes)), units.view[boxes]] for fit in fits]
    best = int(np.argmax([fit.mean() for fit in own]))
    shifted = [fits[best][np.arange(len(boxes)), (units.view[boxes] + shift) % 10] for shift in range(1, 10)]
    if not all(fits_better(own[best], other) for other in shifted):
        return None
    for turn in UNUSED:
        other = box_purity(points, cameras(axes[best // len(TURNS)], turn), units)[boxes]
        if fits_better(other[np.arange(len(boxes)), units.view[boxes]], own[best]):
            return None
    return tried[best]


def fits_better(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether units `[K]` have a larger mean in `one` than in `other`, by more than `SURE` standard errors of it."""
    difference = one - other
    if len(difference) < 2:  # of one nobody knows how sure it is
        return False
    return bool(difference.mean() > SURE * difference.std(ddof=1) / np.sqrt(len(difference)))


def box_purity(points: NDArray[np.float32], views: Views, units: KnowledgeUnits) -> NDArray[np.float64]:
    """Of the points that a view shows in the rectangle around a unit's points, the fraction that is the unit's, beyond
    its fraction of all points, which chance gives: `[K, V]`, 1 for all, 0 for no more than chance.

    It is high with the cameras that found the boxes, however the teacher's renderer splatted points: who sees more of
    them has them in its boxes too.
    """
    projected = project_points(points, views)
    visible = visible_points(render_points(points, views, BoxConfig.picture_size), len(points))
    rows = np.random.default_rng(0).permutation(len(points))[:MOST_POINTS]
    purity = np.zeros((len(units), len(views)))
    for number in range(len(units)):
        own = units.points_of(number)
        inside = np.zeros(len(points), bool)
        inside[own] = True
        chance = len(own) / len(points)
        low, high = projected[:, own].min(1), projected[:, own].max(1)
        uv = projected[:, rows]
        shown = visible[:, rows] & ((uv >= low[:, None]) & (uv <= high[:, None])).all(2)
        pure = (shown & inside[rows]).sum(1) / np.maximum(shown.sum(1), 1)
        purity[number] = (pure - chance) / max(1 - chance, 1e-9)
    return purity
