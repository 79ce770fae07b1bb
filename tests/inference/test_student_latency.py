# SPDX-License-Identifier: Apache-2.0
"""The latency benchmark runs, prints both forms and judges by the first size."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "student_latency.py"
    spec = importlib.util.spec_from_file_location("student_latency", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_json_holds_every_stage(benchmark, toy_path, capsys):
    arguments = ["--bundle", str(toy_path), "--points", "2048", "5000", "--repeats", "5", "--threads", "1", "--json"]
    code = benchmark.main(arguments)
    result = json.loads(capsys.readouterr().out)
    assert result["query"] == "top, bottom" and list(result["sizes"]) == ["2048", "5000"]
    stages = result["sizes"]["2048"]
    assert set(stages) == {"sample", "network", "spread", "total"}
    assert all(0 < stage["median_ms"] <= stage["p95_ms"] for stage in stages.values())
    assert code == int(stages["total"]["median_ms"] > 20)


def test_table_and_verdict(benchmark, toy_path, capsys, monkeypatch):
    monkeypatch.setattr(benchmark, "TARGET_MS", 0.0)
    code = benchmark.main(["--bundle", str(toy_path), "--points", "2048", "--repeats", "3", "--query", "left, right"])
    assert code == 1
    out = capsys.readouterr().out
    assert "'left, right'" in out and "     2,048" in out and "target: at most 0 ms" in out


def test_several_objects_at_once_have_a_target_of_their_own(benchmark, toy_path, capsys):
    benchmark.main(["--bundle", str(toy_path), "--points", "300", "--objects", "5", "--repeats", "2", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert (result["objects"], result["target_ms"]) == (5, 30)


def test_bad_input_is_one_sentence(benchmark, tmp_path, capsys):
    assert benchmark.main(["--bundle", str(tmp_path)]) == 2
    assert "no bundle.json there" in capsys.readouterr().err


def test_the_cloud_is_a_mug_in_meters(benchmark):
    cloud = benchmark.make_cloud(5_000, seed=0)
    extent = np.ptp(cloud, axis=0)
    assert cloud.dtype == np.float32 and 0.1 < extent[0] < 0.12 and 0.07 < extent[1] < 0.09
    assert not np.array_equal(cloud, benchmark.make_cloud(5_000, seed=1))
