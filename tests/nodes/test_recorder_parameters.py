# SPDX-License-Identifier: Apache-2.0
"""The parameters of the recorder, and what they ask the recording for."""

import dataclasses

import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.nodes.recorder_parameters import RecorderParameters
from partdistill_ros.options import updated


def test_parameters_reach_the_recording():
    changes = {"cut": "crop", "crop.min_x": -0.5, "min_points": 99, "category": " Tea  Cup", "object_frame": "map"}
    recording = updated(RecorderParameters(), {**changes, "max_range": 1.5, "keep_still": True}).recording()
    box = recording.cut.box
    assert (recording.cut.kind, box.low, box.high) == ("crop", (-0.5, -0.2, 0.005), (0.2, 0.2, 0.5))
    assert (recording.cut.min_points, recording.cut.tabletop.max_range) == (99, 1.5)
    assert recording.join and recording.keep_unchanged and recording.category == "tea cup"
    assert RecorderParameters().recording().category is None


@pytest.mark.parametrize(("changes", "joins"), [
    ({}, False), ({"object_frame": "map"}, True), ({"object_frame": "map", "join": False}, False),
    ({"object_frame": "map", "pick": "all"}, False),
])  # fmt: skip
def test_views_are_joined_where_a_frame_is_named(changes, joins):
    assert dataclasses.replace(RecorderParameters(), **changes).recording().join is joins


def test_an_empty_box_is_refused():
    with pytest.raises(PartDistillError, match="must be the smaller"):
        updated(RecorderParameters(), {"crop.min_z": 2.0}).recording()
