# SPDX-License-Identifier: Apache-2.0
"""`partdistill distill`: scans and part names in, a checked student bundle out."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from partdistill_ros.cli.common import Answer, add_device, check_folder, check_inputs, choose_device, say
from partdistill_ros.cli.progress import PROGRESS, choose_progress, progress, run_progress
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.options import add_arguments, from_namespace
from partdistill_ros.teachers.registry import with_weights

SUMMARY = "distill a student from unlabeled scans and part names"
DESCRIPTION = """\
Render each scan, ask a vision-language model (the teacher) where the named parts are, and distill
its answers into a student bundle. No labels are needed, and none are used but those of --labels. A run
that was stopped goes on where it was, from BUNDLE.work.

The student is then checked: its files, its export, a run on the scans, and how far it agrees with what
the teacher saw, next to the student before it. BUNDLE.work/report.html shows the run. With --store the
student becomes the next version of that name, and the active one unless it agrees clearly less."""
EXAMPLES = """\
  partdistill distill mugs/ --category mug --parts "handle, cup" --out my_mugs
  partdistill distill tool.ply --mode tta --parts "handle, jaw" --out tool_bundle --epochs 15
  partdistill distill scans/ --parts "handle, cup" --teacher boxes:detections.json --out my_mugs
  partdistill distill scans/ --parts "handle, cup" --teacher clip:ViT-L-14,method=clearclip --out my_mugs
  partdistill distill scans/ --parts "handle, cup" --teacher clip --text-space clip --start scratch --out my_mugs
  partdistill distill scans/ --parts "handle, cup" --teacher detector --weights grounding-dino/ --out my_mugs
  partdistill distill scans/ --category mug --parts "handle, cup" --generated procedural:50 --out my_mugs
  partdistill distill scans/ --category mug --parts "handle, cup" --labels labeled/ --out my_mugs
  partdistill distill scans/ --category mug --parts "handle, cup" --store bundles/ --out mugs
  partdistill distill scans/ --category mug --parts "handle, cup" --ray local --out my_mugs
  partdistill units my_mugs.work --out sheets        which units backward distillation trusted"""


def configure(parser: ArgumentParser) -> None:
    """Arguments of the command: those of `DistillConfig`, and how the run is called here."""
    add_arguments(parser, DistillConfig)
    parser.add_argument(
        "--store",
        type=Path,
        metavar="DIR",
        help="bundle store: --out names the bundle there, which gets a new version (see `partdistill bundles`)",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="PATH",
        help="local weights of the teacher clip or detector, instead of the hub's",
    )
    add_device(parser, "where to train")
    parser.add_argument(
        "--progress",
        choices=PROGRESS,
        default="bar",
        help="on standard error: a bar, or a JSON object a line",
    )


def run(arguments: Namespace) -> Answer:
    """Check everything, then train."""
    choose_progress(arguments.progress)
    config = _config(arguments)
    config = replace(config, device=choose_device(arguments.device, "distillation"))
    from partdistill_ros.distillation.processes import joined

    with joined(config.device):
        return _distill(config, arguments)


def _distill(config: DistillConfig, arguments: Namespace) -> Answer:
    from partdistill_ros.distillation.processes import is_first

    scans, damaged = _valid(config.scans) if is_first() else (config.scans, {})
    config = replace(config, scans=scans)
    _check_words(config)
    from partdistill_ros.distillation import pipeline
    from partdistill_ros.evaluation.finalize import finalize

    start = time.monotonic()
    with run_progress(arguments.progress if is_first() else PROGRESS[0]) as report:
        run = pipeline.distill(config, report)
        run = replace(run, left_out=(*damaged.values(), *run.left_out))
        final = finalize(run, config, arguments.store, report)
    seconds = round(time.monotonic() - start, 1)
    bundle = final.bundle
    record = {
        "bundle": str(bundle.path),
        "name": bundle.name,
        "categories": {name: list(parts) for name, parts in bundle.categories.items()},
        "training": dict(bundle.training),
        "check": final.check,
        "verdict": final.verdict,
        "active": final.active,
        "report": str(final.page),
        "left_out": list(run.left_out),
        "damaged": damaged,
        "seconds": seconds,
    }
    training = ", ".join(f"{key} {value}" for key, value in bundle.training.items())
    known = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in bundle.categories.items())
    words = f'wrote {bundle.path} in {seconds:.0f} s ({training})\nask it for "{known}"'
    lost = f"\n{len(damaged)} damaged scans left out, named above" if damaged else ""
    return Answer(record, f"{words}{lost}\n{final.verdict}\nlook at {final.page}")


def _valid(scans: tuple[Path, ...]) -> tuple[tuple[Path, ...], dict[str, str]]:
    """The scans, of collections the valid members only, and what is wrong with the others, each of which is named."""
    from partdistill_ros.io.recorded_scan import is_collection

    if not any(map(is_collection, scans)):
        return scans, {}
    from partdistill_ros.recording.collection import valid_scans

    valid, damaged = valid_scans(scans, progress)
    for problem in damaged.values():
        say(f"left out: {problem}")
    return tuple(valid), damaged


def _config(arguments: Namespace) -> DistillConfig:
    """What cannot go together is refused here, before torch is loaded."""
    from partdistill_ros.inference.bundle import check_place

    values: dict[str, Any] = {}
    if arguments.store is not None:
        values |= {"out": _place_in_store(arguments.store, str(arguments.out)), "name": str(arguments.out)}
    check_inputs([*arguments.scans, *map(Path, arguments.labels)])
    if arguments.weights is not None:
        values["teacher"] = with_weights(arguments.teacher, arguments.weights)
    config = from_namespace(DistillConfig, arguments, **values, device="cpu")
    check_place(config.out)
    return config


def _check_words(config: DistillConfig) -> None:
    """The names of parts and category, where the shipped text space judges them."""
    from partdistill_ros.text.space import TextSpace

    if config.text_space == "minilm":
        TextSpace.load().encode([*config.parts, *filter(None, [config.category])])


def _place_in_store(store: Path, name: str) -> Path:
    """Where the next version of a bundle is made, on the store's own disk."""
    from partdistill_ros.inference.bundle_store import NEXT, BundleStore

    check_folder(store)
    return BundleStore(store).folder(name) / NEXT
