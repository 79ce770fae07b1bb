# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, goes backward once, and resumes to the same weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.distillation.augment import Augmentation
from partdistill_ros.distillation.collection import Member
from partdistill_ros.distillation.config import Schedule
from partdistill_ros.distillation.fit import Fit, Progress, converged, cycle, predict
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.text.space import TextSpace
from tests.distillation.conftest import SMALL

SCHEDULE = replace(Schedule(), epochs=6, batch=4, min_steps=6, checkpoint_minutes=0.0, rate=3e-3)
NAMES = {"bottle": [TextSpace.load().encode([name]) for name in ("cap", "body")]}


def make(members: list[Member], checkpoint: Path | None = None, **options: object) -> Fit:
    torch.manual_seed(0)
    schedule = options.pop("schedule", SCHEDULE)
    return Fit(PatchTransformer(SMALL), members, NAMES, schedule, Augmentation(), checkpoint=checkpoint, **options)


def test_the_student_learns_what_the_teacher_says(members: list[Member]) -> None:
    fit = make(members, schedule=replace(SCHEDULE, epochs=20))
    student = fit.run()
    assert fit.state.losses[-1] < 0.7 * fit.state.losses[0]
    for member, answer in zip(members, predict(student, members, NAMES, "cpu", 0), strict=True):
        high, low = member.points[:, 2] > 0.4, member.points[:, 2] < -0.4
        assert (answer[high] == 0).mean() > 0.8 and (answer[low] == 1).mean() > 0.8


def test_backward_starts_once_and_changes_the_scores(members: list[Member]) -> None:
    stages: list[Progress] = []
    fit = make(members)
    fit.run(stages.append)
    assert [one.stage for one in stages] == ["forward"] * 4 + ["backward"] * 2
    assert any((new.score != old.units.score).any() for new, old in zip(fit.units, members, strict=True))


def test_none_means_forward_alone(members: list[Member]) -> None:
    fit = make(members, backward="none")
    fit.run()
    assert fit.state.backward_from is None
    assert all((new.score == old.units.score).all() for new, old in zip(fit.units, members, strict=True))


@pytest.mark.parametrize("stopped_after", [2, 5])
def test_a_killed_run_resumes_to_the_same_weights(members: list[Member], tmp_path: Path, stopped_after: int) -> None:
    whole = make(members).run()

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.epoch == stopped_after:
            raise Killed

    with pytest.raises(Killed):
        make(members, tmp_path / "fit.pt").run(kill)
    resumed = make(members, tmp_path / "fit.pt").run()
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_convergence_is_that_of_the_method() -> None:
    schedule = Schedule()
    assert not converged([1.0] * 5, schedule), "a window of five needs six epochs to change"
    assert converged([1.0] * 6, schedule)
    assert not converged([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], schedule)


def test_the_rate_rises_and_falls() -> None:
    rates = [cycle(x) for x in np.linspace(0, 1, 101)]
    assert rates[0] < 0.1 and max(rates) == pytest.approx(1.0) and rates[-1] == pytest.approx(0.01)
    assert np.all(np.diff(rates[5:]) <= 0)
