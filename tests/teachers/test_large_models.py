# SPDX-License-Identifier: Apache-2.0
"""Weights from a path, from the environment, or from the hub; without a network one sentence tells what to do."""

from __future__ import annotations

import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.teachers.large_models import fetch_repository, local_weights, weights_hash  # noqa: E402


def test_the_option_comes_before_the_environment(tmp_path, monkeypatch):
    assert local_weights("clip", "") is None
    monkeypatch.setenv("PARTDISTILL_CLIP_WEIGHTS", str(tmp_path))
    assert local_weights("clip", "") == tmp_path and local_weights("clip", __file__).name == "test_large_models.py"
    assert local_weights("detector", "") is None


def test_paths_that_do_not_exist_are_told(monkeypatch):
    with pytest.raises(PartDistillError, match="/gone, which the teacher's option weights names"):
        local_weights("clip", "/gone")
    monkeypatch.setenv("PARTDISTILL_DETECTOR_WEIGHTS", "/gone")
    with pytest.raises(PartDistillError, match="environment variable PARTDISTILL_DETECTOR_WEIGHTS"):
        local_weights("detector", "")


def test_no_network_is_one_sentence(tmp_path):
    """In a process of its own, offline and with an empty cache of the hub."""
    pytest.importorskip("huggingface_hub", reason="huggingface_hub: the extras 'clip' and 'detector'")
    code = """
from partdistill_ros.errors import PartDistillError
from partdistill_ros.teachers.large_models import fetch_repository
try:
    fetch_repository("detector", "owner/name", (("*.json",), ("*.safetensors",)))
except PartDistillError as error:
    print(error)
"""
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment)
    assert "cannot fetch owner/name from the hub" in done.stdout
    assert "hf download owner/name --local-dir FOLDER" in done.stdout
    assert "detector,weights=FOLDER or set PARTDISTILL_DETECTOR_WEIGHTS=FOLDER" in done.stdout
    assert done.stdout.count("\n") == 1 and "Traceback" not in done.stderr


def test_the_first_alternative_that_is_there_is_fetched(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub: the extras 'clip' and 'detector'")
    asked = []

    def snapshot_download(repository, allow_patterns):
        asked.append(tuple(allow_patterns))
        if "b.bin" in allow_patterns:
            (tmp_path / "b.bin").touch()
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    assert fetch_repository("clip", "o/n", (("*.json",), ("a.bin",), ("b.bin",), ("c.bin",))) == tmp_path
    assert asked == [("*.json",), ("a.bin",), ("b.bin",)]


def test_the_hash_follows_every_weight():
    network = torch.nn.Linear(3, 2)
    first = weights_hash(network)
    assert weights_hash(network) == first and len(first) == 12
    with torch.no_grad():
        network.bias[1] += 1e-6
    assert weights_hash(network) != first
