# SPDX-License-Identifier: Apache-2.0
"""A JSON object a line for programs; for people nothing that would break a log."""

import json
import os
import sys

import pytest

from partdistill_ros.cli.progress import choose_progress, progress, run_progress

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.distillation.progress import Progress  # noqa: E402

NAN = float("nan")


def test_lines(capsys):
    with run_progress("json") as report:
        report(Progress("teach", 1, 2, NAN))
        report(Progress("forward", 1, 4, 0.25))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["stage"], line["step"], line["steps"], line["loss"]) for line in lines] == [
        ("teach", 1, 2, None),
        ("forward", 1, 4, 0.25),
    ]
    assert lines[0]["share"] < lines[1]["share"] and set(lines[0]) == {
        "stage", "step", "steps", "loss", "share", "remaining",
    }  # fmt: skip


def test_a_bar_stays_silent_where_nobody_watches(capsys):
    with run_progress("bar") as report:
        report(Progress("teach", 1, 0, NAN))
        report(Progress("backward", 4, 4, 0.25))
    caught = capsys.readouterr()
    assert caught.err == caught.out == ""


def test_inner_bars_are_off_for_programs_only(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "")
    choose_progress("bar")
    assert os.environ["TQDM_DISABLE"] == ""
    choose_progress("json")
    assert os.environ["TQDM_DISABLE"] == "1"


def test_only_the_first_of_several_processes_has_bars(monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "")
    monkeypatch.setenv("RANK", "1")
    choose_progress("bar")
    assert os.environ["TQDM_DISABLE"] == "1"


def test_progress_passes_everything_on_with_and_without_tqdm(monkeypatch, capsys):
    assert list(progress(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert list(progress(iter("abc"), "letters")) == ["a", "b", "c"]
    assert not capsys.readouterr().out
