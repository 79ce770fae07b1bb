# SPDX-License-Identifier: Apache-2.0
"""`partdistill evaluate`: part mIoU of a student or of methods, per category and overall."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from partdistill_ros.cli.common import (
    AXES,
    Answer,
    LeftOut,
    add_engine,
    check_folder,
    check_inputs,
    choose_device,
    natural,
    positive,
)
from partdistill_ros.cli.progress import progress
from partdistill_ros.distillation.config import BACKWARD, DistillConfig
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets import SPLITS, is_dataset
from partdistill_ros.evaluation.methods.protocol import METHODS, TRAINED, parse_methods
from partdistill_ros.options import add_arguments
from partdistill_ros.students.names import check_start

if TYPE_CHECKING:
    from partdistill_ros.evaluation.evaluate import Evaluation
    from partdistill_ros.evaluation.methods.distilled_student import MethodConfig
    from partdistill_ros.evaluation.methods.protocol import Method
    from partdistill_ros.evaluation.shapes import Shape

SUMMARY = "part mIoU of a student or of methods on labeled shapes"
DESCRIPTION = """\
Measure part mIoU as ShapeNetPart does, on labeled shapes (.npz), folders of them, or a data set as
it is downloaded: ShapeNetPart (text with normals, points with expert labels, hdf5_data), PartNetE,
COSEG, the Princeton benchmark, the prepared data of PartDistill's authors;
2,048 points a shape sampled with a fixed seed, the mean over the parts of the category, then over
shapes, then over categories. `present` counts only parts that the truth holds; ShapeNetPart's
own number gives 1 for a part that is in neither. Labels of the evaluated shapes choose nothing.

Methods, several separated by commas:
{methods}

A method that trains learns from the evaluated shapes themselves, without their labels (test-time
alignment; --each: from one shape at a time), or from other shapes and scans: --train PATH...""".format(
    methods="\n".join(f"  {name:<12}{words}" for name, words in METHODS.items())
)
EXAMPLES = """\
  partdistill evaluate shapes/ --bundle default
  partdistill evaluate shapes/mug_*.npz --method vote --teacher mini --json
  partdistill evaluate test/ --method vote,forward,backward --train train/ --report report/
  partdistill evaluate test/ --method backward --train procedural:50
  partdistill evaluate SHAPENETPART/ --split val --categories cap mug --bundle default"""

STUDENT_ONLY = ("votes", "threads")
TEACHER_ONLY = ("teacher",)
# Those of `distill`.
DISTILL_OPTIONS = ("generated_share", "backward", "student", "start", "freeze_encoder", "seed", "epochs")
TRAINED_ONLY = ("train", "each", "per_category", "augment", "views_of", "generated", *DISTILL_OPTIONS, "work")


def configure(parser: ArgumentParser) -> None:
    parser.add_argument(
        "shapes", nargs="+", type=Path, metavar="SHAPE", help="labeled shape, folder of them, or data set"
    )
    parser.add_argument(
        "--up", choices=AXES, help="axis that points up in shapes whose files do not tell (y in ShapeNet's)"
    )
    parser.add_argument("--split", choices=SPLITS, default="test", help="of a data set (test); --train takes train")
    parser.add_argument("--categories", nargs="+", default=[], metavar="C", help="of a data set (default: all of them)")
    asked = parser.add_mutually_exclusive_group(required=True)
    asked.add_argument("--bundle", metavar="B", help="measure this student; `default` is the shipped one")
    asked.add_argument("--method", metavar="M", help="measure these methods, separated by commas")
    parser.add_argument("--teacher", metavar="T", help="who is asked: mini (default), or as in `distill --help`")
    parser.add_argument(
        "--train", nargs="+", metavar="PATH", help="distill on these shapes, labeled or not (or procedural:N)"
    )
    parser.add_argument("--each", action="store_true", help="distill on one evaluated shape at a time")
    parser.add_argument("--per-category", action="store_true", help="one student each category, not one for all")
    parser.add_argument(
        "--augment",
        choices=("turned", "aligned"),
        default="turned",
        help="what a student sees in training: turned about the vertical (default), or aligned: scale and jitter only",
    )
    parser.add_argument(
        "--views-of",
        choices=("points", "mesh"),
        default="points",
        help="what the teacher of a student sees of a mesh: points sampled on it (default) or the mesh itself",
    )
    parser.add_argument(
        "--pointclip-params", type=Path, metavar="FILE", help="best_param.py of PointCLIP V2's code, for `pointclip2`"
    )
    parser.add_argument(
        "--generated", nargs="+", default=[], metavar="PATH", help="shapes (or procedural:N) added to the collection"
    )
    add_arguments(
        parser,
        DistillConfig,
        DISTILL_OPTIONS,
        backward={"choices": BACKWARD[:-1], "description": "rule of the method `backward`"},
        start={"default": "scratch", "description": "its first weights: scratch (default), or as in `distill`"},
    )
    parser.add_argument("--work", type=Path, metavar="DIR", help="keep checkpoints here, so that a stopped run goes on")
    parser.add_argument("--report", type=Path, metavar="DIR", help="write report.html and report.json there")
    parser.add_argument(
        "--report-shapes", type=natural, default=3, metavar="N", help="shapes a category in its gallery"
    )
    parser.add_argument("--votes", type=positive, default=1, metavar="N", help="turns a bundle's student averages")
    add_engine(parser)


def run(arguments: Namespace) -> Answer:
    """Load, train what has to be trained, ask, compare."""
    names = parse_methods(arguments.method) if arguments.method else ()
    _check(arguments, names)
    from partdistill_ros.evaluation.score_tables import category_table, comparison_table, record
    from partdistill_ros.evaluation.shapes import Selection, load_shapes

    left_out = LeftOut()
    selection = Selection(arguments.up, arguments.split, tuple(arguments.categories))
    shapes = load_shapes(arguments.shapes, left_out, selection)
    setting: MethodConfig | None = None
    if names:
        setting = _setting(arguments, shapes, left_out)
        from partdistill_ros.evaluation.methods.registry import make_method

        methods = [make_method(name, shapes, setting) for name in names]
    else:
        methods = [_bundle(arguments)]
    evaluations = [_evaluate(shapes, method) for method in methods]
    report = {} if arguments.report is None else {"report": str(_report(arguments, shapes, evaluations, setting))}
    if len(evaluations) == 1:
        answer = {**record(evaluations[0]), "left_out": left_out.paths, **report}
        return Answer(answer, category_table(evaluations[0]))
    answer = {"methods": [record(one) for one in evaluations], "left_out": left_out.paths, **report}
    return Answer(answer, comparison_table(evaluations))


def _check(arguments: Namespace, names: Sequence[str]) -> None:
    """Refuse what does not exist and options that do not go together, before any work."""
    from partdistill_ros.distillation.generated import check_share, is_procedural

    check_inputs(arguments.shapes)
    sources = [*(arguments.train or []), *arguments.generated]
    check_inputs(Path(source) for source in sources if not is_procedural(source))
    if arguments.report is not None:
        check_folder(arguments.report)
    if not any(map(is_dataset, arguments.shapes)) and (arguments.split != "test" or arguments.categories):
        raise PartDistillError("--split and --categories choose from a data set, and none of the paths is one")
    unfit = [] if arguments.bundle else list(STUDENT_ONLY)
    if not any(name in TRAINED for name in names):
        unfit += TRAINED_ONLY
    if not any(name not in ("constant", "supervised") for name in names):
        unfit += TEACHER_ONLY
    chosen = f"--method {arguments.method}" if names else "--bundle"
    plain = ArgumentParser()
    configure(plain)
    for option in unfit:
        if getattr(arguments, option) != plain.get_default(option):
            raise PartDistillError(f"--{option.replace('_', '-')} does not go with {chosen}")
    if arguments.each and arguments.train:
        raise PartDistillError("--each learns from one evaluated shape at a time: leave --train out")
    if arguments.each and arguments.per_category:
        raise PartDistillError("--each and --per-category say two things about who learns: leave one out")
    if arguments.pointclip_params is not None and "pointclip2" not in names:
        raise PartDistillError("--pointclip-params are those of the method `pointclip2`, which was not asked for")
    trained = [name for name in names if name in TRAINED]
    if trained == ["features"] and (arguments.generated or arguments.generated_share is not None):
        raise PartDistillError("the method `features` learns from no generated shapes: leave --generated out")
    check_share(arguments.generated_share, arguments.generated)
    if "backward" not in names and arguments.backward != "posterior":
        raise PartDistillError("--backward is the rule of the method `backward`, which was not asked for")
    check_start(arguments.student, arguments.start, arguments.freeze_encoder)


def _setting(arguments: Namespace, shapes: Sequence[Shape], skip: Any) -> MethodConfig:
    """What the methods are given. Raises MissingDependencyError without torch."""
    device = choose_device(arguments.device, "measuring a method")
    from partdistill_ros.evaluation.methods.distilled_student import AUGMENTATIONS, MethodConfig, Recipe
    from partdistill_ros.evaluation.methods.registry import collect

    shown = AUGMENTATIONS[arguments.augment]

    own = ("student", "start", "freeze_encoder", "seed", "epochs", "work")
    return MethodConfig(
        teacher=arguments.teacher or "mini",
        train=None if arguments.train is None else collect(arguments.train, shapes, skip, arguments.up),
        each=arguments.each,
        per_category=arguments.per_category,
        views_of=arguments.views_of,
        searched=arguments.pointclip_params,
        backward=arguments.backward,
        generated=collect(arguments.generated, shapes, skip, arguments.up),
        generated_share=arguments.generated_share,
        recipe=Recipe(device=device, augmentation=shown, **{name: getattr(arguments, name) for name in own}),
    )


def _bundle(arguments: Namespace) -> Method:
    from partdistill_ros.evaluation.methods.bundled_student import BundleMethod
    from partdistill_ros.inference.segmenter import Segmenter

    return BundleMethod(Segmenter(arguments.bundle, arguments.device, arguments.threads), arguments.votes)


def _evaluate(shapes: Sequence[Shape], method: Method) -> Evaluation:
    from partdistill_ros.evaluation.evaluate import evaluate

    def watched(items: Iterable[Shape]) -> Iterable[Shape]:
        return progress(items, method.name, len(shapes))

    return evaluate(shapes, method, watched)


def _report(
    arguments: Namespace, shapes: Sequence[Shape], evaluations: Sequence[Evaluation], setting: MethodConfig | None
) -> Path:
    from partdistill_ros.evaluation.evaluation_page import write_report

    teacher = None
    if setting is not None:
        from partdistill_ros.evaluation.methods.registry import method_teacher

        teacher = method_teacher(setting, shapes)
    title = f"Parts of {len(shapes)} shapes: {', '.join(one.method for one in evaluations)}"
    shown = arguments.report_shapes
    return write_report(
        arguments.report, shapes, evaluations, teacher, title, shown, lambda items: progress(items, "gallery")
    )
