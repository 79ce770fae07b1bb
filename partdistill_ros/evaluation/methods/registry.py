# SPDX-License-Identifier: Apache-2.0
"""The methods that `partdistill evaluate` and the benchmarks compare, by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from partdistill_ros.distillation.generated import check_generated, generated_scans, is_procedural
from partdistill_ros.distillation.unit_store import KnowledgeStore
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.methods.constant import Constant
from partdistill_ros.evaluation.methods.distilled_student import DistilledMethod, MethodConfig
from partdistill_ros.evaluation.methods.features import FeaturesMethod
from partdistill_ros.evaluation.methods.mesh_scores import MeshScoresMethod
from partdistill_ros.evaluation.methods.pointclip import PointClipMethod, Searched
from partdistill_ros.evaluation.methods.protocol import Method
from partdistill_ros.evaluation.methods.vote import PreparedVoteMethod, VoteMethod
from partdistill_ros.evaluation.prompted_teacher import PromptedTeacher
from partdistill_ros.evaluation.shapes import Shape, Skip, load_training_shapes, prepare
from partdistill_ros.evaluation.training_samples import prepared_samples, teacher_samples, true_samples
from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.teachers.protocol import Teacher
from partdistill_ros.teachers.registry import load_teacher


def make_method(name: str, shapes: Sequence[Shape], config: MethodConfig) -> Method:
    """The method `name` of `METHODS` for these shapes."""
    if name == "constant":
        return Constant.of(shapes)
    if name == "supervised":
        return DistilledMethod(name, partial(true_samples, teacher=config.poser), shapes, "none", config)
    rule = "none" if name == "forward" else config.backward
    if config.prepared is not None:
        if name not in ("vote", "forward", "backward"):
            raise PartDistillError(f"'{name}' asks a teacher, and prepared data answers for itself: leave it out")
        if name == "vote":
            return PreparedVoteMethod(config.prepared)
        return DistilledMethod(name, partial(prepared_samples, folder=config.prepared), shapes, rule, config)
    teacher = method_teacher(config, shapes)
    if name == "vote":
        return VoteMethod(teacher)
    if name in ("pointclip", "pointclip2"):
        searched = None if config.searched is None else Searched.read(config.searched)
        return PointClipMethod(teacher, 2 if name == "pointclip2" else 1, searched)
    if name == "mesh-scores":
        return MeshScoresMethod(teacher)
    if name == "features":
        return FeaturesMethod(teacher, shapes, config)
    work = config.recipe.work  # answers are kept there too, but for those of a teacher that is made for each method
    store = None if work is None or callable(config.teacher) else KnowledgeStore(work / "knowledge")
    ask = partial(teacher_samples, teacher=teacher, store=store, views_of=config.views_of)
    return DistilledMethod(name, ask, shapes, rule, config)


def method_teacher(config: MethodConfig, shapes: Sequence[Shape]) -> Teacher:
    """The teacher of a comparison."""
    if callable(config.teacher):
        return config.teacher(shapes)
    found = load_teacher(config.teacher, config.recipe.device)
    return PromptedTeacher(found, config.prompts) if config.prompts else found


def collect(
    sources: Sequence[str], shapes: Sequence[Shape], on_skip: Skip | None = None, up: str | None = None
) -> list[Shape]:
    """The shapes to learn from, labeled or not, of files, folders and `procedural:N`: N shapes of the family of each
    category of `shapes` that has one.  up: see `shapes.Selection`.

    Raises PartDistillError where a source gives nothing.
    """
    parts = {shape.question.category: shape.question.parts for shape in shapes}
    files = [source for source in sources if not is_procedural(source)]
    found = load_training_shapes(files, parts, on_skip, up) if files else []
    categories = sorted(parts.keys() & FAMILIES.keys())
    for source in sources:
        if is_procedural(source) and not categories:
            raise PartDistillError(f"'{source}': none of the evaluated categories has a procedural family")
        if is_procedural(source):
            for category in categories:
                check_generated(source, category)
                found += prepare(list(generated_scans(source, category)))
    return found
