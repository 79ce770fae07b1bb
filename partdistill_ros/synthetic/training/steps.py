# SPDX-License-Identifier: Apache-2.0
"""What trainings from true labels share: the rate over the steps, the loop, and going on where it was stopped."""

from __future__ import annotations

import copy
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from torch import nn

from partdistill_ros.distillation.checkpoint import load_parts
from partdistill_ros.distillation.optimizer import Optimizer
from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.weights import save_weights

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Training:
    """steps of `batch` clouds.  rate: constant after `warm_up` steps, and down to nothing over the last `cool_down`
    of them, so that a training can be ended, or go on, wherever it is.  alone: weight of the sigmoids, among_all: of
    telling a part from the names of all categories.  loss_points: of each cloud that enter the loss."""

    steps: int = 6000
    batch: int = 8
    rate: float = 1.5e-3
    warm_up: int = 100
    cool_down: float = 0.25
    weight_decay: float = 0.02
    ema_decay: float = 0.998
    among_all: float = 0.6
    alone: float = 0.3
    alone_names: int = 24
    loss_points: int = 768
    save_minutes: float = 3.0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step."""
        left = (self.steps - step) / max(self.cool_down * self.steps, 1)
        return self.rate * min(1.0, (step + 1) / self.warm_up, max(left, 0.01))


class StepTrainer(ABC, Generic[Network]):
    """One training; every random number comes from the seed and the step, so a run that was stopped goes on as if it
    had not been.

    average: of the network's weights.  losses: running means of what `train_step` tells.  minutes: of one core.
    """

    told: tuple[str, ...]

    def __init__(self, network: Network, training: Training, seed: int, checkpoint: Path | None, device: str) -> None:
        self.average = copy.deepcopy(network).eval()
        self.training, self.seed, self.checkpoint, self.device = training, seed, checkpoint, device
        self.step, self.losses, self.minutes = 0, [0.0] * len(self.told), 0.0

    @abstractmethod
    def train_step(self) -> tuple[float, ...]:
        """One step; the numbers that `told` names."""

    @abstractmethod
    def _parts(self) -> Mapping[str, nn.Module | Optimizer]:
        """All that learns, as a checkpoint keeps it."""

    def run(self) -> Network:
        """Train to the last step and return the averaged network."""
        self._resume()
        started, saved, first = time.process_time() - 60 * self.minutes, time.monotonic(), self.step
        while self.step < self.training.steps:
            share = max(0.01, 1 / (self.step + 1))
            self.losses = [old + share * (new - old) for old, new in zip(self.losses, self.train_step(), strict=True)]
            self.step, self.minutes = self.step + 1, (time.process_time() - started) / 60
            if self.step % 50 == 0:
                means = ", ".join(f"{name} {mean:.3f}" for name, mean in zip(self.told, self.losses, strict=True))
                print(f"step {self.step}/{self.training.steps} {means} after {self.minutes:.1f} minutes", flush=True)
            if time.monotonic() - saved > 60 * self.training.save_minutes:
                self.save()
                saved = time.monotonic()
        if self.step > first:
            self.save()
        return self.average

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        if self.checkpoint is None:
            return
        content = {name: part.state_dict() for name, part in self._parts().items()}
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        state = {"step": self.step, "losses": self.losses, "minutes": self.minutes, "seed": self.seed}
        save_weights({**content, "state": json.dumps(state)}, self.checkpoint)

    def _resume(self) -> None:
        """Go on from the checkpoint. Raises PartDistillError where steps are left and it is of another seed."""
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        state = load_parts(self.checkpoint, self._parts(), self.device, lambda content: json.loads(content["state"]))
        if state is None:
            return
        seed = state.get("seed", self.seed)  # older checkpoints do not tell
        if seed != self.seed and state["step"] < self.training.steps:
            raise PartDistillError(
                f"{self.checkpoint} is of --seed {seed}, not {self.seed}: give that seed, or another --checkpoint"
            )
        self.step, self.minutes = state["step"], state.get("minutes", 0.0)
        self.losses = state.get("losses", self.losses)
