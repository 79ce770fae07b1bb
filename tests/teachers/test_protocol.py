# SPDX-License-Identifier: Apache-2.0
"""The interface of the teachers: answers of the right shape, teachers by name."""

import json

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer, load_teacher


def test_answers_of_wrong_shape_are_refused():
    with pytest.raises(PartDistillError, match=r"\[V, P, H, W\]"):
        PixelAnswer(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(PartDistillError, match="box answer"):
        BoxAnswer(np.zeros((2, 4), np.float32), np.zeros(2, np.int16), np.zeros(1, np.float32), np.zeros(2, np.int16))


def test_a_file_of_boxes_is_a_teacher(tmp_path):
    path = tmp_path / "found.json"
    path.write_text(json.dumps([{"image_id": 0, "category": "cup", "bbox": [0, 0, 5, 5], "score": 0.5}]))
    teacher = load_teacher(f"boxes:{path}")
    assert (teacher.name, teacher.kind, teacher.size) == ("boxes", "box", 800)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("oracle", "choose one of boxes, clip, detector, mini"),
        ("boxes", "boxes:FILE.json"),
        ("mini:7", "takes no argument"),
        ("", "unknown"),
    ],
)
def test_teachers_that_do_not_exist_are_told(spec, reason):
    with pytest.raises(PartDistillError, match=reason):
        load_teacher(spec)
