# SPDX-License-Identifier: Apache-2.0
"""Patches of a surface: what hangs together without a jump of depth and without a crease."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from partdistill_ros.objects.surface import Mask, Surface

Labels = NDArray[np.int32]

REACH = 2  # pixels to either side of a crease between which the normal's turn is taken
CONCAVE = np.sin(np.radians(20) / 2) * 2  # turn over 2 * REACH pixels that parts; the inside of a mug turns by 23 deg
CONVEX = np.sin(np.radians(40) / 2) * 2  # the outside of a can of 7 cm turns by 26 degrees
SMALLEST = 6  # pixels; fewer are no patch


@dataclass(frozen=True)
class Patches:
    """label: number `[h, w]` of the patch of each pixel, from 1, the largest first; 0 where nothing was
    measured or too little hangs
    together.  bend: along rows and along columns `[h, w]` each, how far the normal turns around each pixel (length of
    its change over `2 * REACH` pixels), positive where convex, NaN where the surface ends."""

    label: Labels
    bend: tuple[NDArray[np.float32], NDArray[np.float32]]

    @property
    def count(self) -> int:
        """How many patches there are."""
        return int(self.label.max(initial=0))


def _bend(surface: Surface, axis: int) -> NDArray[np.float32]:
    """The turn of the normal around each pixel along an axis, as `Patches.bend`."""
    linked = surface.down if axis == 0 else surface.right
    ahead, behind = _ends(axis, 2 * REACH)
    turn = surface.normals[ahead] - surface.normals[behind]
    chord = surface.points[ahead] - surface.points[behind]
    amount = np.sqrt(np.einsum("hwi,hwi->hw", turn, turn))
    amount = np.copysign(amount, np.einsum("hwi,hwi->hw", turn, chord))
    whole = np.ones(amount.shape, bool)
    for offset in range(2 * REACH):
        start = [slice(None), slice(None)]
        start[axis] = slice(offset, offset + amount.shape[axis])
        whole &= linked[tuple(start)]
    bend = np.full(surface.inverse.shape, np.nan, np.float32)
    middle = [slice(None), slice(None)]
    middle[axis] = slice(REACH, REACH + amount.shape[axis])
    bend[tuple(middle)] = np.where(whole, amount, np.nan)
    return bend


def _ends(axis: int, distance: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of the pixels `distance` farther along an axis, and of those that they are compared with."""
    if axis == 0:
        return np.s_[distance:, :], np.s_[:-distance, :]
    return np.s_[:, distance:], np.s_[:, :-distance]


def patches_of(surface: Surface) -> Patches:
    """The surface cut at jumps and creases; the pixels of a crease go to the nearest patch."""
    bend = _bend(surface, 1), _bend(surface, 0)
    crease = np.zeros(surface.inverse.shape, bool)
    for turn in bend:
        with np.errstate(invalid="ignore"):
            crease |= (turn < -CONCAVE) | (turn > CONVEX)
    measured = surface.inverse > 0
    smooth = _components(surface, measured & ~crease)
    label = _without_small(smooth)
    _grow(surface, label, REACH + 1)
    rest = _without_small(_components(surface, measured & (label == 0)))
    label = np.where(rest > 0, rest + label.max(), label)
    _grow(surface, label, 2)
    count = np.bincount(label.ravel())
    order = np.argsort(-count[1:], kind="stable")
    number = np.zeros(len(count), np.int32)
    number[order + 1] = np.arange(1, len(count))
    return Patches(number[label], bend)


def _components(surface: Surface, chosen: Mask) -> Labels:
    """Numbers of the chosen pixels that hang together over links, 0 for the others."""
    numbers = np.full(chosen.shape, -1, np.int32)
    count = int(chosen.sum())
    numbers[chosen] = np.arange(count)
    across = surface.right & chosen[:, :-1] & chosen[:, 1:]
    along = surface.down & chosen[:-1] & chosen[1:]
    start = np.concatenate([numbers[:, :-1][across], numbers[:-1][along]])
    end = np.concatenate([numbers[:, 1:][across], numbers[1:][along]])
    links = coo_array((np.ones(len(start), np.int8), (start, end)), shape=(count, count))
    found = connected_components(links, directed=False)[1]
    result = np.zeros(chosen.shape, np.int32)
    result[chosen] = found + 1
    return result


def _without_small(label: Labels) -> Labels:
    """The labels numbered from 1 without gaps after those of fewer than `SMALLEST` pixels became 0."""
    count = np.bincount(label.ravel())
    kept = count >= SMALLEST
    kept[0] = False
    number = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return number[label]


def _grow(surface: Surface, label: Labels, steps: int) -> None:
    """Pixels without a patch take that of a neighbor on the same surface, so many pixels deep."""
    for _ in range(steps):
        for linked, first, second in (
            (surface.right, label[:, :-1], label[:, 1:]),
            (surface.down, label[:-1], label[1:]),
        ):
            old_first = first.copy()
            take = linked & (first == 0) & (second > 0)
            first[take] = second[take]
            take = linked & (second == 0) & (old_first > 0)
            second[take] = old_first[take]
