# SPDX-License-Identifier: Apache-2.0
"""The page stands alone, shows every stage of a run and says what was not done."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation.pipeline import Run
from partdistill_ros.distillation.rescored_units import RescoredUnits
from partdistill_ros.distillation.samples import Sample
from partdistill_ros.distillation.units import KnowledgeUnits
from partdistill_ros.evaluation.bundle_check import Answers, BundleCheck
from partdistill_ros.evaluation.run_page import SHOWN, write_run_page
from partdistill_ros.rendering.cameras import ten_views


def graded(number: int) -> RescoredUnits:
    """A ball whose upper half one view calls `top`, wrongly `bottom` another."""
    rng = np.random.default_rng(number)
    points = rng.normal(size=(400, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    upper = np.flatnonzero(points[:, 2] > 0).astype(np.int32)
    units = KnowledgeUnits(
        indices=np.concatenate([upper, upper]),
        indptr=np.array([0, len(upper), 2 * len(upper)], np.int64),
        part=np.array([0, 1], np.int16),
        view=np.array([0, 3], np.int16),
        score=np.array([0.5, 0.5], np.float32),
        n_points=400,
        parts=("top", "bottom"),
    )
    return RescoredUnits(f"ball <{number}>", "ball", points, units, np.array([0.9, 0.1], np.float32), ten_views())


@pytest.fixture
def written(tmp_path: Path):
    """`written(count, backward_from, before)`: the page of a run."""

    def write(count: int, backward_from: int | None = 2, compared: bool = True) -> str:
        balls = tuple(graded(number) for number in range(count))
        samples = tuple(Sample(one.name, "ball", one.points, one.units) for one in balls)
        run = Run(tmp_path / "b", tmp_path / "b.work", samples, balls, backward_from, ("bad.ply: it is <empty>",))
        answers = Answers("v0002", (np.zeros(400, np.int16),) * count, (0.75,) * count, 0.75)
        before = Answers("v0001", (np.ones(400, np.int16),) * count, (float("nan"),) * count, 0.5)
        check = BundleCheck(1e-5, answers, before if compared else None, "" if compared else "unknown name <x>", None)
        settings = {"teacher": "mini", "category": "ball"}
        path = write_run_page(tmp_path / "report.html", "Run <1>", settings, run, check, "v0002 is active")
        return path.read_text(encoding="utf-8")

    return write


def test_every_section_with_pictures_and_numbers(written) -> None:
    page = written(2)
    assert re.findall(r'<h2 id="(\w+)"', page) == ["recorded", "seen", "trusted", "after"]
    assert "v0002 is active" in page and "before: v0001" in page and "after: v0002" in page
    assert "75.0 %" in page and "50.0 %" in page and "no units" in page
    # 2 recorded, 2 x 2 views, 2 sheets, 2 x 2 answers
    assert page.count("data:image/jpeg") == 2 + 4 + 2 + 4
    top = re.search(r">top</th>(.*?)</tr>", page)
    assert top is not None and re.findall(r"<td>(.*?)</td>", top[1]) == ["2", "0.50", "0.90", "0", "2"]


def test_it_stands_alone_and_names_are_text(written) -> None:
    page = written(1)
    assert "<script" not in page and "http" not in re.sub(r"http-equiv", "", page)
    assert "ball &lt;0&gt;" in page and "it is &lt;empty&gt;" in page and "<empty>" not in page


def test_what_was_not_done_is_said(written) -> None:
    page = written(1, backward_from=None, compared=False)
    assert "every unit kept its score" in page
    assert "cannot be compared: unknown name &lt;x&gt;" in page and "before:" not in page


def test_a_large_run_shows_some_of_its_scans(written) -> None:
    page = written(SHOWN + 9)
    assert page.count("<h4>ball") == 2 * SHOWN + 3  # seen, after, and the sheets
