# SPDX-License-Identifier: Apache-2.0
"""Patches of a surface: what hangs together without a jump of depth and without a crease."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from partdistill_ros.objects.contacts import Array, Border, PatchShapes, shapes_of
from partdistill_ros.objects.surface import Mask, Surface, dot

Labels = NDArray[np.int32]

REACH = 2  # pixels to either side of a crease between which the normal's turn is taken
CONCAVE = np.sin(np.radians(20) / 2) * 2  # turn over 2 * REACH pixels that parts; the inside of a mug turns by 23 deg
CONVEX = np.sin(np.radians(40) / 2) * 2  # the outside of a can of 7 cm turns by 26 degrees
SHADOW = 20  # pixels without depth in a row, at most, that an object's shadow is taken for
SMALLEST = 6  # pixels; fewer are no patch


@dataclass(frozen=True)
class Patches:
    """label: number `[h, w]` of the patch of each pixel, from 1, the largest first; 0 where nothing was measured or too
    little hangs together.  bend: along rows and along columns `[h, w]` each, how far the normal turns around each pixel
    (length of its change over `2 * REACH` pixels), positive where convex, NaN where the surface ends."""

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
    amount = np.copysign(np.sqrt(dot(turn, turn)), dot(turn, chord))
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


def _ends(axis: int, distance: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Index in `[3, h, w]` of the pixels `distance` farther along an axis, and of those that they are compared with."""
    if axis == 0:
        return np.s_[:, distance:], np.s_[:, :-distance]
    return np.s_[:, :, distance:], np.s_[:, :, :-distance]


def patches_of(surface: Surface) -> Patches:
    """The surface cut at jumps and creases; the pixels of a crease go to the nearest patch."""
    bend = _bend(surface, 1), _bend(surface, 0)
    crease = np.zeros(surface.inverse.shape, bool)
    for turn in bend:
        with np.errstate(invalid="ignore"):
            crease |= (turn < -CONCAVE) | (turn > CONVEX)
    measured = surface.inverse > 0
    label = without_small(_components(surface, measured & ~crease))
    _grow(surface, label, REACH + 1)
    rest = without_small(_components(surface, measured & (label == 0)))
    label = np.where(rest > 0, rest + label.max(), label)
    _grow(surface, label, 2)
    return Patches(by_size(label), bend)


def _components(surface: Surface, chosen: Mask) -> Labels:
    """Numbers of the chosen pixels that hang together over links, 0 for the others."""
    starts = chosen.copy()
    starts[:, 1:] &= ~(surface.right & chosen[:, :-1])
    run = np.cumsum(starts, dtype=np.int32).reshape(chosen.shape)  # along rows what hangs together is one run, from 1
    along = np.flatnonzero(surface.down & chosen[:-1] & chosen[1:])
    upper, lower = run.take(along), run.take(along + chosen.shape[1])
    other = np.flatnonzero((np.diff(upper, prepend=0) != 0) | (np.diff(lower, prepend=0) != 0))
    count = int(run[-1, -1]) + 1
    links = coo_array((np.ones(len(other), np.int8), (upper[other], lower[other])), shape=(count, count))
    found = connected_components(links, directed=False)[1]  # of run 0, which is none, 0
    return np.where(chosen, found.take(run), 0).astype(np.int32)


def by_size(label: Labels) -> Labels:
    """The labels numbered from 1, the largest patch first; 0 stays."""
    count = np.bincount(label.ravel())
    number = np.zeros(len(count), np.int32)
    number[np.argsort(-count[1:], kind="stable") + 1] = np.arange(1, len(count))
    return number[label]


def without_small(label: Labels) -> Labels:
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


def picture_shapes(surface: Surface, patches: Patches, up: Array, offset: float) -> PatchShapes:
    """What is measured of single patches; height over the table is `up @ point + offset`."""
    at = np.flatnonzero(patches.label.ravel() > 0)
    points, normals = surface.points.reshape(3, -1).take(at, axis=1), surface.normals.reshape(3, -1).take(at, axis=1)
    height = dot(points, up) + np.float32(offset)
    edge = points[2] * surface.pixel
    slant = np.maximum(np.abs(dot(normals, points)) / points[2], 0.15)
    bend = np.nan_to_num(patches.bend[0].ravel()[at]) + np.nan_to_num(patches.bend[1].ravel()[at])
    outline = np.zeros(patches.count, np.float32)
    for a, b in ((patches.label[:, :-1], patches.label[:, 1:]), (patches.label[:-1], patches.label[1:])):
        border = a != b
        for side in (a[border], b[border]):
            outline += np.bincount(side, minlength=patches.count + 1)[1:]
    inner = _inner_distance(patches.label).ravel()[at] * edge
    label = patches.label.ravel()[at] - 1
    return shapes_of(label, points.T, normals.T, height, edge**2 / slant, bend, inner, outline)


def _inner_distance(label: NDArray[np.int32]) -> NDArray[np.int32]:
    """Steps `[h, w]` to the nearest pixel of another patch, or of none."""
    inner = np.zeros(label.shape, bool)
    middle = label[1:-1, 1:-1]
    inner[1:-1, 1:-1] = (middle == label[1:-1, 2:]) & (middle == label[1:-1, :-2])
    inner[1:-1, 1:-1] &= (middle == label[2:, 1:-1]) & (middle == label[:-2, 1:-1])
    return ndimage.distance_transform_cdt(inner, "chessboard") + 1


def picture_border(surface: Surface, patches: Patches) -> Border:
    """All pairs of neighboring pixels of two patches; patches are numbered from the largest."""
    flat = np.arange(patches.label.size).reshape(patches.label.shape)
    label, pixels, links, turns = patches.label.ravel(), [], [], []
    for first, second, linked, bend in (
        (flat[:, :-1], flat[:, 1:], surface.right, patches.bend[0]),
        (flat[:-1], flat[1:], surface.down, patches.bend[1]),
    ):
        one, other = label[first], label[second]
        at = np.flatnonzero((one != other) & (one > 0) & (other > 0))
        pair = np.stack([first.ravel()[at], second.ravel()[at]])
        pixels.append(pair)
        links.append(linked.ravel()[at])
        both = bend.ravel()[pair]
        known = np.isfinite(both)
        turns.append(np.where(known, both, 0).sum(0) / np.where(known.any(0), known.sum(0), np.nan))
    pair = _across_shadow(surface, patches)
    pixels.append(pair)
    links.append(np.zeros(pair.shape[1], bool))
    turns.append(np.full(pair.shape[1], np.nan))
    pair = np.concatenate(pixels, 1)
    swapped = label[pair[0]] > label[pair[1]]
    pair = np.where(swapped, pair[::-1], pair)
    points = np.moveaxis(surface.points.reshape(3, -1).take(pair, axis=1), 0, -1)
    large, small = label[pair].astype(np.int64) - 1
    weight = np.ones(pair.shape[1], np.float32)
    nearer = points[0, :, 2] - points[1, :, 2]
    return Border(large, small, np.concatenate(links), np.concatenate(turns), nearer, points[0], points[1], weight)


def _across_shadow(surface: Surface, patches: Patches) -> NDArray[np.int64]:
    """Pixels `[2, S]` of two patches in one row with nothing but missing depth between them."""
    width = surface.missing.shape[1]
    last = np.maximum.accumulate(np.where(surface.missing, -1, np.arange(width)), axis=1)
    row, column = np.nonzero(surface.missing[:, :-1] & (patches.label[:, 1:] > 0))
    start = last[row, column]
    known = (start >= 0) & (column - start < SHADOW)
    row, column, start = row[known], column[known] + 1, start[known]
    first, second = row * width + start, row * width + column
    label = patches.label.ravel()
    differ = (label[first] > 0) & (label[first] != label[second])
    return np.stack([first[differ], second[differ]])
