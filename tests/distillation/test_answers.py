# SPDX-License-Identifier: Apache-2.0
"""What a student in training answers of points that it sees in draws."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from partdistill_ros.distillation.answers import predict_points
from partdistill_ros.text.space import TextSpace

NAMES = [TextSpace.load().encode([name]) for name in ("cap", "body")]


class Heights:
    """Calls what lies high the first part; keeps the clouds that it saw."""

    config = SimpleNamespace(points=256, centers=16)

    def __init__(self) -> None:
        self.clouds = torch.zeros(0)

    def eval(self) -> None:
        pass

    def __call__(self, points: torch.Tensor, centers: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        self.clouds = points
        return torch.stack([20 * points[..., 2], torch.zeros_like(points[..., 2])], -1)


@pytest.mark.parametrize("flat", [False, True])
def test_flat_things_are_labeled_on_both_sides(flat: bool) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 3)).astype(np.float32)
    points[:, 2] += 0.3 * points[:, 0] ** 2
    student = Heights()
    found = predict_points(student, points, NAMES, up_unknown=flat)
    assert found.shape == (2000, 2)
    high = found[points[:, 2] > 0.8, 0].mean()
    assert (abs(high - 0.5) < 0.1) if flat else (high > 0.95)
    np.testing.assert_allclose(student.clouds.norm(dim=-1).amax(1), 1, atol=1e-5)


def test_few_points_are_labeled_too_and_a_seed_decides() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    one, same, other = (predict_points(Heights(), points, NAMES, seed=[seed]) for seed in (1, 1, 2))
    assert one.shape == (100, 2)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
