# SPDX-License-Identifier: Apache-2.0
"""The text encoder's benchmark asks many different names and keeps to its targets' exit code."""

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.text.torchvision_import import prepare_torchvision  # noqa: E402

prepare_torchvision()
pytest.importorskip("sentence_transformers", reason="the sentence encoder: the extra 'train'")
pytest.importorskip("tokenizers", reason="tokenizers: the extra 'text'")

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "text_encoder.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_names_are_many_and_different(benchmark):
    asked = benchmark.names(1000)
    assert len(set(asked)) == len(asked) == 1000 and "" in asked and "杯子的把手" in asked


def test_it_measures(benchmark, capsys, monkeypatch):
    monkeypatch.setattr(benchmark.os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setitem(benchmark.TARGETS, "ms", 1e6)
    assert benchmark.main(["--names", "60", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["names"] == 60 and 0 < found["difference"] <= 1e-3 and found["ms"] > 0
    monkeypatch.setitem(benchmark.TARGETS, "ms", 0.0)
    assert benchmark.main(["--names", "20"]) == 1


def test_a_clip_is_measured_without_a_target_for_its_time(benchmark, capsys, monkeypatch):
    pytest.importorskip("open_clip", reason="open_clip: the extra 'clip'")
    monkeypatch.setattr(benchmark.os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setitem(benchmark.TARGETS, "ms", 0.0)
    monkeypatch.setattr(benchmark, "FITTED", 12)
    assert benchmark.main(["--teacher", "clip:ViT-S-32-alt", "--random", "--names", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["space"].startswith("clip-ViT-S-32-alt, random-") and 0 < found["difference"] <= 1e-3
    assert found["megabytes"] > 50
    assert benchmark.main(["--teacher", "mini"]) == 2 and "only the teacher 'clip'" in capsys.readouterr().err


def test_the_live_node_answers_new_words(benchmark, capsys, monkeypatch):
    pytest.importorskip("rclpy", reason="source ROS 2 or run make")
    monkeypatch.setattr(benchmark.os, "sched_setaffinity", lambda *_: None)
    monkeypatch.setitem(benchmark.TARGETS, "ms", 1e6)
    monkeypatch.syspath_prepend(str(PATH.parent))
    assert benchmark.main(["--names", "40", "--node", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["node_ms_95"] >= found["node_ms"] > 0
    with pytest.raises(SystemExit):
        benchmark.main(["--teacher", "clip", "--node"])
