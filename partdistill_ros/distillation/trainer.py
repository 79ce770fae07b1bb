# SPDX-License-Identifier: Apache-2.0
"""From scans and part names to a student bundle: render, teach, distil, export, check."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from partdistill_ros.distillation.collection import Member, teach, upright_cloud
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.fit import Fit, Progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.knowledge.store import KnowledgeStore
from partdistill_ros.rendering.rasterize import load_backend, render_scan
from partdistill_ros.scans.load import load_scans
from partdistill_ros.scans.scan import Scan
from partdistill_ros.students.build import new_student, save_student
from partdistill_ros.teachers.teacher import load_teacher
from partdistill_ros.text.space import TextSpace, clean_name

log = logging.getLogger(__name__)


def run(config: DistillConfig, progress: Callable[[Progress], None] | None = None) -> Path:
    """Distil a student on the scans of one category and write its bundle; returns its directory.

    Scans that cannot be used are reported and left out. A run that was stopped goes on where it was.
    Raises PartDistillError where no scan is left or the output cannot be written.
    """
    torch.manual_seed(config.seed)
    category = clean_name(config.category or "object")
    parts = tuple(clean_name(part) for part in config.parts)
    space = TextSpace.load()
    work = config.out.with_name(config.out.name + ".work")
    members = gather_members(load_scans(config.scans, on_skip=_warn), config, category, parts, work)
    names = {category: [space.encode([part]) for part in parts]}
    student = new_student(config.student, space.dim, config.start, config.freeze_encoder)
    fit = Fit(
        student,
        members,
        names,
        config.schedule,
        config.augmentation,
        backward=config.backward,
        device=config.device,
        seed=config.seed,
        checkpoint=work / f"fit-{run_key(config, members)}.pt",
    )
    student = fit.run(progress)
    training = {
        "scans": len(members),
        "teacher": config.teacher,
        "mode": config.mode,
        "backward": config.backward,
        "student": config.student,
        "start": config.start,
        "seed": config.seed,
        "epochs": fit.state.epoch,
        "backward_from": fit.state.backward_from,
        "loss": round(fit.state.losses[-1], 4),
    }
    vocabulary = Vocabulary(*_known(space, (category, *parts)), {category: parts})
    return save_student(student, config.out, config.out.name, vocabulary, space, training)


def gather_members(
    scans: Iterable[Scan], config: DistillConfig, category: str, parts: Sequence[str], work: Path
) -> list[Member]:
    """Render every scan and ask the teacher; knowledge that is in the store already is not asked again."""
    teacher = load_teacher(config.teacher, config.device)
    renderer = partial(render_scan, device=config.device, backend=load_backend(config.renderer, config.device))
    store = KnowledgeStore(work / "knowledge")
    members = []
    for number, scan in enumerate(tqdm(scans, desc="teacher", unit="scan")):
        try:
            cloud = upright_cloud(scan, config.cloud_points, config.seed)
            members.append(
                teach(cloud, parts, category, teacher, store=store, seed=config.seed + number, renderer=renderer)
            )
        except PartDistillError as error:
            _warn(Path(scan.name), error)
    if not members:
        raise PartDistillError("no scan could be used: see the warnings above for what is wrong with each")
    if not any(len(member.units) for member in members):
        raise PartDistillError(
            f"the teacher '{config.teacher}' saw none of {', '.join(parts)} in any view: check the names"
        )
    return members


def run_key(config: DistillConfig, members: Sequence[Member]) -> str:
    """Changes with everything that a checkpoint depends on."""
    digest = hashlib.sha256(
        repr(
            (
                config.parts,
                config.category,
                config.teacher,
                config.student,
                config.start,
                config.freeze_encoder,
                config.backward,
                config.seed,
                config.schedule,
                config.augmentation,
            )
        ).encode()
    )
    if Path(config.start).is_file():
        digest.update(Path(config.start).read_bytes())
    for member in members:
        digest.update(member.name.encode() + member.points.tobytes() + member.units.score.tobytes())
    return digest.hexdigest()[:16]


def _known(space: TextSpace, names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    every = tuple(dict.fromkeys((*space.names, *names)))
    return every, space.encode(every)


def _warn(path: Path, error: PartDistillError) -> None:
    log.warning("%s left out: %s", path, error)
