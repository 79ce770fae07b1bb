# SPDX-License-Identifier: Apache-2.0
"""A student that is worse by what the teacher saw, says one thing only, or differs from its export is told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from controlled_teacher import ControlledTeacher

from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.bundle_check import (
    MARGIN,
    Answers,
    agreeing_weight,
    answers_of,
    check_bundle,
    refusal,
)
from partdistill_ros.evaluation.shapes import prepare
from partdistill_ros.evaluation.training_samples import cloud_of, teacher_samples
from partdistill_ros.inference.bundle import DEFAULT_PATH
from partdistill_ros.inference.vocabulary import Vocabulary
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.students.build import WEIGHTS, new_student, save_student
from partdistill_ros.synthetic.families import generate
from partdistill_ros.text.space import TextSpace

QUERY = "mug: handle, cup"


def units_of(labels: np.ndarray, scores: tuple[float, float]) -> KnowledgeUnits:
    """One unit a part, of the points labeled so."""
    samples = [np.flatnonzero(labels == part).astype(np.int32) for part in (0, 1)]
    return KnowledgeUnits(
        indices=np.concatenate(samples),
        indptr=np.cumsum([0, *map(len, samples)]).astype(np.int64),
        part=np.array([0, 1], np.int16),
        view=np.array([0, 0], np.int16),
        score=np.array(scores, np.float32),
        n_points=len(labels),
        parts=("handle", "cup"),
    )


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    """Two mugs whose teacher knows the truth."""
    found = []
    for seed in (1, 2):
        cloud = sample_surface(generate("mug", seed), 3000, 0)
        order = [cloud.parts.index(part) for part in ("handle", "cup")]
        labels = np.array([order.index(label) if label in order else -1 for label in cloud.point_labels])
        found.append(Sample(f"mug_{seed}", "mug", cloud.points, units_of(labels, (0.9, 0.8))))
    return found


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    space = TextSpace.load()
    vocabulary = Vocabulary(space.names, space.embeddings, {"mug": ("handle", "cup")})
    out = tmp_path_factory.mktemp("bundles") / "untrained"
    return save_student(new_student("patch_transformer", space.dim), out, "untrained", vocabulary, space, {})


def test_agreement_weighs_units_by_score_and_size() -> None:
    labels = np.array([0, 0, 0, 1], np.int16)
    units = units_of(np.array([0, 0, 1, 1]), (1.0, 0.5))  # 2 of 2 points right, and 1 of 2
    sample = Sample("a", "mug", np.zeros((4, 3), np.float32), units)
    assert agreeing_weight(sample, labels) == (pytest.approx(1.0 * 2 + 0.5 * 1), pytest.approx(1.0 * 2 + 0.5 * 2))


def answers_about(family: str, preset: str) -> tuple[list[Sample], dict[str, list[np.ndarray]]]:
    """Four shapes with a controlled teacher's units; the truth, the vote of the units, and one part everywhere."""
    shapes = prepare([generate(family, seed) for seed in range(4)])
    samples, answers = teacher_samples(shapes, ControlledTeacher(preset)), {}
    for sample, shape in zip(samples, shapes, strict=True):
        cloud, units = cloud_of(shape), sample.units
        place = np.array([units.parts.index(part) if part in units.parts else -1 for part in cloud.parts])
        found = {name: np.full(len(cloud.points), part) for part, name in enumerate(units.parts)}
        found["truth"] = place[cloud.point_labels]
        found["vote"] = units.votes(units.score[units.owner()]).argmax(1)
        for name, labels in found.items():
            answers.setdefault(name, []).append(labels.astype(np.int16))
    return samples, answers


def test_true_labels_are_no_evidence_between_two_students(samples) -> None:
    wrong = [np.full(3000, 1, np.int16)] * 2
    known = [samples[0], replace(samples[1], labeled=True)]
    one = answers_of("x", known, [wrong[0], wrong[1]])
    other = answers_of("x", known, [wrong[0], 1 - wrong[1]])
    assert one.overall == other.overall and one.kappa == other.kappa and one.agreements != other.agreements


@pytest.mark.parametrize("family", ["mug", "pliers", "chair"])
def test_of_boxes_the_truth_agrees_best(family: str) -> None:
    """Point by point one part everywhere, or the vote of the boxes, beats the truth, and refuses who corrects them."""
    samples, answers = answers_about(family, "box")
    sums = {
        name: np.sum([agreeing_weight(*one) for one in zip(samples, labels, strict=True)], 0)
        for name, labels in answers.items()
    }
    share = {name: good / weight for name, (good, weight) in sums.items()}
    truth = share.pop("truth")
    assert truth > max(share.values()) + MARGIN, (truth, share)


@pytest.mark.parametrize("family", ["mug", "lamp"])
def test_of_regions_the_truth_may_replace_the_vote_and_one_part_may_replace_neither(family: str) -> None:
    samples, answers = answers_about(family, "pixel")
    given = {name: answers_of(name, samples, labels) for name, labels in answers.items()}
    assert refusal(given["truth"], given["vote"], samples) is None
    assert given["truth"].overall < given["vote"].overall - MARGIN, "which refused it"
    for part in samples[0].units.parts:
        few = [labels.copy() for labels in answers[part]]
        for labels in few:
            labels[:20] = (labels[:20] + 1) % len(samples[0].units.parts)  # so that it is not one part throughout
        for better in ("truth", "vote"):
            assert "chance" in str(refusal(answers_of(part, samples, few), given[better], samples))


def test_the_shipped_student_against_itself_is_accepted(samples) -> None:
    told: list[Progress] = []
    found = check_bundle(DEFAULT_PATH, "default", samples, QUERY, told.append)
    assert found.problem is None and found.parity < 1e-3
    assert found.before is not None and found.new.overall == found.before.overall > 0.8
    assert [one.epoch for one in told] == [1, 2, 3, 4] and {one.stage for one in told} == {"evaluate"}
    assert found.record()["agreement"] == pytest.approx(found.new.overall, abs=1e-4)


def test_a_worse_student_is_told_with_both_numbers(samples, untrained: Path) -> None:
    found = check_bundle(untrained, "default", samples, QUERY)
    assert found.before is not None and found.new.kappa < found.before.kappa / 3
    assert found.problem is not None
    assert check_bundle(DEFAULT_PATH, untrained, samples, QUERY).problem is None


def test_an_answer_of_one_part_only_is_refused_whatever_it_agrees_with(samples) -> None:
    one = Answers("x", tuple(np.zeros(3000, np.int16) for _ in samples), (0.5, 0.5), 0.5)
    assert "same part" in str(refusal(one, None, samples))
    both = replace(one, labels=(np.arange(3000, dtype=np.int16) % 2,) * 2)
    assert refusal(both, None, samples) is None


def test_weights_that_are_not_those_of_the_network_are_found(samples, untrained: Path, tmp_path: Path) -> None:
    import shutil

    mixed = tmp_path / "mixed"
    shutil.copytree(DEFAULT_PATH, mixed)
    shutil.copyfile(untrained / WEIGHTS, mixed / WEIGHTS)
    with pytest.raises(PartDistillError, match="differ by"):
        check_bundle(mixed, "default", samples, QUERY)


def test_a_student_before_that_cannot_be_read_is_no_obstacle(samples, tmp_path: Path) -> None:
    found = check_bundle(DEFAULT_PATH, tmp_path / "gone", samples, QUERY)
    assert found.before is None and "gone" in found.no_comparison and found.problem is None
    assert found.record()["agreement_before"] is None
