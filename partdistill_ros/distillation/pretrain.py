# SPDX-License-Identifier: Apache-2.0
"""Self-supervised pre-training: an encoder learns shapes from clouds alone, by drawing what was hidden of them.

Every random number comes from (seed, epoch, step) and a checkpoint is whole epochs, so a run that was killed
and resumed ends with the weights of an undisturbed one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from partdistill_ros.distillation.augmentation import augment
from partdistill_ros.distillation.checkpoint import load_parts
from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.optimizer import lr_schedule, step_seed
from partdistill_ros.distillation.pretrain_config import PretrainConfig
from partdistill_ros.distillation.processes import (
    check_alike,
    check_student,
    end_others,
    from_first,
    is_first,
    own_rows,
    share,
    sum_gradients,
    summed,
)
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import partial_view_masks, upright_cloud
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.content_key import content_key
from partdistill_ros.io.load import load_scans
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.students.build import new_student, save_encoder
from partdistill_ros.students.masked import masked_autoencoder
from partdistill_ros.students.student import Student
from partdistill_ros.students.weights import save_weights
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.procedural import procedural_clouds
from partdistill_ros.text.space import TextSpace

log = logging.getLogger(__name__)

# What a training does not depend on; the clouds enter by themselves.
NOT_IN_KEY = ("out", "scans", "generated", "first_seed", "cloud_points", "device", "checkpoint_minutes")


@dataclass(frozen=True)
class Cloud:
    """Points `[N, 3]` in the unit ball, up = +z, what single cameras see of them `[V, N]` (None: a scan from
    one side). up_unknown: it has no vertical of its own and is learned under free turns."""

    points: NDArray[np.float32]
    partial_views: NDArray[np.bool_] | None
    up_unknown: bool


def run(config: PretrainConfig, progress: Callable[[Progress], None] | None = None) -> dict[str, object]:
    """Pre-train and write the encoder; returns the training's summary, which the file holds too.

    Scans that cannot be used are reported and left out. A run that was stopped goes on where it was.
    Raises PartDistillError where no cloud is left or the output cannot be written.
    """
    clouds = from_first(lambda: gather_clouds(config))
    torch.manual_seed(config.seed)
    student = new_student(config.student, TextSpace.load().dim)
    pretraining = Pretraining(student, clouds, config)
    losses = pretraining.run(progress)
    end_others()
    training = {
        "method": "masked autoencoding",
        "clouds": len(clouds),
        "generated": f"{config.generated} of each of {len(FAMILIES)} families" if config.generated else "none",
        "epochs": config.epochs,
        "batch": config.batch,
        "seed": config.seed,
        "first_loss": round(losses[0], 4),
        "loss": round(losses[-1], 4),
    }
    save_encoder(student, config.out, training)
    return training


def gather_clouds(config: PretrainConfig) -> Sequence[Cloud]:
    """The clouds of the scans, then the generated ones."""
    flat = {name for name, family in FAMILIES.items() if family.up_unknown}
    scans = load_scans(config.scans, on_skip=_warn) if config.scans else ()
    clouds: DiskList[Cloud] = DiskList()
    total = None if config.scans else config.generated * len(FAMILIES)
    for number, scan in enumerate(tqdm(chain(scans, _generated(config)), desc="clouds", unit="cloud", total=total)):
        try:
            cloud = upright_cloud(scan, config.cloud_points, config.seed)
        except PartDistillError as error:
            _warn(Path(scan.name), error)
            continue
        masks = partial_view_masks(cloud, config.seed + number, config.augmentation.num_partial_views)
        clouds.append(Cloud(cloud.points, masks, scan.category in flat))
    if not clouds:
        raise PartDistillError("no scan could be used: see the warnings above for what is wrong with each")
    return clouds


class Pretraining:
    """One training of the encoder of `student` on `clouds`."""

    def __init__(self, student: Student, clouds: Sequence[Cloud], config: PretrainConfig) -> None:
        check_student(student)
        self.clouds, self.config = clouds, config
        self.model = masked_autoencoder(student).to(config.device)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.losses: list[float] = []
        self.checkpoint = config.out.with_name(config.out.name + ".work") / f"pretrain-{self._key()}.pt"

    @property
    def steps_per_epoch(self) -> int:
        return max(self.config.min_steps, int(np.ceil(len(self.clouds) / self.config.batch)))

    def run(self, progress: Callable[[Progress], None] | None = None) -> list[float]:
        """Train to the end; returns the mean loss of every epoch."""
        self._resume()
        check_alike(self.losses)  # before one writes what another reads
        saved = time.monotonic()
        self.model.train()
        while len(self.losses) < self.config.epochs:
            self.losses.append(self._epoch(len(self.losses)))
            if progress:
                progress(Progress("pretrain", len(self.losses), self.config.epochs, self.losses[-1]))
            if time.monotonic() - saved > 60 * self.config.checkpoint_minutes:
                self._save()
                saved = time.monotonic()
        self._save()
        return self.losses

    def _epoch(self, epoch: int) -> float:
        rng = np.random.default_rng([self.config.seed, epoch])
        steps, batch = self.steps_per_epoch, self.config.batch
        rounds = int(np.ceil(steps * batch / len(self.clouds)))
        order = np.concatenate([rng.permutation(len(self.clouds)) for _ in range(rounds)])
        total = 0.0
        bar = tqdm(range(steps), desc=f"epoch {epoch + 1}/{self.config.epochs}", leave=False, mininterval=5)
        for step in bar:
            total += self._step(order[step * batch : (step + 1) * batch], epoch, step)
            bar.set_postfix(loss=f"{total / (step + 1):.3f}", refresh=False)
        return total / steps

    def _step(self, chosen: NDArray[np.int64], epoch: int, step: int) -> float:
        config = self.config
        seed = step_seed(config.seed, epoch, step)
        torch.manual_seed(seed)  # of the blocks that are left out
        points, centers = self._batch(chosen, np.random.default_rng([config.seed, epoch, step]))
        own = own_rows(len(chosen))
        visible = self.model.sample_visible(len(chosen), torch.Generator().manual_seed(seed))[own.start : own.stop]
        done = (epoch * self.steps_per_epoch + step) / (config.epochs * self.steps_per_epoch)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * lr_schedule(done)
        loss: Tensor = self.model(points, centers, visible.to(config.device)) * share(len(chosen))
        self.optimizer.zero_grad()
        loss.backward()
        sum_gradients(self.model.parameters())
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return summed(float(loss.detach()))

    def _batch(self, chosen: NDArray[np.int64], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        sizes, how, own = self.model.student.config, self.config.augmentation, own_rows(len(chosen))
        drawn = []
        for place, cloud in enumerate(self.clouds[i] for i in chosen):
            scan, centers_wanted = (cloud.points, cloud.partial_views, cloud.up_unknown), sizes.centers * (place in own)
            drawn.append(augment(rng, *scan, how, sizes.points, centers_wanted))
        drawn = drawn[own.start : own.stop]  # those of other processes were drawn for the random numbers after them
        points = torch.from_numpy(np.stack([one.points for one in drawn]))
        centers = torch.from_numpy(np.stack([one.centers for one in drawn]))
        return points.to(self.config.device), centers.to(self.config.device)

    def _key(self) -> str:
        """Changes with everything that a checkpoint depends on."""
        config = self.config
        options = {one.name: getattr(config, one.name) for one in fields(config) if one.name not in NOT_IN_KEY}
        return content_key(options, self.model.student.config, self.clouds)

    def _save(self) -> None:
        if not is_first():
            return
        content = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": json.dumps(self.losses),
        }
        save_weights(content, self.checkpoint)

    def _resume(self) -> None:
        if not self.checkpoint.exists():
            return
        parts = {"model": self.model, "optimizer": self.optimizer}
        losses = load_parts(self.checkpoint, parts, self.config.device, lambda content: json.loads(content["losses"]))
        self.losses = losses or []


def _generated(config: PretrainConfig) -> Iterator[Scan]:
    return procedural_clouds(sorted(FAMILIES), config.generated, config.first_seed, config.cloud_points)


def _warn(path: Path, error: PartDistillError) -> None:
    log.warning("%s left out: %s", path, error)
