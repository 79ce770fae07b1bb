# SPDX-License-Identifier: Apache-2.0
"""`partdistill teachers`: which vision-language models can teach here, and a check of those that are named."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from partdistill_ros.cli.common import DEVICES, PICTURES, Answer, check_output, choose_device
from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.registry import parse_spec, with_weights

SUMMARY = "the teachers: what is installed, what each needs, and a self-check"
DESCRIPTION = """\
Without arguments: every teacher, what it needs, whether that is installed, and the license of its
weights. With a teacher: load it as `distill --teacher` would (weights that are not here are fetched)
and ask it for the handle and the cup of a procedural mug in ten views."""
EXAMPLES = """\
  partdistill teachers
  partdistill teachers mini --picture seen.png
  partdistill teachers clip:ViT-B-16,method=clearclip --device cuda
  partdistill teachers detector --weights grounding-dino/"""


def configure(parser: ArgumentParser) -> None:
    parser.add_argument("teacher", nargs="?", metavar="T", help="a teacher to check, as in `distill --teacher`")
    parser.add_argument("--weights", type=Path, metavar="PATH", help="local weights of clip or detector")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw what it was shown and what it answered")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where it runs")


def run(arguments: Namespace) -> Answer:
    """List, or check one."""
    if arguments.teacher is None:
        for option in ("weights", "picture"):
            if getattr(arguments, option) is not None:
                raise PartDistillError(f"--{option} needs a teacher to check, for example: partdistill teachers mini")
        return _listing()
    line = arguments.teacher if arguments.weights is None else with_weights(arguments.teacher, arguments.weights)
    if parse_spec(line).kind == "boxes":
        raise PartDistillError("boxes:FILE holds answers about your own scans: there is nothing to check on a mug")
    if arguments.picture is not None:
        check_output(arguments.picture, PICTURES)
    return _check(line, choose_device(arguments.device, "a teacher"), arguments.picture)


def _listing() -> Answer:
    from partdistill_ros.teachers.registry import TEACHERS
    from partdistill_ros.visualization.tables import aligned

    head = ("teacher", "answers", "state", "weights", "license of the weights")
    rows = [(kind, one.answer, one.state(kind), one.weights, one.license) for kind, one in TEACHERS.items()]
    record = {
        kind: {
            "answers": one.answer,
            "installed": not one.missing(),
            "missing": list(one.missing()),
            "extra": one.extra,
            "weights": one.weights,
            "license": one.license,
        }
        for kind, one in TEACHERS.items()
    }
    return Answer({"teachers": record}, aligned([head, *rows]))


def _check(line: str, device: str, picture: Path | None) -> Answer:
    from partdistill_ros.teachers.registry import load_teacher
    from partdistill_ros.teachers.self_check import PARTS, self_check

    teacher = load_teacher(line, device)
    found = self_check(teacher)
    if picture is not None:
        from PIL import Image

        from partdistill_ros.visualization.pictures import save_picture

        save_picture(picture, Image.fromarray(found.picture))
    record: dict[str, Any] = {
        "teacher": line,
        "key": teacher.key,
        "kind": teacher.kind,
        "size": teacher.size,
        "device": device,
        "seconds": round(found.seconds, 3),
        "right": round(found.right, 4),
        "picture": None if picture is None else str(picture),
    }
    if teacher.kind == "pixel":
        seen = f"{100 * found.right:.1f} % of the mug's pixels got their part"
    else:
        record["boxes"] = found.boxes
        seen = f"{found.boxes} boxes, overlap with the true ones {found.right:.2f}"
    lines = [
        f"{line}: works on {device}",
        f"ten views of {teacher.size} pixels in {found.seconds:.1f} s; {' and '.join(PARTS)}: {seen}",
        *([f"wrote {picture}"] if picture else []),
    ]
    return Answer(record, "\n".join(lines))
