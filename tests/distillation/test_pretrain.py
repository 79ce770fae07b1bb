# SPDX-License-Identifier: Apache-2.0
"""Pre-training learns, resumes to the same weights, and leaves what a student starts from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from partdistill_ros.distillation import pretrain
from partdistill_ros.distillation.fit import Progress
from partdistill_ros.distillation.pretrain import Cloud, PretrainConfig, Pretraining, gather_clouds
from partdistill_ros.errors import PartDistillError
from partdistill_ros.scans.families import FAMILIES, generate
from partdistill_ros.scans.save import save_scan
from partdistill_ros.students.build import load_encoder, new_student
from partdistill_ros.students.names import STUDENTS
from partdistill_ros.students.patch_transformer import PatchTransformer
from partdistill_ros.students.point_m2ae import PointM2AE
from partdistill_ros.students.student import Student
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
    base = PretrainConfig(out, generated=1, epochs=4, batch=4, min_steps=3, rate=2e-3, checkpoint_minutes=0.0)
    return replace(base, **changes)


@pytest.mark.parametrize("name", STUDENTS)
def test_the_loss_falls(clouds: list[Cloud], tmp_path: Path, name: str) -> None:
    """And by more than the decoder alone can do, with the encoder's tokens of no use to it."""
    told = config(tmp_path / "e.pt", epochs=12, min_steps=10)
    losses = Pretraining(make(name), clouds, told).run()
    assert len(losses) == 12 and losses[-1] < 0.7 * losses[0]
    assert losses[-1] < losses[5] < losses[0]


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


def test_another_seed_is_another_run(clouds: list[Cloud], tmp_path: Path) -> None:
    runs = [Pretraining(make("patch_transformer"), clouds, config(tmp_path / "e.pt", seed=s)) for s in (0, 1)]
    assert runs[0].checkpoint != runs[1].checkpoint
    assert runs[0].run() != runs[1].run()


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
    assert [one.flat for one in clouds[1:]] == [FAMILIES[name].flat for name in sorted(FAMILIES)]
    assert all(np.linalg.norm(one.points, axis=1).max() <= 1 + 1e-5 for one in clouds)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"generated": 0}, "nothing to learn from"),
        ({"out": Path("e.onnx")}, "ends in .pt"),
        ({"student": "oracle"}, "point_m2ae"),
        ({"epochs": 0}, "1 at least"),
    ],
)
def test_wrong_options_are_refused_before_any_work(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with pytest.raises(PartDistillError, match=words):
        config(tmp_path / "e.pt", **change)


def test_no_usable_scan_is_one_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "few.npz", points=np.eye(3, dtype=np.float32))
    with pytest.raises(PartDistillError, match="no scan could be used"):
        pretrain.run(config(tmp_path / "e.pt", scans=(tmp_path / "few.npz",), generated=0))
