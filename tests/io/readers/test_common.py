# SPDX-License-Identifier: Apache-2.0
"""Checks and conversions that all readers share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.readers import common
from partdistill_ros.pointcloud.scan import Mesh

FILE = Path("some.ply")


def test_counts_beyond_reason_are_refused() -> None:
    common.check_count(FILE, "points", common.MAX_POINTS)
    for count in (common.MAX_POINTS + 1, 10**12, -1):
        with pytest.raises(PartDistillError, match="some.ply claims"):
            common.check_count(FILE, "points", count)


def test_ids_become_parts_and_come_back() -> None:
    ids = np.array([31, 0, 30, -5, 31], np.int64)
    labels, parts = common.parts_from_ids(FILE, ids)
    assert labels is not None and labels.tolist() == [2, 0, 1, -1, 2]
    assert parts == ("0", "30", "31")
    assert [int(parts[label]) for label in labels if label >= 0] == [31, 0, 30, 31]


def test_more_ids_than_labels_can_count_are_left_out() -> None:
    assert common.parts_from_ids(FILE, np.arange(40_000)) == (None, ())


def test_polygons_become_fans() -> None:
    corners = np.array([0, 1, 2, 3, 7, 8, 4, 5, 6])
    faces, polygon = common.triangulate(corners, np.array([4, 2, 3]))
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]
    assert polygon.tolist() == [0, 0, 2]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),
        (np.array([0.0, 51.0, 255.0]), [0, 51, 255]),
        (np.array([0, 256, 65535], np.uint16), [0, 1, 255]),
        (np.array([0, 51, 255], np.uint16), [0, 51, 255]),
        (np.array([0, 51, 255], np.int64), [0, 51, 255]),
        (np.array([np.nan, 1.0, 0.0]), [0, 255, 0]),
    ],
)
def test_colors_of_any_scale(values: np.ndarray, expected: list[int]) -> None:
    colors = common.as_colors(values)
    assert colors.dtype == np.uint8 and colors.tolist() == expected


def test_faces_at_nan_corners_are_left_out() -> None:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [np.nan, 0, 1]], np.float32)
    mesh = Mesh(vertices, np.array([[0, 1, 2], [1, 2, 3]], np.int32), np.array([4, 5], np.int16))
    checked = common.checked_mesh(FILE, mesh)
    assert checked.faces.tolist() == [[0, 1, 2]]
    assert checked.face_labels is not None and checked.face_labels.tolist() == [4]


@pytest.mark.parametrize("corner", [-1, 4])
def test_faces_outside_the_vertices_are_refused(corner: int) -> None:
    mesh = Mesh(np.zeros((4, 3), np.float32), np.array([[0, 1, corner]], np.int32))
    with pytest.raises(PartDistillError, match="some.ply.*outside 0..3"):
        common.checked_mesh(FILE, mesh)
