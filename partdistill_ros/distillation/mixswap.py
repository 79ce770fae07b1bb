# SPDX-License-Identifier: Apache-2.0
"""New training clouds from two of one category that swap parts: the handle of one mug on the cup of another.

After Umam, Yang, Chuang, Chuang, Lin, "Point MixSwap: Attentional Point Cloud Mixing via Swapping
Matched Structural Divisions", ECCV 2022. There a network for classification learns, by attention to
queries that a category shares, into which divisions (3) its shapes fall, and shapes of the category
exchange matched divisions, as points or as features. Differences here:

- a division is a part that the teacher (or the student) sees, so that divisions match by name and
  every point keeps its own label;
- a division is placed where the other shape had it, because parts that stay where they were in their
  own shape float beside it or run through it; one that would have to be stretched too far is not swapped;
- one cloud is made of two, of all their points, instead of as many as there are divisions, resampled.

A mix is as clean as its divisions: true parts give objects, but strays of the teacher `mini` (6 % of a
mug's points, half of an airplane's wrong) come along to the wrong place and are seen as debris.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.pointcloud.frames import turn_about_z

LEAST_POINTS = 32  # of a part in a cloud, to be swapped
PROBES = 400  # points that measure a part: 0.1 ms for all parts of a cloud instead of 1
OUTSIDE = 0.02  # share of them at either end of an axis that does not count: mislabeled points lie far out
STRETCH = 2.0  # per axis at most, and its inverse at least
MISFIT = 0.15  # object radii that an end of a part may miss its place by when that is not enough
OFF_CENTER = 0.1  # object radii of the parts' layout about the vertical, below which it tells no direction


@dataclass(frozen=True)
class Mixed:
    """points: `[K, 3] f4` in the first cloud's frame, those of the first cloud before those of the second.
    origin: `[K]` the cloud each is of, 0 or 1.  source: `[K]` its row in that cloud."""

    points: NDArray[np.float32]
    origin: NDArray[np.int64]
    source: NDArray[np.int64]

    def gather(self, first: NDArray[Any], second: NDArray[Any]) -> NDArray[Any]:
        """What belongs to the points, from the values `[N, ...]` and `[M, ...]` of the two clouds."""
        own = self.origin == 0
        return np.concatenate([first[self.source[own]], second[self.source[~own]]])


@dataclass(frozen=True)
class _Box:
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def middle(self) -> NDArray[np.float64]:
        return (self.low + self.high) / 2

    @property
    def extent(self) -> NDArray[np.float64]:
        return self.high - self.low


def mix_swap(
    rng: np.random.Generator,
    first: NDArray[np.float32],
    first_parts: NDArray[np.integer],
    second: NDArray[np.float32],
    second_parts: NDArray[np.integer],
) -> Mixed:
    """`first` with some parts of `second` in place of its own.

    first, second: `[N, 3]` and `[M, 3]` in the unit ball, up = +z.  first_parts, second_parts: `[N]` and
    `[M]` part of each point, -1 for none (such points of the first cloud stay, those of the second do
    not come along; `divisions` leaves none).
    The parts are a random choice, neither none nor all, of those that both clouds hold; `first` alone
    comes back where none can be swapped.
    """
    shared = sorted(_held(first_parts) & _held(second_parts))
    rows = {part: np.flatnonzero(second_parts == part) for part in shared}
    here = [first[first_parts == part] for part in shared]
    there = [second[rows[part]] for part in shared]
    turn = _facing(here, there)
    there = [points @ turn.T for points in there]
    places = [(_box(place), _box(own)) for place, own in zip(here, there, strict=True)]
    fitting = [part for part, (place, own) in zip(shared, places, strict=True) if _fits(place, own)]
    chosen = _choose(rng, fitting, allow_all=len(fitting) < len(shared))
    kept = np.flatnonzero(~np.isin(first_parts, chosen))
    brought = [_put(there[at], *places[at]) for at in map(shared.index, chosen)]
    source = np.concatenate([kept, *(rows[part] for part in chosen)])
    return Mixed(
        np.concatenate([first[kept], *brought]).astype(np.float32),
        (np.arange(len(source)) >= len(kept)).astype(np.int64),
        source,
    )


def divisions(points: NDArray[np.float32], soft: NDArray[np.floating]) -> NDArray[np.int64]:
    """Part `[N]` of each of `points [N, 3]` by the largest weight of `soft [N, P]`; a point without any
    goes with the nearest that has one. All -1 where nothing is known of any."""
    part = np.where(soft.max(1) > 0, soft.argmax(1), -1)
    known = np.flatnonzero(part >= 0)
    lost = np.flatnonzero(part < 0)
    if len(known) and len(lost):
        part[lost] = part[known[cKDTree(points[known]).query(points[lost])[1]]]
    return part


def _held(parts: NDArray[np.integer]) -> set[int]:
    return set(np.flatnonzero(np.bincount(parts[parts >= 0]) >= LEAST_POINTS).tolist())


def _box(points: NDArray[np.floating]) -> _Box:
    """Where a part is, up to a few stray points."""
    ordered = np.sort(points[:: max(1, len(points) // PROBES)], axis=0)
    skipped = int(OUTSIDE * len(ordered))
    return _Box(ordered[skipped].astype(np.float64), ordered[-1 - skipped].astype(np.float64))


def _facing(here: Sequence[NDArray[np.floating]], there: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """The turn about the vertical that lays the centers of the parts `there` over those `here`, by least
    squares: scans of mugs have their handles anywhere. None where the parts lie one above the other."""
    if not here:
        return np.eye(3)
    a, b = (np.array([points[:, :2].mean(0, dtype=np.float64) for points in parts]) for parts in (here, there))
    a, b = a - a.mean(0), b - b.mean(0)
    along, across = (a * b).sum(), (b[:, 0] * a[:, 1] - b[:, 1] * a[:, 0]).sum()
    if np.hypot(along, across) < OFF_CENTER**2:
        return np.eye(3)
    return turn_about_z(float(np.arctan2(across, along)))


def _stretch(place: _Box, own: _Box) -> NDArray[np.float64]:
    scale: NDArray[np.float64] = np.clip(place.extent / np.maximum(own.extent, 1e-6), 1 / STRETCH, STRETCH)
    return scale


def _fits(place: _Box, own: _Box) -> bool:
    return bool((np.abs(own.extent * _stretch(place, own) - place.extent) <= 2 * MISFIT).all())


def _put(points: NDArray[np.floating], place: _Box, own: _Box) -> NDArray[np.floating]:
    moved: NDArray[np.floating] = (points - own.middle) * _stretch(place, own) + place.middle
    return moved


def _choose(rng: np.random.Generator, parts: list[int], allow_all: bool) -> list[int]:
    """A random choice that is not empty, and not all of them unless allowed; empty where there is none."""
    choices = 2 ** len(parts) - (1 if allow_all else 2)
    if choices < 1:
        return []
    number = int(rng.integers(1, choices + 1))
    return [part for bit, part in enumerate(parts) if number >> bit & 1]
