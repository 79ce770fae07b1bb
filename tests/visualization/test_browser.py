# SPDX-License-Identifier: Apache-2.0
"""The page in the browser: what it shows, what is said without viser, and with it, what is served."""

import http.client
import importlib.util
import sys
import urllib.parse
import urllib.request

import numpy as np
import pytest

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.visualization.browser import (
    CONFIDENCE,
    EVERYTHING,
    LABELED,
    OWN,
    PARTS,
    BrowserViewer,
    Content,
    content_of,
    initial_viewpoint,
    is_own_page,
    point_colors,
    point_size,
    selected_points,
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
        assert list(selected_points(cloud, selection, 100)) == list(expected)
    assert cloud.selections() == (EVERYTHING, LABELED, "handle", "cup")
    assert content_of(Scan(cloud.scan.points)).selections() == (EVERYTHING,)


def test_too_many_points_are_thinned_all_over():
    content = content_of(Scan(np.random.default_rng(1).random((100_000, 3)).astype(np.float32)))
    index = selected_points(content, EVERYTHING, 1000)
    assert len(set(index)) == 1000 and (np.diff(index) > 0).all()
    assert np.histogram(index, 10, (0, 100_000))[0].min() > 50


def test_colors_by_part_as_recorded_and_by_confidence(cloud):
    by_part = point_colors(cloud, PARTS).astype(int)
    assert np.abs(by_part[:3] - part_colors(NAMES)[[0, 1, 1]]).max() <= 2
    assert np.ptp(by_part[3]) < 20, "unlabeled is gray"
    assert (point_colors(cloud, OWN) == (10, 20, 30)).all()
    low, middle, high, unknown = point_colors(cloud, CONFIDENCE)[:4].astype(int).sum(1)
    assert low < middle < high and unknown == low
    assert cloud.color_modes() == (PARTS, OWN, CONFIDENCE)
    bare = content_of(Scan(cloud.scan.points))
    assert bare.color_modes() == (PARTS,)
    assert (point_colors(bare, CONFIDENCE) == point_colors(bare, PARTS)).all()


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
    look = initial_viewpoint(seen)
    assert look.position == pytest.approx(np.zeros(3)) and look.up == pytest.approx([0, -1, 0])
    assert look.target == pytest.approx([3, 4, 5], abs=0.1), "the middle of points 0 to 2"
    unlabeled = Content(seen.scan, np.full(6, -1, np.int16), NAMES)
    assert initial_viewpoint(unlabeled).target == pytest.approx([6, 7, 8], abs=0.2)
    assert initial_viewpoint(seen.with_up("x")).up == pytest.approx([1, 0, 0])
    assert cloud.with_up(None) is cloud


def test_points_grow_with_the_scan_and_shrink_with_their_number():
    few, many = np.arange(1_000), np.arange(100_000)
    points = np.random.default_rng(0).random((1000, 3)).astype(np.float32)
    near, far = Scan(points), Scan(100 * points)
    assert point_size(far, few) == pytest.approx(100 * point_size(near, few), rel=1e-3)
    assert point_size(near, many) == pytest.approx(point_size(near, few) / 10, rel=1e-3)


needs_viser = pytest.mark.skipif(
    importlib.util.find_spec("viser") is None, reason="viser is not installed: it comes with the extra 'view'"
)


def striped_cloud(parts, confidence=None):
    points = np.random.default_rng(0).random((300, 3)).astype(np.float32)
    return Content(Scan(points), np.arange(300, dtype=np.int16) % (len(parts) + 1) - 1, parts, confidence)


@pytest.fixture
def viewer():
    with BrowserViewer("127.0.0.1", 8765, 1000) as opened:
        yield opened


def test_without_viser_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(MissingDependencyError, match=r"'viser'.*partdistill_ros\[view\]"):
        BrowserViewer("127.0.0.1", 8765, 1000)


@needs_viser
def test_a_page_is_served_here_and_a_second_viewer_gets_its_own(viewer):
    with BrowserViewer("127.0.0.1", 8765, 1000) as second:
        assert second.url != viewer.url
        for one in (viewer, second):
            assert one.url.startswith("http://127.0.0.1:")
            with urllib.request.urlopen(one.url, timeout=30) as answer:
                assert answer.status == 200 and b"<html" in answer.read()


@needs_viser
def test_the_cloud_the_legend_and_the_choices_are_those_of_the_content(viewer):
    content = striped_cloud(("handle", "<b>cup</b>"), np.linspace(0, 1, 300).astype(np.float32))
    viewer.show(content)
    assert np.allclose(viewer.cloud.points, content.scan.points)
    assert "handle" in viewer.legend.content and "<b>" not in viewer.legend.content
    assert tuple(viewer.selection.options)[2:] == content.parts

    viewer.choose(show="handle", color_by=CONFIDENCE)
    handle = content.labels == 0
    assert np.allclose(viewer.cloud.points, content.scan.points[handle])
    assert np.array_equal(viewer.cloud.colors, point_colors(content, CONFIDENCE)[handle])
    size = viewer.cloud.point_size
    viewer.choose(size=2.0)
    assert viewer.cloud.point_size == pytest.approx(2 * size)


@needs_viser
def test_a_choice_stays_where_it_still_applies(viewer):
    viewer.show(striped_cloud(("handle", "cup")))
    viewer.choose(show="cup")
    viewer.show(striped_cloud(("lid", "cup")))
    assert viewer.selection.value == "cup" and len(viewer.cloud.points) == 100
    viewer.show(striped_cloud(("wing",)))
    assert viewer.selection.value == EVERYTHING and len(viewer.cloud.points) == 300


@needs_viser
def test_a_host_of_another_machine_is_refused():
    with pytest.raises(PartDistillError, match="192.0.2.1.*use 127.0.0.1"):
        BrowserViewer("192.0.2.1", 8765, 1000)


@pytest.mark.parametrize(("hosts", "origins", "own"), [
    (["127.0.0.1:8080"], ["http://127.0.0.1:8080"], True),
    (["localhost:8080"], [], True),
    (["192.168.0.7:8080"], ["http://192.168.0.7:8080"], True),
    (["[::1]:8080"], ["http://[::1]:8080"], True),
    (["robot.local:8080"], ["http://robot.local:8080"], True),
    (["localhost:9000"], ["http://localhost:9000"], True),  # forwarded by ssh
    (["127.0.0.1:8080"], ["http://evil.example"], False),
    (["127.0.0.1:8080"], ["null"], False),
    (["127.0.0.1:8080"], ["http://127.0.0.1:9000"], False),
    (["evil.example:8080"], ["http://evil.example:8080"], False),  # rebinding
    (["localhost.evil.example"], [], False),
    (["[evil"], [], False),
    ([], [], False),
    (["localhost", "evil.example"], [], False),
])  # fmt: skip
def test_only_its_own_page_may_use_it(hosts, origins, own):
    assert is_own_page(hosts, origins, "robot.local") is own


@needs_viser
def test_another_page_gets_neither_the_page_nor_the_socket(viewer):
    address = urllib.parse.urlsplit(viewer.url).netloc
    socket = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip

    def status(headers):
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse().status
        connection.close()
        return answer

    assert status({}) == 200 and status({"Host": "evil.example"}) == 403
    assert status(socket | {"Origin": f"http://{address}"}) == 101
    assert status(socket | {"Origin": "http://evil.example"}) == 403
    assert status(socket | {"Origin": "http://evil.example", "Host": "evil.example"}) == 403
