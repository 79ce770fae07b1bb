# SPDX-License-Identifier: Apache-2.0
"""Exit codes say what happened, and a folder with something in it is left alone."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from partdistill_ros.errors import CommandFailed, PartDistillError

OPTIONS = argparse.Namespace(json=True)


@pytest.mark.parametrize(("reached", "code"), [({"a": True, "b": True}, 0), ({"a": True, "b": False}, 1)])
def test_the_result_is_printed_and_judged(
    load_benchmark: Any, capsys: pytest.CaptureFixture[str], reached: dict[str, bool], code: int
) -> None:
    assert load_benchmark("verdict").verdict(lambda options: {"reached": reached}, OPTIONS) == code
    assert json.loads(capsys.readouterr().out) == {"reached": reached}


@pytest.mark.parametrize(("error", "code"), [(CommandFailed("it fell over"), 1), (PartDistillError("no such file"), 2)])
def test_failures_are_told(
    load_benchmark: Any, capsys: pytest.CaptureFixture[str], error: PartDistillError, code: int
) -> None:
    def measure(options: argparse.Namespace) -> dict[str, Any]:
        raise error

    assert load_benchmark("verdict").verdict(measure, OPTIONS) == code
    said = capsys.readouterr()
    assert said.err == f"error: {error}\n" and not said.out


def test_only_an_empty_or_new_folder_will_do(load_benchmark: Any, tmp_path: Path) -> None:
    empty_folder = load_benchmark("verdict").empty_folder
    assert empty_folder(tmp_path) == tmp_path and empty_folder(tmp_path / "new") == tmp_path / "new"
    (tmp_path / "old").write_text("")
    with pytest.raises(PartDistillError, match="not empty"):
        empty_folder(tmp_path)
