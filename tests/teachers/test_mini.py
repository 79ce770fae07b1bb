# SPDX-License-Identifier: Apache-2.0
"""The shipped small teacher: it knows parts in pictures, by any name, and refuses damaged weights; its network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.distillation.teacher_query import query_teacher  # noqa: E402
from partdistill_ros.distillation.units import soft_labels  # noqa: E402
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.pointcloud.scan import Scan  # noqa: E402
from partdistill_ros.rendering.cameras import ten_views  # noqa: E402
from partdistill_ros.rendering.rasterize import Rendering, render_scan  # noqa: E402
from partdistill_ros.synthetic.families import FAMILIES, generate  # noqa: E402
from partdistill_ros.synthetic.procedural import outer_cloud  # noqa: E402
from partdistill_ros.teachers.mini import (  # noqa: E402
    DEFAULT_PATH,
    MiniConfig,
    MiniNet,
    MiniTeacher,
    network_input,
)

NEVER_TAUGHT = 900_000  # seeds of shapes that neither the teacher nor the student was trained on


@pytest.fixture(scope="module")
def teacher() -> MiniTeacher:
    return MiniTeacher()


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


def test_sixty_views_take_the_memory_of_a_batch(mug_views, sixty_views, memory_of) -> None:
    teacher = MiniTeacher(batch=8)
    teacher.answer(mug_views, ("handle", "cup"), "mug")  # what is made once
    few, many = (
        memory_of(lambda views: teacher.answer(views, ("handle", "cup"), "mug").scores, views)
        for views in (mug_views, sixty_views)
    )
    assert many[1] == few[1], "torch saw no more at once"
    assert many[2] - many[0].nbytes < few[2] - few[0].nbytes + 500_000, "beside the answer"
    np.testing.assert_allclose(many[0][50:], few[0], atol=1e-4)


SMALL = MiniConfig(widths=(8, 16, 16, 24), dim=12, size=32)


def test_pixels_get_unit_embeddings_at_half_size() -> None:
    embeddings = MiniNet(SMALL)(torch.rand(2, 3, 32, 32))
    assert embeddings.shape == (2, 12, 16, 16)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2, 16, 16))


def test_logits_are_scaled_cosines() -> None:
    net = MiniNet(SMALL)
    embeddings = net(torch.rand(1, 3, 32, 32))
    logits = net.logits(embeddings, embeddings[0, :, 3, 4][None])
    assert abs((logits[0, 0, 3, 4] - net.log_scale.exp()).item()) < 1e-4
    assert logits.max().item() <= net.log_scale.exp().item() + 1e-4


def test_input_depth_does_not_depend_on_distance_or_unit() -> None:
    depth = torch.full((1, 4, 4), float("inf"))
    depth[0, 1:3, 1:3] = torch.tensor([[1.0, 1.5], [2.0, 1.2]])
    picture = torch.full((1, 4, 4, 3), 128, dtype=torch.uint8)
    near, far = network_input(picture, depth), network_input(picture, depth * 10 + 7)
    torch.testing.assert_close(near, far)
    assert near[0, 1, 1, 1] == 1 and near[0, 1, 2, 1] == 0, "nearest is one, farthest zero"
    assert (near[0, :, 0, 0] == 0).all(), "the background is empty in every plane"


def test_an_empty_view_is_all_zeros() -> None:
    planes = network_input(torch.full((1, 4, 4, 3), 255, dtype=torch.uint8), torch.full((1, 4, 4), float("inf")))
    assert (planes == 0).all()
