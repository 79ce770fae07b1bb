# SPDX-License-Identifier: Apache-2.0
"""Draws the labeled shapes that the student of everyday things learns from, once:
`python -m partdistill_ros.synthetic.training.everyday_shapes --out FOLDER` (see --help).

A category is one file, `<category>.npz`; those that are there already are left alone, so a command that was
stopped goes on, and a category that was added later is all that is drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from partdistill_ros.distillation.samples import partial_view_masks
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.drawing.family import Family, draw
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.procedural import outer_cloud

EVERYTHING: Mapping[str, Family] = {**FAMILIES, **CATEGORIES}
HELD_OUT = (
    "giraffe", "deer", "safe", "nightstand", "trowel", "plunger", "magnifying glass",
    "watering can", "tongs", "wheelbarrow", "stroller", "snowman", "floor fan", "duck",
)  # fmt: skip
"""Categories of every archetype that no training sees: what the student makes of them tells what it makes of things
that nobody drew."""
FREE = ("assembly",)  # their labels are forms, which name parts of everything else too


@dataclass(frozen=True)
class Shapes:
    """Shapes of a category: points `[K, N, 3] f2` in the unit ball, labels `[K, N] i1`, seen `[K, V, N]` by single
    cameras."""

    points: NDArray[np.float16]
    labels: NDArray[np.int8]
    seen: NDArray[np.bool_]


def trained_categories() -> tuple[str, ...]:
    """The categories of a training."""
    return tuple(sorted(name for name in EVERYTHING if name not in HELD_OUT))


def draw_shapes(family: Family, count: int, first_seed: int, points: int) -> Shapes:
    """`count` shapes with the seeds from `first_seed` on, as scans all round would give them."""
    clouds = [outer_cloud(draw(family, seed), points, seed) for seed in range(first_seed, first_seed + count)]
    seen = [partial_view_masks(cloud, seed) for seed, cloud in enumerate(clouds)]
    labels = np.stack([np.asarray(cloud.point_labels) for cloud in clouds]).astype(np.int8)
    return Shapes(
        np.stack([cloud.points for cloud in clouds]).astype(np.float16),
        labels,
        np.stack([one for one in seen if one is not None]),
    )


def one_sided(cloud: Scan, seed: int) -> Scan:
    """What one camera sees of a cloud."""
    seen = partial_view_masks(cloud, seed, 1)
    assert seen is not None
    return cloud.select(np.flatnonzero(seen[0]))


def save_shapes(path: Path, shapes: Shapes) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, points=shapes.points, labels=shapes.labels, seen=np.packbits(shapes.seen, axis=1))


def load_shapes(path: Path) -> Shapes:
    """Read what `save_shapes` wrote."""
    with np.load(path) as file:
        return Shapes(file["points"], file["labels"], np.unpackbits(file["seen"], axis=1).astype(bool))


def load_categories(folders: Sequence[Path]) -> dict[str, Shapes]:
    """The shapes of every category that a training may see, those of all `folders` together."""
    found = {}
    for name in trained_categories():
        files = [folder / f"{name}.npz" for folder in folders if (folder / f"{name}.npz").exists()]
        if files:
            drawn = [load_shapes(path) for path in files]
            found[name] = Shapes(
                np.concatenate([one.points for one in drawn]),
                np.concatenate([one.labels for one in drawn]),
                np.concatenate([one.seen for one in drawn]),
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--out", type=Path, default=Path("out/everyday"), help="folder of the shapes")
    parser.add_argument("--per-category", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--points", type=int, default=6144, help="a shape keeps")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in tqdm(trained_categories(), unit="category"):
        path = options.out / f"{name}.npz"
        if path.exists():
            continue
        count = options.per_category * (8 if name in FREE else 1)
        save_shapes(path, draw_shapes(EVERYTHING[name], count, options.first_seed, options.points))


if __name__ == "__main__":
    main()
