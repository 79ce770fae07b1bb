# SPDX-License-Identifier: Apache-2.0
"""Pre-training learns, resumes to the same weights, and leaves what a student starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.distillation import pretrain
from partdistill_ros.distillation.config import Augmentation
from partdistill_ros.distillation.pretrain import Cloud, Pretraining, gather_clouds
from partdistill_ros.distillation.pretrain_config import PretrainConfig
from partdistill_ros.distillation.progress import Progress
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.save import save_scan
from partdistill_ros.students.build import load_encoder, new_student
from partdistill_ros.students.names import STUDENTS
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.students.point_m2ae import PointM2AE
from partdistill_ros.students.student import Student
from partdistill_ros.synthetic.families import FAMILIES, generate
from tests.students.conftest import M2AE, PATCHES


def make(name: str, **changes: object) -> Student:
    torch.manual_seed(0)
    if name == "point_m2ae":
        return PointM2AE(replace(M2AE, **changes))
    return PatchTransformer(replace(PATCHES, **changes))


@pytest.fixture(scope="module")
def clouds() -> list[Cloud]:
    """A bottle, a chair, a mug and an airplane."""
    config = PretrainConfig(Path("x.pt"), generated=1, cloud_points=600)
    every = gather_clouds(config)
    return [every[sorted(FAMILIES).index(name)] for name in ("bottle", "chair", "mug", "airplane")]


def config(out: Path, **changes: object) -> PretrainConfig:
    base = PretrainConfig(out, generated=1, epochs=4, batch=4, min_steps=3, learning_rate=2e-3, checkpoint_minutes=0.0)
    return replace(base, **changes)


CALM = Augmentation(0, 0, 0, 0, 0, 0, 0, 0)  # the same four clouds again and again, only the masks differ


@torch.no_grad()
def loss_of(run: Pretraining) -> float:
    """On masks that the training never drew."""
    model, losses = run.model.eval(), []
    for seed in range(6):
        points, centers = run._batch(np.arange(4), np.random.default_rng([99, seed]))
        losses.append(float(model(points, centers, model.sample_visible(4, torch.Generator().manual_seed(seed)))))
    return float(np.mean(losses))


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("patch_transformer", {"points": 512, "centers": 128, "neighbors": 16}),
        ("point_m2ae", {"neighbors": (8, 8, 4)}),
    ],
)
def test_the_loss_falls(clouds: list[Cloud], tmp_path: Path, name: str, sizes: dict[str, object]) -> None:
    """On masks that the training never drew; a decoder that draws every point at the center begins near 1."""
    told = config(tmp_path / "e.pt", epochs=6, min_steps=14, learning_rate=4e-3, augmentation=CALM)
    run = Pretraining(make(name, **sizes), clouds, told)
    before, losses, after = loss_of(run), run.run(), loss_of(run)
    assert len(losses) == 6 and losses[-1] < losses[2] < losses[0]
    assert after < 0.8 * before


@pytest.mark.parametrize("name", STUDENTS)
def test_a_killed_run_resumes_to_the_same_weights(clouds: list[Cloud], tmp_path: Path, name: str) -> None:
    whole = Pretraining(make(name), clouds, config(tmp_path / "whole.pt"))
    whole.run()

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        # the checkpoint of this epoch is not written yet: the one before is gone on from
        if progress.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        Pretraining(make(name), clouds, config(tmp_path / "e.pt")).run(kill)
    torch.rand(5)  # whatever torch has drawn meanwhile
    resumed = Pretraining(make(name), clouds, config(tmp_path / "e.pt"))
    epochs: list[int] = []
    losses = resumed.run(lambda progress: epochs.append(progress.epoch))
    assert epochs == [3, 4] and losses == whole.losses
    for key, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[key]), key


def test_a_damaged_checkpoint_is_told_and_the_training_begins_anew(
    clouds: list[Cloud], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    how = config(tmp_path / "e.pt", epochs=1)
    first = Pretraining(make("patch_transformer"), clouds, how)
    losses = first.run()
    first.checkpoint.write_bytes(first.checkpoint.read_bytes()[:1000])
    assert Pretraining(make("patch_transformer"), clouds, how).run() == losses
    assert f"{first.checkpoint} is damaged and the training begins anew" in caplog.text


def test_another_seed_is_another_run(clouds: list[Cloud], tmp_path: Path) -> None:
    runs = [Pretraining(make("patch_transformer"), clouds, config(tmp_path / "e.pt", seed=s)) for s in (0, 1)]
    assert runs[0].checkpoint != runs[1].checkpoint
    assert runs[0].run() != runs[1].run()


def test_clouds_that_differ_in_more_than_their_points_have_a_checkpoint_of_their_own(
    clouds: list[Cloud], tmp_path: Path
) -> None:
    def checkpoint(first: Cloud) -> Path:
        return Pretraining(make("patch_transformer"), [first, *clouds[1:]], config(tmp_path / "e.pt")).checkpoint

    changed = [replace(clouds[0], up_unknown=not clouds[0].up_unknown), replace(clouds[0], partial_views=None)]
    assert len({checkpoint(clouds[0]), *map(checkpoint, changed)}) == 3
    assert checkpoint(clouds[0]) == checkpoint(replace(clouds[0]))


def test_scans_to_an_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(pretrain, "new_student", lambda name, dim: make(name, dim=dim))
    folder = tmp_path / "scans"
    folder.mkdir()
    save_scan(folder / "mug.npz", generate("mug", 0))
    (folder / "broken.ply").write_bytes(b"ply\nnonsense")
    np.savez(folder / "few.npz", points=np.eye(3, dtype=np.float32))
    told = config(tmp_path / "e.pt", scans=(folder,), generated=0, epochs=2)
    training = pretrain.run(told)
    assert "broken.ply" in caplog.text and "64 at least" in caplog.text
    assert training["clouds"] == 1 and training["generated"] == "none"
    encoder = load_encoder(tmp_path / "e.pt")
    assert encoder.student == "patch_transformer" and encoder.training == training
    student = new_student("patch_transformer", 64, str(tmp_path / "e.pt"))
    assert all(torch.equal(student.state_dict()[key], value.float()) for key, value in encoder.state.items())


def test_generated_shapes_come_on_top_and_flat_tools_are_known(tmp_path: Path) -> None:
    path = tmp_path / "mug.npz"
    save_scan(path, generate("mug", 0))
    clouds = gather_clouds(config(tmp_path / "e.pt", scans=(path,), cloud_points=300))
    assert len(clouds) == 1 + len(FAMILIES)
    assert [one.up_unknown for one in clouds[1:]] == [FAMILIES[name].up_unknown for name in sorted(FAMILIES)]
    assert all(np.linalg.norm(one.points, axis=1).max() <= 1 + 1e-5 for one in clouds)


def test_as_many_partial_views_as_asked_for(tmp_path: Path) -> None:
    save_scan(tmp_path / "mug.npz", generate("mug", 0))
    how = config(
        tmp_path / "e.pt", scans=(tmp_path / "mug.npz",), generated=0, augmentation=replace(CALM, num_partial_views=3)
    )
    assert [len(cloud.partial_views) for cloud in gather_clouds(how)] == [3]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generated": 0}, "nothing to learn from"),
        ({"student": "oracle"}, "point_m2ae"),
        ({"epochs": 0}, "1 at least"),
    ],
)
def test_wrong_options_are_refused_before_any_work(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(PartDistillError, match=words):
        config(tmp_path / "e.pt", **change)
    with pytest.raises(PartDistillError, match="ends in .pt"):
        config(tmp_path / "e.onnx")


def test_no_usable_scan_is_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", points=np.eye(3, dtype=np.float32))
    with pytest.raises(PartDistillError, match="no scan could be used"):
        pretrain.run(config(tmp_path / "e.pt", scans=(tmp_path / "few.npz",), generated=0))
