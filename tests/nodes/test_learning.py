# SPDX-License-Identifier: Apache-2.0
"""What is learned from is the object as it was seen, and the answer is about the whole cloud."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from partdistill_ros.io.load import load_scan
from partdistill_ros.nodes.learning import label_object, save_view
from partdistill_ros.nodes.object_in_view import object_in_view
from partdistill_ros.objects.tabletop import TabletopParams
from partdistill_ros.pointcloud.layout import pack_colors
from partdistill_ros.pointcloud.scan import Scan


def test_the_view_is_written_with_its_colors_up_and_viewpoint(table_scene: Scan, tmp_path: Path) -> None:
    seen = object_in_view(table_scene, "tabletop", TabletopParams(), np.array([-0.2, 0.9, -0.4]))
    assert table_scene.colors is not None
    scan = load_scan(save_view(tmp_path / "s" / "next.view.npz", seen, pack_colors(table_scene.colors)))
    np.testing.assert_array_equal(scan.points, table_scene.points[seen.index])
    np.testing.assert_array_equal(scan.colors, table_scene.colors[seen.index])
    np.testing.assert_allclose(scan.up, seen.scan.up)
    np.testing.assert_allclose(scan.viewpoint, [0, 0, 0])


def test_the_object_is_labeled_and_nothing_else(table_scene: Scan, toy_bundle_path: Path) -> None:
    seen = object_in_view(table_scene, "tabletop", TabletopParams(), np.array([0.25, 1.1, -0.4]))
    answer = label_object(str(toy_bundle_path), "post: top, bottom", table_scene, seen)
    assert answer.parts == ("top", "bottom") and len(answer.labels) == len(table_scene.points)
    np.testing.assert_array_equal(np.flatnonzero(answer.labels >= 0), np.sort(seen.index))
    height = table_scene.points[seen.index, 2]
    upper = height > (height.min() + height.max()) / 2 + 0.01
    assert (answer.labels[seen.index][upper] == 0).mean() > 0.95
