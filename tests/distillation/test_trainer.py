# SPDX-License-Identifier: Apache-2.0
"""The training loop: it learns, goes backward once, and resumes to the same weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.distillation.answers import predict
from partdistill_ros.distillation.backward import rescore
from partdistill_ros.distillation.config import Augmentation, BackwardConfig, Schedule
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.trainer import Trainer, converged
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.students.point_m2ae import PointM2AE
from partdistill_ros.text.space import TextSpace
from tests.distillation.conftest import SMALL
from tests.students.conftest import M2AE

SCHEDULE = replace(
    Schedule(), forward_fraction=0.6, epochs=6, batch=4, min_steps=4, checkpoint_minutes=0.0, learning_rate=3e-3
)
REGRADED = replace(SCHEDULE, forward_fraction=0.3, rescore_every=2)  # graded after two epochs and after four
EVERY_STUDENT = BackwardConfig(min_kappa=-1.0)  # one of a few steps agrees with its teacher by chance and would wait
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
    before = trainer.soft_labels
    trainer.run(stages.append)
    assert [one.stage for one in stages] == ["forward"] * 4 + ["backward"] * 2
    assert any((new.units.score != old.units.score).any() for new, old in zip(trainer.rescored, samples, strict=True))
    assert all((one.posterior is not None) == (rule == "posterior") for one in trainer.rescored)
    assert any((new != old).any() for new, old in zip(trainer.soft_labels, before, strict=True))


def test_the_first_answers_are_a_second_opinion_for_posterior_alone(samples: list[Sample], tmp_path: Path) -> None:
    options = {"backward_config": EVERY_STUDENT, "second_opinion": True}
    untrained = make(samples)
    first = untrained.answers(untrained.ema_student)
    trainer = make(samples, tmp_path / "fit.pt", **options)
    whole = trainer.run()
    resumed = make(samples, tmp_path / "fit.pt", **options)
    assert_same_weights(whole, resumed.run())
    for opinions in (trainer.opinions, resumed.opinions):
        assert all((new == old).all() for new, old in zip(opinions, first, strict=True))
    alone = make(samples, backward_config=EVERY_STUDENT)
    alone.run()
    assert alone.opinions is None and differ(whole, alone.ema_student)
    published = make(samples, backward="published", second_opinion=True)
    published.run()
    assert published.opinions is None


def test_none_means_forward_alone(samples: list[Sample]) -> None:
    trainer = make(samples, backward="none")
    trainer.run()
    assert trainer.state.backward_from is None
    assert all((new.units.score == old.units.score).all() for new, old in zip(trainer.rescored, samples, strict=True))


@pytest.mark.parametrize(
    ("stopped_after", "options"),
    [
        (2, {}),
        (5, {}),
        (5, {"backward": "kept-mass"}),
        (2, {"second_opinion": True}),
        (4, {"student": PointM2AE, "schedule": replace(SCHEDULE, epochs=4)}),
    ],
    ids=["forward", "backward", "kept-mass", "second opinion", "point_m2ae"],
)
def test_a_killed_run_resumes_to_the_same_weights(
    samples: list[Sample], tmp_path: Path, stopped_after: int, options: dict[str, object]
) -> None:
    options = {"backward_config": EVERY_STUDENT, **options}
    whole = make(samples, **options).run()
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
    assert any((one != other).any() for one, other in zip(whole.soft_labels, make(samples).soft_labels, strict=True))
    with pytest.raises(Killed):
        make(boxes, tmp_path / "fit.pt").run(killed_after(5))
    resumed = make(boxes, tmp_path / "fit.pt")
    assert_same_weights(average, resumed.run())
    for one, other in zip(whole.soft_labels, resumed.soft_labels, strict=True):
        np.testing.assert_array_equal(one, other)


def test_two_rules_share_one_forward_distillation(samples: list[Sample], undisturbed: Trainer, tmp_path: Path) -> None:
    forward = tmp_path / "forward.pt"
    kept = make(samples, tmp_path / "kept.pt", backward="kept-mass", forward=forward).run()
    stages: list[Progress] = []
    shared = make(samples, tmp_path / "posterior.pt", backward="posterior", forward=forward)
    average = shared.run(stages.append)
    assert [(one.stage, one.epoch) for one in stages] == [("backward", 5), ("backward", 6)]
    assert_same_weights(undisturbed.ema_student, average)
    assert undisturbed.state == shared.state
    assert differ(kept, average), "the rule makes the difference"
    first, second = (torch.load(source, weights_only=True) for source in (forward, tmp_path / "posterior.pt"))
    assert "null" in first["state"] and '"backward_from": 4' in second["state"]


@pytest.mark.parametrize(
    ("first", "second", "goes_on"), [("kept-mass", "none", "forward"), ("none", "kept-mass", "backward")]
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


def test_labels_are_never_rescored(samples: list[Sample]) -> None:
    known = replace(samples[0], labeled=True)
    trainer = make([known, *samples[1:]], backward="posterior")
    before = trainer.soft_labels[0].copy()
    trainer.run()
    assert trainer.state.rescored_at is not None
    np.testing.assert_array_equal(trainer.rescored[0].units.score, known.units.score)
    assert trainer.rescored[0].posterior is None
    assert trainer.rescored[1].posterior is not None, "while the others are"
    assert (trainer.soft_labels[0] > 0).sum() == (before > 0).sum()


def test_published_has_a_forward_distillation_of_its_own(samples: list[Sample], tmp_path: Path) -> None:
    make(samples, forward=tmp_path / "forward.pt").run()
    stages: list[Progress] = []
    make(samples, backward="published", forward=tmp_path / "forward.pt").run(stages.append)
    assert stages[0].epoch == 1 and (tmp_path / "published-forward.pt").is_file()


def test_forward_is_kept_where_it_first_converges(samples: list[Sample], tmp_path: Path) -> None:
    always = replace(SCHEDULE, tolerance=float("inf"), window=1, patience=2)
    make(samples, schedule=always, backward="none", forward=tmp_path / "forward.pt").run()
    assert '"epoch": 2' in torch.load(tmp_path / "forward.pt", weights_only=True)["state"]


@pytest.mark.parametrize(("rule", "times"), [("posterior", 2), ("published", 1)])
def test_units_are_rescored_again_by_what_was_learned_from_the_new_scores(
    samples: list[Sample], rule: str, times: int
) -> None:
    trainer = make(samples, backward=rule, schedule=REGRADED, backward_config=EVERY_STUDENT)
    rescored_at: list[int | None] = []
    scores: list[np.ndarray] = []
    trainer.run(
        lambda _: (rescored_at.append(trainer.state.rescored_at), scores.append(trainer.rescored[0].units.score))
    )
    assert trainer.state.backward_from == 2
    assert rescored_at == ([None, None, 2, 2, 4, 4] if times == 2 else [None, None, 2, 2, 2, 2])
    assert (scores[1] == samples[0].units.score).all() and (scores[1] != scores[2]).any()
    assert (scores[2] == scores[3]).all() and (scores[3] != scores[4]).any() == (times == 2)


@pytest.mark.parametrize("stopped_after", [4, 5, 6])
def test_a_run_that_was_graded_twice_resumes_to_the_same_weights(
    samples: list[Sample], regraded: Trainer, tmp_path: Path, stopped_after: int
) -> None:
    with pytest.raises(Killed):
        make(samples, tmp_path / "fit.pt", schedule=REGRADED).run(killed_after(stopped_after))
    assert_same_weights(regraded.ema_student, make(samples, tmp_path / "fit.pt", schedule=REGRADED).run())


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


@pytest.mark.parametrize(
    "damage", [lambda content: content[: len(content) // 2], lambda content: b"", lambda _: b"junk"]
)
def test_a_damaged_checkpoint_is_told_and_the_training_begins_anew(
    samples: list[Sample], tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    path, short = tmp_path / "fit.pt", {"schedule": replace(SCHEDULE, epochs=1), "backward": "none"}
    whole = make(samples, path, **short).run()
    path.write_bytes(damage(path.read_bytes()))
    stages: list[Progress] = []
    assert_same_weights(whole, make(samples, path, **short).run(stages.append))
    assert len(stages) == 1 and f"{path} is damaged and the training begins anew" in caplog.text
    stages.clear()
    make(samples, path, **short).run(stages.append)
    assert not stages, "the file is whole again"


def test_damaged_units_beside_a_checkpoint_are_made_anew(samples: list[Sample], tmp_path: Path) -> None:
    path = tmp_path / "fit.pt"
    short = {"schedule": replace(REGRADED, epochs=3, batch=2, min_steps=2, checkpoint_minutes=9.0)}
    whole = make(samples, path, **short).run()
    (units,) = tmp_path.glob("fit-units-*.npz")
    good = units.read_bytes()
    units.write_bytes(good[:100])
    stages: list[Progress] = []
    assert_same_weights(whole, make(samples, path, **short).run(stages.append))
    assert len(stages) == 3 and units.read_bytes() != good[:100]
    stages.clear()
    make(samples, path, **short).run(stages.append)
    assert not stages, "the file is whole again"


def test_a_checkpoint_that_does_not_fit_leaves_no_weights_behind(samples: list[Sample], tmp_path: Path) -> None:
    path, short = tmp_path / "fit.pt", {"schedule": replace(SCHEDULE, epochs=1), "backward": "none"}
    whole = make(samples, path, **short).run()
    content = torch.load(path, weights_only=True)
    torch.save({**content, "state": "{"}, path)
    assert_same_weights(whole, make(samples, path, **short).run())


def test_a_member_with_three_shares_is_drawn_three_times_as_often(samples: list[Sample]) -> None:
    trainer = make([replace(samples[0], weight=3.0), *samples[1:]])
    counts = np.bincount(trainer.epoch_order(12000), minlength=4)
    np.testing.assert_allclose(counts / 12000, [0.5, 1 / 6, 1 / 6, 1 / 6], atol=0.02)
    equal = make([replace(sample, weight=2.0) for sample in samples])
    assert (np.bincount(equal.epoch_order(12000), minlength=4) == 3000).all(), "equal weights: as often as the others"


def test_weights_reach_the_batches(samples: list[Sample], monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make([replace(samples[0], weight=1e9), *samples[1:]])
    chosen: list[int] = []
    real = trainer.draw_batch
    monkeypatch.setattr(trainer, "draw_batch", lambda rows, rng: (chosen.extend(rows.tolist()), real(rows, rng))[1])
    trainer.train_epoch()
    assert len(chosen) == 16 and set(chosen) == {0}


def test_batch_statistics_are_averaged_with_the_weights(samples: list[Sample]) -> None:
    schedule = replace(SCHEDULE, epochs=2)
    student = make(samples, student=PointM2AE, schedule=schedule).run()
    norm = student.h_encoder.token_embed[0].first_conv[1]
    assert norm.num_batches_tracked == schedule.epochs * schedule.min_steps
    assert not torch.equal(norm.running_var, torch.ones_like(norm.running_var))


def test_convergence_is_that_of_the_method() -> None:
    schedule = Schedule(patience=5)
    assert not converged([1.0] * 5, schedule), "a window of five needs six epochs to change"
    assert converged([1.0] * 6, schedule)
    assert not converged([1.0] * 6, replace(schedule, patience=7)), "it has patience"
    assert not converged([1.0, 0.9, 0.8, 0.7, 0.6, 0.5], schedule)


@pytest.mark.parametrize("scale", [0.01, 1.0, 100.0])
def test_convergence_does_not_depend_on_the_scale_of_the_confidences(scale: float) -> None:
    falling, resting = 0.8 ** np.arange(12), 0.99 ** np.arange(12)
    assert not converged((scale * falling).tolist(), Schedule()), "by a fifth an epoch is no convergence"
    assert converged((scale * resting).tolist(), Schedule())


def test_published_is_the_papers_loss_by_hand(samples: list[Sample]) -> None:
    """Three boxes of ten points: `cap` of 0-3, `body` of 2-3, `cap` of 2-3; the student calls 2, 3 and 5 `body`."""
    boxes = KnowledgeUnits(
        part=np.array([0, 1, 0], np.int16),
        score=np.array([0.9, 0.5, 0.4], np.float32),
        view=np.zeros(3, np.int16),
        indptr=np.array([0, 4, 6, 8]),
        indices=np.array([0, 1, 2, 3, 2, 3, 2, 3], np.int32),
        n_points=10,
        parts=("cap", "body"),
    )
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (10, 3)).astype(np.float32)
    sample = replace(samples[0], points=points, units=boxes, views=ten_views(), boxes=True)
    trainer = make([sample], backward="published")
    # N = 4 + 2 of cap, 2 of body: w = max(1, 1 + log4(8 / 12)) = 1 of cap and 1 + log4(8 / 4) = 1.5 of body.
    forward = np.zeros((10, 2))
    forward[:2] = 1 * 0.9 / 1, 0  # in the first box alone
    forward[2:4] = (1 * 0.9 + 1 * 0.4) / 3, 1.5 * 0.5 / 3
    np.testing.assert_allclose(trainer.soft_labels[0], forward, atol=1e-3)
    answer = np.eye(2, dtype=np.float32)[[0, 0, 1, 1, 0, 1, 0, 0, 0, 0]]
    trainer.state.backward_from = 1
    trainer.rescored = rescore([sample], [answer], "published")
    trainer.update_labels()
    # s' = 2 / 4, 2 / 2, 0 / 2.
    expected = np.zeros((10, 2))
    expected[:2] = 1 * 0.5 / 1, 0
    expected[2:4] = (1 * 0.5 + 1 * 0) / 3, 1.5 * 1 / 3
    np.testing.assert_allclose(trainer.soft_labels[0], expected, atol=1e-3)
    assert not np.allclose(make([sample], backward="none").soft_labels[0], forward, atol=1e-2), "which others weigh"
    alone = make([sample], backward="none", published=True)
    np.testing.assert_allclose(alone.soft_labels[0], forward, atol=1e-3)
