# SPDX-License-Identifier: Apache-2.0
"""Weights are read; what could be a program is not run, and no advice is given to run it."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from partdistill_ros.errors import PartDistillError

torch = pytest.importorskip("torch", reason="torch is not installed: the extra 'train'")

from partdistill_ros.students.build import load_encoder, load_student  # noqa: E402
from partdistill_ros.students.public_m2ae import read_state  # noqa: E402
from partdistill_ros.students.weights import load_weights, save_weights  # noqa: E402
from partdistill_ros.teachers.mini import MiniTeacher  # noqa: E402


class Program:
    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self):
        return os.mkdir, (str(self.made),)


@pytest.mark.parametrize("form", ["zip", "pickle"])
@pytest.mark.parametrize("read", [
    lambda path: load_weights(path, "fetch it again"), load_encoder, read_state, MiniTeacher,
    lambda path: load_student(path.parent),
])  # fmt: skip
def test_a_program_is_not_run(tmp_path, form, read):
    path, made = tmp_path / "student.pt", tmp_path / "made"
    program = {"state": Program(made), "weights": torch.zeros(3)}
    if form == "zip":
        torch.save(program, path)
    else:
        path.write_bytes(pickle.dumps(program))
    with pytest.raises(PartDistillError) as caught:
        read(path)
    words = str(caught.value)
    assert "could be a program and is not loaded" in words and str(path) in words
    assert "\n" not in words and "weights_only" not in words and not made.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", os.urandom(3000)])
def test_noise_is_one_sentence(tmp_path, content):
    path = tmp_path / "noise.pt"
    path.write_bytes(content)
    with pytest.raises(PartDistillError, match="noise.pt cannot be read: .*; fetch it again"):
        load_weights(path, "fetch it again")


def test_a_named_pipe_is_refused_instead_of_waited_for(tmp_path):
    path = tmp_path / "pipe.pt"
    os.mkfifo(path)
    with pytest.raises(PartDistillError, match="is a pipe"):
        load_weights(path, "fetch it again")


def test_weights_come_back(tmp_path):
    torch.save({"state": torch.arange(3), "name": "mug"}, tmp_path / "good.pt")
    found = load_weights(tmp_path / "good.pt", "")
    assert found["name"] == "mug" and found["state"].tolist() == [0, 1, 2]


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    save_weights({"step": 1}, path)

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(PartDistillError, match="cannot write .*run.pt: No space left on device; choose a place"):
        save_weights({"step": 2}, path)
    assert load_weights(path, "")["step"] == 1 and [one.name for one in tmp_path.iterdir()] == ["run.pt"]
