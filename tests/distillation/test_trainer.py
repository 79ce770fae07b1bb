# SPDX-License-Identifier: Apache-2.0
"""From scan files to a bundle that the inference room loads and runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation import trainer
from partdistill_ros.distillation.config import DistillConfig, Schedule
from partdistill_ros.errors import PartDistillError
from partdistill_ros.inference.bundle import Bundle
from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.scans.families import generate
from partdistill_ros.scans.save import save_scan
from partdistill_ros.students.build import load_student, new_student, save_encoder
from partdistill_ros.teachers import teacher as teachers

QUICK = replace(Schedule(), epochs=2, batch=2, min_steps=2)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed in range(2):
        save_scan(folder / f"bottle{seed}.npz", generate("bottle", seed))
    (folder / "broken.ply").write_bytes(b"ply\nnonsense")
    return folder


@pytest.fixture(autouse=True)
def rows(monkeypatch: pytest.MonkeyPatch, teacher) -> None:
    monkeypatch.setitem(teachers.LOADERS, "rows", lambda argument, device: teacher)


def config(scans: Path, out: Path, **changes: object) -> DistillConfig:
    base = DistillConfig(
        (scans,), ("cap", "body"), out, "bottle", "rows", start="scratch", cloud_points=800, schedule=QUICK
    )
    return replace(base, **changes)


def test_scans_to_bundle(scans: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    out = trainer.run(config(scans, tmp_path / "bottles"))
    assert "broken.ply" in caplog.text
    segmenter = Segmenter(out, "cpu")
    cloud = generate("bottle", 9).points
    labels = segmenter.segment([cloud], "bottle: cap, body", [(0, 0, 1)])[0]
    assert labels.labels.shape == (len(cloud),) and set(np.unique(labels.labels)) <= {0, 1}
    training = segmenter.bundle.training
    assert training["scans"] == 2 and training["teacher"] == "rows"


def test_weights_can_be_trained_on(scans: Path, tmp_path: Path) -> None:
    out = trainer.run(config(scans, tmp_path / "bottles"))
    student = load_student(out)
    assert student.config.points == 2048


def test_a_student_that_starts_from_a_file(scans: Path, tmp_path: Path) -> None:
    learnt = new_student("patch_transformer", 64)
    save_encoder(learnt, tmp_path / "encoder.pt", {})
    out = trainer.run(config(scans, tmp_path / "bottles", start=str(tmp_path / "encoder.pt")))
    again = trainer.run(config(scans, tmp_path / "more", start=str(out)))
    assert Bundle.load(again).training["start"] == str(out)
    moved = load_student(out).state_dict()["blocks.0.qkv.weight"] - learnt.state_dict()["blocks.0.qkv.weight"]
    assert 0 < moved.abs().mean() < 0.01, "four steps from where it began"


def test_knowledge_is_not_asked_twice(scans: Path, tmp_path: Path, teacher) -> None:
    trainer.run(config(scans, tmp_path / "bottles"))
    asked = teacher.asked
    trainer.run(config(scans, tmp_path / "bottles", seed=0))
    assert teacher.asked == asked == 2


def test_the_renderer_asked_for_is_used(scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, device: str) -> None:
        raise PartDistillError(f"{name} on {device} was asked for")

    monkeypatch.setattr(trainer, "load_backend", refuse)
    with pytest.raises(PartDistillError, match="pytorch3d on cpu"):
        trainer.run(config(scans, tmp_path / "x", renderer="pytorch3d"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "later"}, "pre, tta"),
        ({"parts": ("cap",)}, "two part names"),
        ({"scans": ()}, "no scans"),
        ({"backward": "sideways"}, "kept-mass"),
        ({"renderer": "crayons"}, "pytorch3d"),
    ],
)
def test_wrong_options_are_refused_before_any_work(
    scans: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    with pytest.raises(PartDistillError, match=message):
        replace(config(scans, tmp_path / "x"), **change)


def test_no_usable_scan_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(PartDistillError):
        trainer.run(config(tmp_path / "a.npz", tmp_path / "x"))
