# SPDX-License-Identifier: Apache-2.0
"""The page in the browser: what is said without viser, and with it, what is served."""

import importlib.util
import sys
import urllib.request

import numpy as np
import pytest

from partdistill_ros.errors import MissingDependencyError, PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.browser import BrowserViewer
from partdistill_ros.visualization.browser_content import CONFIDENCE, EVERYTHING, Content, colors

needs_viser = pytest.mark.skipif(
    importlib.util.find_spec("viser") is None, reason="viser is not installed: it comes with the extra 'view'"
)


def cloud(parts, confidence=None):
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
    content = cloud(("handle", "<b>cup</b>"), np.linspace(0, 1, 300).astype(np.float32))
    viewer.show(content)
    assert np.allclose(viewer._cloud.points, content.scan.points)
    assert "handle" in viewer._legend.content and "<b>" not in viewer._legend.content
    assert tuple(viewer._show.options)[2:] == content.parts

    viewer.choose(show="handle", color_by=CONFIDENCE)
    handle = content.labels == 0
    assert np.allclose(viewer._cloud.points, content.scan.points[handle])
    assert np.array_equal(viewer._cloud.colors, colors(content, CONFIDENCE)[handle])
    size = viewer._cloud.point_size
    viewer.choose(size=2.0)
    assert viewer._cloud.point_size == pytest.approx(2 * size)


@needs_viser
def test_a_choice_stays_where_it_still_applies(viewer):
    viewer.show(cloud(("handle", "cup")))
    viewer.choose(show="cup")
    viewer.show(cloud(("lid", "cup")))
    assert viewer._show.value == "cup" and len(viewer._cloud.points) == 100
    viewer.show(cloud(("wing",)))
    assert viewer._show.value == EVERYTHING and len(viewer._cloud.points) == 300


@needs_viser
def test_a_host_of_another_machine_is_refused():
    with pytest.raises(PartDistillError, match="192.0.2.1.*use 127.0.0.1"):
        BrowserViewer("192.0.2.1", 8765, 1000)
