# SPDX-License-Identifier: Apache-2.0
"""The small teacher's vote beside that of other weights, on files of labeled shapes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.io.save import save_scan  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from partdistill_ros.synthetic.training.train_mini import write  # noqa: E402
from partdistill_ros.teachers.mini import MiniConfig, MiniNet  # noqa: E402


def test_shipped_weights_beat_random_ones(load_benchmark, monkeypatch, tmp_path: Path, capsys) -> None:
    benchmark = load_benchmark("mini_vote")
    monkeypatch.setattr(benchmark.torch, "set_num_threads", lambda _: None)
    save_scan(tmp_path / "mug.npz", generate("mug", 900_000))
    torch.manual_seed(0)
    write(MiniNet(MiniConfig(widths=(8, 8, 8, 8), layers=1, size=32)), tmp_path / "random", {})
    files = ["--shapes", str(tmp_path / "mug.npz"), "--others", str(tmp_path / "mug.npz")]
    few = ["--held-out", "0", "--drawn", "0", "--json"]
    assert benchmark.main([str(tmp_path / "random" / "mini.pt"), *files, *few]) == 0
    shipped, random = json.loads(capsys.readouterr().out).values()
    for row in ("mug", "all 1 shapes", "mean of 1 others"):
        assert shipped[row] > random[row] + 10
    assert shipped["ms for ten views"] > 0
