# SPDX-License-Identifier: Apache-2.0
"""The mean of students has the mean of their weights, and only those of one size have one."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.students.build import make_student  # noqa: E402
from partdistill_ros.synthetic.training.average import average  # noqa: E402

SIZES = {"points": 256, "centers": 64, "patches": 32, "neighbors": 8, "width": 40, "layers": 1, "heads": 2, "dim": 8}


def test_each_weight_is_the_mean() -> None:
    first, second = make_student("patch_transformer", SIZES), make_student("patch_transformer", SIZES)
    wanted = [(one + other) / 2 for one, other in zip(first.parameters(), second.parameters(), strict=True)]
    mean = average([first, second])
    for value, expected in zip(mean.parameters(), wanted, strict=True):
        torch.testing.assert_close(value, expected)


def test_students_of_other_sizes_are_refused() -> None:
    small = make_student("patch_transformer", {**SIZES, "width": 80})
    with pytest.raises(PartDistillError, match="kind or size"):
        average([small, make_student("patch_transformer", SIZES)])
