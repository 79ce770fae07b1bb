# SPDX-License-Identifier: Apache-2.0
"""A pot is no mug, however alike they are; a few stray points do not make a mug a pot."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.inference.sizes import LARGEST, too_large
from partdistill_ros.synthetic.families import FAMILIES, generate


def test_sizes_decide() -> None:
    points = generate("mug", 3).points
    points = points / np.ptp(points, axis=0).max()
    assert not too_large("mug", 0.12 * points)
    assert too_large("mug", 0.25 * points)
    assert not too_large("bottle", 0.25 * points)
    assert not too_large(None, 9 * points) and not too_large("boat", 9 * points) and not too_large("mug", points[:0])


def test_stray_points_do_not() -> None:
    points = 0.05 * np.random.default_rng(0).uniform(-1, 1, (1000, 3))
    points[:20, 2] += 0.3
    assert not too_large("mug", points)


@pytest.mark.parametrize("family", sorted(set(LARGEST) & set(FAMILIES) - {"mug"}))
def test_families_keep_their_size(family: str) -> None:
    assert sum(too_large(family, generate(family, seed).points) for seed in range(20)) <= 1
