# SPDX-License-Identifier: Apache-2.0
"""`partdistill distill`: scans and part names in, a checked student bundle out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from partdistill_ros.cli.common import (
    AXES,
    Answer,
    check_folder,
    check_inputs,
    check_share_used,
    positive,
    progress,
    say,
    split_names,
)
from partdistill_ros.cli.distill_progress import PROGRESS, choose_progress, epoch_progress
from partdistill_ros.cli.torch_device import DEVICES, choose_device
from partdistill_ros.errors import PartDistillError
from partdistill_ros.students.names import STUDENTS, check_start
from partdistill_ros.teachers.registry import check_text_space, parse_spec, with_weights
from partdistill_ros.text.space import SPACES

SUMMARY = "distill a student from unlabeled scans and part names"
DESCRIPTION = """\
Render each scan, ask a vision-language model (the teacher) where the named parts are, and distill
its answers into a student bundle. No labels are needed or used. A run that was stopped goes on where
it was, from BUNDLE.work.

The student is then checked: its files, its export, a run on the scans, and how far it agrees with what
the teacher saw, next to the student before it. BUNDLE.work/report.html shows the run. With --store the
student becomes the next version of that name, and the one in force unless it agrees clearly less."""
EXAMPLES = """\
  partdistill distill mugs/ --category mug --parts "handle, cup" --out my_mugs
  partdistill distill tool.ply --mode tta --parts "handle, jaw" --out tool_bundle --epochs 15
  partdistill distill scans/ --parts "handle, cup" --teacher boxes:detections.json --out my_mugs
  partdistill distill scans/ --parts "handle, cup" --teacher clip:ViT-L-14,method=clearclip --out my_mugs
  partdistill distill scans/ --parts "handle, cup" --teacher clip --text-space clip --start scratch --out my_mugs
  partdistill distill scans/ --parts "handle, cup" --teacher detector --weights grounding-dino/ --out my_mugs
  partdistill distill scans/ --category mug --parts "handle, cup" --generated procedural:50 --out my_mugs
  partdistill distill scans/ --category mug --parts "handle, cup" --store bundles/ --out mugs
  partdistill units my_mugs.work --out sheets        which units backward distillation trusted"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "scans",
        nargs="*",
        type=Path,
        metavar="SCAN",
        help="collection, scan, mesh, bag, or folder of them; files of import-knowledge bring their knowledge along",
    )
    parser.add_argument("--parts", required=True, metavar="NAMES", help='part names, for example "handle, cup"')
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="folder of the student to write")
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="bundle store: --out names the bundle there, which gets a new version (see `partdistill bundles`)",
    )
    parser.add_argument("--category", metavar="NAME", help="what the objects are, for example mug")
    parser.add_argument(
        "--up", choices=AXES, help="axis of the scans that points up, whatever their files tell; as in `render`"
    )
    parser.add_argument(
        "--teacher",
        default="mini",
        metavar="T",
        help="mini (shipped, default), clip[:MODEL][,option=value...], detector[:MODEL][,...] or boxes:FILE; "
        "see `partdistill teachers`",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="PATH",
        help="local weights of the teacher clip or detector, instead of the hub's",
    )
    parser.add_argument(
        "--with-text-encoder",
        action="store_true",
        help="put the space's text encoder into the bundle (90 MB; clip: 250 MB), so that it answers names that no "
        "vocabulary knows",
    )
    parser.add_argument(
        "--text-space",
        choices=SPACES,
        default="minilm",
        help="what the student's names mean: minilm (shipped, default), or clip, as the teacher clip has it",
    )
    parser.add_argument(
        "--mode",
        choices=("pre", "tta"),
        default="pre",
        help="pre: for shapes not seen yet (default); tta: for these very scans",
    )
    parser.add_argument(
        "--generated",
        action="append",
        default=[],
        metavar="DIR",
        help="add shapes of a generative model, or procedural:N; may be given again, and without any scan",
    )
    parser.add_argument(
        "--generated-share",
        type=float,
        metavar="W",
        help="how often one is drawn next to a scan (default: all of them together as often as all scans)",
    )
    parser.add_argument("--student", choices=STUDENTS, default="patch_transformer", help="network")
    parser.add_argument(
        "--start",
        default="default",
        metavar="W",
        help="first weights: default (the shipped student's), scratch, or a path: a bundle, a .pt of "
        "`partdistill pretrain`, the public .pth of Point-M2AE",
    )
    parser.add_argument(
        "--freeze-encoder", action="store_true", help="only the head learns, as in the paper (point_m2ae)"
    )
    parser.add_argument(
        "--backward",
        choices=("posterior", "kept-mass", "published", "none"),
        default="posterior",
        help="how the student grades the teacher: posterior (default), kept-mass, as published, or not at all",
    )
    parser.add_argument(
        "--renderer", choices=("zbuffer", "pytorch3d"), help="rasterizer: the built-in one (default) or pytorch3d"
    )
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to train")
    parser.add_argument(
        "--epochs", type=positive, metavar="N", help="at most, both directions together (30; from random weights 45)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of everything random")
    parser.add_argument(
        "--progress",
        choices=PROGRESS,
        default="bar",
        help="on standard error: a bar, or a JSON object a line",
    )


def run(arguments: Namespace) -> Answer:
    """Check everything, then train."""
    choose_progress(arguments.progress)
    settings = _settings(arguments)
    settings["scans"], damaged = _sound(settings["scans"])
    settings["device"] = choose_device(arguments.device, "distillation")
    _check_words(settings)
    from partdistill_ros.cli.distill_closing import close
    from partdistill_ros.distillation import pipeline
    from partdistill_ros.distillation.config import DistillConfig

    start = time.monotonic()
    config = DistillConfig(**settings)
    with epoch_progress(arguments.progress) as tell:
        run = pipeline.train(config, tell)
        run = replace(run, left_out=(*damaged.values(), *run.left_out))
        closing = close(run, config, arguments.store, tell)
    seconds = round(time.monotonic() - start, 1)
    bundle = closing.bundle
    record = {
        "bundle": str(bundle.path),
        "name": bundle.name,
        "categories": {name: list(parts) for name, parts in bundle.categories.items()},
        "training": dict(bundle.training),
        "check": closing.check,
        "verdict": closing.verdict,
        "in_force": closing.in_force,
        "report": str(closing.report),
        "left_out": list(run.left_out),
        "damaged": damaged,
        "seconds": seconds,
    }
    training = ", ".join(f"{key} {value}" for key, value in bundle.training.items())
    known = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in bundle.categories.items())
    words = f'wrote {bundle.path} in {seconds:.0f} s ({training})\nask it for "{known}"'
    lost = f"\n{len(damaged)} damaged scans left out, named above" if damaged else ""
    return Answer(record, f"{words}{lost}\n{closing.verdict}\nlook at {closing.report}")


def _sound(scans: tuple[Path, ...]) -> tuple[tuple[Path, ...], dict[str, str]]:
    """The scans, of collections the sound members only, and what is wrong with the others, which is said."""
    from partdistill_ros.io.recorded_scan import is_collection

    if not any(map(is_collection, scans)):
        return scans, {}
    from partdistill_ros.recording.collection import valid_scans

    sound, damaged = valid_scans(scans, progress)
    for problem in damaged.values():
        say(f"left out: {problem}")
    return tuple(sound), damaged


def _settings(arguments: Namespace) -> dict[str, Any]:
    """The values of `DistillConfig`; what cannot go together is refused here, before torch is loaded."""
    parts = split_names(arguments.parts)
    if len(parts) < 2:
        raise PartDistillError(f"--parts names only '{parts[0]}': a student needs at least two parts to tell apart")
    name = None if arguments.store is None else str(arguments.out)
    if arguments.store is not None:
        arguments.out = _place_in_store(arguments.store, str(arguments.out))
    check_inputs(arguments.scans)
    check_start(arguments.student, arguments.start, arguments.freeze_encoder)
    check_text_space(arguments.text_space, arguments.teacher, arguments.start)
    _check_bundle_folder(arguments.out)
    if arguments.weights is not None:
        arguments.teacher = with_weights(arguments.teacher, arguments.weights)
    teacher = parse_spec(arguments.teacher)
    if teacher.kind == "boxes":
        if not teacher.argument:
            raise PartDistillError("--teacher boxes needs the file with the detections: boxes:FILE.json")
        check_inputs([Path(teacher.argument)])
    category = None if arguments.category is None else " ".join(arguments.category.split()).lower()
    if category == "":
        raise PartDistillError("--category is empty: name the objects, or leave the option out")
    if arguments.generated:
        from partdistill_ros.distillation.generated import check_generated

        for source in arguments.generated:
            check_generated(source, category)
    generated = tuple(arguments.generated)
    check_share_used(arguments.generated_share, generated)
    if not arguments.scans and not generated:
        raise PartDistillError("no scans were given: name files or folders of scans, or --generated shapes")
    settings = {
        "scans": tuple(arguments.scans),
        "name": name,
        "generated": generated,
        "parts": parts,
        "category": category,
    }
    own = [
        "teacher",
        "up",
        "text_space",
        "with_text_encoder",
        "mode",
        "student",
        "start",
        "freeze_encoder",
        "backward",
        "seed",
        "out",
        "epochs",
        "generated_share",
    ]
    settings |= {name: getattr(arguments, name) for name in own}
    return settings if arguments.renderer is None else settings | {"renderer": arguments.renderer}


def _check_words(settings: dict[str, Any]) -> None:
    """The teacher's name and the names of parts and category, which torch's rooms judge."""
    from partdistill_ros.teachers.registry import TEACHERS
    from partdistill_ros.text.space import TextSpace

    teacher = settings["teacher"]
    if parse_spec(teacher).kind not in TEACHERS:
        raise PartDistillError(f"--teacher {teacher} is unknown: choose one of {', '.join(sorted(TEACHERS))}")
    if settings["text_space"] == "minilm":
        TextSpace.load().encode([*settings["parts"], *filter(None, [settings["category"]])])


def _place_in_store(store: Path, name: str) -> Path:
    """Where the next version of a bundle is made, on the store's own disk."""
    from partdistill_ros.inference.bundle_store import NEXT, BundleStore

    check_folder(store)
    return BundleStore(store).folder(name) / NEXT


def _check_bundle_folder(out: Path) -> None:
    check_folder(out)
    if str(out) == "default":
        raise PartDistillError("--out default: that name means the shipped student, choose another")
    if out.is_dir() and any(out.iterdir()) and not (out / "bundle.json").is_file():
        raise PartDistillError(f"{out} holds other things than a bundle: choose an empty or new folder")
