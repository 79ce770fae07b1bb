# SPDX-License-Identifier: Apache-2.0
"""The training goes on from its checkpoint as if it had not been stopped, and learns."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.students.build import make_student  # noqa: E402
from partdistill_ros.synthetic.training import divisions, everyday_bundle  # noqa: E402
from partdistill_ros.synthetic.training.divisions import Whole  # noqa: E402
from partdistill_ros.synthetic.training.everyday_bundle import EverydayTrainer, Names, main  # noqa: E402
from partdistill_ros.synthetic.training.everyday_shapes import EVERYTHING, draw_shapes  # noqa: E402
from partdistill_ros.synthetic.training.steps import Training  # noqa: E402
from partdistill_ros.text.space import TextSpace  # noqa: E402

SIZES = {"points": 256, "centers": 64, "patches": 32, "neighbors": 8, "width": 40, "layers": 1, "heads": 2, "dim": 8}
BOTTLES = draw_shapes(EVERYTHING["bottle"], 3, 0, 1500)
SHAPES = {name: draw_shapes(EVERYTHING[name], 3, 0, 500) for name in ("bucket", "assembly")}


def trainer(checkpoint: Path | None = None, steps: int = 4) -> EverydayTrainer:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    every = rng.normal(size=(5, 8)).astype(np.float32)
    every /= np.linalg.norm(every, axis=1, keepdims=True)
    bucket = Names((every[:1], every[1:2]), np.array([False, False, True, True, True]), np.array([0, 1]))
    forms = rng.normal(size=(6, 1, 8)).astype(np.float32)
    names = {"bucket": bucket, "assembly": Names(tuple(forms), np.zeros(5, bool), np.zeros(0, np.int64))}
    training = Training(steps=steps, batch=4, loss_points=128, warm_up=1)
    return EverydayTrainer(
        make_student("patch_transformer", SIZES), SHAPES, names, every, training, checkpoint=checkpoint
    )


def test_a_stopped_training_goes_on_with_the_same_weights(tmp_path):
    whole = trainer().run()
    first = trainer(tmp_path / "fit.pt")
    first.training = Training(steps=4, batch=4, loss_points=128, warm_up=1)
    for _ in range(2):
        first.train_step()
        first.step += 1
    first.save()
    resumed = trainer(tmp_path / "fit.pt").run()
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_a_merged_part_is_asked_for_by_the_name_of_its_whole(monkeypatch):
    monkeypatch.setattr(everyday_bundle, "DIVIDED", 1.0)
    monkeypatch.setattr(divisions, "WHOLE", 1.0)
    learner = trainer()
    learner.shapes, learner.categories, learner.chances = {"bottle": BOTTLES}, ["bottle"], np.ones(1)
    cap, neck, body, container = range(4)
    learner.names["bottle"] = Names(
        tuple(np.eye(8, dtype=np.float32)[:4, None]), np.ones(5, bool), np.array([0, 1, 2]),
        wholes=(Whole(container, (neck, body), every=True),),
    )  # fmt: skip
    batch = learner.draw_batch(np.random.default_rng(0))
    assert batch.text[:, [neck, body]].isnan().all() and not batch.text[:, container].isnan().any()
    assert set(batch.labels.unique().tolist()) <= {-1, cap, container}
    assert {neck, body} <= set(batch.named.unique().tolist())  # among all names they are what they are


def test_the_vocabulary_has_what_parts_make_together():
    assert {"mixer tap", "spout", "tap"} <= {*everyday_bundle.vocabulary(TextSpace.load(), ["mixer tap"]).names}


def test_names_are_learned_in_competition_and_alone():
    learner = trainer(steps=60)
    before = np.mean([learner.train_step() for _ in range(3)], axis=0)
    learner.run()
    after = np.mean([learner.train_step() for _ in range(3)], axis=0)
    assert (after < before).all()


@pytest.mark.parametrize("command", ["everyday_shapes", "everyday_bundle"])
def test_the_commands_of_the_guide_run(repository: Path, command: str) -> None:
    module = f"partdistill_ros.synthetic.training.{command}"
    assert f"python -m {module}" in (repository / "docs" / "models.md").read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "--out" in done.stdout


def test_without_shapes_the_command_says_how_to_draw_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["everyday_bundle", "--shapes", str(tmp_path), "--out", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        main()
    assert "everyday_shapes" in capsys.readouterr().err


def test_each_bundle_has_a_checkpoint_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["everyday_bundle", "--out", str(tmp_path / "mine"), "--export-only"])
    with pytest.raises(SystemExit):
        main()
    assert str(tmp_path / "mine.work" / "fit.pt") in capsys.readouterr().err
