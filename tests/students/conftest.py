# SPDX-License-Identifier: Apache-2.0
"""Students small enough for a test, and clouds with their farthest-point samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.students.patch_transformer import PatchTransformer, PatchTransformerConfig
from partdistill_ros.students.point_m2ae import PointM2AE, PointM2AEConfig

PATCHES = PatchTransformerConfig(points=256, centers=64, patches=32, neighbors=8, width=40, layers=1, heads=2, dim=16)
M2AE = PointM2AEConfig(
    points=256,
    groups=(64, 32, 16),
    neighbors=(8, 4, 4),
    widths=(24, 48, 96),
    depths=(1, 1, 1),
    heads=2,
    dim=16,
    head_width=32,
)


def clouds(count: int, points: int = 256, centers: int = 64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random surfaces of ellipsoids `[B, N, 3]` and indices of their samples `[B, G]`."""
    rng = np.random.default_rng(seed)
    drawn = rng.normal(size=(count, points, 3))
    drawn = drawn / np.linalg.norm(drawn, axis=-1, keepdims=True) * rng.uniform(0.3, 1, (count, 1, 3))
    drawn = (drawn / np.linalg.norm(drawn, axis=-1).max(1)[:, None, None]).astype(np.float32)
    chosen = np.stack([farthest_points(one, centers) for one in drawn])
    return torch.from_numpy(drawn), torch.from_numpy(chosen)


@pytest.fixture
def patches() -> PatchTransformer:
    torch.manual_seed(0)
    return PatchTransformer(PATCHES).eval()


@pytest.fixture
def m2ae() -> PointM2AE:
    """With weights large enough that a point is felt at every level (the first ones have sigma 0.02)."""
    torch.manual_seed(0)
    student = PointM2AE(M2AE)
    for weight in student.h_encoder.token_embed.parameters():
        if weight.ndim == 3:
            torch.nn.init.normal_(weight, std=0.3)
    return student.eval()
