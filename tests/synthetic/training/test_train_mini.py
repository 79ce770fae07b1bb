# SPDX-License-Identifier: Apache-2.0
"""The command that makes the small teacher: its pictures, and that a few steps teach it something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.synthetic.families import FAMILIES
from partdistill_ros.synthetic.training import train_mini
from partdistill_ros.synthetic.training.train_mini import Names, Shapes, TrainConfig, random_cameras, sample_batch
from partdistill_ros.teachers.mini import MiniTeacher
from partdistill_ros.text.space import TextSpace

QUICK = TrainConfig(per_family=1, points=1024, steps=3, batch=3)


@pytest.fixture(scope="module")
def shapes() -> Shapes:
    return Shapes(QUICK)


def test_pictures_show_the_object_with_its_labels(shapes: Shapes) -> None:
    pictures, truth, family = sample_batch(shapes, QUICK, np.random.default_rng(0))
    assert pictures.shape == (3, 3, 96, 96) and truth.shape == (3, 48, 48) and family.shape == (3,)
    for row in range(3):
        shown = truth[row] >= 0
        assert 0.02 < shown.float().mean() < 0.95
        assert truth[row].max() < len(FAMILIES[shapes.families[int(family[row])]].parts)
        assert (pictures[row, 2, ::2, ::2][shown] == 1).all(), "labeled pixels are foreground"


def test_cameras_are_rotations_that_look_at_the_object() -> None:
    rotation, position = random_cameras(torch.tensor([False, True] * 10), np.random.default_rng(1))
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(20, 3, 3), atol=1e-5, rtol=0)
    forward = (rotation @ -position[:, :, None])[:, 2, 0]
    assert (forward > 1.8).all()


def test_names_vary_with_synonyms() -> None:
    families = sorted(FAMILIES)
    names = Names(families, TextSpace.load())
    mug = families.index("mug")
    rng = np.random.default_rng(0)
    drawn = {tuple(names.sample(mug, rng)[0, :3].tolist()) for _ in range(40)}
    assert len(drawn) == 1 + len(FAMILIES["mug"].synonyms.get("handle", ()))


def test_training_writes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: Shapes) -> None:
    monkeypatch.setattr(train_mini, "Shapes", lambda config: shapes)
    train_mini.train(QUICK, tmp_path)
    assert json.loads((tmp_path / "mini.json").read_text())["steps_done"] == 3
    assert MiniTeacher(tmp_path / "mini.pt").size == 96
