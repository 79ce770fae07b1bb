# SPDX-License-Identifier: Apache-2.0
"""Common parts that `partdistill cosegment` finds, against the true ones, per category.

    python benchmarks/cosegment.py [SHAPE or folder ...] [--bundle default] [--drawn N]

Labels are used for scoring only: in each category the found parts are paired with the true ones so that the sum of IoUs
over all its shapes is largest, what has no pair is wrong, and mIoU is ShapeNetPart's. Columns: one part everywhere;
superpoints with random labels; k-means of the points' places (upright, in the unit ball); cosegment told how many parts
there are; and cosegment as it comes. Categories of a single shape are left out. --drawn: N shapes of each of the drawn
categories that no training saw, instead of files.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
from evaluation_data import data_folder, shapes_folder
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import linear_sum_assignment

from partdistill_ros.cli.progress import progress
from partdistill_ros.distillation.cosegment import Pieces, group, pieces_of
from partdistill_ros.distillation.posing import Pose, posed
from partdistill_ros.evaluation.miou import score_shape
from partdistill_ros.evaluation.shapes import Shape, load_shapes, prepare
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.visualization.tables import aligned

Labels = NDArray[np.integer]
COLUMNS = ("one part", "random superpoints", "k-means of places", "cosegment, number told", "cosegment")


def matched(answers: Sequence[Labels], truths: Sequence[Labels], parts: Sequence[str]) -> float:
    """Mean mIoU in per cent of shapes with `answers [N]`, whose clusters are paired with `parts` for all of them."""
    answer, truth = np.concatenate(answers), np.concatenate(truths)
    known = truth >= 0
    shared = np.zeros((answer.max() + 1, len(parts)))
    np.add.at(shared, (answer[known], truth[known]), 1)
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0) - shared
    clusters, paired = linear_sum_assignment(-shared / np.maximum(union, 1))
    part = np.full(len(shared), -1, np.int16)
    part[clusters] = paired
    scores = [score_shape("", "", parts, part[one], own).miou for one, own in zip(answers, truths, strict=True)]
    return 100 * float(np.mean(scores))


def measured(shapes: Sequence[Shape], segmenter: Segmenter) -> list[float]:
    """The columns for shapes of one category, and last the number of parts that cosegment guessed."""
    parts, truths = shapes[0].question.parts, [shape.truth for shape in shapes]
    pieces = [pieces_of(shape.question.cloud, segmenter) for shape in shapes]
    rng = np.random.default_rng(0)
    random = [rng.integers(len(parts), size=len(one.weight)) for one in pieces]
    told, guessed = group(pieces, len(parts)), group(pieces)
    places = [upright(shape) for shape in shapes]
    means = kmeans2(np.concatenate(places), len(parts), minit="++", seed=0)[1]
    answers = [
        [np.zeros(len(truth), int) for truth in truths],
        spread(pieces, random),
        np.split(means, np.cumsum([len(one) for one in places])[:-1]),
        spread(pieces, told),
        spread(pieces, guessed),
    ]
    return [*(matched(one, truths, parts) for one in answers), 1 + max(int(one.max()) for one in guessed)]


def spread(pieces: Sequence[Pieces], of_pieces: Sequence[Labels]) -> list[Labels]:
    """The labels of the superpoints at the points."""
    return [part[one.nearest] for one, part in zip(pieces, of_pieces, strict=True)]


def upright(shape: Shape) -> NDArray[np.float64]:
    cloud = posed(shape.question.cloud)
    return Pose.of(cloud).move(cloud.points).astype(np.float64)


def drawn(count: int) -> list[Shape]:
    """Shapes of the drawn categories that no training saw."""
    from partdistill_ros.synthetic.drawing.family import draw
    from partdistill_ros.synthetic.procedural import outer_cloud
    from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, HELD_OUT

    wanted = [(name, seed) for name in HELD_OUT for seed in range(count)]
    return prepare([outer_cloud(draw(EVERYTHING[n], seed), 4096, seed) for n, seed in progress(wanted, "draw")])


def shapes_and_student(arguments: list[str] | None, description: str) -> tuple[list[Shape], Segmenter]:
    """What the command line asks for: what is measured, and by whom."""
    parser = argparse.ArgumentParser(description=description.split("\n")[0])
    parser.add_argument("shapes", nargs="*", type=Path, help="labeled shapes or folders (default: the evaluation data)")
    parser.add_argument("--bundle", default="default")
    parser.add_argument("--drawn", type=int, default=0, metavar="N")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    folders = options.shapes or [shapes_folder(), data_folder() / "open"]
    shapes = drawn(options.drawn) if options.drawn else load_shapes(folders)
    segmenter = Segmenter(options.bundle, "cpu", options.threads)
    return shapes, segmenter


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    shapes, segmenter = shapes_and_student(arguments, __doc__)
    categories = [(name, list(own)) for name, own in groupby(shapes, lambda shape: shape.question.category)]
    several = [(name, own) for name, own in categories if len(own) > 1]
    found = {name: measured(own, segmenter) for name, own in progress(several, "categories", len(several))}
    rows = []
    for name, own in several:
        *scores, guess = found[name]
        kinds = f"{guess:.0f} of {len(own[0].question.parts)}"
        rows.append((name, str(len(own)), kinds, *(f"{score:.1f}" for score in scores)))
    means = np.mean([one[:-1] for one in found.values()], axis=0)
    rows.append(("mean", str(sum(len(own) for _, own in several)), "", *(f"{mean:.1f}" for mean in means)))
    print(aligned([("category", "shapes", "parts found", *COLUMNS), *rows]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
