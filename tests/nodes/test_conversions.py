# SPDX-License-Identifier: Apache-2.0
"""Messages keep header, shape and order; conversion of a whole cloud takes milliseconds."""

from __future__ import annotations

import numpy as np
import pytest
from python_steps import python_steps

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.parts import MIN_PART_POINTS, Boxes
from partdistill_ros.inference.scene import SceneLabels, SceneObject
from partdistill_ros.pointcloud.layout import CloudLayout, unpack_colors
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import UNLABELED_COLOR, part_colors

pytestmark = pytest.mark.ros

PARTS = ("handle", "cup")


@pytest.fixture
def conversions():
    from partdistill_ros.nodes import conversions

    return conversions


def header(frame="camera"):
    from builtin_interfaces.msg import Time
    from std_msgs.msg import Header

    return Header(stamp=Time(sec=5, nanosec=7), frame_id=frame)


def answer_for(scan: Scan) -> SceneLabels:
    """The first half is one object: 40 points of handle, the rest cup."""
    count = len(scan.points)
    index = np.flatnonzero(scan.finite())[: count // 2]
    labels = np.full(count, -1, np.int16)
    labels[index] = 1
    labels[index[:40]] = 0
    confidence = np.where(labels < 0, 0, 0.75).astype(np.float32)
    return SceneLabels(labels, confidence, PARTS, (SceneObject(index, "mug", np.array([0, 0, 1.0])),), {})


def scan_of(message):
    return CloudLayout.of(message).scan(message.data)


def test_an_organized_cloud_there_and_back(conversions, table_scene):
    message = conversions.cloud_message(table_scene, header())
    assert (message.height, message.width, message.is_dense) == (120, 160, False)
    cloud = conversions.read_cloud(message, "points")
    np.testing.assert_array_equal(cloud.scan.points, table_scene.points)
    np.testing.assert_array_equal(unpack_colors(cloud.packed_colors), table_scene.colors)
    assert cloud.scan.grid == table_scene.grid and cloud.header == header() and not cloud.is_dense


def test_a_plain_cloud_without_colors(conversions):
    scan = Scan(np.ones((7, 3), np.float32))
    message = conversions.cloud_message(scan, header())
    assert (message.height, message.width, message.is_dense) == (1, 7, True)
    cloud = conversions.read_cloud(message, "points")
    assert cloud.packed_colors is None and cloud.scan.grid is None


def test_an_empty_message_is_an_empty_cloud(conversions):
    from sensor_msgs.msg import PointCloud2

    assert conversions.read_cloud(PointCloud2(), "points").scan.points.shape == (0, 3)


def test_a_broken_message_is_refused_by_topic(conversions, table_scene):
    message = conversions.cloud_message(table_scene, header())
    message.width += 1
    with pytest.raises(PartDistillError, match="/camera/points: row_step"):
        conversions.read_cloud(message, "/camera/points")


def test_the_labeled_cloud_shows_parts_in_their_colors(conversions, table_scene):
    cloud = conversions.read_cloud(conversions.cloud_message(table_scene, header()), "points")
    answer = answer_for(table_scene)
    message = conversions.labeled_message(cloud, answer)
    assert (message.header, message.height, message.width) == (header(), 120, 160)
    back = scan_of(message)
    np.testing.assert_array_equal(back.points, table_scene.points)
    for part, rgb in enumerate(part_colors(PARTS)):
        assert (back.colors[answer.labels == part] == rgb).all()
    unlabeled = answer.labels < 0
    np.testing.assert_array_equal(back.colors[unlabeled], table_scene.colors[unlabeled])

    colorless = conversions.labeled_message(
        conversions.Cloud(table_scene, None, header(), False), answer_for(table_scene)
    )
    assert (scan_of(colorless).colors[unlabeled] == UNLABELED_COLOR).all()


def test_the_labeled_cloud_tells_objects_where_asked_for(conversions, table_scene):
    from partdistill_ros.pointcloud.layout import CloudLayout

    cloud = conversions.read_cloud(conversions.cloud_message(table_scene, header()), "points")
    answer = answer_for(table_scene)
    message = conversions.labeled_message(cloud, answer, object_field=True)
    fields = tuple((f.name, f.offset, f.datatype, f.count) for f in message.fields)
    column = CloudLayout(fields, 120, 160, message.point_step, message.row_step).column(message.data, "object")
    np.testing.assert_array_equal(column.reshape(-1) == 1, answer.labels >= 0)
    assert "object" not in [f.name for f in conversions.labeled_message(cloud, answer).fields]


def test_the_legend_counts_what_was_labeled(conversions, table_scene):
    answer = answer_for(table_scene)
    legend = conversions.legend_message(header(), "mug: handle, cup", "default", PARTS, answer.labels)
    assert list(legend.names) == list(PARTS) and len(legend.colors) == 2
    assert list(legend.counts) == [40, len(table_scene.points) // 2 - 40]
    assert not len(conversions.legend_message(header(), "q", "b", PARTS).counts)


def test_markers_name_and_enclose_each_part(conversions, table_scene):
    from visualization_msgs.msg import Marker

    cloud = conversions.Cloud(table_scene, None, header(), False)
    answer = answer_for(table_scene)
    clear, *markers = conversions.markers_message(cloud, Boxes(table_scene.points, answer)).markers
    assert clear.action == Marker.DELETEALL
    assert [marker.ns for marker in markers] == [*2 * ("boxes", "names"), "objects", "numbers"]
    boxes, names = markers[:4:2], markers[1::2]
    assert [name.text for name in names] == [*PARTS, "mug 1"]
    assert all(marker.header == header() for marker in markers)
    assert len({(marker.ns, marker.id) for marker in markers}) == 6
    cup = table_scene.points[answer.labels == 1].astype(float)
    low, high = np.percentile(cup[:, 2], [1, 99])
    assert boxes[1].pose.position.z == pytest.approx((low + high) / 2, abs=0.01)
    assert boxes[1].scale.z == pytest.approx(high - low, abs=0.02)


def test_an_object_is_outlined_by_twelve_edges_of_its_box(conversions, table_scene):
    cloud = conversions.Cloud(table_scene, None, header(), False)
    markers = conversions.markers_message(cloud, Boxes(table_scene.points, answer_for(table_scene))).markers
    outline = next(marker for marker in markers if marker.ns == "objects")
    ends = np.array([(end.x, end.y, end.z) for end in outline.points]).reshape(12, 2, 3)
    spans = np.sort(np.abs(ends[:, 0] - ends[:, 1]), axis=1)
    assert (spans[:, :2] == 0).all() and len(np.unique(spans[:, 2].round(6))) == 3, "along one axis each, three lengths"
    assert len(np.unique(ends.reshape(-1, 3).round(6), axis=0)) == 8


def test_stray_labels_get_no_marker(conversions, table_scene):
    answer = answer_for(table_scene)
    few = answer.labels.copy()
    few[np.flatnonzero(few == 0)[MIN_PART_POINTS - 1 :]] = 1
    answer = SceneLabels(few, answer.confidence, PARTS, answer.objects, {})
    cloud = conversions.Cloud(table_scene, None, header(), False)
    markers = conversions.markers_message(cloud, Boxes(table_scene.points, answer)).markers
    assert [marker.text for marker in markers if marker.ns == "names"] == ["cup"]


def test_diagnostics_write_numbers_shortly(conversions):
    array = conversions.diagnostics_message(header().stamp, "n", b"\1", "words", {"a": 1.23456, "b": 7, "c": "x"})
    status = array.status[0]
    assert (status.name, status.level, status.message) == ("n", b"\1", "words")
    assert [(value.key, value.value) for value in status.values] == [("a", "1.235"), ("b", "7"), ("c", "x")]


def test_no_point_costs_a_step_of_python(conversions):
    rng = np.random.default_rng(0)
    scan = Scan(rng.random((300_000, 3), np.float32), rng.integers(0, 256, (300_000, 3), np.uint8), grid=(480, 625))
    message, answer = conversions.cloud_message(scan, header()), answer_for(scan)
    steps = python_steps(lambda: conversions.labeled_message(conversions.read_cloud(message, "points"), answer))
    assert steps < 3000


def test_the_legend_as_a_picture(conversions):
    message = conversions.legend_image_message(header(), PARTS)
    assert (message.encoding, message.step, message.header) == ("rgb8", 3 * message.width, header())
    pixels = np.frombuffer(message.data, np.uint8).reshape(message.height * message.width, 3)
    for color in part_colors(PARTS):
        assert (pixels == color).all(axis=1).sum() > 200
