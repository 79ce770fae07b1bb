# SPDX-License-Identifier: Apache-2.0
"""Answers smoothed over superpoints or over neighbors, against the answers as they are.

    python benchmarks/smoothing.py [SHAPE or folder ...] [--bundle default] [--drawn N]

A point's probabilities become a mixture of its own and the mean of its superpoint, or the mean over its nearest points.
mIoU in per cent, mean over categories, and how many categories gain and lose more than 0.05. --drawn: N shapes of each
of the drawn categories that no training saw, instead of files.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
from cosegment import shapes_and_student
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from partdistill_ros.cli.progress import progress
from partdistill_ros.evaluation.miou import Summary, score_shape, summarize
from partdistill_ros.evaluation.shapes import Shape
from partdistill_ros.inference.segmenter import Prediction
from partdistill_ros.pointcloud.superpoints import SuperpointConfig, piece_means, superpoints
from partdistill_ros.visualization.tables import aligned

Smooth = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]
"""Points `[N, 3]` and probabilities `[N, P]` to smoothed ones."""


def over_superpoints(weight: float, least: int) -> Smooth:
    """`weight` of the mean of a point's superpoint, of which a shape has about `least`."""

    def smooth(points: NDArray[np.float32], probability: NDArray[np.float32]) -> NDArray[np.float32]:
        piece = superpoints(points, SuperpointConfig(least=least))
        return (1 - weight) * probability + weight * piece_means(probability, piece)[piece]

    return smooth


def over_neighbors(count: int) -> Smooth:
    """The mean over the `count` nearest points."""
    return lambda points, probability: probability[cKDTree(points).query(points, count)[1]].mean(axis=1)


WAYS: dict[str, Smooth] = {
    "as they are": lambda points, probability: probability,
    **{
        f"superpoints ({least}), weight {weight:g}": over_superpoints(weight, least)
        for least in (40, 80)
        for weight in (0.3, 0.5, 1.0)
    },
    **{f"{count} neighbors": over_neighbors(count) for count in (8, 16, 32)},
}


def measured(shapes: Sequence[Shape], predictions: Sequence[Prediction], smooth: Smooth) -> Summary:
    """The scores of the smoothed answers."""
    scores = []
    for shape, prediction in zip(shapes, predictions, strict=True):
        question, points = shape.question, prediction.points.astype(np.float32)
        labels = smooth(points, prediction.probability).argmax(axis=1)
        answer = labels[cKDTree(points).query(question.cloud.points)[1]]
        scores.append(score_shape(question.name, question.category, question.parts, answer, shape.truth))
    return summarize(scores)


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    shapes, segmenter = shapes_and_student(arguments, __doc__)
    predictions = []
    for shape in progress(shapes, "ask", len(shapes)):
        question = shape.question
        query = segmenter.query(f"{question.category}: {', '.join(question.parts)}")
        (prediction,) = segmenter.predict([question.cloud.points], query, [question.cloud.up])
        predictions.append(prediction)
    found = {name: measured(shapes, predictions, way) for name, way in progress(WAYS.items(), "smooth", len(WAYS))}
    before = next(iter(found.values())).categories
    rows = []
    for name, summary in found.items():
        gains = np.array([summary.categories[category] - before[category] for category in before])
        counts = f"{(gains > 0.05).sum()} / {(gains < -0.05).sum()}"
        rows.append((name, f"{summary.overall:.1f}", f"{gains.min():+.1f}", f"{gains.max():+.1f}", counts))
    print(aligned([("answers", "mIoU", "worst category", "best", "gain / lose"), *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
