# SPDX-License-Identifier: Apache-2.0
"""Schedules and augmentations that suit mode and collection, and options that are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from partdistill_ros.distillation.config import (
    Augmentation,
    DistillConfig,
    Schedule,
    augmentation_for,
    schedule_for,
)
from partdistill_ros.errors import PartDistillError


def steps(schedule: Schedule) -> int:
    return schedule.min_steps * schedule.epochs


def test_the_usual_schedule_is_that_of_shapes_not_seen_yet() -> None:
    assert schedule_for(50, trained=True, tta=True) == replace(Schedule(), learning_rate=1e-3)
    assert schedule_for(50) == replace(Schedule(), epochs=45)
    assert (Schedule().epochs, Schedule().learning_rate) == (30, 4e-3)
    assert schedule_for(1) == schedule_for(50), "few scans are shown as long as many"


def test_a_handful_of_scans_to_be_labeled_needs_fewer_steps() -> None:
    assert steps(schedule_for(1, tta=True)) == 120
    assert steps(schedule_for(17, tta=True)) == steps(schedule_for(99, tta=True)) == 900
    assert steps(schedule_for(17, tta=True, trained=True)) == 600, "random weights have more to learn"
    made = [schedule_for(samples, tta=True) for samples in range(1, 30)]
    counts, batches = [steps(one) for one in made], [one.batch for one in made]
    assert counts == sorted(counts) and batches == sorted(batches)
    assert (batches[0], batches[-1]) == (4, Schedule().batch)


def test_a_finished_student_takes_small_steps() -> None:
    assert schedule_for(9, trained=True).learning_rate == pytest.approx(1e-3)
    assert schedule_for(9, tta=True, trained=True).learning_rate == schedule_for(9, trained=True).learning_rate


def test_the_epochs_asked_for_replace_the_usual_ones() -> None:
    assert schedule_for(9, epochs=3).epochs == schedule_for(9, tta=True, epochs=3).epochs == 3
    assert schedule_for(9, tta=True, epochs=3).min_steps == schedule_for(9, tta=True).min_steps


def test_augmentation_bears_anything_or_little() -> None:
    assert augmentation_for(False) == Augmentation()
    own, usual = augmentation_for(True), Augmentation()
    assert own.partial_view == own.free_rotation == 0 and own.roll_pitch < usual.roll_pitch
    assert own.free_rotation_up_unknown == usual.free_rotation_up_unknown, "a scan without an up still lies any way"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mode": "later"}, "'mode' is 'later'; it must be one of pre, tta"),
        ({"backward": "sideways"}, "posterior, kept-mass, published, none"),
        ({"renderer": "crayons"}, "zbuffer, pytorch3d"),
        ({"parts": ("cup",)}, "at least two parts"),
        ({"parts": ("cup", "Cup ")}, "'cup' is given twice"),
        ({"scans": ()}, "no scans were given"),
        ({"generated_share": 0.0}, "must be over 0, got 0"),
        ({"generated_share": -1.0}, "must be over 0"),
        ({"generated_share": float("nan")}, "must be a finite number"),
        ({"generated_share": float("inf")}, "must be a finite number"),
        ({"generated": ("procedural:3",)}, "make it the category"),
        ({"generated": ("nowhere",)}, "do not exist"),
        ({"schedule": Schedule(), "epochs": 3}, "name one of the two"),
        ({"student": "point_m2ae"}, "the shipped student is a patch_transformer"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(changes: dict[str, object], message: str) -> None:
    settings = {"scans": (Path("a.ply"),), "parts": ("handle", "cup"), "out": Path("b"), **changes}
    with pytest.raises(PartDistillError, match=message):
        DistillConfig(**settings)


def test_generated_shapes_alone_are_a_collection() -> None:
    made = DistillConfig((), ("handle", "cup"), Path("b"), "mug", generated=("procedural:3",), generated_share=0.5)
    assert made.generated_share == 0.5 and not made.scans


def test_names_and_scans_may_come_as_text_and_one_alone() -> None:
    made = DistillConfig("mugs", "Handle, the  cup", "b", "mug", generated="procedural:3", labels="labeled")
    assert (made.scans, made.parts, made.out) == ((Path("mugs"),), ("handle", "the cup"), Path("b"))
    assert (made.generated, made.labels) == (("procedural:3",), ("labeled",))
