# SPDX-License-Identifier: Apache-2.0
"""The share of the whole never falls, and the time that remains follows the pace in hand."""

from __future__ import annotations

import math

import pytest

from partdistill_ros.distillation.progress import SPANS, Progress, ProgressEstimator

NAN = float("nan")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_whole_run_ends_at_one_and_never_goes_back() -> None:
    outlook, shares = ProgressEstimator(Clock()), []
    looking = [Progress(stage, scan, 3, NAN) for scan in (1, 2, 3) for stage in ("extract", "render", "teach")]
    training = [Progress("forward" if epoch < 3 else "backward", epoch, 4, 0.5) for epoch in (1, 2, 3, 4)]
    ending = [Progress("export", 0, 1, NAN), Progress("export", 1, 1, NAN), Progress("evaluate", 2, 2, NAN)]
    for progress in (*looking, *training, *ending):
        shares.append(outlook(progress).share)
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert shares[len(looking)] == pytest.approx(
        SPANS["forward"][0] + 0.25 * (SPANS["forward"][1] - SPANS["forward"][0])
    )


def test_the_pace_in_hand_is_carried_on() -> None:
    clock = Clock()
    outlook = ProgressEstimator(clock)
    assert outlook(Progress("extract", 1, 4, NAN)).remaining is None
    outlook(Progress("forward", 1, 10, 0.4))
    clock.now += 7.8  # a tenth of the training's 78 %: 1 s for a hundredth of the whole
    told = outlook(Progress("forward", 2, 10, 0.3))
    assert told.remaining == pytest.approx(100 * (1 - told.share)) and told.loss == 0.3
    ending = outlook(Progress("export", 0, 1, NAN))
    assert ending.remaining == pytest.approx(100 * (1 - ending.share)) and ending.loss is None


def test_a_run_that_goes_on_is_judged_by_what_it_does_itself() -> None:
    clock = Clock()
    outlook = ProgressEstimator(clock)
    outlook(Progress("backward", 9, 10, 0.1))
    clock.now += 10
    told = outlook(Progress("backward", 10, 10, 0.1))
    assert told.remaining is not None and told.remaining == pytest.approx(10 / 0.078 * (1 - told.share))


def test_an_unknown_number_of_scans_leaves_the_share_where_it_is() -> None:
    told = ProgressEstimator(Clock())(Progress("teach", 7, 0, NAN))
    assert (told.step, told.steps, told.share) == (7, 0, 0) and not math.isnan(told.share)
