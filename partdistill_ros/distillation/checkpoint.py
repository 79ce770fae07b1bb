# SPDX-License-Identifier: Apache-2.0
"""What a training that was stopped goes on from: weights, optimizer, state and re-scored units, in one file."""

from __future__ import annotations

import copy
import json
import logging
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from torch import nn

from partdistill_ros.distillation.backward import Rescored
from partdistill_ros.distillation.disk_list import DiskList
from partdistill_ros.distillation.optimizer import Optimizer
from partdistill_ros.distillation.processes import is_first
from partdistill_ros.io.atomic import atomic_path
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
    """Write everything to `path`, whole or not at all; the units as they were re-scored last to a file beside it, which
    is written once, since it grows with the number of scans."""
    content = {
        "student": student.state_dict(),
        "ema_student": ema_student.state_dict(),
        "optimizer": optimizer.state_dict(),
        "state": json.dumps(asdict(state)),
    }
    beside = _units_file(path, state)
    if beside is not None and not beside.exists():
        _save_units(beside, rescored)
    save_weights(content, path)
    _remove_units(path, beside)


def load_checkpoint(
    path: Path,
    student: nn.Module,
    ema_student: nn.Module,
    optimizer: Optimizer,
    rescored: Sequence[Rescored],
    device: str,
) -> tuple[TrainerState, DiskList[Rescored]] | None:
    """Load weights and optimizer in place; returns the state and `rescored` with the scores of then. None for a damaged
    file, see `load_parts`."""

    def read(content: Mapping[str, Any]) -> tuple[TrainerState, DiskList[Rescored]]:
        state = TrainerState(**json.loads(content["state"]))
        beside = _units_file(path, state)
        return state, DiskList(rescored) if beside is None else _load_units(beside, rescored)

    parts = {"student": student, "ema_student": ema_student, "optimizer": optimizer}
    loaded = load_parts(path, parts, device, read)
    if loaded is None and is_first():
        _remove_units(path)  # which may be what is damaged, and would be taken for written
    return loaded


def _remove_units(path: Path, but: Path | None = None) -> None:
    """The units beside a checkpoint go, but for one file of them."""
    for stale in set(path.parent.glob(f"{path.stem}-units-*.npz")) - {but}:
        stale.unlink(missing_ok=True)


def _units_file(path: Path, state: TrainerState) -> Path | None:
    """Beside a checkpoint, of the epoch in which units were re-scored last."""
    return None if state.rescored_at is None else path.with_name(f"{path.stem}-units-{state.rescored_at}.npz")


def _save_units(path: Path, rescored: Sequence[Rescored]) -> None:
    """Scores and posteriors as an `.npz`, array by array: `numpy.savez` wants all of them in memory."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for number, one in enumerate(rescored):
            for name, values in (("score", one.units.score), ("posterior", one.posterior)):
                if values is not None:
                    with archive.open(f"{name}{number}.npy", "w") as file:
                        np.lib.format.write_array(file, values, allow_pickle=False)


def _load_units(path: Path, rescored: Sequence[Rescored]) -> DiskList[Rescored]:
    """`rescored` with what `_save_units` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return DiskList(
            Rescored(one.units.with_scores(file[f"score{number}"]), file.get(f"posterior{number}"))
            for number, one in enumerate(rescored)
        )


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
