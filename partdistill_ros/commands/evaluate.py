# SPDX-License-Identifier: Apache-2.0
"""`partdistill evaluate`: part mIoU of a student or of a method, per category and overall."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from partdistill_ros.commands.common import Answer, add_engine, check_inputs, positive, progress, say
from partdistill_ros.errors import PartDistillError

if TYPE_CHECKING:
    from partdistill_ros.evaluation.methods.method import Method
    from partdistill_ros.evaluation.shapes import Shape

SUMMARY = "part mIoU of a student or a baseline on labelled shapes"
DESCRIPTION = """\
Measure part mIoU as ShapeNetPart does, on labelled shapes (.npz) or folders of them:
2,048 points a shape sampled with a fixed seed, the mean over the parts of the category, then over
shapes, then over categories. `present` counts only parts that the truth holds; ShapeNetPart's
own number gives 1 for a part that is in neither.

Methods: constant, the category's most frequent part everywhere; vote, the teacher alone, its
answers about ten views voted onto the points."""
EXAMPLES = """\
  partdistill evaluate shapes/ --bundle default
  partdistill evaluate shapes/mug_*.npz --method vote --teacher mini --json"""

METHODS = ("constant", "vote")
STUDENT_ONLY, VOTE_ONLY = {"votes": 1, "threads": None}, {"teacher": None}


def configure(parser: ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("shapes", nargs="+", type=Path, metavar="SHAPE", help="labelled shape, or folder of them")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--bundle", metavar="B", help="measure this student; `default` is the shipped one")
    asked.add_argument("--method", choices=METHODS, help="measure a baseline")
    parser.add_argument("--teacher", metavar="T", help="who votes: mini (default), or as in `distill --help`")
    parser.add_argument("--votes", type=positive, default=1, metavar="N", help="turns about the vertical to average")
    add_engine(parser)


def run(arguments: Namespace) -> Answer:
    """Load, ask, compare."""
    _check(arguments)
    from partdistill_ros.evaluation.evaluate import evaluate
    from partdistill_ros.evaluation.report import category_table, record
    from partdistill_ros.evaluation.shapes import load_shapes

    left_out: list[str] = []

    def skip(path: Path, error: PartDistillError) -> None:
        left_out.append(str(path))
        say(f"left out: {error}")

    shapes = load_shapes(arguments.shapes, skip)
    method = _method(arguments, shapes)

    def watched(items: Iterable[Shape]) -> Iterable[Shape]:
        return progress(items, method.name, len(shapes))

    evaluation = evaluate(shapes, method, watched)
    return Answer({**record(evaluation), "left_out": left_out}, category_table(evaluation))


def _check(arguments: Namespace) -> None:
    check_inputs(arguments.shapes)
    unfit = STUDENT_ONLY if arguments.method else VOTE_ONLY
    if arguments.method == "constant":
        unfit = STUDENT_ONLY | VOTE_ONLY
    for option, default in unfit.items():
        if getattr(arguments, option) != default:
            chosen = f"--method {arguments.method}" if arguments.method else "--bundle"
            raise PartDistillError(f"--{option} does not go with {chosen}")


def _method(arguments: Namespace, shapes: Sequence[Shape]) -> Method:
    if arguments.method == "constant":
        from partdistill_ros.evaluation.methods.constant import Constant

        return Constant.of(shapes)
    if arguments.method == "vote":
        return vote(arguments.teacher or "mini", arguments.device)
    from partdistill_ros.evaluation.methods.bundle import BundleMethod
    from partdistill_ros.inference.segmenter import Segmenter

    return BundleMethod(Segmenter(arguments.bundle, arguments.device, arguments.threads), arguments.votes)


def vote(teacher: str, device: str = "auto") -> Method:
    """The voting teacher. Raises MissingDependencyError without torch."""
    from partdistill_ros.commands.torch_device import choose_device

    chosen = choose_device(device, "voting a teacher's views")
    from partdistill_ros.evaluation.methods.vote import VoteMethod
    from partdistill_ros.teachers.teacher import load_teacher

    return VoteMethod(load_teacher(teacher, chosen))
