# SPDX-License-Identifier: Apache-2.0
"""The training loop: forward distillation until it converges, backward distillation from there on.

Every random number comes from (seed, epoch, step) and a checkpoint is whole epochs, so a run that was
killed and resumed ends with the weights of an undisturbed one. Stopping and re-scoring look at the
training loss and the student's own answers only.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor
from tqdm import tqdm

from partdistill_ros.distillation.augment import Augmentation, draw
from partdistill_ros.distillation.backward import rescore
from partdistill_ros.distillation.collection import Member
from partdistill_ros.distillation.config import Schedule
from partdistill_ros.distillation.losses import padded_text, part_loss
from partdistill_ros.files import atomic_path
from partdistill_ros.inference.normalise import center_max_radius
from partdistill_ros.inference.sampling import farthest_points
from partdistill_ros.knowledge.units import KnowledgeUnits, class_weights, soft_labels
from partdistill_ros.students.student import Student
from partdistill_ros.text.space import pick_synonym

ASKED = 768  # points of each training cloud that enter the loss: a third faster than all 2,048


@dataclass(frozen=True)
class Progress:
    """stage: forward or backward.  epoch of epochs.  loss: of the epoch."""

    stage: str
    epoch: int
    epochs: int
    loss: float


@dataclass
class State:
    """What a checkpoint holds beside the weights."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    backward_from: int | None = None


class Fit:
    """One training of `student` on `members`.

    names: category -> its parts' text embeddings, a list of `[S, D]` per part, canonical name first
        and synonyms after it; one is drawn for every cloud.
    """

    def __init__(
        self,
        student: Student,
        members: Sequence[Member],
        names: Mapping[str, Sequence[NDArray[np.float32]]],
        schedule: Schedule,
        augmentation: Augmentation,
        *,
        backward: str = "kept-mass",
        device: str = "cpu",
        seed: int = 0,
        checkpoint: Path | None = None,
    ) -> None:
        self.student, self.members, self.names = student.to(device), list(members), dict(names)
        self.schedule, self.augmentation, self.backward = schedule, augmentation, backward
        self.device, self.seed, self.checkpoint = device, seed, checkpoint
        self.units = [member.units for member in self.members]
        self.state = State()
        self.average = copy.deepcopy(self.student).eval()
        self.optimizer = torch.optim.AdamW(self.student.parameters(), lr=schedule.rate, weight_decay=0.02)
        self._canonical = torch.from_numpy(np.concatenate([[p[0] for p in parts] for parts in names.values()])).to(
            device
        )
        self._grade()

    @property
    def steps_per_epoch(self) -> int:
        return max(self.schedule.min_steps, int(np.ceil(len(self.members) / self.schedule.batch)))

    def run(self, progress: Callable[[Progress], None] | None = None) -> Student:
        """Train to the end and return the averaged student, in eval mode."""
        self._resume()
        saved = time.monotonic()
        while self.state.epoch < self.schedule.epochs:
            if self._starts_backward():
                self._snapshot()
            loss = self._epoch()
            self.state.losses.append(loss)
            self.state.epoch += 1
            if progress:
                stage = "forward" if self.state.backward_from is None else "backward"
                progress(Progress(stage, self.state.epoch, self.schedule.epochs, loss))
            if time.monotonic() - saved > 60 * self.schedule.checkpoint_minutes:
                self._save()
                saved = time.monotonic()
        self._save()
        return self.average

    def _epoch(self) -> float:
        rng = np.random.default_rng([self.seed, self.state.epoch])
        steps, batch = self.steps_per_epoch, self.schedule.batch
        rounds = int(np.ceil(steps * batch / len(self.members)))
        order = np.concatenate([rng.permutation(len(self.members)) for _ in range(rounds)])
        self.student.train()
        total = 0.0
        bar = tqdm(
            range(steps), desc=f"epoch {self.state.epoch + 1}/{self.schedule.epochs}", leave=False, mininterval=5
        )
        for step in bar:
            total += self._step(order[step * batch : (step + 1) * batch], step)
            bar.set_postfix(loss=f"{total / (step + 1):.3f}", refresh=False)
        return total / steps

    def _step(self, chosen: NDArray[np.int64], step: int) -> float:
        rng = np.random.default_rng([self.seed, self.state.epoch, step])
        points, centers, weights, text, canonical = self._batch(chosen, rng)
        torch.manual_seed(step_seed(self.seed, self.state.epoch, step))  # students may leave blocks out at random
        done = (self.state.epoch * self.steps_per_epoch + step) / (self.schedule.epochs * self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate * cycle(done)
        embeddings = self.student.embed(points, centers, ASKED)
        loss = part_loss(
            embeddings, self.student.log_scale.exp(), weights, text, canonical, self._canonical, self.schedule.negatives
        )
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        done_steps = self.state.epoch * self.steps_per_epoch + step + 1
        decay = min(self.schedule.decay, done_steps / (done_steps + 10))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.student.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
            for kept, new in zip(self.average.buffers(), self.student.buffers(), strict=True):
                kept.copy_(kept.lerp(new, 1 - decay) if new.is_floating_point() else new)
        return float(loss.detach())

    def _batch(
        self, chosen: NDArray[np.int64], rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        config = self.student.config
        drawn, weights, text, canonical = [], [], [], []
        for i in chosen:
            member = self.members[i]
            cloud = draw(
                rng, member.points, member.one_sided, member.flat, self.augmentation, config.points, config.centers
            )
            source = cloud.source[:ASKED]
            weight = self.soft[i][np.maximum(source, 0)].astype(np.float32)
            weight[source < 0] = 0
            parts = self.names[member.category]
            drawn.append(cloud)
            weights.append(weight)
            text.append(np.stack([options[pick_synonym(rng, len(options))] for options in parts]))
            canonical.append(np.stack([options[0] for options in parts]))
        points = torch.from_numpy(np.stack([cloud.points for cloud in drawn])).to(self.device)
        centers = torch.from_numpy(np.stack([cloud.centers for cloud in drawn])).to(self.device)
        by_part = padded_text([weight.T for weight in weights], self.device)
        return points, centers, by_part, padded_text(text, self.device), padded_text(canonical, self.device)

    def _grade(self) -> None:
        """Soft labels of every member from its units' present scores; class weights by category."""
        groups: dict[str, list[KnowledgeUnits]] = {}
        for member, units in zip(self.members, self.units, strict=True):
            groups.setdefault(member.category, []).append(units)
        weight = {name: class_weights(units, len(units[0].parts)) for name, units in groups.items()}
        self.soft = [
            soft_labels(units, weight[member.category]).astype(np.float16)
            for member, units in zip(self.members, self.units, strict=True)
        ]

    def _starts_backward(self) -> bool:
        if self.backward == "none" or self.state.backward_from is not None:
            return False
        late = self.state.epoch >= self.schedule.forward_share * self.schedule.epochs
        return late or converged(self.state.losses, self.schedule)

    def _snapshot(self) -> None:
        """Re-score every unit by the averaged student, category by category."""
        self.state.backward_from = self.state.epoch
        answers = predict(self.average, self.members, self.names, self.device, self.seed)
        for category in self.names:
            rows = [i for i, member in enumerate(self.members) if member.category == category]
            if rows:
                graded = rescore([self.units[i] for i in rows], [answers[i] for i in rows], self.backward)
                for i, units in zip(rows, graded, strict=True):
                    self.units[i] = units
        self._grade()
        self._save()

    def _save(self) -> None:
        if self.checkpoint is None:
            return
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": json.dumps(self.state.__dict__),
            "scores": [torch.from_numpy(units.score) for units in self.units],
        }
        with atomic_path(self.checkpoint) as temporary:
            torch.save(content, temporary)

    def _resume(self) -> None:
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        content = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.student.load_state_dict(content["student"])
        self.average.load_state_dict(content["average"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.state = State(**json.loads(content["state"]))
        self.units = [
            units.with_scores(s.cpu().numpy()) for units, s in zip(self.units, content["scores"], strict=True)
        ]
        self._grade()


def step_seed(*place: int) -> int:
    """A seed for torch that depends on every number of `place`: seed, epoch, step."""
    return int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0] >> np.uint64(1))


def cycle(done: float) -> float:
    """Learning rate over its peak at the share `done` of the training: 5 % warm-up, then a cosine to 1 %."""
    if done < 0.05:
        return 0.05 + 0.95 * done / 0.05
    return 0.01 + 0.495 * (1 + float(np.cos(np.pi * (done - 0.05) / 0.95)))


def converged(losses: Sequence[float], schedule: Schedule) -> bool:
    """The method's test: the moving average over `window` epochs changed by less than `tolerance`."""
    if len(losses) < max(schedule.patience, schedule.window + 1):
        return False
    now, before = np.mean(losses[-schedule.window :]), np.mean(losses[-schedule.window - 1 : -1])
    return bool(abs(now - before) < schedule.tolerance)


@torch.no_grad()
def predict(
    student: Student,
    members: Sequence[Member],
    names: Mapping[str, Sequence[NDArray[np.float32]]],
    device: str,
    seed: int,
    batch: int = 16,
) -> list[NDArray[np.int64]]:
    """The student's label of every point of every member, `[N]` each, unaugmented."""
    config, answers = student.config, []
    for at in range(0, len(members), batch):
        group = members[at : at + batch]
        picks = []
        for offset, member in enumerate(group):
            rng = np.random.default_rng([seed, at + offset])
            picks.append(rng.choice(len(member.points), config.points, replace=len(member.points) < config.points))
        clouds = [center_max_radius(member.points[rows]) for member, rows in zip(group, picks, strict=True)]
        centers = np.stack([farthest_points(cloud, config.centers) for cloud in clouds])
        embeddings = student.embed(torch.from_numpy(np.stack(clouds)).to(device), torch.from_numpy(centers).to(device))
        for member, rows, embedding in zip(group, picks, embeddings.cpu().numpy(), strict=True):
            text = np.stack([options[0] for options in names[member.category]])
            nearest = cKDTree(member.points[rows]).query(member.points)[1]
            answers.append((embedding @ text.T).argmax(1)[nearest])
    return answers
