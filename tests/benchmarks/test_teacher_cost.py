# SPDX-License-Identifier: Apache-2.0
"""The teachers' cost is passes times seconds, and what is not installed is told."""

import importlib.util
import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "teacher_cost.py"


@pytest.fixture
def benchmark(monkeypatch):
    spec = importlib.util.spec_from_file_location(PATH.stem, PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module.torch, "set_num_threads", lambda _: None)
    return module


def test_mini(benchmark, capsys):
    assert benchmark.main(["mini", "--json"]) == 0
    (name, found), *none = json.loads(capsys.readouterr().out)["teachers"].items()
    assert name == "mini" and not none and found["passes"] == 10
    assert found["seconds"] == pytest.approx(10 * found["seconds_each"]) and found["seconds"] > 0


def test_a_missing_package_is_told(benchmark, capsys, monkeypatch):
    def missing():
        raise ImportError("No module named 'open_clip'")

    monkeypatch.setitem(benchmark.TEACHERS, "clip", missing)
    assert benchmark.main(["clip"]) == 2 and "open_clip" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        benchmark.main(["oracle"])
