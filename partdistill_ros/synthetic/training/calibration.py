# SPDX-License-Identifier: Apache-2.0
"""Sets what a bundle says to measured rates: `python -m partdistill_ros.synthetic.training.calibration BUNDLE`.

Confidence: one temperature (Guo et al., "On calibration of modern neural networks", ICML 2017), fitted on drawn shapes
of every other category that no training saw, whole and from one side; labels stay as they are.
`benchmarks/calibration.py` checks it on the other categories and on real things.
Rejection: for each category a margin, so large that in drawn clutter of all kinds the query for it labels no more than
`SPILL` of the points of other things. Both are written into the bundle.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import set_calibration
from partdistill_ros.inference.segmenter import Segmenter, confidences
from partdistill_ros.inference.sizes import LARGEST, too_large
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.clutter_scene import make_clutter
from partdistill_ros.synthetic.drawing.family import draw
from partdistill_ros.synthetic.procedural import outer_cloud
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, FREE, HELD_OUT, one_sided

FITTED, CHECKED = HELD_OUT[::2], HELD_OUT[1::2]
POINTS, BINS = 4096, 10
SPILL = 0.02  # of the points of other things in drawn clutter that a query for one category may label
MOST = 0.2  # of a margin: beyond it the evidence speaks against what was asked for


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
            yield whole
            yield one_sided(whole, seed)


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


@dataclass(frozen=True)
class Cut:
    """An object as it was cut out of drawn clutter: what fits how well by category, which of them it is too large for,
    and how many points it has of things of each kind."""

    scores: dict[str, float]
    large: dict[str, bool]
    points: dict[str, int]


def cut_clutter(segmenter: Segmenter, scenes: int, first_seed: int = 20_000) -> list[Cut]:
    """The objects cut out of drawn scenes of everything that stands on a table, each with one thing of a category whose
    size is known."""
    table = [name for name, family in EVERYTHING.items() if name not in FREE and family.size[1] <= 0.5]
    categories = segmenter.bundle.categories
    query = segmenter.query("; ".join(f"{name}: {', '.join(parts)}" for name, parts in categories.items()))
    found = []
    for seed in range(first_seed, first_seed + scenes):
        scene = make_clutter(seed, table, always=(sorted(LARGEST)[seed % len(LARGEST)],))
        try:
            extracted = extract_objects(scene.scan, TabletopParams())
        except PartDistillError:
            continue
        clouds = [scene.scan.points[index] for index in extracted.objects]
        up = scene.scan.up if extracted.plane is None else extracted.plane[:3]
        for index, cloud, prediction in zip(
            extracted.objects, clouds, segmenter.predict(clouds, query, [up] * len(clouds)), strict=True
        ):
            things, counts = np.unique(scene.object_index[index], return_counts=True)
            points: dict[str, int] = {}
            for thing, count in zip(things[things > 0], counts[things > 0], strict=True):
                kind = scene.objects[thing - 1]
                points[kind] = points.get(kind, 0) + int(count)
            if prediction is not None:
                scores = dict(zip(categories, map(float, prediction.scores), strict=True))
                found.append(Cut(scores, {name: too_large(name, cloud) for name in categories}, points))
    return found


def spill(cuts: Sequence[Cut], category: str, margin: float) -> float:
    """The share of the points of other things that a query for the category labels."""
    labeled = total = 0
    for cut in cuts:
        others = sum(count for kind, count in cut.points.items() if kind != category)
        rival = max(score for name, score in cut.scores.items() if name != category)
        total += others
        labeled += others * (not cut.large[category] and cut.scores[category] >= rival - margin)
    return labeled / max(total, 1)


def fit_margins(cuts: Sequence[Cut], categories: Iterable[str]) -> dict[str, float]:
    """The largest margin, in hundredths, of each category with a known size that keeps to `SPILL`; none where that
    takes more than is labeled without."""
    steps = np.arange(round(100 * MOST), 0, -1) / 100
    best = {name: next((float(step) for step in steps if spill(cuts, name, step) <= SPILL), 0.0) for name in categories}
    return {name: margin for name, margin in best.items() if margin}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("bundle", help="its folder, or default")
    parser.add_argument("--shapes", type=int, default=6, help="of each category")
    parser.add_argument("--scenes", type=int, default=150, help="of clutter")
    options = parser.parse_args()
    segmenter = Segmenter(options.bundle, "cpu")
    temperature = fit_temperature(answers(segmenter, held_out_clouds(FITTED, options.shapes)))
    known = [name for name in segmenter.bundle.categories if name in LARGEST]
    margins = fit_margins(cut_clutter(segmenter, options.scenes), known) if known else {}
    set_calibration(segmenter.bundle.path, temperature, margins)
    print(f"{segmenter.bundle.path}: temperature {temperature}, margins {margins}")


if __name__ == "__main__":
    main()
