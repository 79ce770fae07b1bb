# SPDX-License-Identifier: Apache-2.0
"""The training loop: forward distillation until it converges, backward distillation from there on.

Every random number comes from (seed, epoch, step) and a checkpoint is whole epochs, so a run that was
killed and resumed ends with the weights of an undisturbed one. Stopping and re-scoring look at the
training loss and the student's own answers only.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from partdistill_ros.distillation.answers import TextEmbeddings, predict
from partdistill_ros.distillation.augmentation import augment
from partdistill_ros.distillation.backward import Rescored, rescore, training_labels
from partdistill_ros.distillation.checkpoint import TrainerState, load_checkpoint, save_checkpoint
from partdistill_ros.distillation.config import Augmentation, BackwardConfig, Schedule
from partdistill_ros.distillation.disk_list import DiskList, Picked
from partdistill_ros.distillation.losses import distinct_names, pad_parts, part_loss
from partdistill_ros.distillation.optimizer import Optimizer, half_precision, lr_schedule, step_seed, update_average
from partdistill_ros.distillation.processes import check_alike, is_first, own_rows, share, summed
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import class_weights
from partdistill_ros.students.student import Student
from partdistill_ros.text.space import pick_synonym


@dataclass(frozen=True)
class Batch:
    """points `[B, N, 3]`, centers `[B, G]`; soft_labels `[B, P, L]` of the first L points, those of the loss; text and
    canonical `[B, P, D]`. Rows of NaN are parts that a category lacks."""

    points: Tensor
    centers: Tensor
    soft_labels: Tensor
    text: Tensor
    canonical: Tensor


class Trainer:
    """One training of `student` on `samples`.

    text_embeddings: category -> its parts' embeddings, a list of `[S, D]` per part, canonical name first and synonyms
        after it; one is drawn for every cloud.
    backward: the rule by which the student re-scores the units, see `backward.rescore`; `none` for forward alone.
    checkpoint: file that a run which was stopped goes on from.  forward: file of the student at the end of forward
        distillation, shared by runs that differ only in `backward`, but for those of the paper's weights.
    published: units weigh as in the paper, in both directions; always so with the rule `published`.
    second_opinion: what the student answers before it learns takes part in the rule `posterior`.
    """

    def __init__(
        self,
        student: Student,
        samples: Sequence[Sample],
        text_embeddings: TextEmbeddings,
        schedule: Schedule,
        augmentation: Augmentation,
        *,
        backward: str = "posterior",
        backward_config: BackwardConfig | None = None,
        device: str = "cpu",
        seed: int = 0,
        checkpoint: Path | None = None,
        forward: Path | None = None,
        published: bool = False,
        second_opinion: bool = False,
    ) -> None:
        self.student, self.samples, self.text_embeddings = student.to(device), samples, dict(text_embeddings)
        self.schedule, self.augmentation = schedule, augmentation
        self.backward, self.backward_config = backward, backward_config or BackwardConfig()
        self.published = published or backward == "published"
        if forward is not None and self.published:
            forward = forward.with_name(f"published-{forward.name}")
        self.device, self.seed, self.checkpoint, self.forward = device, seed, checkpoint, forward
        self.rescored = DiskList(Rescored(sample.units) for sample in samples)
        self.weights = np.array([sample.weight for sample in samples])
        categories = np.array([sample.category for sample in samples])
        self.rows = {category: np.flatnonzero(categories == category).tolist() for category in text_embeddings}
        self.state = TrainerState()
        self.ema_student = copy.deepcopy(self.student).eval()
        self.first_student = copy.deepcopy(self.ema_student) if second_opinion and backward == "posterior" else None
        self.optimizer = Optimizer(self.student, schedule.learning_rate, schedule.weight_decay)
        self.all_names = torch.from_numpy(distinct_names(text_embeddings)).to(device)
        self.update_labels()

    def run(self, report: Callable[[Progress], None] | None = None) -> Student:
        """Train to the end and return the averaged student, in eval mode."""
        self._resume()
        check_alike((self.state.epoch, self.state.rescored_at))  # before one writes what another reads
        saved, schedule = time.monotonic(), self.schedule
        while self.state.epoch < schedule.epochs:
            if self._forward_ends():
                self._save(self.forward)
                if self.backward != "none":
                    self.state.backward_from = self.state.epoch
            if self._rescoring_due():
                self.rescore_units()
                self._save(self.checkpoint)
            loss = self.train_epoch()
            self.state.losses.append(loss)
            self.state.epoch += 1
            if report:
                stage = "forward" if self.state.backward_from is None else "backward"
                report(Progress(stage, self.state.epoch, schedule.epochs, loss))
            if time.monotonic() - saved > 60 * schedule.checkpoint_minutes:
                self._save(self.checkpoint)
                saved = time.monotonic()
        self._save(self.checkpoint)
        return self.ema_student

    # --- forward: the units are what the student learns -----------------------------------------

    def update_labels(self) -> None:
        """Soft labels `[N, P]` of every sample from its units' present scores; class weights by category."""
        weights = {}
        for category, rows in self.rows.items():
            units = (self.rescored[i].units for i in rows)
            weights[category] = class_weights(units, len(self.text_embeddings[category]), self.published)
        self.soft_labels: Sequence[NDArray[np.float16]] = DiskList(
            training_labels(sample, rescored, weights[sample.category], self.backward_config, self.published)
            for sample, rescored in zip(self.samples, self.rescored, strict=True)
        )

    def train_epoch(self) -> float:
        """One epoch; its mean loss."""
        steps, batch, epoch = self.steps_per_epoch, self.schedule.batch, self.state.epoch + 1
        order = self.epoch_order(steps * batch)
        self.student.train()
        total = 0.0
        bar = tqdm(range(steps), desc=f"epoch {epoch}/{self.schedule.epochs}", leave=False, mininterval=5)
        for step in bar:
            total += self.train_step(order[step * batch : (step + 1) * batch], step)
            bar.set_postfix(loss=f"{total / (step + 1):.3f}", refresh=False)
        return total / steps

    @property
    def steps_per_epoch(self) -> int:
        """Batches of an epoch: every sample once, or `min_steps` batches."""
        return max(self.schedule.min_steps, int(np.ceil(len(self.samples) / self.schedule.batch)))

    def epoch_order(self, count: int) -> NDArray[np.int64]:
        """The samples of an epoch's `count` clouds: each as often as the others, or as its weight says."""
        rng = np.random.default_rng([self.seed, self.state.epoch])
        if (self.weights == self.weights[0]).all():
            rounds = -(-count // len(self.weights))
            return np.concatenate([rng.permutation(len(self.weights)) for _ in range(rounds)])[:count]
        return rng.choice(len(self.weights), count, p=self.weights / self.weights.sum())

    def train_step(self, chosen: NDArray[np.int64], step: int) -> float:
        """One step on the chosen samples; the loss."""
        batch = self.draw_batch(chosen, np.random.default_rng([self.seed, self.state.epoch, step]))
        torch.manual_seed(step_seed(self.seed, self.state.epoch, step))  # students may leave blocks out at random
        with half_precision(self.device):
            embeddings = self.student.embed(batch.points, batch.centers, self.schedule.num_loss_points).float()
        loss = self.loss(embeddings, batch) * share(len(chosen))
        progress = (self.state.epoch + step / self.steps_per_epoch) / self.schedule.epochs
        self.optimizer.step(loss, self.schedule.learning_rate * lr_schedule(progress))
        done = self.state.epoch * self.steps_per_epoch + step + 1
        update_average(self.ema_student, self.student, self.schedule.ema_decay, done)
        return summed(float(loss.detach()))

    def draw_batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> Batch:
        """Augmented clouds of the chosen samples with the soft labels of their points and a name for each part."""
        config, count = self.student.config, self.schedule.num_loss_points
        clouds, labels, text, canonical = [], [], [], []
        for place, i in enumerate(chosen):
            sample, own = self.samples[i], place in own_rows(len(chosen))
            scan = (sample.points, sample.partial_views, sample.up_unknown)
            cloud = augment(rng, *scan, self.augmentation, config.points, config.centers if own else 0)
            parts = self.text_embeddings[sample.category]
            names = [options[pick_synonym(rng, len(options))] for options in parts]
            if not own:  # another process's, drawn for the random numbers that come after it
                continue
            source = cloud.source[:count]
            clouds.append(cloud)
            labels.append(np.where(source < 0, 0, self.soft_labels[i][source].T.astype(np.float32)))  # -1: of no object
            text.append(np.stack(names))
            canonical.append(np.stack([options[0] for options in parts]))
        return Batch(
            torch.from_numpy(np.stack([cloud.points for cloud in clouds])).to(self.device),
            torch.from_numpy(np.stack([cloud.centers for cloud in clouds])).to(self.device),
            pad_parts(labels, self.device),
            pad_parts(text, self.device),
            pad_parts(canonical, self.device),
        )

    def loss(self, embeddings: Tensor, batch: Batch) -> Tensor:
        """The loss of `embeddings [B, L, D]`."""
        scale, names = self.student.log_scale.exp(), (batch.text, batch.canonical, self.all_names)
        return part_loss(embeddings, scale, batch.soft_labels, *names, self.schedule.negative_weight)

    # --- backward: the student re-scores the units ----------------------------------------------

    def rescore_units(self) -> None:
        """Re-score every unit by the averaged student, category by category, and learn from the new scores."""
        probabilities = self.answers(self.ema_student)
        for own in self.rows.values():
            rows = [i for i in own if not self.samples[i].labeled]
            if not rows:
                continue
            samples, answers = Picked(self.samples, rows), Picked(probabilities, rows)
            opinions = None if self.opinions is None else Picked(self.opinions, rows)
            earlier = Picked(self.rescored, rows)
            found = rescore(samples, answers, self.backward, earlier, self.backward_config, opinions)
            for i, rescored in zip(rows, found, strict=True):
                self.rescored[i] = rescored
        self.state.rescored_at = self.state.epoch
        self.update_labels()

    def answers(self, student: Student) -> Sequence[NDArray[np.float32]]:
        """Probabilities `[N, P]` of a student for every sample."""
        turned = self.augmentation.yaw > 0
        return predict(student, self.samples, self.text_embeddings, self.device, self.seed, turned=turned)

    @cached_property
    def opinions(self) -> Sequence[NDArray[np.float32]] | None:
        """What the student said before it learned, asked when it is needed first; None without a second opinion."""
        return None if self.first_student is None else self.answers(self.first_student)

    def _forward_ends(self) -> bool:
        """Whether forward distillation ends now; where no backward follows, whether one would."""
        if self.state.backward_from is not None:
            return False
        losses, latest = self.state.losses, self.schedule.forward_fraction * self.schedule.epochs
        first = next((n for n in range(len(losses) + 1) if n >= latest or converged(losses[:n], self.schedule)), None)
        return first == len(losses)

    def _rescoring_due(self) -> bool:
        if self.state.backward_from is None or self.state.rescored_at == self.state.epoch:
            return False
        epochs_since = self.state.epoch - self.state.backward_from
        return epochs_since == 0 or (self.backward == "posterior" and epochs_since % self.schedule.rescore_every == 0)

    # --- checkpoints ----------------------------------------------------------------------------

    def _save(self, path: Path | None) -> None:
        if path is not None and is_first():
            save_checkpoint(path, self.student, self.ema_student, self.optimizer, self.state, self.rescored)

    def _resume(self) -> None:
        for path in (self.checkpoint, self.forward):
            if path is None or not path.exists():
                continue
            loaded = load_checkpoint(path, self.student, self.ema_student, self.optimizer, self.rescored, self.device)
            if loaded is not None:
                self.state, self.rescored = loaded
                self.update_labels()
                return


def converged(losses: Sequence[float], schedule: Schedule) -> bool:
    """Whether the moving average over `window` epochs changed by less than its fraction `tolerance`: the loss scales
    with the teacher's confidences, and the method's absolute 0.01 would find an unsure teacher's converged at once."""
    if len(losses) < max(schedule.patience, schedule.window + 1):
        return False
    now, before = np.mean(losses[-schedule.window :]), np.mean(losses[-schedule.window - 1 : -1])
    return bool(abs(now - before) < schedule.tolerance * abs(before))
