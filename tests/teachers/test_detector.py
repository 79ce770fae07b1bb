# SPDX-License-Identifier: Apache-2.0
"""The teacher `detector`: queries, boxes in the picture, suppression, cache and key."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.teachers.detector import DetectorTeacher, query  # noqa: E402
from partdistill_ros.teachers.detector_model import DetectorModel, Found, load_detector  # noqa: E402
from partdistill_ros.teachers.nms import overlap  # noqa: E402
from partdistill_ros.teachers.protocol import load_teacher  # noqa: E402
from partdistill_ros.teachers.spec import DetectorOptions  # noqa: E402

PARTS = ("handle", "cup")
NONE = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.int16), np.zeros(0, np.float32))


@pytest.fixture(params=["grounding-dino", "owlv2"])
def model(request, detector_folder):
    return load_detector("", str(detector_folder(request.param)))


def test_queries():
    assert query("{category} {part}", "handle", "mug").text == "mug handle"
    assert query("{category} {part}", "seat back", None) == query("{part}", "seat back", "chair")
    assert query("{category} {part}", "cup", "object").text == "cup"
    phrase = query("the {part} of a {category}", "handle", "mug")
    assert phrase.text == "the handle of a mug" and phrase.text[slice(*phrase.core)] == "handle"


def test_boxes_lie_in_the_picture_and_apart(model, mug_views):
    teacher = DetectorTeacher(model, DetectorOptions(threshold=0.1, nms=0.4))
    answer = teacher.answer(mug_views, PARTS, "mug")
    assert len(answer.part) > 5 and set(answer.part) <= {0, 1} and set(answer.view) <= set(range(10))
    assert answer.boxes.min() >= 0 and answer.boxes.max() <= 96 and (answer.boxes[:, 2:] > answer.boxes[:, :2]).all()
    assert (answer.confidence > 0.1).all() and (answer.confidence <= 1).all()
    for view in range(10):
        for part in range(2):
            same = answer.boxes[(answer.view == view) & (answer.part == part)]
            assert all(overlap(box, same[:i]).max(initial=0) <= 0.4 for i, box in enumerate(same))


def test_batches_do_not_change_the_answer(model, mug_views):
    one, many = (
        DetectorTeacher(model, DetectorOptions(threshold=0.1, batch=size, cache="off")).answer(mug_views, PARTS, "mug")
        for size in (1, 10)
    )
    np.testing.assert_allclose(one.boxes, many.boxes, atol=1e-2)
    np.testing.assert_array_equal(one.view, many.view)


@pytest.mark.parametrize("picture", ["color", "shaded", "auto"])  # auto: depth
def test_two_hundred_views_take_the_memory_of_a_batch(
    model, mug_views, two_hundred_views, memory_of, monkeypatch, picture
):
    teacher = DetectorTeacher(model, DetectorOptions(threshold=0.1, batch=8, picture=picture, cache="off"))
    seen, detect = [], DetectorModel.detect

    def counted(self, pictures, *rest):
        seen.append(len(pictures))
        # other pictures cost the network the same
        return detect(self, pictures, *rest) if picture == "color" else [NONE] * len(pictures)

    monkeypatch.setattr(DetectorModel, "detect", counted)
    teacher.answer(mug_views, PARTS, "mug")  # what is made once
    few, many = (
        memory_of(lambda views: teacher.answer(views, PARTS, "mug"), views) for views in (mug_views, two_hundred_views)
    )
    assert sum(seen) == 10 + 10 + 200 and max(seen) == 8
    assert many[1] == few[1], "torch saw no more at once"
    assert many[2] < few[2] + 1_000_000, "with the boxes"
    assert set(many[0].view[many[0].view >= 190] - 190) == set(few[0].view)


def test_a_view_is_asked_once(model, mug_views, tmp_path, monkeypatch):
    teacher = DetectorTeacher(model, DetectorOptions(threshold=0.1, cache=str(tmp_path)))
    first = teacher.answer(mug_views, PARTS, "mug")

    def refuse(*_):
        raise AssertionError("asked again")

    monkeypatch.setattr(DetectorModel, "detect", refuse)
    again = teacher.answer(mug_views, PARTS, "mug")
    np.testing.assert_array_equal(first.boxes, again.boxes)
    with pytest.raises(AssertionError, match="asked again"):
        teacher.answer(mug_views, PARTS, "jug")


def test_nothing_found_is_an_answer(model, mug_views, monkeypatch):
    monkeypatch.setattr(DetectorModel, "detect", lambda self, pictures, *_: [NONE] * len(pictures))
    assert DetectorTeacher(model).answer(mug_views, PARTS, "mug").boxes.shape == (0, 4)


def test_the_key_follows_all_that_changes_the_answer(model, detector_folder):
    changes = [
        {},
        {"threshold": 0.3},
        {"nms": 0.7},
        {"prompt": "a {part}"},
        {"picture": "depth"},
        {"precision": "bf16"},
    ]
    keys = {DetectorTeacher(model, DetectorOptions(**change)).key for change in changes}
    assert len(keys) == len(changes)
    assert DetectorTeacher(model, DetectorOptions(batch=2, cache="off")).key in keys


def test_it_is_a_teacher_by_name(detector_folder, monkeypatch):
    monkeypatch.setenv("PARTDISTILL_DETECTOR_WEIGHTS", str(detector_folder("owlv2")))
    teacher = load_teacher("detector,size=128")
    assert (teacher.name, teacher.kind, teacher.size) == ("detector", "box", 128)
