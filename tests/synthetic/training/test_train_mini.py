# SPDX-License-Identifier: Apache-2.0
"""The command that makes the small teacher: its pictures, that a few steps teach it something, and that it goes on."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.synthetic.training import train_mini  # noqa: E402
from partdistill_ros.synthetic.training.everyday_bundle import Names, embed_names  # noqa: E402
from partdistill_ros.synthetic.training.everyday_shapes import (  # noqa: E402
    EVERYTHING,
    Shapes,
    draw_shapes,
    save_shapes,
)
from partdistill_ros.synthetic.training.steps import Training  # noqa: E402
from partdistill_ros.synthetic.training.train_mini import (  # noqa: E402
    Batch,
    MiniTrainer,
    new_net,
    random_cameras,
)
from partdistill_ros.teachers.mini import DEFAULT_PATH, MiniConfig, MiniTeacher  # noqa: E402
from partdistill_ros.text.space import TextSpace  # noqa: E402

CATEGORIES = ("mug", "hammer")
SMALL = MiniConfig(widths=(8, 8, 16, 16), layers=1, size=64)
QUICK = Training(steps=4, batch=3, rate=2e-3, warm_up=1, loss_points=200)


@pytest.fixture(scope="module")
def shapes() -> dict[str, Shapes]:
    return {name: draw_shapes(EVERYTHING[name], 1, 0, 1024) for name in CATEGORIES}


@pytest.fixture(scope="module")
def names() -> tuple[dict[str, Names], np.ndarray]:
    return embed_names(TextSpace.load(), CATEGORIES)


def trainer(shapes, names, checkpoint: Path | None = None, steps: int = 4) -> MiniTrainer:
    torch.manual_seed(0)
    training = Training(**{**QUICK.__dict__, "steps": steps})
    return MiniTrainer(new_net(SMALL, None), shapes, *names, training, checkpoint=checkpoint)


def test_pictures_show_the_object_with_its_labels(shapes, names) -> None:
    batch = trainer(shapes, names).draw_batch(np.random.default_rng(0))
    assert batch.pictures.shape == (3, 3, 64, 64) and batch.pixel.shape == batch.labels.shape == (3, 200)
    for row in range(3):
        shown = batch.labels[row] >= 0
        assert shown.sum() > 20
        seen = batch.pictures[row, 2, ::2, ::2].flatten()
        assert (seen[batch.pixel[row][shown]] == 1).all(), "labeled pixels are foreground"
        assert batch.weights[row].sum() == pytest.approx(1, abs=1e-5) and (batch.weights[row][~shown] == 0).all()


def test_small_parts_count_more_and_what_is_right_costs_nothing(shapes, names) -> None:
    labels = torch.tensor([[0, 0, 0, 0, 1, -1]])
    weights = train_mini._weights(labels, 2)
    torch.testing.assert_close(weights, torch.tensor([[1, 1, 1, 1, 2, 0]]) / 6)
    one = trainer(shapes, names)
    text = torch.from_numpy(names[1][:2])[None]
    embeddings = text[0][labels.clamp(min=0)[0]].T[None, :, None]  # [1, D, 1, 6], each the name of its part
    rivals = torch.zeros(1, len(names[1]), dtype=torch.bool)
    good, bad = (
        one.loss_of(embeddings, Batch(torch.zeros(0), torch.arange(6)[None], said, weights, text, rivals))
        for said in (labels, torch.where(labels >= 0, 1 - labels, -1))
    )
    assert good[1] == 1 and bad[1] == 0 and good[0] < 0.01 * bad[0]


def test_cameras_are_rotations_that_look_at_the_object() -> None:
    rotation, position = random_cameras(torch.tensor([False, True] * 10), np.random.default_rng(1))
    torch.testing.assert_close(rotation @ rotation.transpose(1, 2), torch.eye(3).expand(20, 3, 3), atol=1e-5, rtol=0)
    forward = (rotation @ -position[:, :, None])[:, 2, 0]
    assert (forward > 1.8).all()


def test_a_stopped_training_goes_on_as_if_it_had_not_been(shapes, names, tmp_path: Path) -> None:
    whole = trainer(shapes, names).run()
    halfway = trainer(shapes, names, tmp_path / "fit.pt")
    halfway.training = Training(**{**QUICK.__dict__, "cool_down": 0.25})
    while halfway.step < 2:
        halfway.train_step()
        halfway.step += 1
    halfway.save()
    resumed = trainer(shapes, names, tmp_path / "fit.pt").run()
    for first, second in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(first, second)


def test_steps_lower_the_loss_of_a_batch_that_comes_again(shapes, names, monkeypatch: pytest.MonkeyPatch) -> None:
    one = trainer(shapes, names, steps=15)
    batch = one.draw_batch(np.random.default_rng(9))
    monkeypatch.setattr(one, "draw_batch", lambda rng: batch)
    before = one.loss_of(one.net(batch.pictures), batch)[0]
    one.run()
    assert one.loss_of(one.net(batch.pictures), batch)[0] < 0.7 * before


def test_a_network_starts_from_what_an_older_file_has(tmp_path: Path) -> None:
    config = MiniTeacher()._net.config
    deeper = MiniConfig(**{**config.__dict__, "layers": config.layers + 1})
    picture = torch.rand(1, 3, 32, 32)
    # a new layer changes nothing until it has learned
    torch.testing.assert_close(new_net(deeper, DEFAULT_PATH)(picture), new_net(config, DEFAULT_PATH)(picture))
    (tmp_path / "mini.pt").write_bytes(b"junk")
    with pytest.raises(PartDistillError, match=r"mini\.pt"):
        new_net(config, tmp_path / "mini.pt")


def test_the_command_writes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes) -> None:
    for name, one in shapes.items():
        save_shapes(tmp_path / f"{name}.npz", one)
    arguments = ["train_mini", "--shapes", str(tmp_path), "--out", str(tmp_path / "out"), "--steps", "1"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--batch", "2", "--checkpoint", str(tmp_path / "fit.pt")])
    train_mini.main()
    assert json.loads((tmp_path / "out" / "mini.json").read_text())["steps"] == 1
    assert MiniTeacher(tmp_path / "out" / "mini.pt").size == MiniConfig().size
    monkeypatch.setattr(sys, "argv", ["train_mini", "--shapes", str(tmp_path / "out")])
    with pytest.raises(SystemExit):
        train_mini.main()
