# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, goes backward once, and resumes to the same weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.distillation.augment import Augmentation
from partdistill_ros.distillation.backward import Graded
from partdistill_ros.distillation.collection import Member
from partdistill_ros.distillation.config import Schedule
from partdistill_ros.distillation.fit import Fit, Progress, converged, cycle, label_points, predict, targets
from partdistill_ros.knowledge.units import class_weights
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.students.point_m2ae import PointM2AE
from partdistill_ros.students.student import Student
from partdistill_ros.text.space import TextSpace
from tests.distillation.conftest import SMALL
from tests.students.conftest import M2AE

SCHEDULE = replace(Schedule(), epochs=6, batch=4, min_steps=6, checkpoint_minutes=0.0, rate=3e-3)
NAMES = {"bottle": [TextSpace.load().encode([name]) for name in ("cap", "body")]}


def make(members: list[Member], checkpoint: Path | None = None, **options: object) -> Fit:
    torch.manual_seed(0)
    schedule = options.pop("schedule", SCHEDULE)
    kind = options.pop("student", PatchTransformer)
    student = kind(SMALL if kind is PatchTransformer else replace(M2AE, dim=64))
    return Fit(student, members, NAMES, schedule, Augmentation(), checkpoint=checkpoint, **options)


def test_the_student_learns_what_the_teacher_says(members: list[Member]) -> None:
    fit = make(members, schedule=replace(SCHEDULE, epochs=20))
    student = fit.run()
    assert fit.state.losses[-1] < 0.7 * fit.state.losses[0]
    for member, answer in zip(members, predict(student, members, NAMES, "cpu", 0), strict=True):
        assert answer.shape == (len(member.points), 2) and np.allclose(answer.sum(1), 1, atol=1e-5)
        high, low = member.points[:, 2] > 0.4, member.points[:, 2] < -0.4
        assert (answer[high, 0] > 0.5).mean() > 0.8 and (answer[low, 1] > 0.5).mean() > 0.8


def test_backward_starts_once_and_changes_the_scores(members: list[Member]) -> None:
    stages: list[Progress] = []
    fit = make(members)
    fit.run(stages.append)
    assert [one.stage for one in stages] == ["forward"] * 4 + ["backward"] * 2
    assert any((new.units.score != old.units.score).any() for new, old in zip(fit.graded, members, strict=True))


def test_none_means_forward_alone(members: list[Member]) -> None:
    fit = make(members, backward="none")
    fit.run()
    assert fit.state.backward_from is None
    assert all((new.units.score == old.units.score).all() for new, old in zip(fit.graded, members, strict=True))


@pytest.mark.parametrize(("stopped_after", "student"), [(2, PatchTransformer), (5, PatchTransformer), (5, PointM2AE)])
def test_a_killed_run_resumes_to_the_same_weights(
    members: list[Member], tmp_path: Path, stopped_after: int, student: type[Student]
) -> None:
    whole = make(members, student=student).run()

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.epoch == stopped_after:
            raise Killed

    with pytest.raises(Killed):
        make(members, tmp_path / "fit.pt", student=student).run(kill)
    resumed = make(members, tmp_path / "fit.pt", student=student).run()
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def same(first: Student, second: Student) -> bool:
    return all(torch.equal(value, second.state_dict()[name]) for name, value in first.state_dict().items())


@pytest.mark.parametrize("rule", ["kept-mass", "published"])
def test_rules_share_the_forward_distillation(members: list[Member], tmp_path: Path, rule: str) -> None:
    make(members, forward=tmp_path / "forward.pt", backward="posterior").run()
    stages: list[Progress] = []
    shared = make(members, forward=tmp_path / "forward.pt", backward=rule).run(stages.append)
    assert [one.stage for one in stages] == ["backward"] * 2, "what came before is not trained again"
    assert same(shared, make(members, backward=rule).run())


def test_a_mixing_run_resumes_to_the_same_weights(members: list[Member], tmp_path: Path) -> None:
    def mixing(checkpoint: Path | None, epochs: int) -> Fit:
        torch.manual_seed(0)
        schedule = replace(SCHEDULE, epochs=6, forward_share=0.5)
        fit = Fit(
            PatchTransformer(SMALL), members, NAMES, schedule, Augmentation(mix=1.0), checkpoint=checkpoint, seed=3
        )
        if epochs:
            fit._epoch = _stop_after(fit, epochs)
        return fit

    def _stop_after(fit: Fit, epochs: int):
        own = fit._epoch

        def epoch() -> float:
            if fit.state.epoch == epochs:
                raise KeyboardInterrupt
            return own()

        return epoch

    with pytest.raises(KeyboardInterrupt):
        mixing(tmp_path / "fit.pt", 5).run()
    assert same(mixing(tmp_path / "fit.pt", 0).run(), mixing(None, 0).run())


def test_a_share_says_how_often_a_member_is_drawn(members: list[Member]) -> None:
    fit = make([replace(members[0], share=3.0), *members[1:]])
    drawn = np.bincount(fit._order(6000), minlength=4) / 6000
    np.testing.assert_allclose(drawn, [0.5, 1 / 6, 1 / 6, 1 / 6], atol=0.03)
    assert sorted(make(members)._order(8)) == sorted([*range(4)] * 2), "equal shares: each as often as the others"


def test_trust_shifts_weight_between_parts_and_keeps_its_sum(members: list[Member]) -> None:
    units = members[0].units
    weight = class_weights(units, 2)
    plain = targets(Graded(units), weight, boxes=False).astype(float)
    trust = np.tile(np.array([1, 0.25], np.float16), (units.n_points, 1))
    shifted = targets(Graded(units, trust), weight, boxes=False).astype(float)
    assert shifted.sum() == pytest.approx(plain.sum(), rel=0.01)
    assert shifted[:, 0].sum() > 1.1 * plain[:, 0].sum() and shifted[:, 1].sum() < plain[:, 1].sum()


def test_an_object_without_an_up_is_looked_at_from_either_side(members: list[Member]) -> None:
    student = make(members, schedule=replace(SCHEDULE, epochs=10)).run()
    points = members[0].points
    standing = label_points(student, points, NAMES["bottle"], draws=4)
    either = label_points(student, points, NAMES["bottle"], draws=4, flat=True)
    turned = label_points(student, points * [1, -1, -1], NAMES["bottle"], draws=4, flat=True)
    high = points[:, 2] > 0.4
    assert standing[high, 0].mean() > either[high, 0].mean() + 0.1, "half of the looks take the bottle upside down"
    assert abs(either[high, 0].mean() - turned[high, 0].mean()) < 0.1


def test_batch_statistics_are_averaged_with_the_weights(members: list[Member]) -> None:
    student = make(members, student=PointM2AE).run()
    norm = student.h_encoder.token_embed[0].first_conv[1]
    assert norm.num_batches_tracked == SCHEDULE.epochs * SCHEDULE.min_steps
    assert not torch.equal(norm.running_var, torch.ones_like(norm.running_var))


def test_convergence_is_that_of_the_method() -> None:
    schedule = Schedule()
    assert not converged([1.0] * 5, schedule), "a window of five needs six epochs to change"
    assert converged([1.0] * 6, schedule)
    assert not converged([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], schedule)


def test_the_rate_rises_and_falls() -> None:
    rates = [cycle(x) for x in np.linspace(0, 1, 101)]
    assert rates[0] < 0.1 and max(rates) == pytest.approx(1.0) and rates[-1] == pytest.approx(0.01)
    assert np.all(np.diff(rates[5:]) <= 0)
