# SPDX-License-Identifier: Apache-2.0
"""The truth scores 100 whatever its parts are numbered by, nothing scores 0."""

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.evaluation.scene_scores import score_scene
from partdistill_ros.synthetic.table_scene import make_scene


@pytest.fixture(scope="module")
def scene():
    return make_scene(3)


def test_the_truth_of_the_scene_scores_100_and_nothing_scores_0(scene):
    scan = scene.scan
    perfect = score_scene(scene, scan.point_labels, scan.parts)
    assert len(perfect) == len(scene.objects) and set(perfect.values()) == {100.0}
    nothing = score_scene(scene, np.full(len(scan.points), -1), scan.parts)
    assert set(nothing.values()) == {0.0}
    assert score_scene(scene, scan.point_labels, ("wheel",)) == {}


def test_things_without_parts_are_left_out(scene):
    boxes = replace(scene, objects=("box",) * len(scene.objects))
    assert score_scene(boxes, scene.scan.point_labels, scene.scan.parts) == {}


def test_labels_are_compared_by_name(scene):
    scan = scene.scan
    order = tuple(reversed(scan.parts))
    place = np.array([*(order.index(part) for part in scan.parts), -1])
    assert set(score_scene(scene, place[scan.point_labels], order).values()) == {100.0}
