# SPDX-License-Identifier: Apache-2.0
"""What the shipped student said before it learned from the teacher: a second opinion about every point.

A student that starts from `default` knows the words already, and its errors are not the teacher's. So it takes part in
the posterior as a second rater with a confusion matrix of its own (Dawid and Skene, 1979), and it is the judge of
whether the teacher's units tell anything that the student in training does not know. Numbers: docs/notes/backward.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.distillation.config import BackwardConfig
from partdistill_ros.distillation.disk_list import DiskList

Answers = Sequence[NDArray[np.float32]]
"""Probabilities `[N, P]` of the points of every sample of a category."""


def confirmed(candidates: Sequence[Answers], opinions: Answers, min_gain: float) -> Answers:
    """The candidate whose names tell most about those of the opinions; the first, where none tells `min_gain` more.

    Two raters who err independently agree about what is true only: what lets the names of one foretell those of the
    other better is nearer to the truth.
    """
    told = [mutual_information(candidate, opinions) for candidate in candidates]
    best = int(np.argmax(told))
    return candidates[best if told[best] > told[0] + min_gain else 0]


def mutual_information(answers: Answers, opinions: Answers) -> float:
    """Of the likeliest names of all points by both, in nats."""
    eye = np.eye(answers[0].shape[1])
    joint = sum(eye[one.argmax(1)].T @ eye[other.argmax(1)] for one, other in zip(answers, opinions, strict=True))
    joint = joint / np.sum(joint)
    chance, seen = joint.sum(1, keepdims=True) * joint.sum(0), joint > 0
    return float((joint[seen] * np.log(joint[seen] / chance[seen])).sum())


def opinion_matrix(answers: Answers, opinions: Answers, trust: float, smoothing: float) -> NDArray[np.float64]:
    """`E [P, P]`: what the opinions call (column) points of part t (row), as far as `answers` tell. `trust` is the
    weight, as a fraction of all points, of the belief before any count that they call each part by its name."""
    num_parts = answers[0].shape[1]
    counts = np.zeros((num_parts, num_parts))
    for one, other in zip(answers, opinions, strict=True):
        counts += one.T @ other
    counts += trust * counts.sum() / num_parts * np.eye(num_parts)
    return smoothed_rows(counts, smoothing)


def smoothed_rows(counts: NDArray[np.float64], smoothing: float) -> NDArray[np.float64]:
    """The rows of a confusion matrix `[P, P]`, each of sum 1, from counts; even where nothing was counted."""
    total = counts.sum(1, keepdims=True)
    rows = np.where(total > 1e-9, counts / np.maximum(total, 1e-9), 1 / len(counts))
    return (rows + smoothing) / (1 + len(counts) * smoothing)


def with_opinions(answers: Answers, opinions: Answers, config: BackwardConfig) -> Answers:
    """Posteriors of the answers and the opinions: `q(t) ~ p(t) * prod_c E[t, c] ** o(c)`, matrix and posteriors each
    from the other."""
    found = answers
    for _ in range(config.num_rounds):
        matrix = opinion_matrix(found, opinions, config.opinion_trust, config.confusion_smoothing)
        evidence = config.opinion_weight * np.log(matrix).T
        found = DiskList(
            _normalized(np.maximum(one, 1e-6) * np.exp(opinion @ evidence))
            for one, opinion in zip(answers, opinions, strict=True)
        )
    return found


def _normalized(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return (values / values.sum(1, keepdims=True)).astype(np.float32)
