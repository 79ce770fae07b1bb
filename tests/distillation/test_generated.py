# SPDX-License-Identifier: Apache-2.0
"""Generated shapes: what is refused, and what a source gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation.generated import check_generated, generated_scans, is_procedural
from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.save import save_scan
from partdistill_ros.synthetic.families import generate


@pytest.mark.parametrize(
    ("source", "category", "message"),
    [
        ("nowhere", "mug", "'nowhere' do not exist"),
        ("procedural", "mug", "does not say how many"),
        ("procedural:", "mug", "does not say how many"),
        ("procedural:0", "mug", "does not say how many"),
        ("procedural:-3", "mug", "does not say how many"),
        ("procedural:2.5", "mug", "does not say how many"),
        ("procedural:many", "mug", "procedural:50"),
        ("procedural:5", "spaceship", "no procedural family 'spaceship'.*bottle.*mug"),
        ("procedural:5", None, "make it the category"),
    ],
)
def test_a_source_that_gives_nothing_is_refused(source: str, category: str | None, message: str) -> None:
    with pytest.raises(PartDistillError, match=message):
        check_generated(source, category)


def test_only_the_word_before_the_colon_makes_a_source_procedural() -> None:
    assert is_procedural("procedural:5") and is_procedural("procedural")
    assert not is_procedural("procedural_mugs") and not is_procedural("shapes/procedural:5")


def test_what_exists_passes_whatever_the_category(tmp_path: Path) -> None:
    check_generated(str(tmp_path), None)
    check_generated(str(tmp_path), "spaceship")
    check_generated("procedural:1", "mug")


def test_procedural_shapes_are_different_ones_of_the_family() -> None:
    scans = list(generated_scans("procedural:3", "mug"))
    assert len(scans) == 3 and {scan.category for scan in scans} == {"mug"}
    assert len({scan.points.tobytes() for scan in scans}) == len({scan.name for scan in scans}) == 3
    for one, other in zip(scans, generated_scans("procedural:3", "mug"), strict=True):
        np.testing.assert_array_equal(one.points, other.points)


def test_a_folder_gives_its_files_and_reports_the_broken(tmp_path: Path) -> None:
    for seed in range(2):
        save_scan(tmp_path / f"made{seed}.npz", generate("bottle", seed))
    (tmp_path / "broken.ply").write_bytes(b"ply\nnonsense")
    skipped: list[str] = []
    scans = list(generated_scans(str(tmp_path), "bottle", lambda path, error: skipped.append(path.name)))
    assert len(scans) == 2 and skipped == ["broken.ply"]
    np.testing.assert_allclose(scans[0].points, generate("bottle", 0).points, atol=1e-6)


def test_a_single_file_is_a_source_too(tmp_path: Path) -> None:
    save_scan(tmp_path / "made.npz", generate("bottle", 0))
    assert len(list(generated_scans(str(tmp_path / "made.npz"), None))) == 1
