# SPDX-License-Identifier: Apache-2.0
"""What is measured of single patches."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.objects.contacts import shapes_of


@pytest.mark.parametrize("lowest", [-40.0, 0.0, 3.5])
def test_top_and_bottom_of_patches_at_any_height(lowest: float) -> None:
    rng = np.random.default_rng(0)
    height = (lowest + np.concatenate([rng.permutation(1000) / 1e3, 50 + rng.permutation(1000) / 1e3])).astype("f4")
    label, ones, points = np.repeat([0, 1], 1000), np.ones(2000, np.float32), np.zeros((2000, 3), np.float32)
    shapes = shapes_of(label, points, points, height, ones, ones, ones, np.ones(2, np.float32))
    np.testing.assert_allclose(shapes.bottom, [lowest + 0.03, lowest + 50.03], atol=0.002)
    np.testing.assert_allclose(shapes.top, [lowest + 0.97, lowest + 50.97], atol=0.002)
