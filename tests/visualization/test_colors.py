# SPDX-License-Identifier: Apache-2.0
"""Colors of parts are stable, distinct within a query and not gray."""

from __future__ import annotations

import numpy as np

from partdistill_ros.visualization.colors import UNLABELED_COLOR, label_colors, part_color, part_colors


def test_color_depends_on_the_name_only() -> None:
    assert part_color("handle") == part_color(" Handle ")
    assert tuple(part_colors(["handle", "cup"])[0]) == part_color("handle")
    assert tuple(part_colors(["handle"])[0]) == tuple(part_colors(["handle", "cup", "spout"])[0])


def test_parts_of_a_query_differ_and_are_not_gray() -> None:
    colors = part_colors([f"part {index}" for index in range(64)]).astype(int)
    apart = np.abs(colors[:, None] - colors[None]).max(-1) + 255 * np.eye(64, dtype=int)
    assert apart[:16, :16].min() >= 40
    assert apart.min() > 0
    assert np.abs(colors - UNLABELED_COLOR).max(-1).min() >= 20


def test_labels_to_colors() -> None:
    colors = label_colors(np.array([1, -1, 0], np.int16), ["handle", "cup"])
    assert colors.dtype == np.uint8
    assert colors.tolist() == [list(part_color("cup")), list(UNLABELED_COLOR), list(part_color("handle"))]
    assert label_colors(np.array([-1], np.int16), []).tolist() == [list(UNLABELED_COLOR)]
