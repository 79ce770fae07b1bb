# SPDX-License-Identifier: Apache-2.0
"""Things of any kind, asked for by their part names alone: students and a constant answer side by side.

    python benchmarks/everyday.py [SHAPE or folder ...] [--bundle default] [--bundle OTHER] [--rotations 2]
                                  [--held-out 6] [--divisions 4]
                                  [--words 2] [--words-of choice_words.json]

Files: mean IoU over the parts that the truth holds, of the points that some camera around the shape sees; a name that a
student refuses counts 0. `--rotations N`: each file as it is, meshes from one side too, N times with any rotation,
up unknown.
`--held-out N`: N shapes each of the categories that no training sees (`synthetic/training/everyday_shapes.py`), whole
and from one side, upright, dropped (on its side or upside down) and with any rotation and up unknown.
`--divisions N`: N shapes each of these, asked for by other divisions into parts (`held_out_divisions.json`).
`--words N`: N drawn shapes each of categories that training does see, asked for by the parts' own names, by a synonym
that is trained, and by words that no training has read (`held_out_words.json`; `choice_words.json` has words of other
categories, to choose by).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from evaluation_data import data_folder
from numpy.typing import NDArray

from partdistill_ros.distillation.augmentation import random_rotation
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.miou import score_shape
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.io.load import load_scans
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.drawing.family import draw
from partdistill_ros.synthetic.procedural import outer_cloud
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, HELD_OUT, one_sided
from partdistill_ros.synthetic.training.sensors import resting_turn

POINTS = 4096
WORDS = Path(__file__).with_name("held_out_words.json")
Answer = Callable[[Scan], NDArray[np.int16]]


@dataclass(frozen=True)
class Case:
    """A cloud with its truth, and the row of the table that it counts for."""

    row: str
    cloud: Scan


def of_files(paths: Sequence[Path], rotations: int = 0) -> Iterator[Case]:
    """The labeled shapes of files and folders, each a row; all as they are and all turned are two more."""
    rng = np.random.default_rng(0)
    for scan in load_scans(list(paths)) if paths else ():
        # a scan that a camera made is what it saw; of a mesh, inner surfaces belong to no scan
        cloud = outer_cloud(scan, POINTS) if scan.mesh is not None else scan
        yield Case(scan.name, cloud)
        for _ in range(rotations):
            yield Case("files, as they are", cloud)
            if scan.mesh is not None:
                yield Case("files, meshes from one side", one_sided(cloud, 0))
            yield Case("files, any rotation", turned(cloud, rng))


def turned(cloud: Scan, rng: np.random.Generator) -> Scan:
    """The cloud in any rotation; nobody knows its up."""
    return cloud.with_(points=(cloud.points @ random_rotation(rng).T).astype(np.float32), up=None)


def dropped(cloud: Scan, rng: np.random.Generator) -> Scan:
    """The cloud as it lies on its side or upside down, from one side; its up is that of the table."""
    lying = cloud.with_(points=(cloud.points @ resting_turn(rng, cloud.points).T).astype(np.float32))
    return one_sided(lying, int(rng.integers(2**31)))


def held_out(count: int, first_seed: int = 50_000) -> Iterator[Case]:
    """Shapes of categories that no training has seen."""
    rng = np.random.default_rng(first_seed)
    for name in HELD_OUT:
        for seed in range(first_seed, first_seed + count):
            whole = outer_cloud(draw(EVERYTHING[name], seed), POINTS, seed)
            yield Case("held out, whole", whole)
            yield Case("held out, one-sided", one_sided(whole, seed))
            yield Case("held out, any rotation", turned(whole, rng))
            yield Case("held out, dropped", dropped(whole, rng))
            yield Case(f"held out, {name}", whole)


def of_divisions(count: int, first_seed: int = 70_000) -> Iterator[Case]:
    """Shapes of held-out categories, divided in other ways than they are drawn: some parts make a whole."""
    file = Path(__file__).with_name("held_out_divisions.json")
    for name, divisions in json.loads(file.read_text(encoding="utf-8")).items():
        parts = EVERYTHING[name].parts
        for seed in range(first_seed, first_seed + count):
            cloud = outer_cloud(draw(EVERYTHING[name], seed), POINTS, seed)
            for division in divisions:
                called = [next((whole for whole, some in division.items() if part in some), part) for part in parts]
                names = tuple(dict.fromkeys(called))
                merged = np.array([*(names.index(one) for one in called), -1], np.int16)
                labels = merged[np.asarray(cloud.point_labels)]
                yield Case("held out, other divisions", cloud.with_(parts=names, point_labels=labels))


def of_words(count: int, words_of: Path = WORDS, first_seed: int = 60_000) -> Iterator[Case]:
    """Shapes of trained categories, their parts asked for by names that training reads and by others."""
    for name, words in json.loads(words_of.read_text(encoding="utf-8")).items():
        family = EVERYTHING[name]
        queries = {
            "own names": family.parts,
            "a trained synonym": tuple(family.names_of(part)[-1] for part in family.parts),
            "held-out words": tuple(words.get(part, part) for part in family.parts),
        }
        for seed in range(first_seed, first_seed + count):
            cloud = outer_cloud(draw(family, seed), POINTS, seed)
            for row, parts in queries.items():
                yield Case(f"words, {row}", cloud.with_(parts=parts))


def student(bundle: str) -> Answer:
    """Labels by a bundle's student; names that it refuses are left out of the query."""
    segmenter = Segmenter(bundle, "cpu", 2)

    def answer(cloud: Scan) -> NDArray[np.int16]:
        known = [i for i, name in enumerate(cloud.parts) if _is_known(segmenter, name)]
        if not known:
            return np.full(len(cloud.points), -1, np.int16)
        query = ", ".join(cloud.parts[i] for i in known)
        (labels,) = segmenter.segment([cloud.points], query, [cloud.up])
        return np.append(np.array(known, np.int16), np.int16(-1))[labels.labels]

    return answer


def _is_known(segmenter: Segmenter, name: str) -> bool:
    try:
        segmenter.bundle.vocabulary.embed([name])
    except PartDistillError:
        return False
    return True


def constant(cloud: Scan) -> NDArray[np.int16]:
    """The part that most points have: what an answer is worth that does not look."""
    labels = np.asarray(cloud.point_labels)
    return np.full(len(labels), np.bincount(labels[labels >= 0]).argmax(), np.int16)


def measure(cases: Sequence[Case], answer: Answer) -> dict[str, float]:
    """Row -> mean IoU over present parts, per cent."""
    scores: dict[str, list[float]] = {}
    for case in cases:
        truth = np.asarray(case.cloud.point_labels)
        said = np.where(truth >= 0, answer(case.cloud), -1).astype(np.int16)
        score = score_shape(case.row, case.cloud.category or "", case.cloud.parts, said, truth.astype(np.int16))
        scores.setdefault(case.row, []).append(100 * score.present)
    return {row: float(np.mean(values)) for row, values in scores.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shapes", type=Path, nargs="*", help="labeled shapes or folders (default: open/ of the data)")
    parser.add_argument("--bundle", action="append", help="a bundle's folder, or `default`; may be given again")
    parser.add_argument("--rotations", type=int, default=0, metavar="N", help="of each file, up unknown")
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="shapes of each category not trained on")
    parser.add_argument("--divisions", type=int, default=0, metavar="N", help="of these, divided in other ways")
    parser.add_argument("--words", type=int, default=0, metavar="N", help="shapes of each category with held-out words")
    parser.add_argument("--words-of", type=Path, default=WORDS, metavar="FILE", help="category -> part -> word (JSON)")
    options = parser.parse_args(arguments)
    drawn = [
        *held_out(options.held_out),
        *of_divisions(options.divisions),
        *of_words(options.words, options.words_of),
    ]
    files = options.shapes or ([] if drawn else [data_folder() / "open"])
    cases = [*of_files(files, options.rotations), *drawn]
    columns = {"constant": measure(cases, constant)}
    for bundle in options.bundle or ["default"]:
        columns[bundle] = measure(cases, student(bundle))
    width = max(len(row) for row in columns["constant"]) + 2
    print(" " * width + "  ".join(f"{name[-16:]:>16}" for name in columns))
    for row in columns["constant"]:
        print(f"{row:{width}}" + "  ".join(f"{values[row]:16.1f}" for values in columns.values()))
    if files:
        rows = [row for row in columns["constant"] if not row.startswith(("files, ", "held out, ", "words, "))]
        means = [np.mean([values[row] for row in rows]) for values in columns.values()]
        print(f"{f'mean of {len(rows)}':{width}}" + "  ".join(f"{mean:16.1f}" for mean in means))
    return 0


if __name__ == "__main__":
    sys.exit(main())
