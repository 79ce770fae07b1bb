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

from partdistill_ros.distillation.augmentation import draw
from partdistill_ros.distillation.backward import Rescored, rescore
from partdistill_ros.distillation.boxes import shown_points
from partdistill_ros.distillation.config import Augmentation, Schedule
from partdistill_ros.distillation.losses import distinct_names, padded_text, part_loss
from partdistill_ros.distillation.mixswap import divisions, mix_swap
from partdistill_ros.distillation.optimizer import Optimizer
from partdistill_ros.distillation.precision import half_precision
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import KnowledgeUnits, class_weights, soft_labels, specific
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.frames import center_max_radius, turn_about_z
from partdistill_ros.pointcloud.sampling import farthest_points
from partdistill_ros.students.student import Student
from partdistill_ros.text.space import pick_synonym

BELIEF = 0.3  # share of a point's soft label that is what is believed of it, whatever its regions say
BOX_POWER = 1.5  # of the belief that weighs what boxes say: of two names in doubt the likelier one counts
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
    """What a checkpoint holds beside the weights.  rescored: the epoch before which units were graded last, since
    a second time would not leave the beliefs as they are."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    backward_from: int | None = None
    rescored: int | None = None


@dataclass(frozen=True)
class Batch:
    """points `[B, N, 3]`, centers `[B, G]`; of the first ASKED points the weight of each part, weights
    `[B, P, ASKED]`; text and canonical `[B, P, D]`. Rows of NaN are parts that a category lacks."""

    points: Tensor
    centers: Tensor
    weights: Tensor
    text: Tensor
    canonical: Tensor


class Trainer:
    """One training of `student` on `samples`.

    names: category -> its parts' text embeddings, a list of `[S, D]` per part, canonical name first
        and synonyms after it; one is drawn for every cloud.
    backward: the rule by which the student re-scores the units, see `backward.rescore`.
    checkpoint: file that a run which was stopped goes on from.
    forward: file of the student at the end of forward distillation, shared by runs that differ only in
        `backward`.
    """

    def __init__(
        self,
        student: Student,
        samples: Sequence[Sample],
        names: Mapping[str, Sequence[NDArray[np.float32]]],
        schedule: Schedule,
        augmentation: Augmentation,
        *,
        backward: str = "posterior",
        device: str = "cpu",
        seed: int = 0,
        checkpoint: Path | None = None,
        forward: Path | None = None,
    ) -> None:
        self.student, self.samples, self.names = student.to(device), list(samples), dict(names)
        self.schedule, self.augmentation, self.backward = schedule, augmentation, backward
        self.device, self.seed, self.checkpoint, self.forward = device, seed, checkpoint, forward
        self.rescored = [Rescored(sample.units) for sample in self.samples]
        self.state = State()
        self.average = copy.deepcopy(self.student).eval()
        self.optimizer = Optimizer(self.student, schedule.learning_rate)
        self._canonical = torch.from_numpy(distinct_names(names)).to(device)
        self._shares = np.array([sample.weight for sample in self.samples])
        self._shown = [_shown(sample) for sample in self.samples]
        self._grade()

    @property
    def steps_per_epoch(self) -> int:
        return max(self.schedule.min_steps, int(np.ceil(len(self.samples) / self.schedule.batch)))

    def run(self, progress: Callable[[Progress], None] | None = None) -> Student:
        """Train to the end and return the averaged student, in eval mode."""
        self._resume()
        saved = time.monotonic()
        while self.state.epoch < self.schedule.epochs:
            if self._forward_ends():
                self._save(self.forward)
                if self.backward != "none":
                    self.state.backward_from = self.state.epoch
            if self._grades_now():
                self._snapshot()
            loss = self._epoch()
            self.state.losses.append(loss)
            self.state.epoch += 1
            if progress:
                stage = "forward" if self.state.backward_from is None else "backward"
                progress(Progress(stage, self.state.epoch, self.schedule.epochs, loss))
            if time.monotonic() - saved > 60 * self.schedule.checkpoint_minutes:
                self._save(self.checkpoint)
                saved = time.monotonic()
        self._save(self.checkpoint)
        return self.average

    def _epoch(self) -> float:
        steps, batch = self.steps_per_epoch, self.schedule.batch
        order = self._order(steps * batch)
        self.student.train()
        total = 0.0
        bar = tqdm(
            range(steps), desc=f"epoch {self.state.epoch + 1}/{self.schedule.epochs}", leave=False, mininterval=5
        )
        for step in bar:
            total += self._step(order[step * batch : (step + 1) * batch], step)
            bar.set_postfix(loss=f"{total / (step + 1):.3f}", refresh=False)
        return total / steps

    def _order(self, count: int) -> NDArray[np.int64]:
        """The samples of an epoch's `count` clouds: each as often as the others, or as its share says."""
        rng = np.random.default_rng([self.seed, self.state.epoch])
        samples = len(self.samples)
        if (self._shares == self._shares[0]).all():
            return np.concatenate([rng.permutation(samples) for _ in range(-(-count // samples))])[:count]
        return rng.choice(samples, count, p=self._shares / self._shares.sum())

    def _step(self, chosen: NDArray[np.int64], step: int) -> float:
        rng = np.random.default_rng([self.seed, self.state.epoch, step])
        batch = self._batch(chosen, rng)
        torch.manual_seed(step_seed(self.seed, self.state.epoch, step))  # students may leave blocks out at random
        with half_precision(self.device):
            embeddings = self.student.embed(batch.points, batch.centers, ASKED).float()
        loss = self._loss(embeddings, batch)
        done = (self.state.epoch + step / self.steps_per_epoch) / self.schedule.epochs
        self.optimizer.step(loss, self.schedule.learning_rate * cycle(done))
        done_steps = self.state.epoch * self.steps_per_epoch + step + 1
        decay = min(self.schedule.ema_decay, done_steps / (done_steps + 10))
        with torch.no_grad():
            for slow, fast in zip(self.average.parameters(), self.student.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)
            for kept, new in zip(self.average.buffers(), self.student.buffers(), strict=True):
                kept.copy_(kept.lerp(new, 1 - decay) if new.is_floating_point() else new)
        return float(loss.detach())

    def _loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        scale, negatives = self.student.log_scale.exp(), self.schedule.negative_weight
        return part_loss(embeddings, scale, batch.weights, batch.text, batch.canonical, self._canonical, negatives)

    def _batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        config = self.student.config
        drawn, weights, text, canonical = [], [], [], []
        for i in chosen:
            sample = self.samples[i]
            points, targets, masks = self._material(int(i), rng)
            cloud = draw(rng, points, masks, sample.up_unknown, self.augmentation, config.points, config.centers)
            source = cloud.source[:ASKED]
            weight = targets[np.maximum(source, 0)].astype(np.float32)
            weight[source < 0] = 0
            parts = self.names[sample.category]
            drawn.append(cloud)
            weights.append(weight)
            text.append(np.stack([options[pick_synonym(rng, len(options))] for options in parts]))
            canonical.append(np.stack([options[0] for options in parts]))
        return Batch(
            torch.from_numpy(np.stack([cloud.points for cloud in drawn])).to(self.device),
            torch.from_numpy(np.stack([cloud.centers for cloud in drawn])).to(self.device),
            padded_text([weight.T for weight in weights], self.device),
            padded_text(text, self.device),
            padded_text(canonical, self.device),
        )

    def _material(
        self, i: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float16], NDArray[np.bool_] | None]:
        """Points, targets and one-sided masks of sample i, at times mixed with another of its category."""
        sample, targets = self.samples[i], self.targets[i]
        if self.augmentation.mix <= 0 or sample.up_unknown or rng.random() >= self.augmentation.mix:
            return sample.points, targets, sample.partial_views
        others = [j for j, other in enumerate(self.samples) if other.category == sample.category and j != i]
        if not others:
            return sample.points, targets, sample.partial_views
        j = int(rng.choice(others))
        mixed = mix_swap(rng, sample.points, self._divisions(i), self.samples[j].points, self._divisions(j))
        if not mixed.origin.any():
            return sample.points, targets, sample.partial_views
        return mixed.points, mixed.gather(targets, self.targets[j]), None

    def _divisions(self, i: int) -> NDArray[np.int64]:
        if i not in self._parts:
            self._parts[i] = divisions(self.samples[i].points, self.targets[i].astype(np.float32))
        return self._parts[i]

    def _grade(self) -> None:
        """Targets `[N, P]` of every sample from its units' present scores; class weights by category."""
        groups: dict[str, list[KnowledgeUnits]] = {}
        for sample, graded in zip(self.samples, self.rescored, strict=True):
            groups.setdefault(sample.category, []).append(graded.units)
        weight = {name: class_weights(units, len(units[0].parts)) for name, units in groups.items()}
        self.targets = [
            targets(graded, weight[sample.category], shown)
            for sample, graded, shown in zip(self.samples, self.rescored, self._shown, strict=True)
        ]
        self._parts: dict[int, NDArray[np.int64]] = {}

    def _forward_ends(self) -> bool:
        """Whether forward distillation ends now; where no backward follows, whether one would."""
        if self.state.backward_from is not None:
            return False
        losses = self.state.losses
        first = next((done for done in range(len(losses) + 1) if self._converged(losses[:done])), None)
        return first == len(losses)

    def _converged(self, losses: Sequence[float]) -> bool:
        late = len(losses) >= self.schedule.forward_fraction * self.schedule.epochs
        return late or converged(losses, self.schedule)

    def _grades_now(self) -> bool:
        if self.state.backward_from is None or self.state.rescored == self.state.epoch:
            return False
        done = self.state.epoch - self.state.backward_from
        return done == 0 or (self.backward == "posterior" and done % self.schedule.rescore_every == 0)

    def _snapshot(self) -> None:
        """Re-score every unit by the averaged student, category by category."""
        answers = predict(self.average, self.samples, self.names, self.device, self.seed)
        for category in self.names:
            rows = [i for i, sample in enumerate(self.samples) if sample.category == category]
            if rows:
                group, shown = [self.samples[i] for i in rows], [self._shown[i] for i in rows]
                earlier = [self.rescored[i] for i in rows]
                found = rescore(group, shown, [answers[i] for i in rows], self.backward, earlier)
                for i, graded in zip(rows, found, strict=True):
                    self.rescored[i] = graded
        self.state.rescored = self.state.epoch
        self._grade()
        self._save(self.checkpoint)

    def _save(self, path: Path | None) -> None:
        if path is None:
            return
        content = {
            "student": self.student.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "state": json.dumps(self.state.__dict__),
            "scores": [torch.from_numpy(one.units.score) for one in self.rescored],
            "beliefs": [None if one.posterior is None else torch.from_numpy(one.posterior) for one in self.rescored],
        }
        with atomic_path(path) as temporary:
            torch.save(content, temporary)

    def _resume(self) -> None:
        for path in (self.checkpoint, self.forward):
            if path is not None and path.exists():
                self._load(path)
                return

    def _load(self, path: Path) -> None:
        content = torch.load(path, map_location=self.device, weights_only=True)
        self.student.load_state_dict(content["student"])
        self.average.load_state_dict(content["average"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.state = State(**json.loads(content["state"]))
        self.rescored = [
            Rescored(one.units.with_scores(score.cpu().numpy()), None if belief is None else belief.cpu().numpy())
            for one, score, belief in zip(self.rescored, content["scores"], content["beliefs"], strict=True)
        ]
        self._grade()


def _shown(sample: Sample) -> NDArray[np.int64] | None:
    """How many points each view of a box teacher shows, None where the units are no boxes."""
    if not sample.boxes:
        return None
    return np.zeros(0, np.int64) if sample.views is None else shown_points(sample.points, sample.views)


def targets(
    graded: Rescored, class_weight: NDArray[np.float32], shown: NDArray[np.int64] | None
) -> NDArray[np.float16]:
    """Soft labels `[N, P]` of graded units.  shown: of boxes, see `specific`; None for regions.

    Once there is a belief, what the units say of a point counts as far as it is believed; of regions a share of the
    label is the belief itself, which for boxes is only the student's own answer and would hold it there. The mean over
    the points stays as it was. Class weights are then left out: they keep small parts alive while nobody knows which
    units are right, and make them too large from there on.
    """
    units = graded.units if shown is None else specific(graded.units, shown)
    if graded.posterior is None:
        return soft_labels(units, class_weight).astype(np.float16)
    said, belief = soft_labels(units, np.ones_like(class_weight)), graded.posterior.astype(np.float32)
    total = float(said.sum())
    if shown is not None:
        return _scaled(said * belief**BOX_POWER, total).astype(np.float16)
    return ((1 - BELIEF) * _scaled(said * belief, total) + BELIEF * _scaled(belief, total)).astype(np.float16)


def _scaled(weight: NDArray[np.float32], total: float) -> NDArray[np.float32]:
    return weight * np.float32(total / max(float(weight.sum()), 1e-9))


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
    samples: Sequence[Sample],
    names: Mapping[str, Sequence[NDArray[np.float32]]],
    device: str,
    seed: int,
    draws: int = 4,
) -> list[NDArray[np.float32]]:
    """The student's probabilities `[N, P]` of every point of every sample, in eval mode, unaugmented but for the
    turn about the vertical, mean over `draws` samples of the cloud."""
    return [
        label_points(student, sample.points, names[sample.category], device, [seed, number], draws, sample.up_unknown)
        for number, sample in enumerate(samples)
    ]


@torch.no_grad()
def label_points(
    student: Student,
    points: NDArray[np.float32],
    parts: Sequence[NDArray[np.float32]],
    device: str = "cpu",
    seed: Sequence[int] = (0,),
    draws: int = 2,
    up_unknown: bool = False,
) -> NDArray[np.float32]:
    """Probabilities `[N, P]` of upright `points [N, 3]` for `parts`, embeddings `[S, D]` each, canonical first.

    Each of `draws` clouds is a sample of the points, normalized as the live node does, turned about the vertical;
    where nobody knows which way is up (`flat`), every other one lies on its other side.
    """
    student.eval()
    config, rng = student.config, np.random.default_rng(list(seed))
    text = torch.from_numpy(np.stack([options[0] for options in parts])).to(device)
    rows = [rng.choice(len(points), config.points, replace=len(points) < config.points) for _ in range(draws)]
    turns = [turn_about_z(2 * np.pi * number / draws) for number in range(draws)]
    if up_unknown:
        turns[1::2] = [turn @ np.diag([1.0, -1.0, -1.0]) for turn in turns[1::2]]
    clouds = [center_max_radius(points[row] @ turn.T) for row, turn in zip(rows, turns, strict=True)]
    centers = np.stack([farthest_points(cloud, config.centers) for cloud in clouds])
    logits = student(torch.from_numpy(np.stack(clouds)).to(device), torch.from_numpy(centers).to(device), text)
    found = logits.softmax(-1).cpu().numpy()
    spread = [cKDTree(points[row]).query(points)[1] for row in rows]
    mean: NDArray[np.float32] = np.mean([one[near] for one, near in zip(found, spread, strict=True)], axis=0)
    return mean
