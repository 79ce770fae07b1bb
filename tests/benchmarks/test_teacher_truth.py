# SPDX-License-Identifier: Apache-2.0
"""A teacher that answers the true parts gives back the true labels: the small version of the benchmark."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.distillation.units import KnowledgeUnits  # noqa: E402
from partdistill_ros.io.save import save_scan  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "teacher_truth.py"


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("teacher_truth", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules["teacher_truth"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("family", ["mug", "table", "airplane", "pliers"])
def test_true_parts_give_true_labels(benchmark, family):
    outcome = benchmark.measure(generate(family, 900_000), 224, 4000)
    assert outcome.right > 0.99 and outcome.visible > 0.5
    assert outcome.boxes >= 10 and outcome.wrong_boxes == 0


def test_a_shifted_index_map_would_be_seen(benchmark, monkeypatch):
    answer = benchmark.TrueParts.answer

    def shifted(self, rendering, parts, category):
        found = answer(self, rendering, parts, category)
        return type(found)(np.roll(found.scores, 4, axis=3)) if self.kind == "pixel" else found

    monkeypatch.setattr(benchmark.TrueParts, "answer", shifted)
    assert benchmark.measure(generate("pliers", 900_000), 224, 4000).right < 0.98


def test_units_that_boxes_do_not_imply_would_be_seen(benchmark, monkeypatch):
    ask = benchmark.units_from_teacher

    def one_point_less(*arguments):
        units = ask(*arguments)
        sizes = units.sizes()
        sizes[0] -= 1
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        return KnowledgeUnits(
            units.part, units.score, units.view, indptr, units.indices[1:], units.n_points, units.parts
        )

    monkeypatch.setattr(benchmark, "units_from_teacher", one_point_less)
    assert benchmark.measure(generate("mug", 900_000), 224, 4000).wrong_boxes > 0


def test_the_command(benchmark, tmp_path, capsys):
    path = tmp_path / "mug.npz"
    save_scan(path, generate("mug", 900_001))
    assert benchmark.main([str(path), "--size", "224", "--points", "3000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["worst"] > 0.99
    assert benchmark.main([str(path), "--size", "224", "--points", "3000"]) == 0 and "mug" in capsys.readouterr().out
    assert benchmark.main([str(tmp_path / "gone.npz")]) == 2
