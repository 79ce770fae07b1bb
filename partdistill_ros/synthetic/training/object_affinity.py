# SPDX-License-Identifier: Apache-2.0
"""Trains the network that joins patches to objects: `python -m partdistill_ros.synthetic.training.object_affinity`.

It learns from made-up clutter only, by what `objects.contacts` measures of pairs of patches.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from partdistill_ros.errors import PartDistillError
from partdistill_ros.objects.affinity import WEIGHTS
from partdistill_ros.objects.contacts import FEATURES
from partdistill_ros.objects.convex import MeasuredPatches
from partdistill_ros.objects.extract import patches_on_table
from partdistill_ros.synthetic.clutter_scene import CLUTTER_FAMILIES, make_clutter
from partdistill_ros.synthetic.depth_camera import DepthCamera
from partdistill_ros.synthetic.table_scene import TabletopScene
from partdistill_ros.synthetic.training.perceptron import fit, linear_layers, weights_of, write_weights

HELD_OUT = ("kettle", "laptop", "hammer")  # families that the shipped network never saw


@dataclass(frozen=True)
class AffinityConfig:
    """first_seed keeps the scenes apart from those of benchmarks and demos; purity: patches that lie to a smaller
    share on one object teach nothing."""

    scenes: int = 1200
    first_seed: int = 100_000
    families: tuple[str, ...] = tuple(name for name in CLUTTER_FAMILIES if name not in HELD_OUT)
    hidden: int = 32
    steps: int = 10_000
    batch: int = 2048
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    purity: float = 0.8
    seed: int = 0


@dataclass(frozen=True)
class Pairs:
    """features `[E, F]`, same `[E]` 0 or 1, weight `[E]`: the root of the smaller patch's pixels."""

    features: NDArray[np.float32]
    same: NDArray[np.float32]
    weight: NDArray[np.float32]


def collect_pairs(config: AffinityConfig) -> Pairs:
    """Pairs of patches of made-up clutter, seen by cameras of two resolutions and several grades of noise."""
    found: list[Pairs] = []
    for number in tqdm(range(config.scenes), desc="scenes"):
        scene = make_clutter(config.first_seed + number, config.families, camera=_camera(number))
        try:
            measured = patches_on_table(scene.scan)
        except PartDistillError:  # hardly any table in sight
            continue
        if measured is not None:
            found.append(pairs_of(scene, measured, config.purity))
    return Pairs(
        *(np.concatenate([getattr(pairs, name) for pairs in found]) for name in ("features", "same", "weight"))
    )


def _camera(number: int) -> DepthCamera:
    noise = (0.5, 0.8, 1.0, 1.3)[number % 4]
    if number % 5 == 4:
        return DepthCamera(width=320, height=240, fx=262.5, fy=262.5, cx=159.5, cy=119.5, noise=noise)
    return DepthCamera(noise=noise)


def pairs_of(scene: TabletopScene, measured: MeasuredPatches, purity: float) -> Pairs:
    """The pairs of one scene with the truth about them."""
    surface, label = measured.surface, measured.patches.label
    assert scene.scan.grid is not None
    (top, left), step, (height, width) = surface.corner, surface.step, label.shape
    truth = scene.object_index.reshape(scene.scan.grid)[top::step, left::step][:height, :width]
    votes = np.zeros((measured.patches.count, len(scene.objects) + 1), int)
    on = (label > 0) & (truth >= 0)
    np.add.at(votes, (label[on] - 1, truth[on]), 1)
    owner, share = votes.argmax(1), votes.max(1) / np.maximum(votes.sum(1), 1)
    owner = np.where((share >= purity) & (owner > 0), owner, 0)
    contacts = measured.contacts
    one, other = owner[contacts.first], owner[contacts.second]
    known = (one > 0) & (other > 0)
    weight = np.sqrt(measured.shapes.pixels[contacts.second])
    same = (one == other).astype(np.float32)
    return Pairs(contacts.features[known], same[known], weight[known].astype(np.float32))


def train(pairs: Pairs, config: AffinityConfig) -> dict[str, NDArray[np.generic]]:
    """The weights as `objects.affinity` reads them."""
    torch.manual_seed(config.seed)
    mean, deviation = pairs.features.mean(0), pairs.features.std(0) + 1e-3
    sizes = [len(FEATURES), config.hidden, config.hidden, 1]
    layers = linear_layers(sizes)
    network = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    inputs = torch.from_numpy((pairs.features - mean) / deviation)
    same, weight = torch.from_numpy(pairs.same), torch.from_numpy(pairs.weight / pairs.weight.mean())

    def loss_of_batch() -> torch.Tensor:
        some = torch.randint(len(inputs), (config.batch,))
        logits = network(inputs[some])[:, 0]
        return torch.nn.functional.binary_cross_entropy_with_logits(logits, same[some], weight[some])

    fit(network, loss_of_batch, config)
    return {**weights_of(layers, mean, 1 / deviation), "features": np.array(FEATURES)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw the scenes, train, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=AffinityConfig.scenes)
    parser.add_argument("--seed", type=int, default=AffinityConfig.seed)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(arguments)
    config = AffinityConfig(scenes=options.scenes, seed=options.seed)
    torch.set_num_threads(1)
    weights = train(collect_pairs(config), config)
    write_weights(options.out, weights)


if __name__ == "__main__":
    main()
