# SPDX-License-Identifier: Apache-2.0
"""A surface falls apart at its creases."""

from __future__ import annotations

import numpy as np

from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.pointcloud.superpoints import SuperpointConfig, superpoints
from partdistill_ros.synthetic.families import generate


def test_superpoints_keep_to_one_part() -> None:
    cloud = sample_surface(generate("mug", 4), 3000)
    labels = cloud.point_labels
    piece = superpoints(cloud.points)
    sizes = np.bincount(piece)
    assert piece.shape == (3000,) and (sizes > 0).all() and (np.diff(sizes) <= 0).all(), "the largest first"
    assert 10 < len(sizes) < 60
    purity = np.array([np.bincount(labels[piece == number]).max() for number in range(len(sizes))]).sum() / 3000
    assert purity > 0.97
    np.testing.assert_array_equal(piece, superpoints(cloud.points))


def test_of_a_few_points_each_is_one() -> None:
    assert superpoints(np.eye(3, dtype=np.float32)).tolist() == [0, 1, 2]


def test_pieces_that_touch_nothing_and_flat_ones_are_told_apart() -> None:
    grid = np.stack(np.meshgrid(np.linspace(0, 1, 30), np.linspace(0, 1, 30)), -1).reshape(-1, 2)
    plates = [np.concatenate([grid, np.full((900, 1), height)], 1) for height in (0.0, 5.0)]
    points = np.concatenate(plates).astype(np.float32)
    piece = superpoints(points, SuperpointConfig(least=1))
    assert len(np.unique(piece[:900])) == len(np.unique(piece[900:])) == 1 and piece[0] != piece[-1]
