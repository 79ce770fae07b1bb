# SPDX-License-Identifier: Apache-2.0
"""A teacher that tells high from low, and a student small enough to train in a test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from partdistill_ros.distillation.samples import Sample, make_sample, upright_cloud
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.students.patch_transformer import PatchTransformerConfig
from partdistill_ros.synthetic.families import generate
from partdistill_ros.teachers.protocol import PixelAnswer

SMALL = PatchTransformerConfig(points=256, centers=64, patches=16, neighbors=8, width=40, layers=1, heads=2, dim=64)


class RowTeacher:
    """Calls the upper half of every picture the first part, the lower half the second."""

    name, key, kind, size = "rows", "rows-1", "pixel", 48

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, rendering: Rendering, parts: Sequence[str], category: str | None) -> PixelAnswer:
        self.asked += 1
        views, height, width = rendering.index.shape
        scores = np.zeros((views, len(parts), height, width), np.float32)
        scores[:, 0, : height // 2] = 0.8
        scores[:, 1, height // 2 :] = 0.8
        return PixelAnswer(scores * (rendering.index >= 0)[:, None])


@pytest.fixture
def teacher() -> RowTeacher:
    return RowTeacher()


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    """Four bottles, upper half `cap`, lower half `body`."""
    clouds = [upright_cloud(generate("bottle", seed), 1500) for seed in range(4)]
    return [make_sample(cloud, ("cap", "body"), "bottle", RowTeacher(), seed=i) for i, cloud in enumerate(clouds)]
