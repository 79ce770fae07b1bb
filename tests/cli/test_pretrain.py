# SPDX-License-Identifier: Apache-2.0
"""What cannot work is refused before torch is loaded; the rest reaches the training unchanged."""

import subprocess
import sys
from pathlib import Path

import pytest

import partdistill_ros

ROOT = Path(partdistill_ros.__file__).parents[1]


@pytest.fixture
def asked(monkeypatch):
    """A training that only notes what it was told and reports an epoch."""
    pretrain = pytest.importorskip("partdistill_ros.distillation.pretrain", reason="torch: the extra 'train'")
    configs = []

    def run(config, progress):
        configs.append(config)
        progress(pretrain.Progress("pretrain", 1, 2, 0.5))
        return {"clouds": 3, "loss": 0.5}

    monkeypatch.setattr(pretrain, "run", run)
    return configs


def test_options_reach_the_training(partdistill, asked, cloud_file, tmp_path):
    out = tmp_path / "e.pt"
    numbers = ("--generated", "4", "--epochs", "7", "--batch", "8", "--seed", "3", "--device", "cpu")
    done = partdistill("pretrain", cloud_file, "--out", out, "--student", "point_m2ae", *numbers, "--json")
    assert done.code == 0, done.err
    config = asked[0]
    assert (config.scans, config.out, config.student) == ((cloud_file,), out, "point_m2ae")
    assert (config.generated, config.epochs, config.batch, config.seed, config.device) == (4, 7, 8, 3, "cpu")
    record = done.json()
    assert record["encoder"] == str(out) and record["training"] == {"clouds": 3, "loss": 0.5}


def test_defaults_are_those_of_the_training(partdistill, asked, tmp_path):
    from partdistill_ros.distillation.pretrain_config import PretrainConfig

    done = partdistill("pretrain", "--generated", "2", "--device", "cpu", "--out", tmp_path / "e.pt")
    assert done.code == 0 and f"--student patch_transformer --start {tmp_path / 'e.pt'}" in done.out
    assert asked[0] == PretrainConfig(tmp_path / "e.pt", generated=2, device="cpu")


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "name scans, or ask for --generated shapes"),
        (("gone.ply",), "gone.ply does not exist"),
        (("--generated", "0"), "whole number from 1"),
        (("--generated", "1", "--student", "oracle"), "invalid choice"),
        (("--generated", "1", "--seed", "-1"), "whole number from 0"),
        (("--generated", "1", "--out", "encoder.npz"), "ends in .pt"),
    ],
)
def test_refused_at_the_start(partdistill, asked, tmp_path, arguments, words):
    out = () if "--out" in arguments else ("--out", tmp_path / "e.pt")
    done = partdistill("pretrain", *arguments, *out, "--device", "cpu")
    assert done.code == 2 and words in done.err
    assert not asked


def test_without_torch_the_extra_is_named(tmp_path):
    code = "import sys; sys.modules['torch'] = None\nimport partdistill_ros.cli.__main__"
    arguments = ["pretrain", "--generated", "1", "--out", tmp_path / "e.pt"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 2 and 'pip install "partdistill_ros[train]"' in done.stderr
