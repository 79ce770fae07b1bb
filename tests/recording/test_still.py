# SPDX-License-Identifier: Apache-2.0
"""Noise is no change; a turned or shifted mug is one."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.recording.cut import Cut, cut_out
from partdistill_ros.recording.still import Stillness, is_still


def mug(seen) -> np.ndarray:
    return cut_out(seen.scan, Cut())[0].scan.points


@pytest.mark.parametrize("take", [1, 2, 3])
def test_noise_is_still(view, take) -> None:
    assert is_still(mug(view(0)), mug(view(0, take)))


@pytest.mark.parametrize("change", [{"turn": 15}, {"turn": -30}, {"shift": 0.01}, {"shift": -0.05}])
def test_a_moved_mug_is_not(view, change) -> None:
    assert not is_still(mug(view(0)), mug(view(0, 1, **change)))


def test_something_that_came_or_went_is_a_change() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(500, 3)).astype(np.float32)
    both = np.concatenate([one, one[:100] + 5])
    assert not is_still(one, both) and not is_still(both, one) and is_still(one, one[::-1])
    assert not is_still(one, one[:0]) and is_still(one[:0], one[:0])


def test_the_tolerance_grows_with_the_range() -> None:
    rng = np.random.default_rng(0)
    near = rng.uniform(0, 0.1, (300, 3)).astype(np.float32)
    far = near + np.array([0, 0, 3], np.float32)
    moved = np.array([0.02, 0, 0], np.float32)
    stillness = Stillness(tolerance=0.006)
    assert not is_still(near, near + 3 * moved, stillness) and is_still(far, far + moved, stillness)
