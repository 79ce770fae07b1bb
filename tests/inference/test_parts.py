# SPDX-License-Identifier: Apache-2.0
"""Parts are listed by object, and found by name, category and place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.parts import MIN_PART_POINTS, Boxes, find_part, found_objects, found_parts
from partdistill_ros.inference.scene import SceneLabels, SceneObject
from partdistill_ros.objects.part_box import part_box

PARTS = ("handle", "cup", "cap")
POINTS = np.zeros((240, 3))
POINTS[:, 0] = np.repeat([0.0, 1.0, 2.0], 80)  # two mugs and something else, a meter apart


@pytest.fixture
def answer():
    """80 points each: mug 7 with 30 of handle (0.5) and 50 of cup (0.9); mug 9 with 30 of handle (0.8), 19 of cup and
    31 without; an object without labels."""
    labels = np.repeat([0, 1, 0, 1, -1], [30, 50, 30, 19, 111]).astype(np.int16)
    confidence = np.repeat([0.5, 0.9, 0.8, 0.9, 0.3], [30, 50, 30, 19, 111]).astype(np.float32)
    objects = [
        SceneObject(np.arange(80 * k, 80 * k + 80), category, None, number)
        for k, (category, number) in enumerate((("mug", 7), ("mug", 9), (None, 3)))
    ]
    return SceneLabels(labels, confidence, PARTS, tuple(objects), {})


def test_parts_of_enough_points_are_listed_with_their_object(answer):
    assert MIN_PART_POINTS == 20
    found = [(one.object.number, one.name, len(one.index), round(one.score, 3)) for one in found_parts(answer)]
    assert found == [(7, "handle", 30, 0.5), (7, "cup", 50, 0.9), (9, "handle", 30, 0.8)]
    assert [one.label for one in found_parts(answer)] == [0, 1, 0]
    np.testing.assert_array_equal(found_parts(answer)[2].index, np.arange(80, 110))


def test_objects_are_listed_whole_labeled_or_not(answer):
    found = [(one.object.number, one.name, len(one.index), round(one.score, 3)) for one in found_objects(answer)]
    assert found == [(7, "", 80, 0.75), (9, "", 80, 0.839), (3, "", 80, 0.0)]


def test_each_box_is_found_once(answer, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "partdistill_ros.inference.parts.part_box", lambda points, up: asked.append(points) or part_box(points, up)
    )
    few = SceneObject(np.arange(3), None, None, 4)
    boxes = Boxes(POINTS.astype(np.float32), replace(answer, objects=(*answer.objects, few)))
    for _ in range(2):
        assert [one.label for one, _ in boxes.parts] == [0, 1, 0]
        assert [one.object.number for one, _ in boxes.objects] == [7, 9, 3], "three points have no box"
    assert len(asked) == 7 and boxes.objects[1][1].center[0] == 1.0


@pytest.mark.parametrize(("name", "wanted"), [
    ("handle", (9, "handle")), ("  Handle ", (9, "handle")), ("mug: handle", (9, "handle")), (": cup", (7, "cup")),
    ("mug:", (9, "")), ("mug", (9, "")),
])  # fmt: skip
def test_the_surest_of_that_name_is_found(answer, name, wanted):
    found = find_part(answer, POINTS, name)
    assert (found.object.number, found.name) == wanted


def test_the_nearest_is_found_and_none_too_far_away(answer):
    assert find_part(answer, POINTS, "handle", np.array([0.3, 0, 0])).object.number == 7
    assert find_part(answer, POINTS, "handle", np.array([0.7, 0, 0]), within=0.31).object.number == 9
    with pytest.raises(PartDistillError, match=r"nearest 'handle' is 0.300 m .* farther than the 0.2 m"):
        find_part(answer, POINTS, "handle", np.array([0.7, 0, 0]), within=0.2)


@pytest.mark.parametrize("name", ["spout", "bottle: handle", "cap", "bottle:"])
def test_what_is_not_there_is_told_with_what_is(answer, name):
    words = f"no '{name}' in the newest cloud, where handle, cup, cap were looked for: it has mug: handle, mug: cup"
    with pytest.raises(PartDistillError, match=words):
        find_part(answer, POINTS, name)


def test_a_cloud_without_labels_or_objects_says_so(answer):
    bare = SceneLabels(np.full(240, -1, np.int16), answer.confidence, PARTS, answer.objects, {})
    empty = SceneLabels(bare.labels, answer.confidence, PARTS, (), {}, problem="no plane in sight")
    for answer, words in ((bare, "none of its objects is labeled"), (empty, "no plane in sight")):
        with pytest.raises(PartDistillError, match=words):
            find_part(answer, POINTS, "handle")
    for name in ("", " : "):
        with pytest.raises(PartDistillError, match="name the part to find, for example 'handle'"):
            find_part(bare, POINTS, name)
