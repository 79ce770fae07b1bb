# SPDX-License-Identifier: Apache-2.0
"""How the small networks learn that `pointcloud.perceptron` evaluates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from partdistill_ros.io.atomic import atomic_path


class Settings(Protocol):
    """How long and how fast a network learns."""

    @property
    def steps(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...


def linear_layers(sizes: Sequence[int]) -> list[torch.nn.Linear]:
    """Layers of random weights between these numbers of features."""
    return [torch.nn.Linear(a, b) for a, b in zip(sizes, sizes[1:], strict=False)]


def fit(network: torch.nn.Module, loss_of_batch: Callable[[], torch.Tensor], settings: Settings) -> None:
    """Train on batches that `loss_of_batch` draws, each call another."""
    optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, settings.steps)
    for _ in tqdm(range(settings.steps), desc="steps"):
        loss = loss_of_batch()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def weights_of(
    layers: Sequence[torch.nn.Linear], mean: NDArray[np.float32], scale: NDArray[np.float32]
) -> dict[str, NDArray[np.float32]]:
    """The weights as `pointcloud.perceptron` reads them."""
    weights = {"mean": mean, "scale": scale}
    for number, layer in enumerate(layers):
        weights[f"w{number}"] = layer.weight.detach().numpy().T.copy()
        weights[f"b{number}"] = layer.bias.detach().numpy()
    return weights


def write_weights(path: Path, weights: Mapping[str, NDArray[np.generic]]) -> None:
    """Write `.npz`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **weights)
