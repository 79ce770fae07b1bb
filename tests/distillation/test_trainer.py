# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, goes backward once, and resumes to the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from partdistill_ros.distillation.backward import Rescored
from partdistill_ros.distillation.boxes import shown_points
from partdistill_ros.distillation.config import Augmentation, Schedule
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.trainer import (
    BELIEF,
    BOX_POWER,
    Progress,
    Trainer,
    converged,
    cycle,
    label_points,
    predict,
    step_seed,
    targets,
)
from partdistill_ros.distillation.units import class_weights, soft_labels, specific
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.students.point_m2ae import PointM2AE
from partdistill_ros.text.space import TextSpace
from tests.distillation.conftest import SMALL
from tests.students.conftest import M2AE

SCHEDULE = replace(
    Schedule(), forward_fraction=0.6, epochs=6, batch=4, min_steps=4, checkpoint_minutes=0.0, learning_rate=3e-3
)
REGRADED = replace(SCHEDULE, forward_fraction=0.3, rescore_every=2)  # graded after two epochs and after four
NAMES = {"bottle": [TextSpace.load().encode([name]) for name in ("cap", "body")]}


class Killed(Exception):
    """The run was stopped from outside."""


def make(samples: list[Sample], checkpoint: Path | None = None, **options: object) -> Trainer:
    torch.manual_seed(0)
    schedule = options.pop("schedule", SCHEDULE)
    augmentation = options.pop("augmentation", Augmentation())
    kind = options.pop("student", PatchTransformer)
    student = kind(SMALL if kind is PatchTransformer else replace(M2AE, dim=64))
    return Trainer(student, samples, NAMES, schedule, augmentation, checkpoint=checkpoint, **options)


def killed_after(epoch: int) -> Callable[[Progress], None]:
    def kill(progress: Progress) -> None:
        if progress.epoch == epoch:
            raise Killed

    return kill


def assert_same_weights(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def differ(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    return any(not torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


@pytest.fixture(scope="module")
def undisturbed(samples: list[Sample]) -> Trainer:
    """A whole run with the default rule."""
    trainer = make(samples)
    trainer.run()
    return trainer


@pytest.fixture(scope="module")
def regraded(samples: list[Sample]) -> Trainer:
    """A whole run that graded the units twice."""
    trainer = make(samples, schedule=REGRADED)
    trainer.run()
    return trainer


def test_the_student_learns_what_the_teacher_says(samples: list[Sample]) -> None:
    trainer = make(samples, schedule=replace(SCHEDULE, epochs=15))
    student = trainer.run()
    assert trainer.state.losses[-1] < 0.7 * trainer.state.losses[0]
    for sample, answer in zip(samples, predict(student, samples, NAMES, "cpu", 0), strict=True):
        assert answer.shape == (len(sample.points), 2) and answer.dtype == np.float32
        np.testing.assert_allclose(answer.sum(1), 1, atol=1e-4)
        high, low = sample.points[:, 2] > 0.4, sample.points[:, 2] < -0.4
        assert (answer[high, 0] > 0.5).mean() > 0.8 and (answer[low, 1] > 0.5).mean() > 0.8


@pytest.mark.parametrize("rule", ["posterior", "kept-mass"])
def test_backward_starts_once_and_changes_the_scores(samples: list[Sample], rule: str) -> None:
    stages: list[Progress] = []
    trainer = make(samples, backward=rule)
    before = trainer.targets
    trainer.run(stages.append)
    assert [one.stage for one in stages] == ["forward"] * 4 + ["backward"] * 2
    assert any((new.units.score != old.units.score).any() for new, old in zip(trainer.rescored, samples, strict=True))
    assert all((one.posterior is not None) == (rule == "posterior") for one in trainer.rescored)
    assert any((new != old).any() for new, old in zip(trainer.targets, before, strict=True))


def test_none_means_forward_alone(samples: list[Sample]) -> None:
    trainer = make(samples, backward="none")
    trainer.run()
    assert trainer.state.backward_from is None
    assert all((new.units.score == old.units.score).all() for new, old in zip(trainer.rescored, samples, strict=True))


@pytest.fixture
def every_student_grades(monkeypatch: pytest.MonkeyPatch) -> None:
    """A student of a few steps agrees with its teacher by chance and would wait."""
    monkeypatch.setattr("partdistill_ros.distillation.backward.FAIR", -1.0)


@pytest.mark.parametrize(
    ("stopped_after", "options"),
    [
        (2, {}),
        (5, {}),
        (5, {"backward": "kept-mass"}),
        (4, {"student": PointM2AE, "schedule": replace(SCHEDULE, epochs=4)}),
        (2, {"augmentation": Augmentation(mix=1.0)}),
        (5, {"augmentation": Augmentation(mix=1.0)}),
    ],
    ids=["forward", "backward", "kept-mass", "point_m2ae", "mixed forward", "mixed backward"],
)
@pytest.mark.usefixtures("every_student_grades")
def test_a_killed_run_resumes_to_the_same_weights(
    samples: list[Sample], undisturbed: Trainer, tmp_path: Path, stopped_after: int, options: dict[str, object]
) -> None:
    whole = make(samples, **options).run() if options else undisturbed.average
    with pytest.raises(Killed):
        make(samples, tmp_path / "fit.pt", **options).run(killed_after(stopped_after))
    resumed = make(samples, tmp_path / "fit.pt", **options)
    assert_same_weights(whole, resumed.run())
    if options.get("backward", "posterior") == "posterior":
        assert all(one.posterior is not None and one.posterior.dtype == np.float16 for one in resumed.rescored)


def test_boxes_resume_to_the_same_weights_too(samples: list[Sample], tmp_path: Path) -> None:
    boxes = [replace(sample, boxes=True) for sample in samples]
    whole = make(boxes)
    average = whole.run()
    assert any((one != other).any() for one, other in zip(whole.targets, make(samples).targets, strict=True))
    with pytest.raises(Killed):
        make(boxes, tmp_path / "fit.pt").run(killed_after(5))
    resumed = make(boxes, tmp_path / "fit.pt")
    assert_same_weights(average, resumed.run())
    for one, other in zip(whole.targets, resumed.targets, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_rules_share_one_forward_distillation(samples: list[Sample], undisturbed: Trainer, tmp_path: Path) -> None:
    forward = tmp_path / "forward.pt"
    published = make(samples, tmp_path / "published.pt", backward="published", forward=forward).run()
    stages: list[Progress] = []
    shared = make(samples, tmp_path / "posterior.pt", backward="posterior", forward=forward)
    average = shared.run(stages.append)
    assert [(one.stage, one.epoch) for one in stages] == [("backward", 5), ("backward", 6)]
    assert_same_weights(undisturbed.average, average)
    assert undisturbed.state == shared.state
    assert differ(published, average), "the rule makes the difference"
    first, second = (torch.load(source, weights_only=True) for source in (forward, tmp_path / "posterior.pt"))
    assert "null" in first["state"] and '"backward_from": 4' in second["state"]


@pytest.mark.parametrize(
    ("first", "second", "goes_on"), [("published", "none", "forward"), ("none", "published", "backward")]
)
def test_forward_alone_shares_it_too(
    samples: list[Sample], tmp_path: Path, first: str, second: str, goes_on: str
) -> None:
    forward = tmp_path / "forward.pt"
    make(samples, backward=first, forward=forward).run()
    stages: list[Progress] = []
    shared = make(samples, backward=second, forward=forward).run(stages.append)
    assert [(one.stage, one.epoch) for one in stages] == [(goes_on, 5), (goes_on, 6)]
    assert_same_weights(make(samples, backward=second).run(), shared)


def test_forward_is_kept_where_it_first_converges(samples: list[Sample], tmp_path: Path) -> None:
    always = replace(SCHEDULE, tolerance=float("inf"), window=1, patience=2)
    make(samples, schedule=always, backward="none", forward=tmp_path / "forward.pt").run()
    assert '"epoch": 2' in torch.load(tmp_path / "forward.pt", weights_only=True)["state"]


@pytest.mark.usefixtures("every_student_grades")
@pytest.mark.parametrize(("rule", "times"), [("posterior", 2), ("kept-mass", 1)])
def test_units_are_graded_anew_by_what_was_learned_from_the_grades(
    samples: list[Sample], monkeypatch: pytest.MonkeyPatch, rule: str, times: int
) -> None:
    trainer = make(samples, backward=rule, schedule=REGRADED)
    asked: list[int] = []
    scores: list[np.ndarray] = []
    graded = trainer._snapshot
    monkeypatch.setattr(trainer, "_snapshot", lambda: (asked.append(trainer.state.epoch), graded()))
    trainer.run(lambda progress: scores.append(trainer.rescored[0].units.score))
    assert asked == [2, 4][:times] and trainer.state.backward_from == 2
    assert (scores[1] == samples[0].units.score).all() and (scores[1] != scores[2]).any()
    assert (scores[2] == scores[3]).all() and (scores[3] != scores[4]).any() == (times == 2)


@pytest.mark.parametrize("stopped_after", [4, 5, 6])
def test_a_run_that_was_graded_twice_resumes_to_the_same_weights(
    samples: list[Sample], regraded: Trainer, tmp_path: Path, stopped_after: int
) -> None:
    with pytest.raises(Killed):
        make(samples, tmp_path / "fit.pt", schedule=REGRADED).run(killed_after(stopped_after))
    assert_same_weights(regraded.average, make(samples, tmp_path / "fit.pt", schedule=REGRADED).run())


def test_its_own_checkpoint_goes_before_that_of_forward(samples: list[Sample], tmp_path: Path) -> None:
    files = {"checkpoint": tmp_path / "fit.pt", "forward": tmp_path / "forward.pt"}
    with pytest.raises(Killed):
        make(samples, **files).run(killed_after(6))  # with five epochs in its file, and four in the other
    stages: list[Progress] = []
    make(samples, **files).run(stages.append)
    assert [one.epoch for one in stages] == [6]


def test_a_finished_run_is_not_trained_again(samples: list[Sample], tmp_path: Path) -> None:
    whole = make(samples, tmp_path / "fit.pt").run()
    stages: list[Progress] = []
    assert_same_weights(whole, make(samples, tmp_path / "fit.pt").run(stages.append))
    assert not stages


def test_a_member_with_three_shares_is_drawn_three_times_as_often(samples: list[Sample]) -> None:
    trainer = make([replace(samples[0], weight=3.0), *samples[1:]])
    counts = np.bincount(trainer._order(12000), minlength=4)
    np.testing.assert_allclose(counts / 12000, [0.5, 1 / 6, 1 / 6, 1 / 6], atol=0.02)
    equal = make([replace(sample, weight=2.0) for sample in samples])
    assert (np.bincount(equal._order(12000), minlength=4) == 3000).all(), "equal shares: each as often as the others"


def test_shares_reach_the_batches(samples: list[Sample]) -> None:
    trainer = make([replace(samples[0], weight=1e9), *samples[1:]])
    seen: list[int] = []
    real = trainer._batch
    trainer._batch = lambda chosen, rng: (seen.extend(chosen.tolist()), real(chosen, rng))[1]
    trainer._epoch()
    assert len(seen) == 16 and set(seen) == {0}


def test_a_mix_holds_points_of_two_members_and_their_targets(samples: list[Sample]) -> None:
    trainer = make(samples, augmentation=Augmentation(mix=1.0))
    sources = {tuple(point): (i, row) for i, one in enumerate(samples) for row, point in enumerate(one.points.tolist())}
    both = 0
    for seed in range(8):
        points, soft, masks = trainer._material(0, np.random.default_rng(seed))
        if points is samples[0].points:
            continue
        both += 1
        assert masks is None and len(points) == len(soft)
        found = [sources.get(tuple(point)) for point in points.tolist()]
        own = np.array([one is not None and one[0] == 0 for one in found])
        assert 0 < own.sum() < len(own), "some of its own, some brought from another"
        rows = [row for sample, row in filter(None, found) if sample == 0]
        np.testing.assert_array_equal(soft[own], trainer.targets[0][rows])
    assert both >= 4


def test_mixes_are_drawn_from_what_is_believed_now(samples: list[Sample]) -> None:
    trainer = make(samples, augmentation=Augmentation(mix=1.0))
    before = trainer._divisions(0)
    units = trainer.rescored[0].units
    trainer.rescored[0] = Rescored(units.with_scores(np.where(units.part == 0, 1e-3, 1).astype(np.float32)))
    trainer._grade()
    assert (trainer._divisions(0) != before).any()


def test_flat_members_and_lone_ones_are_not_mixed(samples: list[Sample]) -> None:
    flat = make([replace(sample, up_unknown=True) for sample in samples], augmentation=Augmentation(mix=1.0))
    alone = make(samples[:1], augmentation=Augmentation(mix=1.0))
    for trainer in (flat, alone):
        points, soft, masks = trainer._material(0, np.random.default_rng(0))
        assert points is samples[0].points and soft is trainer.targets[0] and masks is samples[0].partial_views


def test_batch_statistics_are_averaged_with_the_weights(samples: list[Sample]) -> None:
    schedule = replace(SCHEDULE, epochs=2)
    student = make(samples, student=PointM2AE, schedule=schedule).run()
    norm = student.h_encoder.token_embed[0].first_conv[1]
    assert norm.num_batches_tracked == schedule.epochs * schedule.min_steps
    assert not torch.equal(norm.running_var, torch.ones_like(norm.running_var))


def test_units_count_as_far_as_they_are_believed(samples: list[Sample]) -> None:
    units = samples[0].units
    weight = class_weights(units, 2)
    plain = targets(Rescored(units), weight, None)
    assert plain.dtype == np.float16
    np.testing.assert_allclose(plain, soft_labels(units, weight), rtol=1e-3)
    first = np.random.default_rng(0).random(units.n_points).astype(np.float16)
    belief = np.stack([first, 1 - first], 1)
    found = targets(Rescored(units, belief), weight, None).astype(float)
    said = soft_labels(units, np.ones(2, np.float32)).astype(float)
    assert found.sum() == pytest.approx(said.sum(), rel=2e-3), "class weights are left out"
    heard = found - BELIEF * belief.astype(float) * said.sum() / len(said)
    ratio = heard[said > 0] / (said * belief.astype(float))[said > 0]
    np.testing.assert_allclose(ratio[belief[said > 0] > 0.1], np.median(ratio), rtol=0.05)
    assert np.isfinite(targets(Rescored(units, np.zeros_like(belief)), weight, None)).all()
    boxes = targets(Rescored(units, belief), weight, np.zeros(0, np.int64)).astype(float)
    assert boxes.sum() == pytest.approx(said.sum(), rel=2e-3)
    ratio = boxes[said > 0] / (said * belief.astype(float) ** BOX_POWER)[said > 0]
    np.testing.assert_allclose(ratio[belief[said > 0] > 0.1], np.median(ratio), rtol=0.05)


def test_boxes_are_weighed_by_what_they_single_out(samples: list[Sample]) -> None:
    units = samples[0].units
    weight = class_weights(units, 2)
    assert samples[0].views is not None
    shown = shown_points(samples[0].points, samples[0].views)
    expected = soft_labels(specific(units, shown), weight).astype(np.float16)
    np.testing.assert_array_equal(targets(Rescored(units), weight, shown), expected)
    boxes, regions = make([replace(samples[0], boxes=True)]), make(samples[:1])
    np.testing.assert_array_equal(boxes.targets[0], expected)
    assert (regions.targets[0] != expected).any()
    unknown = make([replace(samples[0], boxes=True, views=None)])
    np.testing.assert_array_equal(unknown.targets[0], regions.targets[0])


class Heights:
    """Calls what lies high the first part; keeps the clouds that it was shown."""

    config = SimpleNamespace(points=256, centers=16)

    def __init__(self) -> None:
        self.clouds = torch.zeros(0)

    def eval(self) -> None:
        pass

    def __call__(self, points: torch.Tensor, centers: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        self.clouds = points
        return torch.stack([20 * points[..., 2], torch.zeros_like(points[..., 2])], -1)


@pytest.mark.parametrize("flat", [False, True])
def test_flat_things_are_labeled_on_both_sides(flat: bool) -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (2000, 3)).astype(np.float32)
    points[:, 2] += 0.3 * points[:, 0] ** 2
    student = Heights()
    found = label_points(student, points, NAMES["bottle"], up_unknown=flat)
    assert found.shape == (2000, 2)
    high = found[points[:, 2] > 0.8, 0].mean()
    assert (abs(high - 0.5) < 0.1) if flat else (high > 0.95)
    np.testing.assert_allclose(student.clouds.norm(dim=-1).amax(1), 1, atol=1e-5)


def test_few_points_are_labeled_too_and_a_seed_decides() -> None:
    points = np.random.default_rng(0).uniform(-1, 1, (100, 3)).astype(np.float32)
    one, same, other = (label_points(Heights(), points, NAMES["bottle"], seed=[seed]) for seed in (1, 1, 2))
    assert one.shape == (100, 2)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_steps_have_seeds_of_their_own() -> None:
    seeds = {step_seed(seed, epoch, step) for seed in range(3) for epoch in range(10) for step in range(20)}
    assert len(seeds) == 600 and all(0 <= seed < 2**63 for seed in seeds)


def test_convergence_is_that_of_the_method() -> None:
    schedule = Schedule(patience=5)
    assert not converged([1.0] * 5, schedule), "a window of five needs six epochs to change"
    assert converged([1.0] * 6, schedule)
    assert not converged([1.0] * 6, replace(schedule, patience=7)), "it has patience"
    assert not converged([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], schedule)


def test_the_rate_rises_and_falls() -> None:
    rates = [cycle(x) for x in np.linspace(0, 1, 101)]
    assert rates[0] < 0.1 and max(rates) == pytest.approx(1.0) and rates[-1] == pytest.approx(0.01)
    assert np.all(np.diff(rates[5:]) <= 0)
