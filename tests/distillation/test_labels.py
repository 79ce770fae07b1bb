# SPDX-License-Identifier: Apache-2.0
"""A few labeled shapes teach beside the scans, and no re-scoring touches what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation import scan_task
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.labels import labeled_sample, labeled_samples, true_units
from partdistill_ros.distillation.samples import Sample, upright_cloud
from partdistill_ros.distillation.sources import collect_samples
from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.training_samples import no_units
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import sample_surface
from partdistill_ros.synthetic.families import generate

PARTS = ("handle", "cup")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two labeled mugs, one of other names, and one without labels."""
    folder = tmp_path_factory.mktemp("labeled")
    for seed in range(4):
        cloud = sample_surface(generate("mug", seed), 1500)
        if seed == 2:
            cloud = replace(cloud, parts=tuple(f"the {part}" for part in cloud.parts))
        if seed == 3:
            cloud = replace(cloud, point_labels=None, parts=())
        save_scan(folder / f"mug{seed}.npz", cloud)
    return folder


def test_true_labels_are_units_of_full_confidence(folder: Path) -> None:
    left_out: list[str] = []
    samples = labeled_samples([str(folder)], PARTS, "mug", 1000, lambda path, error: left_out.append(str(error)))
    assert [sample.name for sample in samples] == ["mug0", "mug1"] and len(left_out) == 2
    assert "labeled handle, cup, only" in left_out[0] and "no labels" in left_out[1]
    for sample in samples:
        assert sample.labeled and not sample.boxes and not sample.up_unknown and sample.category == "mug"
        assert sample.units.score.tolist() == [1, 1] and len(sample.points) == 1000
        assert (sample.units.coverage() == 1).all(), "every point has its part"
        assert sample.partial_views is None


def test_partial_views_as_of_other_scans(folder: Path) -> None:
    (sample,) = labeled_samples([str(folder / "mug0.npz")], PARTS, "mug", 500, pytest.fail, num_partial_views=2)
    assert sample.partial_views is not None and sample.partial_views.shape == (2, 500)


def test_labeled_shapes_stand_as_the_scans_of_the_teacher_do(tmp_path: Path) -> None:
    """Boxes of a file belong to pictures of a shape as it lies in its file, where nobody knows its up."""
    mug = sample_surface(generate("mug", 0), 1500)
    save_scan(tmp_path / "mug.npz", mug.with_(points=mug.points[:, [2, 0, 1]], normals=None, up=None))
    for teacher in ("boxes", "mini"):
        (sample,) = labeled_samples([str(tmp_path)], PARTS, "mug", 1500, pytest.fail, teacher=teacher)
        cloud = upright_cloud(load_scan(tmp_path / "mug.npz"), 1500, teacher=teacher)
        np.testing.assert_array_equal(sample.points, cloud.points)


def test_true_units_leave_unlabeled_points_and_absent_parts_out() -> None:
    units = true_units(np.array([2, -1, 2, 0]), ("a", "b", "c"))
    assert units.part.tolist() == [0, 2] and units.points_of(1).tolist() == [0, 2] and units.n_points == 4


def test_a_cloud_without_labels_is_refused() -> None:
    cloud = replace(sample_surface(generate("mug", 0), 500), point_labels=None)
    with pytest.raises(PartDistillError, match="no labels"):
        labeled_sample(cloud, PARTS, "mug")


def collected(folder: Path, scans: str, labels: str, units: str = "points") -> list[Sample]:
    config = DistillConfig((folder / scans,), PARTS, folder / "out", "mug", labels=(str(folder / labels),), units=units)
    return collect_samples(config, PARTS, folder / "work", lambda _: None, [])


def test_labels_do_not_stand_in_for_a_teacher_or_for_scans(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [sample.labeled for sample in collected(folder, "mug3.npz", "mug0.npz")] == [False, True]
    with pytest.raises(PartDistillError, match="none of the shapes of --labels could be used"):
        collected(folder, "mug3.npz", "mug2.npz")
    with pytest.raises(PartDistillError, match="leave --units out"):
        collected(folder, "mug3.npz", "mug0.npz", units="superpoints")
    blind = replace(labeled_sample(sample_surface(generate("mug", 0), 500), PARTS, "mug"), units=no_units(500, PARTS))
    monkeypatch.setattr(scan_task, "make_sample", lambda *_, **__: blind)
    with pytest.raises(PartDistillError, match="saw none of handle, cup"):
        collected(folder, "mug3.npz", "mug0.npz")
