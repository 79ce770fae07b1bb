# SPDX-License-Identifier: Apache-2.0
"""From scan to units: views by the kind of scan, both kinds of teacher, and the store in between."""

from functools import partial

import numpy as np
import pytest

from partdistill_ros.distillation.teacher_query import query_teacher, renderer_name
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.distillation.units import class_weights, soft_labels
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.rasterize import BUILT_IN, render_scan
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer


def ball(**changes):
    points = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return Scan(points, colors=np.where(points[:, 2:] > 0, [255, 0, 0], [0, 0, 255]).astype(np.uint8), **changes)


class ColorTeacher:
    """Calls red `top` and blue `bottom`."""

    name, key, kind, size = "color", "color-1", "pixel", 96
    asked = 0

    def answer(self, rendering, parts, category):
        type(self).asked += 1
        assert list(parts) == ["top", "bottom"] and rendering.size == (96, 96)
        red = rendering.picture[..., 0] > rendering.picture[..., 2]
        blue = rendering.picture[..., 2] > rendering.picture[..., 0]
        return PixelAnswer(np.stack([red, blue], 1).astype(np.float32) * 0.8)


class UpperHalfTeacher:
    name, key, kind, size = "half", "half-1", "box", 96

    def answer(self, rendering, parts, category):
        views = len(rendering)
        box = np.tile(np.array([0, 0, 96, 40], np.float32), (views, 1))
        return BoxAnswer(box, np.zeros(views, np.int16), np.ones(views, np.float32), np.arange(views, dtype=np.int16))


def test_a_teacher_that_sees_well_labels_the_points_well():
    scan = ball()
    units = query_teacher(scan, ["top", "bottom"], ColorTeacher())
    weight = soft_labels(units, class_weights(units, 2))
    told = weight.sum(1) > 0
    right = weight[told].argmax(1) == (scan.points[told, 2] < 0)
    assert told.mean() > 0.9 and right.mean() > 0.97
    assert set(units.view.tolist()) == set(range(10))


def test_boxes_become_units_too():
    scan = ball()
    units = query_teacher(scan, ["top"], UpperHalfTeacher())
    assert len(units) == 10
    assert scan.points[units.indices, 2].mean() > 0.3


def test_a_scan_from_one_side_is_seen_from_there():
    units = query_teacher(ball(viewpoint=np.array([0, -4, 0], np.float32)), ["top", "bottom"], ColorTeacher())
    assert ball().points[np.unique(units.indices), 1].max() < 0.35
    assert set(units.view.tolist()) == set(range(7))


def test_the_store_is_asked_first(tmp_path):
    store, before = KnowledgeStore(tmp_path), ColorTeacher.asked
    first, second = (query_teacher(ball(), ["top", "bottom"], ColorTeacher(), store=store) for _ in range(2))
    assert ColorTeacher.asked == before + 1
    np.testing.assert_array_equal(first.indices, second.indices)


def test_no_parts_and_no_points_are_refused():
    with pytest.raises(PartDistillError, match="no part names"):
        query_teacher(ball(), [], ColorTeacher())
    with pytest.raises(PartDistillError, match="no finite points"):
        query_teacher(Scan(np.full((9, 3), np.nan, np.float32)), ["top", "bottom"], ColorTeacher())


def test_the_backend_but_not_the_device_names_a_renderer():
    plain = renderer_name(render_scan)
    assert renderer_name(partial(render_scan, backend=BUILT_IN, device="cuda")) == plain
    assert renderer_name(partial(render_scan, backend=ColorTeacher())) != plain
