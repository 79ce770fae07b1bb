# SPDX-License-Identifier: Apache-2.0
"""What a pre-training is told: every number in one place, without loading torch."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field
from pathlib import Path

from partdistill_ros.distillation.config import Augmentation
from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import option
from partdistill_ros.students.names import PRETRAINED, STUDENTS, check_start


@dataclass(frozen=True)
class PretrainConfig:
    """One run; `out` is the encoder's file, checkpoints lie in `<out>.work`.

    first_seed: of the generated shapes.  min_steps: small collections are repeated until an epoch has so many batches.
    learning_rate: AdamW's peak (as published), one cycle down to a hundredth.  cloud_points: kept of a cloud, more than
    a student sees at once.
    """

    out: Path = option(MISSING, f"encoder to write, {PRETRAINED}", metavar="FILE")
    scans: tuple[Path, ...] = option((), "scan, mesh, bag, or folder of them", metavar="SCAN", positional=True)
    student: str = option("patch_transformer", "whose encoder", choices=STUDENTS)
    generated: int = option(0, "add N procedural shapes of every family", minimum=1, metavar="N")
    epochs: int = option(60, "passes over the clouds (60)", minimum=1, metavar="N")
    batch: int = option(16, "clouds of a step (16)", minimum=1, metavar="N")
    seed: int = option(0, "of everything random", minimum=0, metavar="S")
    first_seed: int = 0
    min_steps: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    device: str = "cpu"
    cloud_points: int = 4096
    checkpoint_minutes: float = 2.0
    # Strays and the table's strip belong to no shape: nobody could draw them from what is visible.
    augmentation: Augmentation = field(default=Augmentation(outliers=0.0, table=0.0, noise=0.005))

    def __post_init__(self) -> None:
        """Refuse what cannot work before any work is done."""
        check_start(self.student, "scratch")
        if not self.scans and self.generated < 1:
            raise PartDistillError("nothing to learn from: name scans, or ask for --generated shapes")
        if self.out.suffix.lower() != PRETRAINED:
            raise PartDistillError(f"{self.out}: an encoder's file ends in {PRETRAINED}, choose such a name")
        if min(self.epochs, self.batch, self.min_steps) < 1:
            raise PartDistillError("epochs, batch and min_steps must be 1 at least")
