# SPDX-License-Identifier: Apache-2.0
"""From scans and part names to a student bundle: render, teach, distil, export, check."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from partdistill_ros.distillation.collection import LEAST_POINTS, Member, teach, upright_cloud
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.fit import Fit, Progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import DEFAULT_PATH, write_bundle
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.knowledge.store import KnowledgeStore
from partdistill_ros.rendering.rasterize import load_backend, render_scan
from partdistill_ros.scans.load import load_scans
from partdistill_ros.scans.scan import Scan
from partdistill_ros.students.export import OPSET, parity, to_onnx
from partdistill_ros.students.patch_transformer import PatchTransformer, PatchTransformerConfig
from partdistill_ros.teachers.teacher import load_teacher
from partdistill_ros.text.space import TextSpace, clean_name

WEIGHTS = "student.pt"
PARITY = 1e-3  # largest difference of a logit (they span about +-12) between torch and ONNX

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
    student = new_student(config, space)
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


def new_student(config: DistillConfig, space: TextSpace) -> PatchTransformer:
    """A student with random weights, or with those of the shipped one."""
    if config.start == "scratch":
        return PatchTransformer(PatchTransformerConfig(dim=space.dim))
    return load_student(DEFAULT_PATH)


def load_student(bundle: Path) -> PatchTransformer:
    """The torch weights that lie in a bundle. Raises PartDistillError where there are none."""
    try:
        content = torch.load(bundle / WEIGHTS, map_location="cpu", weights_only=True)
        student = PatchTransformer(PatchTransformerConfig(**content["config"]))
        student.load_state_dict({key: value.float() for key, value in content["state"].items()})
        return student
    except Exception as error:  # torch.load raises many kinds of error on a damaged file
        raise PartDistillError(
            f"{bundle / WEIGHTS} cannot be read ({error}): start from scratch, or fetch the bundle again"
        ) from error


def save_student(
    student: PatchTransformer,
    out: Path,
    name: str,
    vocabulary: Vocabulary,
    space: TextSpace,
    training: Mapping[str, object],
) -> Path:
    """Export, compare with torch on random clouds, write the bundle with the weights beside the graph.

    The weights are rounded to half precision before the export, so both files hold the same student.
    Raises PartDistillError where the exported graph does not answer as torch does.
    """
    student = student.cpu().eval()
    state = {key: value.half() for key, value in student.state_dict().items()}
    student.load_state_dict({key: value.float() for key, value in state.items()})
    graph = to_onnx(student)
    difference = parity(student, graph)
    if not difference < PARITY:
        raise PartDistillError(f"the exported student differs from torch by {difference:.2g} in a logit: not written")
    spec = {
        "name": name,
        "points": student.config.points,
        "patches": student.config.patches,
        "centers": student.config.centers,
        "patch_size": LEAST_POINTS,
        "normalisation": "center_max_radius",
        "up": "z",
        "opset": OPSET,
        "text": {"space": space.identity, "dim": space.dim},
        "training": dict(training),
    }
    weights = io.BytesIO()
    torch.save({"config": asdict(student.config), "state": state}, weights)
    return write_bundle(out, graph, spec, vocabulary, extras={WEIGHTS: weights.getvalue()})


def run_key(config: DistillConfig, members: Sequence[Member]) -> str:
    """Changes with everything that a checkpoint depends on."""
    digest = hashlib.sha256(
        repr(
            (
                config.parts,
                config.category,
                config.teacher,
                config.start,
                config.backward,
                config.seed,
                config.schedule,
                config.augmentation,
            )
        ).encode()
    )
    for member in members:
        digest.update(member.name.encode() + member.points.tobytes() + member.units.score.tobytes())
    return digest.hexdigest()[:16]


def _known(space: TextSpace, names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    every = tuple(dict.fromkeys((*space.names, *names)))
    return every, space.encode(every)


def _warn(path: Path, error: PartDistillError) -> None:
    log.warning("%s left out: %s", path, error)
