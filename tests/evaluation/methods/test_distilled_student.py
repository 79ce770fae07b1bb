# SPDX-License-Identifier: Apache-2.0
"""Students of evaluate: each setting learns from what it may and nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from controlled_teacher import ControlledTeacher

from partdistill_ros.distillation.augmentation import random_turn
from partdistill_ros.distillation.config import Schedule
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.evaluate import evaluate
from partdistill_ros.evaluation.methods.distilled_student import (
    AUGMENTATIONS,
    DistilledMethod,
    MethodConfig,
    Recipe,
    aligned,
)
from partdistill_ros.evaluation.methods.registry import make_method
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import teacher_samples, true_samples
from partdistill_ros.inference.bundle import DEFAULT_PATH
from partdistill_ros.synthetic.families import generate

QUICK = Recipe(epochs=2)


@pytest.fixture(scope="module")
def bottles():
    return prepare([generate("bottle", seed) for seed in range(3)])


@pytest.fixture(autouse=True)
def quick(tiny_students):
    return tiny_students


def test_the_shapes_themselves_or_another_collection(bottles):
    seen: list[list[str]] = []

    def gather(shapes):
        seen.append([shape.question.name for shape in shapes])
        return true_samples(shapes)

    every = [shape.question.name for shape in bottles]
    evaluate(bottles, DistilledMethod("supervised", gather, bottles, "none", MethodConfig(recipe=QUICK)))
    other = prepare([generate("bottle", 9)])
    more = {"generated": other, "generated_share": 0.2}
    pre = DistilledMethod("supervised", gather, bottles, "none", MethodConfig(recipe=QUICK, train=other, **more))
    evaluate(bottles, pre)
    assert pre.trainer is not None and [sample.weight for sample in pre.trainer.samples] == [1.0, 0.2]
    each = DistilledMethod("supervised", gather, bottles, "none", MethodConfig(recipe=QUICK, each=True))
    evaluate(bottles, each)
    assert seen == [every, ["bottle_00009"] * 2, *([name] for name in every)]
    assert (pre.setting, each.setting) == ("pre", "tta-each")
    assert [curve.name for curve in each.curves] == every and len(each.curves[0].losses) == 2


def test_labels_of_the_evaluated_shapes_change_nothing(bottles):
    teacher = ControlledTeacher("pixel")
    other = prepare([generate("bottle", 9)])
    wrong = [replace(shape, truth=np.zeros_like(shape.truth), labeled=generate("bottle", 5)) for shape in bottles]
    answers = [
        evaluate(
            shapes,
            DistilledMethod(
                "b",
                partial(teacher_samples, teacher=teacher),
                shapes,
                "posterior",
                MethodConfig(recipe=QUICK, train=other),
            ),
        )
        for shapes in (bottles, wrong)
    ]
    for first, second in zip(answers[0].answers, answers[1].answers, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_collection_of_other_objects_is_refused(bottles):
    mugs = prepare([generate("mug", 1)])
    method = DistilledMethod("f", true_samples, bottles, "none", MethodConfig(recipe=QUICK, train=mugs))
    with pytest.raises(PartDistillError, match="other categories"):
        evaluate(bottles, method)


def test_a_start_that_learned_another_text_space_is_refused(bottles, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(DEFAULT_PATH, other)
    manifest = json.loads((other / "bundle.json").read_text())
    manifest["text"]["space"] = "clip-x-64"
    (other / "bundle.json").write_text(json.dumps(manifest))
    recipe = replace(QUICK, start=str(other))
    method = DistilledMethod("f", true_samples, bottles, "none", MethodConfig(recipe=recipe))
    with pytest.raises(PartDistillError, match="clip-x-64.*this run has 'minilm64'"):
        evaluate(bottles, method)


def test_a_folder_named_scratch_is_no_finished_student(bottles, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scratch").mkdir()
    method = DistilledMethod("f", true_samples, bottles, "none", MethodConfig(recipe=QUICK))
    evaluate(bottles, method)
    assert method.trainer.schedule.learning_rate == Schedule().learning_rate


def test_one_at_a_time_takes_no_collection(bottles):
    with pytest.raises(PartDistillError, match="leave the training shapes out"):
        DistilledMethod("f", true_samples, bottles, "none", MethodConfig(recipe=QUICK, train=bottles, each=True))


def test_checkpoints_make_a_second_run_quick_and_equal(bottles, tmp_path):
    recipe = replace(QUICK, work=tmp_path)
    first = evaluate(bottles, DistilledMethod("b", true_samples, bottles, "posterior", MethodConfig(recipe=recipe)))
    files = {path.name.split("-")[0] for path in tmp_path.iterdir()}
    assert files == {"fit", "forward"}
    second = evaluate(bottles, DistilledMethod("b", true_samples, bottles, "posterior", MethodConfig(recipe=recipe)))
    np.testing.assert_array_equal(first.answers[0], second.answers[0])


def test_forward_alone_by_the_papers_rules_weighs_as_the_paper_does(bottles, tmp_path):
    found = {}
    for rule in ("posterior", "published"):
        config = MethodConfig(recipe=replace(QUICK, work=tmp_path), backward=rule)
        method = make_method("forward", bottles, config)
        evaluate(bottles, method)
        assert method.trainer.backward == "none"
        found[rule] = method.trainer.soft_labels
    assert len(list(tmp_path.glob("fit-*"))) == 2, "neither goes on from the other's checkpoint"
    assert any((one != other).any() for one, other in zip(*found.values(), strict=True))


def test_the_ceiling_stands_as_it_is_asked(bottles):
    tilt = random_turn(np.random.default_rng(0), 0, 1)
    scan = bottles[0].labeled
    scan = scan.with_(up=None, mesh=replace(scan.mesh, vertices=(scan.mesh.vertices @ tilt.T).astype(np.float32)))
    leaning, extent = prepare([scan]), np.ptp(scan.mesh.vertices, axis=0)
    for teacher, as_it_lies in (("mini", False), ("boxes:found.json", True)):
        method = make_method("supervised", leaning, MethodConfig(recipe=QUICK, teacher=teacher))
        evaluate(leaning, method)
        found = np.ptp(method.trainer.samples[0].points, axis=0)
        assert np.allclose(found / found.max(), extent / extent.max(), atol=0.03) == as_it_lies


def test_one_student_each_category_learns_from_its_own_shapes(bottles, quick):
    shapes = prepare([generate("bottle", 0), generate("mug", 1), generate("mug", 2)])
    seen: list[list[str]] = []

    def gather(shapes):
        seen.append([shape.question.category for shape in shapes])
        return true_samples(shapes)

    recipe = replace(QUICK, freeze_encoder=True)
    config = MethodConfig(recipe=recipe, per_category=True, train=prepare([generate("mug", 5), generate("bottle", 6)]))
    method = DistilledMethod("b", gather, shapes, "none", config)
    assert evaluate(shapes, method).sampled.shapes == 3
    assert seen == [["bottle"], ["mug"]] and [curve.name for curve in method.curves] == ["bottle", "mug"]
    assert quick[0] == ("patch_transformer", 64, "scratch", True)


def test_a_student_of_aligned_clouds_is_asked_about_aligned_clouds(bottles, monkeypatch):
    from partdistill_ros.distillation import trainer
    from partdistill_ros.evaluation.methods import distilled_student

    turns = []
    for place, name in ((distilled_student, "predict_points"), (trainer, "predict")):
        usual = getattr(place, name)

        def spy(*given, usual=usual, **named):
            turns.append(named.get("turned", given[-1]))
            return usual(*given, **named)

        monkeypatch.setattr(place, name, spy)
    recipe = replace(QUICK, augmentation=AUGMENTATIONS["aligned"])
    evaluate(bottles[:1], DistilledMethod("b", true_samples, bottles[:1], "posterior", MethodConfig(recipe=recipe)))
    assert len(turns) >= 2 and not any(turns)


def test_training_shapes_are_asked_about_the_evaluated_parts(bottles):
    turned = aligned(bottles[0], {"bottle": ("body", "neck", "cap")})
    sample = true_samples([turned])[0]
    assert sample.units.parts == ("body", "neck", "cap")
    own = bottles[0].question.parts
    assert {sample.units.parts[part] for part in sample.units.part} <= set(own)
