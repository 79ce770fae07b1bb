# SPDX-License-Identifier: Apache-2.0
"""A temperature brings confidence and the share of right points together, and leaves the labels alone."""

import numpy as np
import pytest
from toy_student import write_toy

from partdistill_ros.inference.segmenter import Segmenter

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.synthetic.training.calibration import (  # noqa: E402
    CHECKED,
    FITTED,
    Answer,
    Cut,
    answers,
    calibration_error,
    cut_clutter,
    fit_margins,
    fit_temperature,
    held_out_clouds,
    spill,
)


def answers_that_are_too_sure(times, clouds=4, points=2000):
    """A student whose true log-odds were multiplied."""
    rng, made = np.random.default_rng(0), []
    for _ in range(clouds):
        honest = rng.normal(size=(points, 3)) * 1.5
        chance = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
        truth = (rng.random((points, 1)) > chance.cumsum(axis=1)).sum(axis=1).clip(max=2)
        told = np.exp(times * honest)
        made.append(Answer((told / told.sum(axis=1, keepdims=True)).astype(np.float32), truth))
    return made


@pytest.mark.parametrize("times", [0.6, 2.5])
def test_the_factor_is_found_and_the_error_goes(times):
    some = answers_that_are_too_sure(times)
    temperature = fit_temperature(some)
    assert temperature == pytest.approx(times, rel=0.1)
    before, after = calibration_error(some, 1.0), calibration_error(some, temperature)
    assert before > 5 and after < 2


def test_sure_and_always_wrong_is_an_error_of_a_hundred():
    wrong = Answer(np.array([[1.0, 0.0]] * 8, np.float32), np.ones(8, np.intp))
    assert calibration_error([wrong], 1.0) == pytest.approx(100)


def test_what_checks_was_not_fitted_on():
    assert not set(FITTED) & set(CHECKED) and len(FITTED) == len(CHECKED)


def test_answers_are_of_the_points_that_the_student_saw(tmp_path):
    toy_segmenter = Segmenter(write_toy(tmp_path / "toy"))
    whole, one_sided = held_out_clouds(["snowman"], 1)
    assert len(one_sided.points) < len(whole.points)
    named = whole.with_(parts=("top", "bottom"), point_labels=np.where(whole.points[:, 2] > 0, 0, 1).astype(np.int16))
    (found,) = answers(toy_segmenter, [named, named.with_(parts=("top",))])
    assert found.right.mean() > 0.95 and found.probability.shape == (len(found.truth), 2)


def cut(kind, mug, pot, points=100, large=False):
    return Cut({"mug": mug, "pot": pot}, {"mug": large, "pot": False}, {kind: points})


def test_a_margin_is_as_large_as_other_things_allow():
    far = [cut("box", 0.1, 0.9, points=900), cut("box", 0.9, 0.1, points=900, large=True)]
    cuts = [*far, cut("mug", 0.4, 0.5), cut("box", 0.35, 0.5, points=100)]
    assert spill(cuts, "mug", 0.0) == 0 and spill(cuts, "mug", 0.2) == pytest.approx(100 / 1900)
    assert fit_margins(cuts, ["mug"]) == {"mug": 0.14}
    assert fit_margins([*cuts, cut("box", 0.6, 0.5)], ["mug"]) == {}  # too much is labeled already


def test_clutter_is_cut_and_each_object_told_apart(tmp_path):
    cuts = cut_clutter(Segmenter(write_toy(tmp_path / "toy")), 1)
    assert cuts and all(set(one.scores) == {"post", "bar", "pot"} for one in cuts)
    assert any("bottle" in one.points for one in cuts)
