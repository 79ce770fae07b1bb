# SPDX-License-Identifier: Apache-2.0
"""Clouds in rows, and a part in one color on all of them."""

from __future__ import annotations

import numpy as np

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.cloud_sheet import COLUMNS, TILE, cloud_sheet
from partdistill_ros.visualization.colors import part_colors


def test_every_cloud_has_a_tile_in_the_colors_of_its_parts() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (1500, 3)).astype(np.float32)
    clouds = [Scan(points, point_labels=np.full(1500, k % 2, np.int16), name=f"c{k}") for k in range(COLUMNS + 1)]
    picture = np.asarray(cloud_sheet(clouds, ("cup", "handle"), "two"), float)
    assert COLUMNS * TILE[0] < picture.shape[1] < (COLUMNS + 1) * TILE[0] and picture.shape[0] > 2 * TILE[1]
    colors = part_colors(("cup", "handle")).astype(float)
    for k in range(COLUMNS + 1):
        row, column = 44 + TILE[1] // 2 + k // COLUMNS * TILE[1], 16 + TILE[0] // 2 + k % COLUMNS * TILE[0]
        seen = picture[row - 10 : row + 10, column - 10 : column + 10].reshape(-1, 3).mean(axis=0)
        hue = [np.dot(seen, one) / np.linalg.norm(seen) / np.linalg.norm(one) for one in colors]
        assert np.argmax(hue) == k % 2
