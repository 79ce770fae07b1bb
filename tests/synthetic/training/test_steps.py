# SPDX-License-Identifier: Apache-2.0
"""The loop of trainings from true labels: its rate, and going on where it was stopped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.distillation.optimizer import Optimizer, update_average  # noqa: E402
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.synthetic.training.steps import StepTrainer, Training  # noqa: E402


class Line(StepTrainer[torch.nn.Linear]):
    """Learns the sum of two numbers."""

    told = ("loss", "largest number")

    def __init__(self, checkpoint: Path | None = None, steps: int = 4, seed: int = 0) -> None:
        torch.manual_seed(7)
        self.net = torch.nn.Linear(2, 1)
        super().__init__(self.net, Training(steps=steps, warm_up=1), seed, checkpoint, "cpu")
        self.optimizer = Optimizer(self.net, 0.05)

    def train_step(self) -> tuple[float, float]:
        numbers = torch.from_numpy(np.random.default_rng([self.seed, self.step]).normal(size=(32, 2))).float()
        loss = (self.net(numbers)[:, 0] - numbers.sum(1)).square().mean()
        self.optimizer.step(loss, self.training.rate_at(self.step))
        update_average(self.average, self.net, 0.9, self.step + 1)
        return float(loss.detach()), float(numbers.max())

    def _parts(self) -> dict[str, torch.nn.Module | Optimizer]:
        return {"net": self.net, "average": self.average, "optimizer": self.optimizer}


def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path, capsys) -> None:
    whole = Line(steps=60)
    expected = whole.run().weight
    assert "step 50/60 loss " in (printed := capsys.readouterr().out) and "largest number" in printed
    stopped = Line(tmp_path / "fit.pt", steps=60)
    while stopped.step < 25:
        stopped.losses = list(stopped.train_step())
        stopped.step += 1
    stopped.save()
    resumed = Line(tmp_path / "fit.pt", steps=60)
    torch.testing.assert_close(resumed.run().weight, expected)
    assert resumed.step == 60 and resumed.losses[0] > 0
    finished = Line(tmp_path / "fit.pt", steps=60)
    torch.testing.assert_close(finished.run().weight, expected)
    assert finished.losses == resumed.losses and finished.minutes == resumed.minutes


def test_a_checkpoint_of_another_seed_is_refused_one_without_a_seed_is_not(tmp_path: Path) -> None:
    Line(tmp_path / "fit.pt", steps=1).run()
    other = Line(tmp_path / "fit.pt", steps=2, seed=5)
    with pytest.raises(PartDistillError, match=r"fit.pt is of --seed 0, not 5: give that seed, or another"):
        other.run()
    assert Line(tmp_path / "fit.pt", steps=1, seed=5).run() is not None, "what is finished may be written all the same"
    content = torch.load(tmp_path / "fit.pt")
    state = json.loads(content["state"])
    del state["seed"]
    torch.save(content | {"state": json.dumps(state)}, tmp_path / "fit.pt")
    other.run()
    assert other.step == 2


def test_the_rate_goes_down_at_the_end_only() -> None:
    training = Training(steps=1000, rate=1.0, warm_up=10)
    assert training.rate_at(0) < 0.2 and training.rate_at(500) == 1 and training.rate_at(999) < 0.02
