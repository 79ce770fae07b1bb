# SPDX-License-Identifier: Apache-2.0
"""Masked autoencoding of points: what both students' pre-training shares."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from partdistill_ros.students.patch_transformer import squared_distances
from partdistill_ros.students.student import Student


class MaskedAutoencoder(nn.Module):
    """A student's encoder, which sees a share of the patches, and a decoder that draws the others' points.

    The decoder ends with the training; the student keeps what its encoder learned.
    patches: of which some are hidden.  kept: of them that stay visible.
    """

    student: Student
    patches: int
    kept: int

    @abstractmethod
    def forward(self, points: Tensor, centers: Tensor, kept: Tensor) -> Tensor:
        """The loss over the hidden patches of `points [B, N, 3]`; `kept [B, K]` are the visible ones and
        `centers [B, G]` the farthest-point samples."""

    def draw(self, clouds: int, generator: torch.Generator) -> Tensor:
        """Patches `[B, K]` of each cloud that stay visible, on the CPU so that every device draws the same."""
        return torch.rand(clouds, self.patches, generator=generator).argsort(1)[:, : self.kept]


def chamfer(drawn: Tensor, true: Tensor) -> Tensor:
    """Mean squared distance from each point of `drawn [M, K, 3]` to the nearest of `true [M, L, 3]` and back."""
    distance = squared_distances(drawn, true).clamp(min=0)
    return distance.amin(2).mean() + distance.amin(1).mean()


def reach(neighbors: int, points: int) -> float:
    """How far the nearest `neighbors` of `points` on a surface in the unit ball are (root of the mean square),
    the unit that decoders draw in: 0.66 to 0.76 times the root of the share, measured on procedural shapes."""
    return 0.7 * float(neighbors / points) ** 0.5


def among(index: Tensor, count: int) -> Tensor:
    """Which of `count` are in `index [B, K]`, as booleans `[B, count]`."""
    return torch.zeros(len(index), count, dtype=torch.bool, device=index.device).scatter(1, index, True)
