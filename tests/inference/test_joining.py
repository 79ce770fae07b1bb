# SPDX-License-Identifier: Apache-2.0
"""A handle that was cut off joins its cup; a box beside a cup does not."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.inference.joining import join_missing_parts
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.synthetic.families import generate

UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter("default", "cpu", 1)


@pytest.fixture(scope="module")
def mug() -> tuple[np.ndarray, np.ndarray]:
    """Points of a mug as large as one in meters, and whether each is of the handle."""
    shape = generate("mug", 5)
    return 0.8 * shape.points, shape.point_labels == shape.parts.index("handle")


def test_the_handle_joins_its_cup(segmenter, mug) -> None:
    points, handle = mug
    objects = [np.flatnonzero(~handle), np.flatnonzero(handle)]
    (whole,) = join_missing_parts(segmenter, segmenter.query("mug: handle, cup"), points, objects, UP)
    np.testing.assert_array_equal(whole, np.arange(len(points)))


def test_what_is_no_missing_part_stays(segmenter, mug) -> None:
    points, _ = mug
    box = np.random.default_rng(0).uniform(-0.5, 0.5, (600, 3)) * [0.06, 0.1, 0.03]
    box += [*(points[:, :2].max(0) + [0.03, 0]), points[:, 2].min() + 0.015]
    cloud = np.concatenate([points, box - [0, points[:, 1].max(), 0]]).astype(np.float32)
    objects = [np.arange(len(points)), np.arange(len(points), len(cloud))]
    query = segmenter.query("mug: handle, cup", reject_unknown=True)
    assert len(join_missing_parts(segmenter, query, cloud, objects, UP)) == 2
    far = cloud + np.where(np.arange(len(cloud)) < len(points), 0, 1)[:, None].astype(np.float32)
    assert len(join_missing_parts(segmenter, query, far, objects, UP)) == 2


def test_too_large_for_any_thing_that_is_asked_for(segmenter, mug) -> None:
    points, handle = mug
    objects = [np.flatnonzero(~handle), np.flatnonzero(handle)]
    assert len(join_missing_parts(segmenter, segmenter.query("mug: handle, cup"), 5 * points, objects, UP)) == 2
