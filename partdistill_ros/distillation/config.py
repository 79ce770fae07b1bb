# SPDX-License-Identifier: Apache-2.0
"""What a distillation is told: every number in one place, with its unit and reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from partdistill_ros.distillation.augment import Augmentation
from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.names import check_start

MODES = ("pre", "tta")
RENDERERS = ("zbuffer", "pytorch3d")
BACKWARD = ("kept-mass", "published", "none")


@dataclass(frozen=True)
class Schedule:
    """epochs: at most, forward and backward together; one epoch shows every member once, and small
    collections are repeated until an epoch has `min_steps` batches.
    rate: AdamW's peak, one cycle down to a hundredth.  decay: of the moving average of the weights
    that becomes the student (it smooths noisy labels).
    window, tolerance, patience: forward distillation has converged when the moving average of the
    epoch losses over `window` changes by less than `tolerance`, after `patience` epochs (method).
    forward_share: backward distillation starts at the latest after this share of the epochs.
    """

    epochs: int = 30
    batch: int = 16
    min_steps: int = 8
    rate: float = 1.2e-3
    decay: float = 0.998
    window: int = 5
    tolerance: float = 0.01
    patience: int = 5
    forward_share: float = 0.6
    negatives: float = 0.3
    checkpoint_minutes: float = 2.0


@dataclass(frozen=True)
class DistillConfig:
    """One run: the scans of one category, the names of its parts, who teaches, what comes out.

    scans: files or folders.  out: the bundle's directory; checkpoints and knowledge lie beside it in
    `<out>.work`, from which a run that was stopped goes on.
    start, freeze_encoder: first weights and what of them learns, see `students.build.new_student`.
    cloud_points: points a member keeps (more than the student sees at once, for variety).
    """

    scans: tuple[Path, ...]
    parts: tuple[str, ...]
    out: Path
    category: str | None = None
    teacher: str = "mini"
    mode: str = "pre"
    student: str = "patch_transformer"
    start: str = "default"
    freeze_encoder: bool = False
    backward: str = "kept-mass"
    device: str = "cpu"
    renderer: str = "zbuffer"
    seed: int = 0
    cloud_points: int = 8192
    schedule: Schedule = field(default_factory=Schedule)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Refuse what cannot work before any work is done."""
        for label, value, known in (
            ("mode", self.mode, MODES),
            ("backward", self.backward, BACKWARD),
            ("renderer", self.renderer, RENDERERS),
        ):
            if value not in known:
                raise PartDistillError(f"{label} '{value}' is not one of {', '.join(known)}")
        check_start(self.student, self.start, self.freeze_encoder)
        if len(self.parts) < 2:
            raise PartDistillError(f"distillation needs at least two part names, got {list(self.parts)}")
        if not self.scans:
            raise PartDistillError("no scans were given: name files or folders of scans")
