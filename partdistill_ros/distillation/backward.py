# SPDX-License-Identifier: Apache-2.0
"""Backward distillation: the student re-scores the units that taught it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.knowledge.units import KnowledgeUnits


def agreement(units: KnowledgeUnits, labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """`s'_k = |{p in M_k : argmax z(p) = c_k}| / |M_k|` (PartDistill, CVPR 2024) for `labels [N]`."""
    owner = units.owner()
    agrees = labels[units.indices] == units.part[owner]
    return (np.bincount(owner, agrees, len(units)) / np.maximum(units.sizes(), 1)).astype(np.float32)


def rescore(
    members: Sequence[KnowledgeUnits], labels: Sequence[NDArray[np.integer]], rule: str
) -> list[KnowledgeUnits]:
    """Units with new scores from the student's answer on every point of every member of a category.

    rule `published`: s' alone. `kept-mass`: s' rescaled so that every part name keeps the total weight
    `sum s|M|` it had over the category; otherwise a dominant part's units score high, those of small
    parts fade, and the student forgets them.
    """
    scores = [agreement(units, answer) for units, answer in zip(members, labels, strict=True)]
    if rule == "published":
        return [units.with_scores(score) for units, score in zip(members, scores, strict=True)]
    parts = len(members[0].parts)
    before, after = np.zeros(parts), np.zeros(parts)
    for units, score in zip(members, scores, strict=True):
        size = units.sizes()
        before += np.bincount(units.part, units.score * size, parts)
        after += np.bincount(units.part, score * size, parts)
    factor = np.where(after > 0, before / np.maximum(after, 1e-9), 1.0).astype(np.float32)
    return [units.with_scores(score * factor[units.part]) for units, score in zip(members, scores, strict=True)]
