# SPDX-License-Identifier: Apache-2.0
"""The student follows the parameters; what cannot be used changes nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.tracking import TrackingOptions
from partdistill_ros.nodes.engine import Engine, scene_options
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.options import updated


@pytest.fixture
def parameters(toy_bundle_path):
    return SegmenterParameters(bundle=str(toy_bundle_path), query="post: top, bottom", device="cpu", threads=1)


def test_loading(parameters):
    engine = Engine.load(parameters)
    assert (engine.bundle, engine.query.names, engine.segmenter.provider) == ("toy", ("top", "bottom"), "cpu")


@pytest.mark.parametrize(("changes", "words"), [
    ({"bundle": "/nowhere"}, "/nowhere"),
    ({"query": "wheel"}, "unknown part name 'wheel'"),
    ({"query": ""}, "the query is empty"),
])  # fmt: skip
def test_what_cannot_be_used_is_refused(parameters, changes, words):
    changed = replace(parameters, **changes)
    with pytest.raises(PartDistillError, match=words):
        Engine.load(changed)
    with pytest.raises(PartDistillError, match=words):
        Engine.load(parameters).adapted(parameters, changed)


def test_only_what_changed_is_renewed(parameters):
    engine = Engine.load(parameters)
    assert engine.adapted(parameters, replace(parameters, enable=False)) is engine
    asked = engine.adapted(parameters, replace(parameters, query="lid, bottom"))
    assert asked.segmenter is engine.segmenter and asked.query.names == ("lid", "bottom")
    assert engine.adapted(parameters, replace(parameters, threads=2)).segmenter is not engine.segmenter


def test_a_student_that_was_loaded_elsewhere_takes_the_query_in_force(parameters):
    engine, loaded = Engine.load(parameters), Engine.load(parameters).segmenter
    changed = engine.adapted(parameters, replace(parameters, query="left, right"), loaded)
    assert changed.segmenter is loaded and changed.query.names == ("left", "right")
    with pytest.raises(PartDistillError, match="unknown part name 'wheel'"):
        engine.adapted(parameters, replace(parameters, query="wheel"), loaded)


@pytest.mark.parametrize(("changes", "others"), [
    ({}, {"bar", "pot"}),
    ({"none_of_these": False}, set()),
    ({"scene_mode": "object"}, set()),
])  # fmt: skip
def test_none_of_these_is_asked_where_objects_are_searched_for(parameters, changes, others):
    before = replace(parameters, query="bar: left, right")
    engine = Engine.load(before).adapted(before, replace(parameters, **changes))
    assert {group.category for group in engine.query.others} == others


def test_scene_options_come_from_the_parameters():
    changes = {"scene_mode": "object", "up": "-y", "confidence_threshold": 0.4, "tabletop.max_objects": 3}
    changes |= {"tabletop.min_points": 99, "tabletop.max_range": 2.0, "tabletop.max_height": 0.3}
    options = scene_options(updated(SegmenterParameters(), changes | {"tabletop.max_size": 0.5, "tabletop.cell": 0.02}))
    assert (options.mode, options.min_confidence, options.max_objects) == ("object", 0.4, 3)
    np.testing.assert_array_equal(options.up, (0, -1, 0))
    assert options.tabletop == TabletopParams(min_points=99, max_range=2.0, max_height=0.3, max_size=0.5, cell=0.02)
    assert scene_options(SegmenterParameters()).tabletop == TabletopParams()


def test_box_and_memory_come_from_the_parameters():
    changes = {
        "scene_mode": "crop",
        "crop.min_x": -1.0,
        "crop.max_z": 0.8,
        "memory.refresh": 5,
        "memory.smoothing": 0.5,
    }
    pose = np.eye(4)
    options = scene_options(updated(SegmenterParameters(), changes), pose)
    assert (options.mode, options.crop.low, options.crop.high) == ("crop", (-1.0, -0.5, 0.0), (0.5, 0.5, 0.8))
    assert options.crop.pose is pose
    assert options.tracking == TrackingOptions(refresh=5, smoothing=0.5)
    assert scene_options(SegmenterParameters()).tracking == TrackingOptions()
    assert scene_options(updated(SegmenterParameters(), {"memory.refresh": 0})).tracking is None


def test_a_box_without_room_is_refused(parameters):
    changed = updated(parameters, {"crop.min_y": 1.0})
    for use in (lambda: Engine.load(changed), lambda: Engine.load(parameters).adapted(parameters, changed)):
        with pytest.raises(PartDistillError, match="min_y is 1.0, max_y is 0.5"):
            use()
