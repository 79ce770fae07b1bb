# SPDX-License-Identifier: Apache-2.0
"""What is measured of patches of a surface, and of pairs of them that may be one object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.objects.groups import label_order

Array = NDArray[np.float32]

FLAT = 0.17  # turn of the normal (10 degrees) below which an edge is no crease

FEATURES = (
    "edge",  # pixels of common edge without a jump, relative to the root of the smaller patch's pixels
    "jump",  # the same with a jump
    "convex",  # share of the edge that is convex or flat
    "concave",  # share that is concave
    "turn",  # mean turn of the normal over the edge, positive convex
    "depth",  # mean jump in meters relative to the smaller patch's size
    "small_nearer",  # share of the jumps at which the smaller patch is in front
    "enclosed",  # share of the smaller patch's outline that borders on the larger one
    "through",  # 1: seen on two sides of something in front of both
    "gap",  # least distance of the patches' outlines there, relative to the smaller one's size
    "normals",  # cosine between the mean normals
    "above_large",  # height of the smaller one's middle over the larger one's mean plane, relative to its size
    "above_small",  # the other way round
    "size_large",  # log of the size in meters
    "size_small",
    "round_large",  # 1 - length of the mean normal: 0 for planes
    "round_small",
    "bend_large",  # mean turn of the normal within the patch, positive convex
    "bend_small",
    "top",  # difference of the tops' heights over the table, larger minus smaller, in decimeters
    "bottom",  # of the lowest points
    "stands_large",  # height of the lowest point over the table in decimeters
    "stands_small",
    "upright_large",  # cosine between mean normal and up
    "upright_small",
    "width_large",  # centimeters that fit into the patch
    "width_small",
    "at_large",  # mean height of the common edge between the larger one's lowest and highest point, 0 to 1
    "at_small",
)


@dataclass(frozen=True)
class Contacts:
    """first, second: `[E]` patch numbers, from 0, of each pair; features: `[E, len(FEATURES)] f4`."""

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    features: Array

    def column(self, name: str) -> Array:
        """One feature `[E]` by its name."""
        return self.features[:, FEATURES.index(name)]


@dataclass(frozen=True)
class PatchShapes:
    """Of each patch `[P]`: pixels, size (root of its area) in meters, middle and mean normal `[P, 3]`, roundness,
    mean bend, greatest and least height over the table, pixels of its outline, width in meters
    of what fits in."""

    pixels: Array
    size: Array
    middle: Array
    normal: Array
    roundness: Array
    bend: Array
    top: Array
    bottom: Array
    outline: Array
    width: Array


def shapes_of(
    label: NDArray[np.integer],
    points: Array,
    normals: Array,
    height: Array,
    area: Array,
    bend: Array,
    inner: Array,
    outline: Array,
) -> PatchShapes:
    """What is measured of single patches, by the elements of the surface that lie on one.

    label: patch `[M]` of each element, from 0.  points, normals: `[M, 3]`.  height: `[M]` over the table.
    area: `[M]` in square meters.  bend: `[M]` turn of the normal around each.  inner: `[M]` meters to the outline.
    outline: how many elements' edges of each patch `[P]` lie on that.
    """
    count = len(outline)
    pixels = np.bincount(label, minlength=count).astype(np.float32)

    def mean(values: Array) -> Array:
        return np.bincount(label, values, count).astype(np.float32) / pixels

    middle = np.stack([mean(points[:, axis]) for axis in range(3)], -1)
    normal = np.stack([mean(normals[:, axis]) for axis in range(3)], -1)
    length = np.linalg.norm(normal, axis=1)
    normal /= np.maximum(length, 1e-6)[:, None]
    # Numbers of two bytes are sorted by radix, a fourth of the time: by height in steps of 0.1 mm, of more where the
    # heights span over 6 m, then by patch.
    step = max(1e-4, float(np.ptp(height)) / 6e4)
    order = np.argsort(((height - height.min()) / np.float32(step)).astype(np.uint16), kind="stable")
    order = order.take(label_order(label.take(order)))
    start = np.concatenate([[0], np.cumsum(pixels)[:-1]]).astype(np.intp)
    bottom, top = (height[order[start + (share * pixels).astype(np.intp)]] for share in (0.03, 0.97))
    size = np.sqrt(np.bincount(label, area, count)).astype(np.float32)
    width = np.maximum.reduceat(inner.take(order), start).astype(np.float32)
    return PatchShapes(pixels, size, middle, normal, 1 - length, mean(bend), top, bottom, outline, 2 * width)


@dataclass(frozen=True)
class Border:
    """Pairs `[B]` of neighbors that belong to two patches: the number of the larger patch and of the smaller one,
    whether one surface runs from one to the other, the turn of the normal there (NaN unknown), how much nearer the
    smaller one is (meters, 0 unknown), where both are `[B, 3]`, and how many pixels' edges each pair stands for."""

    large: NDArray[np.int64]
    small: NDArray[np.int64]
    linked: NDArray[np.bool_]
    turn: Array
    nearer: Array
    large_point: Array
    small_point: Array
    weight: Array


def contacts_of(border: Border, shapes: PatchShapes, up: NDArray[np.floating], offset: float) -> Contacts:
    """The pairs that share a border or are seen on two sides of something in front, measured;
    height over the table is `up @ point + offset`."""
    count = len(shapes.pixels)
    key, pair = np.unique(border.large * count + border.small, return_inverse=True)
    large, small = key // count, key % count

    def total(values: NDArray[Any]) -> Array:
        return np.bincount(pair, values * border.weight, len(key)).astype(np.float32)

    linked, known = border.linked, border.linked & np.isfinite(border.turn)
    turn = np.where(known, border.turn, 0)
    edges, known_edges, jumps = total(linked), np.maximum(total(known), 1e-3), total(~linked)
    touching = {
        "edge": edges / np.sqrt(shapes.pixels[small]),
        "jump": jumps / np.sqrt(shapes.pixels[small]),
        "convex": total(known & (turn > -FLAT)) / known_edges,
        "concave": total(known & (turn <= -FLAT)) / known_edges,
        "turn": total(turn) / known_edges,
        "depth": total(np.abs(border.nearer) * ~linked) / np.maximum(jumps, 1) / shapes.size[small],
        "small_nearer": total((border.nearer > 0) & ~linked) / np.maximum(jumps, 1),
        "enclosed": (edges + jumps) / shapes.outline[small],
        "at_large": total(border.large_point @ up) / (edges + jumps) + offset,
        "at_small": total(border.small_point @ up) / (edges + jumps) + offset,
    }
    joined = set(key[edges > 0].tolist())
    through = _seen_through(border, shapes, count, joined)
    if len(through):
        # a pair that meets at a jump only, and continues behind something, is measured as the latter
        stay = ~np.isin(key, through[:, 0].astype(np.int64))
        large = np.concatenate([large[stay], through[:, 0].astype(np.int64) // count])
        small = np.concatenate([small[stay], through[:, 0].astype(np.int64) % count])
        none = np.zeros(len(through), np.float32)
        touching = {name: np.concatenate([values[stay], none]) for name, values in touching.items()}
        touching["gap"] = np.concatenate([np.zeros(stay.sum()), through[:, 1] / shapes.size[small[stay.sum() :]]])
        touching["through"] = np.concatenate([np.zeros(stay.sum()), none + 1])
    return Contacts(large, small, _features(large, small, touching, shapes, up))


def _seen_through(border: Border, shapes: PatchShapes, count: int, joined: set[int]) -> NDArray[np.float64]:
    """Pairs of patches that something in front of both parts: `[T, 2]`, the pair's key and the gap in meters."""
    with np.errstate(invalid="ignore"):
        touch = border.linked & (border.turn < -FLAT)  # either may be in front
    jump = ~border.linked & (border.nearer != 0)
    small_front = np.concatenate([border.nearer[jump] > 0, np.repeat([True, False], touch.sum())])
    at = np.concatenate([np.flatnonzero(jump), np.tile(np.flatnonzero(touch), 2)])
    front = np.where(small_front, border.small[at], border.large[at])
    back = np.where(small_front, border.large[at], border.small[at])
    point = np.where(small_front[:, None], border.large_point[at], border.small_point[at])
    order = np.lexsort((back, front))
    front, back, point = front[order], back[order], point[order]
    start = np.flatnonzero(np.diff(front * count + back, prepend=-1))
    if not len(start):
        return np.empty((0, 2))
    groups: dict[int, list[tuple[int, Array]]] = {}
    for begin, end in zip(start, [*start[1:], len(front)], strict=True):
        if end - begin >= 3:
            step = max(1, (end - begin) // 16)
            groups.setdefault(int(front[begin]), []).append((int(back[begin]), point[begin:end:step]))
    gaps: dict[int, float] = {}
    for behind in groups.values():
        for i, (one, points) in enumerate(behind):
            for other, others in behind[i + 1 :]:
                key = min(one, other) * count + max(one, other)
                if key not in joined:
                    gap = float(np.sqrt(((points[:, None] - others[None]) ** 2).sum(-1).min()))
                    gaps[key] = min(gap, gaps.get(key, np.inf))
    return np.array(list(gaps.items()), float).reshape(-1, 2)


def _features(
    large: NDArray[np.int64],
    small: NDArray[np.int64],
    touching: dict[str, Array],
    shapes: PatchShapes,
    up: NDArray[np.floating],
) -> Array:
    """The columns of `FEATURES` for pairs of patches."""
    apart = shapes.middle[small] - shapes.middle[large]
    size = shapes.size[small]
    at_large, at_small = touching["at_large"] - shapes.bottom[large], touching["at_small"] - shapes.bottom[small]
    values = touching | {
        "at_large": (at_large / np.maximum(shapes.top[large] - shapes.bottom[large], 0.005)).clip(-0.5, 1.5),
        "at_small": (at_small / np.maximum(shapes.top[small] - shapes.bottom[small], 0.005)).clip(-0.5, 1.5),
        "normals": np.einsum("ij,ij->i", shapes.normal[large], shapes.normal[small]),
        "above_large": np.einsum("ij,ij->i", shapes.normal[large], apart) / size,
        "above_small": np.einsum("ij,ij->i", shapes.normal[small], -apart) / size,
        "size_large": np.log(shapes.size[large]),
        "size_small": np.log(size),
        "round_large": shapes.roundness[large],
        "round_small": shapes.roundness[small],
        "bend_large": shapes.bend[large],
        "bend_small": shapes.bend[small],
        "top": 10 * (shapes.top[large] - shapes.top[small]),
        "bottom": 10 * (shapes.bottom[large] - shapes.bottom[small]),
        "stands_large": 10 * shapes.bottom[large],
        "stands_small": 10 * shapes.bottom[small],
        "upright_large": shapes.normal[large] @ up,
        "upright_small": shapes.normal[small] @ up,
        "width_large": 100 * shapes.width[large],
        "width_small": 100 * shapes.width[small],
    }
    zero = np.zeros(len(large), np.float32)
    columns = [np.clip(values.get(name, zero), -10, 10) for name in FEATURES]
    return np.stack(columns, -1).astype(np.float32) if len(large) else np.zeros((0, len(FEATURES)), np.float32)
