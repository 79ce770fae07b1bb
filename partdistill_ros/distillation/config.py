# SPDX-License-Identifier: Apache-2.0
"""What a distillation is told: every number in one place, with its unit and reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from partdistill_ros.distillation.augmentation import Augmentation
from partdistill_ros.distillation.generated import check_generated, check_share
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.frames import parse_up
from partdistill_ros.students.names import check_start
from partdistill_ros.teachers.registry import check_text_space

MODES = ("pre", "tta")
RENDERERS = ("zbuffer", "pytorch3d")
TRAINED_RATE = 0.25  # of the usual learning rate, for a student that goes on from finished weights
SCRATCH_EPOCHS = 45  # from random weights: half as many again as others, worth five points of mIoU
BACKWARD = ("posterior", "kept-mass", "published", "none")


@dataclass(frozen=True)
class Schedule:
    """epochs: at most, forward and backward together; one epoch shows every member once, and small
    collections are repeated until an epoch has `min_steps` batches.
    rate: peak of the learning rate, one cycle down to a hundredth.  decay: of the moving average of the weights
    that becomes the student (it smooths noisy labels).
    window, tolerance, patience: forward distillation has converged when the moving average of the
    epoch losses over `window` changes by less than `tolerance`, after `patience` epochs (the method's 5 are fewer
    than a student needs that starts from scratch: its loss rests before it finds small parts).
    forward_fraction: backward distillation starts at the latest after this share of the epochs.
    rescore_every: epochs after which the rule `posterior` rescores the units anew, by a student that has learned
    from its grades; the others do it once.
    checkpoint_minutes: a checkpoint of 19 MB takes 0.1 s; what a kill costs is this and an epoch at most.
    """

    epochs: int = 30
    batch: int = 8
    min_steps: int = 20
    learning_rate: float = 4e-3
    ema_decay: float = 0.998
    window: int = 5
    tolerance: float = 0.01
    patience: int = 12
    forward_fraction: float = 0.5
    rescore_every: int = 3
    negative_weight: float = 0.3
    checkpoint_minutes: float = 0.25


def schedule_for(samples: int, *, tta: bool = False, trained: bool = False, epochs: int | None = None) -> Schedule:
    """The schedule of a collection of `samples` scans.

    tta: for these very scans, of which a handful needs fewer and smaller steps: 120 of 4 clouds for one scan, 600 of
        8 from 17 on, 900 for a student from random weights.
    trained: the first weights are those of a finished student, which large steps would spoil.
    epochs: instead of the usual ones.
    """
    usual = Schedule()
    steps, batch = (min(most, 3 + samples) if tta else most for most in (usual.min_steps, usual.batch))
    rate = usual.learning_rate * TRAINED_RATE if trained else usual.learning_rate
    if epochs is None:
        epochs = usual.epochs if trained or steps < usual.min_steps else SCRATCH_EPOCHS
    return replace(usual, min_steps=steps, batch=batch, learning_rate=rate, epochs=epochs)


def augmentation_for(tta: bool) -> Augmentation:
    """What a student must bear: for objects not seen yet everything a robot may meet, for these very scans little
    more than the turn about the vertical."""
    return Augmentation(partial_view=0.0, free_rotation=0.0, roll_pitch=0.05) if tta else Augmentation()


@dataclass(frozen=True)
class DistillConfig:
    """One run: the scans of one category, the names of its parts, who teaches, what comes out.

    scans: files or folders.  out: the bundle's directory; checkpoints and knowledge lie beside it in
    `<out>.work`, from which a run that was stopped goes on.  name: the bundle's, by default its directory's.
    generated: more shapes, of a generative model (files or folders) or `procedural:N`, N shapes of the family
    that the category names; generated_share: how often one is drawn next to a scan, None for all of them together
    as often as all scans.
    up: axis of the scans that points up (`z`, `-y`), whatever their files tell; None leaves it to them.
    text_space: of the student: `minilm`, the shipped one, or `clip`, that of the teacher `clip`.
    with_text_encoder: the bundle gets the space's text encoder.
    mode: `pre`, a student for objects not seen yet, or `tta`, for these very scans.
    start, freeze_encoder: first weights and what of them learns, see `students.build.new_student`.
    cloud_points: points a member keeps (more than the student sees at once, for variety).
    epochs, schedule, augmentation: instead of those that suit mode and collection.
    """

    scans: tuple[Path, ...]
    parts: tuple[str, ...]
    out: Path
    category: str | None = None
    teacher: str = "mini"
    up: str | None = None
    text_space: str = "minilm"
    with_text_encoder: bool = False
    mode: str = "pre"
    student: str = "patch_transformer"
    start: str = "default"
    freeze_encoder: bool = False
    backward: str = "posterior"
    device: str = "cpu"
    renderer: str = "zbuffer"
    seed: int = 0
    cloud_points: int = 8192
    generated: tuple[str, ...] = ()
    generated_share: float | None = None
    epochs: int | None = None
    schedule: Schedule | None = None
    augmentation: Augmentation | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work before any work is done."""
        for label, value, known in (
            ("mode", self.mode, MODES),
            ("backward", self.backward, BACKWARD),
            ("renderer", self.renderer, RENDERERS),
        ):
            if value not in known:
                raise PartDistillError(f"{label} '{value}' is not one of {', '.join(known)}")
        if self.up is not None:
            parse_up(self.up)
        check_start(self.student, self.start, self.freeze_encoder)
        check_text_space(self.text_space, self.teacher, self.start)
        if len(self.parts) < 2:
            raise PartDistillError(f"distillation needs at least two part names, got {list(self.parts)}")
        if not self.scans and not self.generated:
            raise PartDistillError("no scans were given: name files or folders of scans, or generated shapes")
        check_share(self.generated_share)
        for source in self.generated:
            check_generated(source, (self.category or "").lower())
