# SPDX-License-Identifier: Apache-2.0
"""Patches to objects: a score for each pair of patches, and the joining of pairs while the sum of scores grows."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.objects.contacts import Contacts, PatchShapes

Scores = NDArray[np.float32]

FLUSH = 0.012  # meters that two pieces of one face may lie off each other
THIN = 0.02  # meters; narrower pieces that touch something are its rim, lip or handle
TINY = 40  # pixels; less is no object


def convexity_scores(contacts: Contacts) -> Scores:
    """Log-odds `[E]` that both patches are one object, by the shape of their common edge.

    Solid things are convex where two of their faces meet, and concave where one thing touches another (Stein et al.,
    "Object partitioning using local convexity", CVPR 2014). The longer the edge, the surer; a jump says little. The
    hollow inside of a vessel is seen over its rim: it bends inwards and ends as high as the outside does.
    """
    edge, jump = contacts.column("edge"), contacts.column("jump")
    normals, through = contacts.column("normals"), contacts.column("through") > 0
    score = np.minimum(1, edge / 0.5) * (8 * contacts.column("convex") - 5.5) - 0.5 * np.minimum(1, jump)
    bend_large, bend_small, top = contacts.column("bend_large"), contacts.column("bend_small"), contacts.column("top")
    opposite = np.minimum(bend_large, bend_small) < -0.04
    opposite &= np.maximum(bend_large, bend_small) > 0.04
    opposite &= np.abs(contacts.column("above_large")) > 0.3
    near = (edge + jump > 0.3) | (through & (contacts.column("gap") < 1))
    score[opposite & near & (np.abs(top) < 0.15) & (normals > 0.3)] = 3
    inside = (bend_large < -0.06) & (bend_small < 0.03) & (top > -0.1) & (edge > 0.5)
    score[inside] = 2
    flush = np.maximum(np.abs(contacts.column("above_large")), np.abs(contacts.column("above_small")))
    continues = through & (flush * np.exp(contacts.column("size_small")) < FLUSH) & (normals > 0.95)
    return np.where(continues, 1.5, score).astype(np.float32)


def join(count: int, contacts: Contacts, scores: Scores) -> NDArray[np.intp]:
    """Object number `[count]` of each patch: the pair with the highest score is joined, the scores of edges that now
    run between the same two are added, until no positive score is left (greedy additive edge contraction, Keuper et
    al., ICCV 2015)."""
    weights: list[dict[int, float]] = [{} for _ in range(count)]
    for a, b, score in zip(contacts.first.tolist(), contacts.second.tolist(), scores.tolist(), strict=True):
        weights[a][b] = weights[b][a] = score
    queue = [(-score, a, b) for a in range(count) for b, score in weights[a].items() if a < b and score > 0]
    heapq.heapify(queue)
    parent = list(range(count))
    while queue:
        negative, a, b = heapq.heappop(queue)
        if weights[a].get(b) != -negative:
            continue  # joined or changed since
        if len(weights[a]) < len(weights[b]):
            a, b = b, a
        parent[b] = a
        for other, score in weights[b].items():
            del weights[other][b]
            if other == a:
                continue
            total = weights[a].get(other, 0.0) + score
            weights[a][other] = weights[other][a] = total
            if total > 0:
                heapq.heappush(queue, (-total, min(a, other), max(a, other)))
        weights[b] = {}
    for patch in range(count):
        while parent[patch] != parent[parent[patch]]:
            parent[patch] = parent[parent[patch]]
    return np.unique(parent, return_inverse=True)[1]


def join_thin(objects: NDArray[np.intp], contacts: Contacts, shapes: PatchShapes) -> NDArray[np.intp]:
    """Objects `[P]` after those that consist of narrow pieces only have joined the one with which they share the
    longest edge, unless they stand on the table: rims, lips, handles."""
    count = int(objects.max(initial=-1)) + 1
    wide, foot = np.zeros(count, np.float32), np.full(count, np.inf, np.float32)
    np.maximum.at(wide, objects, shapes.width)
    np.minimum.at(foot, objects, shapes.bottom)
    edge = contacts.column("edge") * np.sqrt(shapes.pixels[contacts.second])
    one, other = objects[contacts.first], objects[contacts.second]
    shared = np.zeros((count, count), np.float32)
    np.add.at(shared, (one, other), edge)
    shared += shared.T
    np.fill_diagonal(shared, 0)
    size = np.bincount(objects, shapes.pixels, count)
    joined = np.arange(count)
    for thin in np.argsort(size):
        if (wide[thin] < THIN and foot[thin] > THIN) or size[thin] < TINY:
            partner = int(np.argmax(np.where(size > size[thin], shared[thin], 0)))
            if shared[thin, partner] >= 0.3 * np.sqrt(size[thin]):
                joined[thin] = partner
    while (joined[joined] != joined).any():
        joined = joined[joined]
    return np.unique(joined[objects], return_inverse=True)[1]
