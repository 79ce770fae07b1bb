# SPDX-License-Identifier: Apache-2.0
"""What a distillation is told: every number in one place, with its unit and reason."""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, replace
from pathlib import Path

from partdistill_ros.distillation.ray_tasks import check_address
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
    """What turns one cloud into the many that a robot may meet; lengths in units of the object's radius."""

    partial_view: float = 0.5  # chance of a cloud as one camera sees it
    free_rotation: float = 0.1  # chance of any rotation; the others turn about the vertical
    free_rotation_up_unknown: float = 0.3  # the same for scans of which nobody knows up
    roll_pitch: float = 0.08  # radians, one sigma: the error of a support plane, and objects that lean
    stretch: float = 0.15  # largest, of each axis
    noise: float = 0.015  # largest sigma
    outliers: float = 0.01  # largest fraction of the points
    table: float = 0.06  # largest fraction of the points: a strip of the table under the object
    num_partial_views: int = 8  # cameras around a whole object, whose visible points make partial views
    yaw: float = 2 * math.pi  # radians, largest turn about the vertical; 0: the input stays aligned
    density_bias: float = 1.4  # largest: e to this power, 4, denser at one side than at the other


@dataclass(frozen=True)
class Schedule:
    """How long, how fast, and when forward distillation ends."""

    epochs: int = 30  # at most, forward and backward together; one shows every sample once
    batch: int = 8  # clouds a step
    min_steps: int = 20  # an epoch of a small data set is repeated up to so many batches
    learning_rate: float = 4e-3  # peak; warm-up, then a cosine down to a hundredth
    weight_decay: float = 0.02
    ema_decay: float = 0.998  # of the moving average of the weights, which is the student: it smooths noisy labels
    num_loss_points: int = 768  # points of each cloud that enter the loss: a third faster than all 2,048
    negative_weight: float = 0.3  # of telling a part from all other names of the data set
    window: int = 5  # epochs of the moving average of the loss
    tolerance: float = 0.05  # forward distillation has converged when that average changes by less than this of it,
    patience: int = 12  # after so many epochs: the method's 5 are too few from scratch, small parts come late
    forward_fraction: float = 0.5  # of the epochs, after which backward distillation starts at the latest
    rescore_every: int = 3  # epochs between two re-scorings by the rule `posterior`; the others do it once
    checkpoint_minutes: float = 0.25  # a checkpoint of 19 MB takes 0.1 s; a kill costs this and an epoch at most


@dataclass(frozen=True)
class BackwardConfig:
    """Numbers of the rule `posterior` (docs/notes/backward.md)."""

    min_kappa: float = 0.2  # agreement beyond chance from which a student may re-score: "fair" (Landis, Koch, 1977)
    evidence_weight: float = 0.5  # of a unit beside the student's answer: views of one part err together
    confusion_smoothing: float = 1e-3  # of every name in every row of the confusion matrix
    num_rounds: int = 2  # of confusion matrix and posterior, each from the other
    opinion_weight: float = 1.0  # of what a student of `default` said before training (second_opinion.py)
    opinion_trust: float = 0.1  # in its names before they are counted, as a fraction of all points
    min_gain: float = 0.01  # nats by which units must foretell that opinion better, or they are no evidence
    memory: float = 0.5  # of the earlier posterior: a student on few scans changes its mind at random
    fit_power: int = 2  # of a unit's fit: wrong names lose half of their score and right ones gain
    posterior_weight: float = 0.3  # of the posterior itself in a point's soft label, whatever its regions say
    box_posterior_power: float = 1.5  # of the posterior that weighs what boxes say: the likelier name counts


@dataclass(frozen=True)
class BoxConfig:
    """Numbers of box units."""

    whole_object: float = 0.98  # a box with this fraction of a view's visible points says nothing about a part
    specificity_power: float = -0.7  # of the fraction of a view's visible points inside a box, as its weight
    max_specificity: float = 5.0
    whole_object_fade: float = 0.05  # the weight goes down to nothing over this last fraction
    grid: int = 32  # cells along a picture, in which the points of a part are connected
    picture_size: int = 128  # pixels of the pictures that tell which points a view shows


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
    schedule, augmentation, backward_config: instead of those that suit mode and collection.
    name: the bundle's, by default its directory's.
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
        "mini[:FILE] (default: the shipped one), clip[:MODEL][,option=value...], detector[:MODEL][,...] or boxes:FILE; "
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
    mode: str = option("pre", "pre: for unseen shapes (default); tta: for these very scans", choices=("pre", "tta"))
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
        "how the student re-scores the teacher: posterior (default), kept-mass, as published, or not at all",
        choices=BACKWARD,
    )
    units: str = option(
        "points", "a box is about its points (default), or the superpoints in it", choices=("points", "superpoints")
    )
    device: str = "cpu"
    renderer: str = option("zbuffer", "rasterizer: built-in (default) or pytorch3d", choices=("zbuffer", "pytorch3d"))
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
    labels: tuple[str, ...] = option(
        (), "a few labeled shapes to learn from beside the scans; may be given again", metavar="PATH"
    )
    epochs: int | None = option(None, "both directions, at most (30; from random weights 45)", minimum=1, metavar="N")
    batch: int | None = option(None, "clouds a step (8; tta of few scans: 4 to 7)", minimum=1, metavar="N")
    ray: str | None = option(None, "render and teach on a Ray cluster, or local[:N] workers", metavar="ADDRESS")
    schedule: Schedule | None = None
    augmentation: Augmentation | None = None
    backward_config: BackwardConfig | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work before any work is done."""
        from partdistill_ros.distillation.generated import check_generated, check_share

        for name in ("scans", "generated", "labels"):  # lists, one alone, and text are welcome too
            given, kind = getattr(self, name), Path if name == "scans" else str
            object.__setattr__(self, name, tuple(map(kind, [given] if isinstance(given, (str, Path)) else given)))
        names = self.parts if isinstance(self.parts, str) else ",".join(self.parts)
        object.__setattr__(self, "parts", split_names(names))
        object.__setattr__(self, "out", Path(self.out))
        check(self)
        if len(self.parts) < 2:
            raise PartDistillError(f"a student needs at least two parts to tell apart, got {', '.join(self.parts)}")
        if not self.scans and not self.generated:
            raise PartDistillError("no scans were given: name files or folders of scans, or --generated shapes")
        if self.schedule is not None and (self.epochs or self.batch):
            raise PartDistillError("a schedule has its own epochs and batch: name one of the two")
        check_start(self.student, self.start, self.freeze_encoder)
        check_teacher(self.teacher)
        check_text_space(self.text_space, self.teacher, self.start)
        check_share(self.generated_share, self.generated)
        check_address(self.ray)
        for source in self.generated:
            check_generated(source, (self.category or "").lower())
