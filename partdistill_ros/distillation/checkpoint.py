# SPDX-License-Identifier: Apache-2.0
"""What a training that was stopped goes on from: weights, optimizer, state and re-scored units, in one file."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from partdistill_ros.distillation.backward import Rescored
from partdistill_ros.distillation.optimizer import Optimizer
from partdistill_ros.students.weights import load_weights, save_weights

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass
class TrainerState:
    """epoch: how many are done.  losses: one an epoch.  backward_from: the epoch at which backward distillation began,
    None before.  rescored_at: the epoch before which units were re-scored last, since a second time would not leave
    the posteriors as they are."""

    epoch: int = 0
    losses: list[float] = field(default_factory=list)
    backward_from: int | None = None
    rescored_at: int | None = None


def save_checkpoint(
    path: Path,
    student: nn.Module,
    ema_student: nn.Module,
    optimizer: Optimizer,
    state: TrainerState,
    rescored: Sequence[Rescored],
) -> None:
    """Write everything to `path`, whole or not at all."""
    content = {
        "student": student.state_dict(),
        "ema_student": ema_student.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": json.dumps(asdict(state)),
        "scores": [torch.from_numpy(one.units.score) for one in rescored],
        "posteriors": [None if one.posterior is None else torch.from_numpy(one.posterior) for one in rescored],
    }
    save_weights(content, path)


def load_checkpoint(
    path: Path,
    student: nn.Module,
    ema_student: nn.Module,
    optimizer: Optimizer,
    rescored: Sequence[Rescored],
    device: str,
) -> tuple[TrainerState, list[Rescored]] | None:
    """Load weights and optimizer in place; returns the state and `rescored` with the scores of then. None for a damaged
    file, see `load_parts`."""

    def read(content: Mapping[str, Any]) -> tuple[TrainerState, list[Rescored]]:
        restored = [
            Rescored(one.units.with_scores(score.cpu().numpy()), None if found is None else found.cpu().numpy())
            for one, score, found in zip(rescored, content["scores"], content["posteriors"], strict=True)
        ]
        return TrainerState(**json.loads(content["state"])), restored

    parts = {"student": student, "ema_student": ema_student, "optimizer": optimizer}
    return load_parts(path, parts, device, read)


def load_parts(path: Path, parts: Mapping[str, Any], device: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    """Load the states of `parts` from a checkpoint in place; returns what `read` makes of its content.

    Of a damaged file a warning tells; then the answer is None, and the parts are as they were.
    """
    before = {name: copy.deepcopy(part.state_dict()) for name, part in parts.items()}
    try:
        content = load_weights(path, "delete it", device)
        for name, part in parts.items():
            part.load_state_dict(content[name])
        return read(content)
    except Exception as error:  # and of parts of another shape
        log.warning("%s is damaged and the training begins anew (%s)", path, str(error).partition("\n")[0])
        for name, part in parts.items():
            part.load_state_dict(before[name])
        return None
