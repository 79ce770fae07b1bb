# SPDX-License-Identifier: Apache-2.0
"""What a viewer shows, without any viewer library."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.visualization.browser_content import (
    CONFIDENCE,
    EVERYTHING,
    LABELED,
    OWN,
    PARTS,
    Content,
    chosen,
    colors,
    content_of,
    first_viewpoint,
    point_size,
)
from partdistill_ros.visualization.colors import part_colors

NAMES = ("handle", "cup")


@pytest.fixture
def cloud():
    """Six points, one of them NaN, two unlabeled, with colors and confidences."""
    points = np.arange(18, dtype=np.float32).reshape(6, 3)
    points[5] = np.nan
    own = np.full((6, 3), (10, 20, 30), np.uint8)
    confidence = np.array([0, 0.5, 1, np.nan, 1, 1], np.float32)
    return Content(Scan(points, colors=own), np.array([0, 1, 1, -1, -1, 1], np.int16), NAMES, confidence)


def test_what_to_show(cloud):
    for selection, expected in (
        (EVERYTHING, [0, 1, 2, 3, 4]),
        (LABELED, [0, 1, 2]),
        ("cup", [1, 2]),
        ("gone", range(5)),
    ):
        assert list(chosen(cloud, selection, 100)) == list(expected)
    assert cloud.ways_to_select() == (EVERYTHING, LABELED, "handle", "cup")
    assert content_of(Scan(cloud.scan.points)).ways_to_select() == (EVERYTHING,)


def test_too_many_points_are_thinned_all_over():
    content = content_of(Scan(np.random.default_rng(1).random((100_000, 3)).astype(np.float32)))
    index = chosen(content, EVERYTHING, 1000)
    assert len(set(index)) == 1000 and (np.diff(index) > 0).all()
    assert np.histogram(index, 10, (0, 100_000))[0].min() > 50


def test_colors_by_part_as_recorded_and_by_confidence(cloud):
    by_part = colors(cloud, PARTS).astype(int)
    assert np.abs(by_part[:3] - part_colors(NAMES)[[0, 1, 1]]).max() <= 2
    assert np.ptp(by_part[3]) < 20, "unlabeled is gray"
    assert (colors(cloud, OWN) == (10, 20, 30)).all()
    low, middle, high, unknown = colors(cloud, CONFIDENCE)[:4].astype(int).sum(1)
    assert low < middle < high and unknown == low
    assert cloud.ways_to_color() == (PARTS, OWN, CONFIDENCE)
    bare = content_of(Scan(cloud.scan.points))
    assert bare.ways_to_color() == (PARTS,)
    assert (colors(bare, CONFIDENCE) == colors(bare, PARTS)).all()


def test_labels_have_to_fit():
    points = np.zeros((3, 3), np.float32)
    with pytest.raises(PartDistillError, match="2 labels for 3 points"):
        Content(Scan(points), np.zeros(2, np.int16), NAMES)
    with pytest.raises(PartDistillError, match="label 2 has no name"):
        Content(Scan(points), np.array([0, 1, 2], np.int16), NAMES)


def test_files_keep_their_labels_whether_cloud_or_mesh():
    points = np.random.default_rng(0).random((50, 3)).astype(np.float32)
    labels = (points[:, 0] > 0.5).astype(np.int16)
    assert (content_of(Scan(points, point_labels=labels, parts=NAMES)).labels == labels).all()
    assert (content_of(Scan(points)).labels == -1).all()
    vertices = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    of_faces = content_of(Scan(vertices, mesh=Mesh(vertices, faces, np.array([0, 1], np.int16)), parts=NAMES))
    above = of_faces.scan.points[:, 2] > of_faces.scan.points[:, 0]
    assert len(of_faces.labels) > 1000 and ((of_faces.labels == 1) == above).mean() > 0.99
    corners = np.array([0, 1, 1, 0], np.int16)
    of_corners = content_of(Scan(vertices, mesh=Mesh(vertices, faces), point_labels=corners, parts=NAMES))
    assert ((of_corners.labels == 1) == (of_corners.scan.points[:, 0] > 0)).mean() > 0.99


def test_the_first_look_is_that_of_our_pictures_on_what_is_labeled(cloud):
    seen = Content(cloud.scan.with_(viewpoint=np.zeros(3, np.float32)), cloud.labels, NAMES)
    look = first_viewpoint(seen)
    assert look.position == pytest.approx(np.zeros(3)) and look.up == pytest.approx([0, -1, 0])
    assert look.target == pytest.approx([3, 4, 5], abs=0.1), "the middle of points 0 to 2"
    unlabeled = Content(seen.scan, np.full(6, -1, np.int16), NAMES)
    assert first_viewpoint(unlabeled).target == pytest.approx([6, 7, 8], abs=0.2)
    assert first_viewpoint(seen.with_up("x")).up == pytest.approx([1, 0, 0])
    assert cloud.with_up(None) is cloud


def test_points_grow_with_the_scan_and_shrink_with_their_number():
    few, many = np.arange(1_000), np.arange(100_000)
    points = np.random.default_rng(0).random((1000, 3)).astype(np.float32)
    near, far = Scan(points), Scan(100 * points)
    assert point_size(far, few) == pytest.approx(100 * point_size(near, few), rel=1e-3)
    assert point_size(near, many) == pytest.approx(point_size(near, few) / 10, rel=1e-3)
