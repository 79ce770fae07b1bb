# SPDX-License-Identifier: Apache-2.0
"""The parameters of the live node."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.tracking import TrackingOptions
from partdistill_ros.nodes.segmenter_parameters import SegmenterParameters
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.options import options_of, updated
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.frames import AXES


def test_every_number_has_a_range_and_every_default_is_valid():
    for known in options_of(SegmenterParameters()):
        assert known.description.endswith(".")
        assert known.checked(known.default) == known.default
        if type(known.default) in (int, float):
            assert known.minimum is not None and known.maximum is not None, known.name


def test_tabletop_defaults_are_those_of_the_extraction():
    node, extraction = SegmenterParameters().tabletop, TabletopParams()
    for name in ("min_points", "max_range", "max_height", "max_size", "cell"):
        assert getattr(node, name) == getattr(extraction, name)


def test_memory_and_box_defaults_are_those_of_the_live_path():
    parameters, memory, box = SegmenterParameters(), TrackingOptions(), CropBox()
    assert (parameters.memory.refresh, parameters.memory.smoothing) == (memory.refresh, memory.smoothing)
    crop = parameters.crop
    assert ((crop.min_x, crop.min_y, crop.min_z), (crop.max_x, crop.max_y, crop.max_z)) == (box.low, box.high)


@pytest.mark.parametrize("name", AXES)
def test_up_axes(name):
    up = updated(SegmenterParameters(), {"up": name}).up_vector()
    assert np.abs(up).sum() == 1 and up["xyz".index(name[-1])] == (-1 if name.startswith("-") else 1)


def test_up_is_searched_for_by_default():
    assert SegmenterParameters().up_vector() is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e308])
def test_numbers_that_are_none_are_refused(value):
    for known in options_of(SegmenterParameters()):
        if type(known.default) is float:
            with pytest.raises(PartDistillError, match=rf"'{known.name}' is .*; it must be"):
                updated(SegmenterParameters(), {known.name: value})
