# SPDX-License-Identifier: Apache-2.0
"""Trains the network that tells which way is up: `python -m partdistill_ros.synthetic.training.upright` (see --help).

It learns from the shapes of `everyday_shapes`, which stand on z; things that only lie may do so on either side.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from partdistill_ros.distillation.augmentation import random_rotation
from partdistill_ros.pointcloud.upright import SEEN, WEIGHTS, candidates, features, looked_at
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, FREE, Shapes, load_shapes
from partdistill_ros.synthetic.training.perceptron import fit, linear_layers, weights_of, write_weights

RIGHT = np.cos(np.radians(20))  # a candidate that leans less is right
LEAST = 200  # points that one side must show


@dataclass(frozen=True)
class UprightConfig:
    """clouds: of each shape, half of them whole.  sharp: degrees within which a right candidate is preferred."""

    clouds: int = 4
    hidden: tuple[int, int] = (96, 48)
    steps: int = 2000
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    dropout: float = 0.15
    sharp: float = 8.0
    seed: int = 0


@dataclass(frozen=True)
class Choice:
    """One cloud: features `[C, F]` of its candidates, and the chance `[C]` of each to be the answer."""

    features: NDArray[np.float16]
    chance: NDArray[np.float32]


def choices(shapes: Shapes, lies: bool, config: UprightConfig, rng: np.random.Generator) -> Iterator[Choice]:
    """Clouds of a category as files and cameras give them; those that no candidate fits teach nothing."""
    for whole, seen in zip(shapes.points, shapes.seen, strict=True):
        for number in range(config.clouds):
            rows = np.flatnonzero(seen[rng.integers(len(seen))]) if number % 2 else np.arange(len(whole))
            if len(rows) < LEAST:
                continue
            cloud, up = turned(rng, whole[rows].astype(np.float64))
            points = looked_at(cloud)
            if points is None:
                continue
            ups, standing = candidates(points)
            cosine = np.abs(ups @ up) if lies else ups @ up
            if cosine.max() > RIGHT:
                away = np.degrees(np.arccos(np.minimum(cosine, 1)))
                chance = np.where(cosine > RIGHT, np.exp(-((away / config.sharp) ** 2)), 0)
                yield Choice(
                    features(points, ups, standing).astype(np.float16), (chance / chance.sum()).astype(np.float32)
                )


def turned(rng: np.random.Generator, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A cloud stretched, thinned out, with noise, and with any rotation or (half of them) along other axes as files
    have it; and where +z is then."""
    points = points[rng.permutation(len(points))[: int(np.exp(rng.uniform(np.log(LEAST), np.log(2 * SEEN))))]]
    points = points * rng.uniform(0.85, 1.15, 3) + rng.normal(0, rng.choice([0, 0.005, 0.02]), points.shape)
    if rng.random() < 0.5:
        rotation = np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3)
        rotation[0] *= np.linalg.det(rotation)
    else:
        rotation = random_rotation(rng)
    return points @ rotation.T, rotation[:, 2]


def train(data: Sequence[Choice], config: UprightConfig) -> dict[str, NDArray[np.float32]]:
    """The weights as `pointcloud.upright` reads them."""
    torch.manual_seed(config.seed)
    every = np.concatenate([one.features for one in data])
    most = max(len(one.chance) for one in data)
    mean, scale = every.mean(0, np.float32), 1 / (every.std(0, np.float32) + 1e-3)
    inputs = torch.zeros(len(data), most, every.shape[1], dtype=torch.float16)
    chance = torch.zeros(len(data), most)
    there = torch.zeros(len(data), most, dtype=torch.bool)
    for row, one in enumerate(data):
        inputs[row, : len(one.chance)] = torch.from_numpy((one.features - mean) * scale)
        chance[row, : len(one.chance)] = torch.from_numpy(one.chance)
        there[row, : len(one.chance)] = True
    sizes = (every.shape[1], *config.hidden, 1)
    layers = linear_layers(sizes)
    drop = torch.nn.Dropout(config.dropout)
    network = torch.nn.Sequential(drop, layers[0], torch.nn.ReLU(), drop, layers[1], torch.nn.ReLU(), drop, layers[2])

    def loss_of_batch() -> torch.Tensor:
        some = torch.randint(len(data), (config.batch,))
        logits = network(inputs[some].float())[..., 0].masked_fill(~there[some], -1e4)
        return torch.nn.functional.cross_entropy(logits, chance[some])

    fit(network, loss_of_batch, config)
    return weights_of(layers, mean, scale)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the shapes, train, write the weights."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("--shapes", type=Path, default=Path("out/everyday"), help="folder of `everyday_shapes`")
    parser.add_argument("--clouds", type=int, default=UprightConfig.clouds, help="of each shape")
    parser.add_argument("--steps", type=int, default=UprightConfig.steps)
    parser.add_argument("--seed", type=int, default=UprightConfig.seed)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    files = sorted(options.shapes.glob("*.npz"))
    if not files:
        parser.error(f"{options.shapes} holds no shapes: draw them with synthetic.training.everyday_shapes first")
    config = UprightConfig(clouds=options.clouds, steps=options.steps, seed=options.seed)
    torch.set_num_threads(1)
    data: list[Choice] = []
    for number, path in enumerate(tqdm(files, desc="categories")):
        if path.stem in FREE:
            continue
        rng = np.random.default_rng([config.seed, number])
        data += choices(load_shapes(path), EVERYTHING[path.stem].up_unknown, config, rng)
    weights = train(data, config)
    write_weights(options.out, {name: one.astype(np.float16) for name, one in weights.items()})


if __name__ == "__main__":
    main()
