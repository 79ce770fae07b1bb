# SPDX-License-Identifier: Apache-2.0
"""Makes the confidence of a bundle mean something: `python -m partdistill_ros.synthetic.training.calibration BUNDLE`.

One temperature (Guo et al., "On calibration of modern neural networks", ICML 2017) is fitted on drawn shapes of every
other category that no training saw, whole and from one side, and written into the bundle; labels stay as they are.
`benchmarks/calibration.py` checks it on the other categories and on real things.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree

from partdistill_ros.distillation.samples import partial_view_masks
from partdistill_ros.inference.bundle import set_temperature
from partdistill_ros.inference.segmenter import Segmenter, confidences
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.families.family import draw
from partdistill_ros.synthetic.procedural import outer_cloud
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, HELD_OUT

FITTED, CHECKED = HELD_OUT[::2], HELD_OUT[1::2]
POINTS, BINS = 4096, 10


@dataclass(frozen=True)
class Answer:
    """What a student says of one cloud, asked for its parts: probability `[M, P]` without a temperature, and the true
    part `[M]` of each point."""

    probability: NDArray[np.float32]
    truth: NDArray[np.intp]

    def confidence(self, temperature: float) -> NDArray[np.float32]:
        """That of the best part `[M]`."""
        return confidences(self.probability, temperature).max(axis=1)

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.probability.argmax(axis=1) == self.truth)


def held_out_clouds(categories: Iterable[str], count: int, first_seed: int = 60_000) -> Iterator[Scan]:
    """Drawn shapes of categories, whole and as one camera sees them."""
    for name in categories:
        for seed in range(first_seed, first_seed + count):
            whole = outer_cloud(draw(EVERYTHING[name], seed), POINTS, seed)
            seen = partial_view_masks(whole, seed, 1)
            assert seen is not None
            yield whole
            yield whole.select(np.flatnonzero(seen[0]))


def answers(segmenter: Segmenter, clouds: Iterable[Scan]) -> list[Answer]:
    """The student's answers to labeled clouds; those with one part only are left out."""
    found = []
    for cloud in clouds:
        query = segmenter.query(", ".join(cloud.parts))
        (prediction,) = segmenter.predict([cloud.points], query, [cloud.up])
        if prediction is None or len(cloud.parts) < 2:
            continue
        truth = np.asarray(cloud.point_labels)[cKDTree(cloud.points).query(prediction.points)[1]]
        found.append(Answer(prediction.probability[truth >= 0], truth[truth >= 0].astype(np.intp)))
    return found


def fit_temperature(some: Sequence[Answer]) -> float:
    """The temperature at which the truth is likeliest, every cloud counting the same."""

    def surprise(temperature: float) -> float:
        chances = [
            np.take_along_axis(confidences(one.probability, temperature), one.truth[:, None], axis=1) for one in some
        ]
        return float(np.mean([-np.log(np.maximum(chance, 1e-9)).mean() for chance in chances]))

    return round(float(minimize_scalar(surprise, bounds=(0.3, 6.0), method="bounded").x), 2)


def calibration_error(some: Sequence[Answer], temperature: float) -> float:
    """Expected calibration error in per cent: how far, in ten bins of confidence, the share of right points lies from
    the mean confidence; every cloud counts the same."""
    confidence = np.concatenate([one.confidence(temperature) for one in some])
    right = np.concatenate([one.right for one in some])
    weight = np.concatenate([np.full(len(one.truth), 1 / len(one.truth) / len(some)) for one in some])
    bins = np.minimum((BINS * confidence).astype(int), BINS - 1)
    return float(100 * np.abs(np.bincount(bins, weight * (confidence - right), BINS)).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("bundle", help="its folder, or default")
    parser.add_argument("--shapes", type=int, default=6, help="of each category")
    options = parser.parse_args()
    segmenter = Segmenter(options.bundle, "cpu")
    temperature = fit_temperature(answers(segmenter, held_out_clouds(FITTED, options.shapes)))
    set_temperature(segmenter.bundle.path, temperature)
    print(f"{segmenter.bundle.path}: temperature {temperature}")


if __name__ == "__main__":
    main()
