# SPDX-License-Identifier: Apache-2.0
"""The shapes benchmark compares the methods and judges the student, not the reference."""

import importlib.util
import json
from pathlib import Path

import pytest

from partdistill_ros.evaluation.evaluate import Evaluation
from partdistill_ros.evaluation.miou import Summary
from partdistill_ros.inference.bundle import write_bundle
from partdistill_ros.io.save import save_scan
from partdistill_ros.synthetic.families import generate

ROOT = Path(__file__).resolve().parents[2]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark():
    return load(ROOT / "benchmarks" / "shapes.py")


def evaluation(method, setting, **categories):
    overall = sum(categories.values()) / len(categories)
    summary = Summary(overall, overall, overall, categories, categories, {name: {} for name in categories}, 4)
    return Evaluation(method, setting, summary, summary, ())


def test_verdict(benchmark):
    four = {"airplane": 50.0, "chair": 60.0, "table": 70.0, "mug": 60.0}
    constant = evaluation("constant", "reference", **dict.fromkeys(four, 99.0), cap=99.0)
    vote = evaluation("vote", "zero-shot", **four, cap=50.0)
    good, bad = (
        evaluation("good", "pre", **four, cap=60.0),
        evaluation("bad", "pre", **(four | {"mug": 59.0}), cap=40.0),
    )
    assert benchmark.together(good) == pytest.approx(60)
    assert set(benchmark.verdict([constant, vote, good]).values()) == {True}
    assert set(benchmark.verdict([constant, vote, bad]).values()) == {False}
    assert benchmark.verdict([constant, evaluation("cap only", "pre", cap=90.0)]) == {}
    table = benchmark.format_result([constant, vote, bad], benchmark.verdict([constant, vote, bad]))
    assert "together: constant 99.0, vote 60.0, bad 59.8" in table and table.count("MISSED") == 2


def test_it_runs_and_names_what_is_wrong(benchmark, tmp_path, capsys):
    toy = load(ROOT / "tests" / "inference" / "conftest.py")
    bundle = write_bundle(tmp_path / "toy", toy.make_student(), toy.make_spec(), toy.make_vocabulary())
    scan = generate("table", 1)
    save_scan(tmp_path / "shapes" / "a.npz", scan.with_(parts=("top", "bottom"), category="stand"))
    arguments = [str(tmp_path / "shapes"), "--teacher", "none", "--bundle", str(bundle), "--threads", "1"]
    assert benchmark.main([*arguments, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [one["method"] for one in result["methods"]] == ["constant", "toy"]
    assert result["methods"][1]["overall"] > 40 and result["methods"][1]["together"] is None
    assert benchmark.main(arguments) == 0
    assert "stand" in capsys.readouterr().out
    assert benchmark.main([str(tmp_path / "nowhere"), *arguments[1:]]) == 2
    assert "nowhere" in capsys.readouterr().err
