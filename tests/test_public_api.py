# SPDX-License-Identifier: Apache-2.0
"""The names that the README shows, and its lines of Python as they stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import partdistill_ros
from partdistill_ros.io.save import save_scan
from partdistill_ros.synthetic.families import generate


def test_unknown_names_are_told():
    with pytest.raises(AttributeError, match="no attribute 'Segmentor'"):
        partdistill_ros.Segmentor  # noqa: B018
    assert set(partdistill_ros.__all__) <= set(dir(partdistill_ros))


def test_the_live_names_load_no_torch():
    code = "import sys; from partdistill_ros import Bundle, Segmenter, load_scan; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_lines_of_the_readme_run(repository: Path, tmp_path: Path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="torch: the extra 'train'")
    (code,) = re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL)
    assert "epochs=30" in code
    monkeypatch.chdir(tmp_path)
    save_scan(Path("mugs/mug_1.ply"), generate("mug", 1))
    save_scan(Path("mug.ply"), generate("mug", 2))
    exec(compile(code.replace("epochs=30", 'epochs=1, mode="tta"'), "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("('handle', 'cup') [")
