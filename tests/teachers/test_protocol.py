# SPDX-License-Identifier: Apache-2.0
"""The interface of the teachers: answers of the right shape."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.protocol import BoxAnswer, PixelAnswer


def test_answers_of_wrong_shape_are_refused():
    with pytest.raises(PartDistillError, match=r"\[V, P, H, W\]"):
        PixelAnswer(np.zeros((2, 3, 4), np.float32))
    with pytest.raises(PartDistillError, match="box answer"):
        BoxAnswer(np.zeros((2, 4), np.float32), np.zeros(2, np.int16), np.zeros(1, np.float32), np.zeros(2, np.int16))
