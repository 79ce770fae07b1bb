# SPDX-License-Identifier: Apache-2.0
"""The shipped small teacher: it knows parts in pictures, by any name, and refuses damaged weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.distillation.teacher_query import query_teacher
from partdistill_ros.distillation.units import soft_labels
from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import Rendering, render_scan
from partdistill_ros.synthetic.families import FAMILIES, generate
from partdistill_ros.synthetic.procedural import outer_cloud
from partdistill_ros.teachers.mini import DEFAULT_PATH, MiniTeacher

NEVER_TAUGHT = 900_000  # seeds of shapes that neither the teacher nor the student was trained on


@pytest.fixture(scope="module")
def teacher() -> MiniTeacher:
    return MiniTeacher.load()


@pytest.fixture(scope="module")
def mug() -> Scan:
    return outer_cloud(generate("mug", NEVER_TAUGHT), 4096)


@pytest.fixture(scope="module")
def views(mug: Scan) -> Rendering:
    return render_scan(mug, ten_views(), 96)


def accuracy(teacher: MiniTeacher, cloud: Scan, names: tuple[str, ...]) -> float:
    units = query_teacher(cloud.with_(point_labels=None), names, teacher)
    weight = soft_labels(units, np.ones(len(names), np.float32))
    seen = weight.sum(1) > 0
    assert cloud.point_labels is not None
    return float((weight.argmax(1) == cloud.point_labels)[seen].mean())


@pytest.mark.parametrize("family", ["mug", "chair", "table", "bottle", "hammer"])
def test_it_labels_shapes_it_never_saw(teacher: MiniTeacher, family: str) -> None:
    clouds = [outer_cloud(generate(family, NEVER_TAUGHT + i), 3000) for i in range(3)]
    assert np.mean([accuracy(teacher, cloud, FAMILIES[family].parts) for cloud in clouds]) > 0.75


def test_synonyms_work_as_the_names_do(teacher: MiniTeacher, mug: Scan) -> None:
    assert accuracy(teacher, mug, ("grip", "cup")) > 0.75


def test_names_it_never_saw_are_answered(teacher: MiniTeacher, mug: Scan) -> None:
    pytest.importorskip("sentence_transformers")
    assert accuracy(teacher, mug, ("the handle to hold it by", "the cup that holds the coffee")) > 0.6


def test_scores_are_probabilities_on_the_object_alone(teacher: MiniTeacher, views: Rendering) -> None:
    scores = teacher.answer(views, ("handle", "cup"), "mug").scores
    assert scores.shape == (10, 2, 96, 96) and scores.dtype == np.float32
    inside = views.index >= 0
    np.testing.assert_allclose(scores.sum(1)[inside], 1, atol=1e-5)
    assert (scores.sum(1)[~inside] == 0).all()


def test_batches_do_not_change_the_answer(views: Rendering) -> None:
    one, many = (MiniTeacher(batch=size).answer(views, ("handle", "cup"), None).scores for size in (1, 16))
    np.testing.assert_allclose(one, many, atol=1e-4)


def test_larger_pictures_are_taken(teacher: MiniTeacher, mug: Scan) -> None:
    scores = teacher.answer(render_scan(mug, ten_views(), 160), ("handle", "cup"), None).scores
    assert scores.shape == (10, 2, 160, 160)


@pytest.mark.parametrize("content", [b"", b"junk", DEFAULT_PATH.read_bytes()[:10_000]])
def test_damaged_weights_are_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mini.pt"
    path.write_bytes(content)
    with pytest.raises(PartDistillError, match=r"mini\.pt"):
        MiniTeacher(path)


def test_the_key_changes_with_the_weights(teacher: MiniTeacher, tmp_path: Path) -> None:
    import torch

    content = torch.load(DEFAULT_PATH, weights_only=True)
    content["state"]["log_scale"] += 1
    torch.save(content, tmp_path / "other.pt")
    assert MiniTeacher(tmp_path / "other.pt").key != teacher.key


def test_two_hundred_views_take_the_memory_of_a_batch(mug_views, two_hundred_views, memory_of) -> None:
    teacher = MiniTeacher(batch=8)
    teacher.answer(mug_views, ("handle", "cup"), "mug")  # what is made once
    few, many = (
        memory_of(lambda views: teacher.answer(views, ("handle", "cup"), "mug").scores, views)
        for views in (mug_views, two_hundred_views)
    )
    assert many[1] == few[1], "torch saw no more at once"
    assert many[2] - many[0].nbytes < few[2] - few[0].nbytes + 500_000, "beside the answer"
    np.testing.assert_allclose(many[0][190:], few[0], atol=1e-4)
