# SPDX-License-Identifier: Apache-2.0
"""Colors of parts: the same name has the same color in pictures, PLY files and RViz."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Color = tuple[int, int, int]

UNLABELED_COLOR: Color = (128, 128, 128)

# Told apart at a glance and from the unlabeled gray; neighbors in the list differ most, because
# a name whose own color is taken moves to the next one.
_COLORS: tuple[Color, ...] = (
    (230, 60, 60),
    (55, 125, 220),
    (250, 200, 30),
    (50, 165, 80),
    (240, 130, 200),
    (95, 215, 230),
    (245, 135, 40),
    (135, 70, 185),
    (180, 225, 80),
    (150, 80, 40),
    (30, 80, 140),
    (250, 180, 150),
    (20, 140, 135),
    (200, 40, 135),
    (190, 170, 250),
    (120, 130, 20),
)


def part_color(name: str) -> Color:
    """RGB of a part by its name alone (letter case and outer spaces do not count)."""
    return _COLORS[_slot(name)]


def part_colors(parts: Sequence[str]) -> NDArray[np.uint8]:
    """RGB `[P, 3]` for the parts of one query, all different.

    A part keeps `part_color(name)` unless an earlier part has taken it; beyond 16 parts the same
    colors come again, darker each round.
    """
    colors = np.empty((len(parts), 3), np.uint8)
    taken: set[int] = set()
    for index, name in enumerate(parts):
        if len(taken) == len(_COLORS):
            taken.clear()
        slot = _slot(name)
        while slot in taken:
            slot = (slot + 1) % len(_COLORS)
        taken.add(slot)
        colors[index] = np.array(_COLORS[slot]) * 0.7 ** (index // len(_COLORS))
    return colors


def label_colors(labels: NDArray[np.integer], parts: Sequence[str]) -> NDArray[np.uint8]:
    """RGB `[N, 3]` of point labels `[N]` that index `parts`; -1 is the unlabeled gray."""
    table = np.vstack([part_colors(parts), np.array([UNLABELED_COLOR], np.uint8)])
    return table[np.where(labels < 0, len(parts), labels)]


def _slot(name: str) -> int:
    # crc32, unlike hash(), is the same in every process.
    return zlib.crc32(name.strip().lower().encode()) % len(_COLORS)
