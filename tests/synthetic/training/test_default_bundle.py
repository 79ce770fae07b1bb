# SPDX-License-Identifier: Apache-2.0
"""The command that makes the shipped student: what it is distilled from, and that it can be called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.synthetic.training import default_bundle  # noqa: E402


def test_a_sample_knows_what_the_teacher_saw_and_no_labels(tmp_path: Path) -> None:
    made = default_bundle.sample("hammer", 3, 1024, tmp_path)
    assert made.up_unknown and made.category == "hammer" and len(made.points) == 1024
    assert len(made.units) > 10 and set(made.units.part) <= {0, 1}
    assert list((tmp_path / "knowledge").rglob("*.npz")), "kept for a run that is started again"
    again = default_bundle.sample("hammer", 3, 1024, tmp_path)
    np.testing.assert_array_equal(again.units.score, made.units.score)


@pytest.mark.parametrize("command", ["default_bundle", "train_mini"])
def test_the_commands_of_the_guide_run(repository: Path, command: str) -> None:
    module = f"partdistill_ros.synthetic.training.{command}"
    assert f"python -m {module}" in (repository / "docs" / "models.md").read_text(encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "--out" in done.stdout
