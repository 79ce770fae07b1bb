# SPDX-License-Identifier: Apache-2.0
"""What lies in the box comes out, in whatever frame the box is given."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.crop import CropBox

TURNED = np.array([[0.0, -1, 0, 1], [0, 0, 1, 2], [-1, 0, 0, 3], [0, 0, 0, 1]])


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    points = rng.uniform(-2, 2, (2_000, 3)).astype(np.float32)
    points[::7, 1] = np.nan
    points[::11, 2] = np.inf
    return points


def test_the_box_in_the_clouds_own_frame(points):
    box = CropBox((-1, -0.5, 0), (1, 0.5, 1.5))
    wanted = [
        i for i, p in enumerate(points) if all(lo <= v <= hi for v, lo, hi in zip(p, box.low, box.high, strict=True))
    ]
    assert box.inside(points).tolist() == wanted and len(wanted) > 20
    assert box.up is None


def test_the_box_in_another_frame(points):
    box = CropBox((0.5, 1, 2), (1.5, 3, 4), TURNED)
    with np.errstate(invalid="ignore"):
        there = points.astype(np.float64) @ TURNED[:3, :3].T + TURNED[:3, 3]
    wanted = np.flatnonzero(((there >= box.low) & (there <= box.high)).all(axis=1))
    np.testing.assert_array_equal(box.inside(points), wanted)
    assert len(wanted) > 20
    np.testing.assert_array_equal(TURNED[:3, :3] @ box.up, [0, 0, 1])


def test_bounds_belong_to_the_box_and_an_empty_cloud_has_nothing_in_it():
    assert CropBox((0, 0, 0), (1, 1, 1)).inside(np.array([[0, 0, 0], [1, 1, 1.001]], np.float32)).tolist() == [0]
    assert len(CropBox().inside(np.zeros((0, 3), np.float32))) == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_box_without_room_is_refused(axis):
    high = [1.0, 1.0, 1.0]
    high[axis] = 0.0
    with pytest.raises(PartDistillError, match=f"min_{'xyz'[axis]} is 0.0"):
        CropBox((0.0, 0.0, 0.0), tuple(high))
