# SPDX-License-Identifier: Apache-2.0
"""Sliding windows over a picture, and one map again from what was found in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor


@dataclass(frozen=True)
class Windows:
    """Windows of `size` pixels over a square picture of `side` pixels, on the grid of `patch` pixels.

    corners: (row, column) of each window's upper left pixel.
    """

    side: int
    size: int
    patch: int
    corners: tuple[tuple[int, int], ...]

    def cut(self, pictures: Tensor) -> Tensor:
        """Windows `[B * n, C, size, size]`, those of a picture together, of pictures `[B, C, side, side]`."""
        cuts = [pictures[..., row : row + self.size, column : column + self.size] for row, column in self.corners]
        return torch.stack(cuts, 1).flatten(0, 1)

    def blend(self, maps: Tensor) -> Tensor:
        """Maps `[B, C, side / patch, side / patch]`, where windows overlap their mean, of the windows' maps
        `[B * n, C, size / patch, size / patch]`."""
        grid, cells = self.size // self.patch, self.side // self.patch
        maps = maps.reshape(-1, len(self.corners), *maps.shape[1:])
        total = maps.new_zeros((len(maps), maps.shape[2], cells, cells))
        count = maps.new_zeros((cells, cells))
        for number, (row, column) in enumerate(self.corners):
            rows = slice(row // self.patch, row // self.patch + grid)
            columns = slice(column // self.patch, column // self.patch + grid)
            total[..., rows, columns] += maps[:, number]
            count[rows, columns] += 1
        return total / count


def sliding_windows(scale: float, size: int, patch: int, overlap: float = 0.5) -> Windows:
    """Windows that cover a picture of about `scale * size` pixels (rounded to whole patches), neighbors
    sharing at least `overlap` of a window. `size` must be a multiple of `patch`."""
    side = max(round(scale * size / patch) * patch, size)
    steps = ceil((side - size) / max(size * (1 - overlap), patch))
    starts = sorted({round(step * (side - size) / max(steps, 1) / patch) * patch for step in range(steps + 1)})
    return Windows(side, size, patch, tuple((row, column) for row in starts for column in starts))
