# SPDX-License-Identifier: Apache-2.0
"""What a distillation is told: every number in one place, with its unit and reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, replace
from pathlib import Path

from partdistill_ros.errors import PartDistillError
from partdistill_ros.options import check, option
from partdistill_ros.pointcloud.frames import AXES
from partdistill_ros.students.names import STUDENTS, check_start
from partdistill_ros.teachers.registry import check_teacher, check_text_space
from partdistill_ros.text.space import SPACES, clean_category, split_names

TRAINED_RATE = 0.25  # of the usual learning rate, for a student that goes on from finished weights
SCRATCH_EPOCHS = 45  # from random weights: half as many again as others, worth five points of mIoU
BACKWARD = ("posterior", "kept-mass", "published", "none")


@dataclass(frozen=True)
class Augmentation:
    """Chances and sizes, in units of the object's radius unless said otherwise.

    one_sided: chance of a cloud as one camera sees it.  free_rotation, free_rotation_up_unknown: chance of a free
    rotation for standing objects and for flat tools; the others turn about the vertical and tilt by
    `tilt` radians (one sigma: the error of a support plane and of objects that lean).
    stretch: per axis.  noise: largest sigma.  outliers, table: largest share of the points.
    mix: chance of a cloud that swaps parts with another of its category (Point MixSwap).
    """

    partial_view: float = 0.5
    free_rotation: float = 0.1
    free_rotation_up_unknown: float = 0.3
    roll_pitch: float = 0.08
    stretch: float = 0.15
    noise: float = 0.015
    outliers: float = 0.01
    table: float = 0.06
    mix: float = 0.0


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

    Every option is declared here and nowhere else; the command line, the trainer's goals, the report of a run and
    its docs are made from it. Checkpoints and knowledge lie beside `out` in `<out>.work`, from which a run that was
    stopped goes on. `start`, `freeze_encoder`: see `students.build.new_student`.
    cloud_points: points a sample keeps (more than the student sees at once, for variety).
    schedule, augmentation: instead of those that suit mode and collection.  name: the bundle's, by default its
    directory's.
    """

    scans: tuple[Path, ...] = option(
        MISSING,
        "collection, scan, mesh, bag, or folder of them; files of import-knowledge bring their knowledge along",
        metavar="SCAN",
        positional=True,
    )
    parts: tuple[str, ...] = option(
        MISSING, 'part names, for example "handle, cup"', metavar="NAMES", parse=split_names
    )
    out: Path = option(MISSING, "folder of the student to write", metavar="BUNDLE")
    category: str | None = option(None, "what the objects are, for example mug", metavar="NAME", parse=clean_category)
    teacher: str = option(
        "mini",
        "mini (shipped, default), clip[:MODEL][,option=value...], detector[:MODEL][,...] or boxes:FILE; "
        "see `partdistill teachers`",
        metavar="T",
    )
    up: str | None = option(
        None, "axis of the scans that points up, whatever their files tell; as in `render`", choices=tuple(AXES)
    )
    text_space: str = option(
        "minilm",
        "what the student's names mean: minilm (shipped, default), or clip, as the teacher clip has it",
        choices=SPACES,
    )
    with_text_encoder: bool = option(
        False,
        "put the space's text encoder into the bundle (90 MB; clip: 250 MB), so that it answers names that no "
        "vocabulary knows",
    )
    mode: str = option(
        "pre", "pre: for shapes not seen yet (default); tta: for these very scans", choices=("pre", "tta")
    )
    student: str = option("patch_transformer", "network", choices=STUDENTS)
    start: str = option(
        "default",
        "first weights: default (the shipped student's), scratch, or a path: a bundle, a .pt of "
        "`partdistill pretrain`, the public .pth of Point-M2AE",
        metavar="W",
    )
    freeze_encoder: bool = option(False, "only the head learns, as in the paper (point_m2ae)")
    backward: str = option(
        "posterior",
        "how the student grades the teacher: posterior (default), kept-mass, as published, or not at all",
        choices=BACKWARD,
    )
    device: str = "cpu"
    renderer: str = option(
        "zbuffer", "rasterizer: the built-in one (default) or pytorch3d", choices=("zbuffer", "pytorch3d")
    )
    seed: int = option(0, "of everything random", minimum=0, metavar="S")
    cloud_points: int = 8192
    generated: tuple[str, ...] = option(
        (),
        "add shapes of a generative model, or procedural:N; may be given again, and without any scan",
        metavar="DIR",
    )
    generated_share: float | None = option(
        None,
        "how often one is drawn next to a scan (default: all of them together as often as all scans)",
        metavar="W",
    )
    epochs: int | None = option(
        None, "at most, both directions together (30; from random weights 45)", minimum=1, metavar="N"
    )
    schedule: Schedule | None = None
    augmentation: Augmentation | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work before any work is done."""
        from partdistill_ros.distillation.generated import check_generated

        check(self)
        if len(self.parts) < 2:
            raise PartDistillError(f"a student needs at least two parts to tell apart, got {', '.join(self.parts)}")
        if not self.scans and not self.generated:
            raise PartDistillError("no scans were given: name files or folders of scans, or --generated shapes")
        check_start(self.student, self.start, self.freeze_encoder)
        check_teacher(self.teacher)
        check_text_space(self.text_space, self.teacher, self.start)
        check_share(self.generated_share, self.generated)
        for source in self.generated:
            check_generated(source, (self.category or "").lower())


def check_share(share: float | None, generated: Sequence[str]) -> None:
    """Refuse a weight of generated shapes that is none, or that weighs nothing. Raises PartDistillError."""
    if share is not None and not 0 < share < float("inf"):
        raise PartDistillError(f"the share of a generated shape must be over 0, got {share}")
    if share is not None and not generated:
        raise PartDistillError("--generated-share says how often a generated shape is drawn: add --generated")
