# SPDX-License-Identifier: Apache-2.0
"""What is known of the students without loading torch: their names, and what each can start from."""

from __future__ import annotations

from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.parsing import check_regular

STUDENTS = ("patch_transformer", "point_m2ae")
STARTS = ("default", "scratch")
LEAST_POINTS = 64  # a scan with fewer finite points teaches nothing and is not labeled
PRETRAINED, PUBLIC = ".pt", ".pth"
"""Suffix of an encoder that `partdistill pretrain` wrote, and of the public Point-M2AE checkpoint."""


def start_folder(start: str) -> Path | None:
    """The folder of the bundle that `start` names; None for its words, whatever the working directory holds, and for
    files."""
    return Path(start) if start not in STARTS and Path(start).is_dir() else None


def check_start(student: str, start: str, freeze_encoder: bool = False) -> None:
    """Refuse first weights that this student cannot have.

    start: `default` (the shipped student), `scratch`, or a path: the directory of a bundle, a `.pt` file of
    `partdistill pretrain`, a `.pth` file with the public weights of Point-M2AE.
    freeze_encoder: only the head learns, so the encoder must come from somewhere.
    Raises PartDistillError that names the remedy.
    """
    if student not in STUDENTS:
        raise PartDistillError(f"student '{student}' is not one of {', '.join(STUDENTS)}")
    if freeze_encoder and (student != "point_m2ae" or start in STARTS):
        raise PartDistillError(
            "only a point_m2ae that starts from a file can have its encoder frozen: name its weights as the start"
        )
    if start == "default" and student != "patch_transformer":
        raise PartDistillError(
            f"the shipped student is a patch_transformer, {student} cannot start from it: "
            "start from scratch, or name a bundle or an encoder's file"
        )
    if start in STARTS:
        return
    path = Path(start)
    if not path.exists():
        raise PartDistillError(
            f"start '{start}' is neither {' nor '.join(STARTS)} nor a file or folder: check the path"
        )
    check_regular(path)
    if path.is_dir() or path.suffix.lower() == PRETRAINED:
        return
    if path.suffix.lower() != PUBLIC:
        raise PartDistillError(
            f"{path}: a student starts from a bundle, a {PRETRAINED} file of `partdistill pretrain` or, for "
            f"point_m2ae, the public {PUBLIC} file"
        )
    if student != "point_m2ae":
        raise PartDistillError(f"{path}: {PUBLIC} files hold the public Point-M2AE, which {student} cannot take")
