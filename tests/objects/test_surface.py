# SPDX-License-Identifier: Apache-2.0
"""A plane stays a plane when it is smoothed, up to its edges; a box has as many patches as faces in sight."""

from __future__ import annotations

import numpy as np

from partdistill_ros.objects.patches import patches_of
from partdistill_ros.objects.surface import spread_to_cloud, surface_of
from partdistill_ros.pointcloud.scan import Scan

HEIGHT, WIDTH, FOCAL = 240, 320, 262.5


def picture(depth: np.ndarray) -> Scan:
    """The cloud of a depth image."""
    row, column = np.indices(depth.shape)
    points = np.stack([(column - WIDTH / 2) / FOCAL * depth, (row - HEIGHT / 2) / FOCAL * depth, depth], -1)
    return Scan(points.reshape(-1, 3).astype(np.float32), grid=depth.shape, viewpoint=np.zeros(3, np.float32))


def plane(normal: np.ndarray, distance: float) -> np.ndarray:
    """Depth `[H, W]` of the plane `normal @ point = distance`."""
    row, column = np.indices((HEIGHT, WIDTH))
    rays = np.stack([(column - WIDTH / 2) / FOCAL, (row - HEIGHT / 2) / FOCAL, np.ones(row.shape)], -1)
    return distance / (rays @ normal)


def test_a_slanted_plane_keeps_its_normal_to_the_edge() -> None:
    normal = np.array([0.3, 0.5, 0.81])
    normal /= np.linalg.norm(normal)
    depth = plane(normal, 0.9)
    depth += 1e-3 * depth**2 * np.random.default_rng(0).normal(size=depth.shape)
    usable = np.zeros((HEIGHT, WIDTH), bool)
    usable[60:180, 80:200] = True
    surface = surface_of(picture(depth), usable)
    off = np.degrees(np.arccos(np.clip(np.tensordot(-normal, surface.normals, 1), -1, 1)))
    assert np.median(off) < 4
    border = np.concatenate([off[0], off[-1], off[:, 0], off[:, -1]])
    assert np.median(border) < 8
    assert patches_of(surface).count == 1


def test_faces_part_at_creases_and_jumps() -> None:
    left = plane(np.array([-0.7, 0, 0.714]), 0.7)
    right = plane(np.array([0.7, 0, 0.714]), 0.7)
    depth = np.maximum(left, right)  # an edge toward the camera
    depth[:, 250:] += 0.3
    usable = np.ones(depth.shape, bool)
    surface = surface_of(picture(depth), usable)
    patches = patches_of(surface)
    sizes = np.bincount(patches.label.ravel())[1:]
    assert (sizes > 2000).sum() == 3
    np.testing.assert_array_equal(sizes, np.sort(sizes)[::-1])
    spread = spread_to_cloud(surface, patches.label, usable.shape)
    assert (spread > 0).mean() > 0.99
    assert spread[120, 80] != spread[120, 240] != spread[120, 300]
