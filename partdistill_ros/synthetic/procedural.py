# SPDX-License-Identifier: Apache-2.0
"""Collections of procedural shapes as clouds of their outer surface, as scans all round would give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from partdistill_ros.pointcloud.frames import center_max_radius
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.rendering.cameras import orbit_views
from partdistill_ros.rendering.rasterize import render_points, visible_points
from partdistill_ros.synthetic.families import generate

# Cameras all round, from straight below to straight above.
LOOK_ELEVATION = np.repeat([-75.0, -25.0, 25.0, 75.0], [3, 5, 5, 3])
LOOK_AZIMUTH = np.concatenate([np.arange(n) * 360.0 / n for n in (3, 5, 5, 3)])


def unit_cloud(scan: Scan, count: int, seed: int = 0) -> Scan:
    """A cloud of `count` surface points, centered and scaled into the unit sphere."""
    cloud = sample_surface(scan, count, seed)
    return cloud.with_(points=center_max_radius(cloud.points))


def outer_cloud(scan: Scan, count: int, seed: int = 0) -> Scan:
    """A unit cloud of the points that some camera around the shape sees: the faces that overlapping
    solids hide inside a shape belong to no real scan."""
    cloud = unit_cloud(scan, int(count * 1.35), seed)
    views = orbit_views(LOOK_ELEVATION, LOOK_AZIMUTH, distance=3.0)
    seen = visible_points(render_points(cloud.points, views, 128), len(cloud.points)).any(0)
    outer = cloud.select(np.flatnonzero(seen))
    return sample_surface(outer, count, seed)


def procedural_clouds(families: Sequence[str], per_family: int, first_seed: int, count: int) -> Iterator[Scan]:
    """`per_family` clouds of `count` points of each family, seeds from `first_seed` on; the label of
    every point comes along for those who may use it."""
    for family in families:
        for seed in range(first_seed, first_seed + per_family):
            yield outer_cloud(generate(family, seed), count, seed)
