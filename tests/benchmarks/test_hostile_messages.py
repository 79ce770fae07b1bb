# SPDX-License-Identifier: Apache-2.0
"""Hostile messages are what they are said to be, the same ones for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import MalformedCloudError, PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.query import parse_query
from partdistill_ros.pointcloud.scan import Scan


@pytest.fixture
def hostile(live_benchmark):
    return live_benchmark("hostile_messages")


@pytest.fixture
def good():
    """Makes a good cloud of 6 x 10 points."""
    pytest.importorskip("rclpy")
    from std_msgs.msg import Header

    from partdistill_ros.nodes.conversions import cloud_message

    points = np.random.default_rng(0).random((60, 3)).astype(np.float32)
    return lambda: cloud_message(Scan(points, grid=(6, 10)), Header())


def test_a_good_cloud_can_be_read(hostile, good):
    assert hostile.readable(good())


def test_malformed_clouds_are_refused_and_by_many_reasons(hostile, good):
    from partdistill_ros.nodes.conversions import read_cloud

    rng, reasons = np.random.default_rng(0), set()
    for _ in range(500):
        cloud = hostile.malformed_cloud(rng, good())
        assert not hostile.readable(cloud)
        with pytest.raises(MalformedCloudError) as refusal:
            read_cloud(cloud, "points", keep_fields=True)
        reasons.add(str(refusal.value).split()[1])
    assert {"data", "row_step", "point_step", "no", "field"} <= reasons


def test_valid_clouds_are_read(hostile, good):
    from partdistill_ros.nodes.conversions import read_cloud

    rng = np.random.default_rng(0)
    sizes = {len(read_cloud(hostile.valid_cloud(rng, good()), "points").scan.points) for _ in range(60)}
    assert sizes == {0, 60}


def test_bad_queries_are_refused_and_by_many_reasons(hostile):
    vocabulary, rng, reasons = Bundle.load("default").vocabulary, np.random.default_rng(0), set()
    for _ in range(300):
        with pytest.raises(PartDistillError) as refusal:
            parse_query(hostile.bad_query(rng), vocabulary)
        reasons |= {
            words for words in ("empty", "colons", "at most 2,000", "64", "control") if words in str(refusal.value)
        }
    assert reasons == {"empty", "colons", "at most 2,000", "64", "control"}


def test_a_seed_is_a_sequence(hostile, good):
    def queries(seed):
        rng = np.random.default_rng(seed)
        return [hostile.bad_query(rng) for _ in range(20)]

    assert queries(3) == queries(3) != queries(4)
