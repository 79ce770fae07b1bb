# SPDX-License-Identifier: Apache-2.0
"""PointCLIP and V2 with a random CLIP: their pictures, where points are read, their sentences, sums over views."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch: the extra 'train'")
import torch.nn.functional as F  # noqa: E402

from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.evaluation.methods.pointclip import (  # noqa: E402
    V2_VIEWS,
    Grid,
    Pictures,
    PointClipMethod,
    Searched,
    as_shapenet,
    drawn_v1,
    drawn_v2,
    point_logits,
)
from partdistill_ros.evaluation.shapes import prepare  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402

SMALL = Grid(side=56, depth=28, cut=5, pool=(3, 5))


@pytest.fixture(scope="module")
def mug():
    return prepare([generate("mug", 900_000)], points=400)[0].question


def test_v2_draws_dark_on_white_and_reads_points_where_it_drew_them(mug):
    pictures = drawn_v2(torch.from_numpy(as_shapenet(mug)), SMALL)
    planes, seen = pictures.planes, pictures.seen
    assert planes.shape == (10, 56, 56) and pictures.row.shape == seen.shape == (10, 400)
    assert planes.min() >= 0 and planes.max() == pytest.approx(1) and (planes[:, 0, 0] > 0.99).all(), "white around"
    view = torch.arange(10)[:, None]
    assert (planes[view, pictures.row, pictures.column] < 0.95)[seen].float().mean() > 0.95, "on the object"
    assert 0.25 < seen.float().mean() < 0.9 and seen.any(0).float().mean() > 0.9


def test_v2_fills_and_smooths_as_all_at_once(mug):
    """The written definition, axis by axis, against three-dimensional pooling and filtering."""
    from partdistill_ros.evaluation.methods import pointclip

    cells = torch.zeros(SMALL.depth, SMALL.side, SMALL.side)
    cells[5, 20, 30], cells[9, 22, 31] = 4.0, 7.0
    reach = torch.arange(5) - 2.0
    flat = torch.exp(-(reach**2) / 2)[:, None] * torch.exp(-(reach**2) / 2)
    kernel = torch.exp(-(reach**2) / 8)[:, None, None] * flat / flat.sum()
    pooled = F.max_pool3d(cells[None, None], (3, 5, 5), 1, (1, 2, 2))
    wanted = F.conv3d(pooled, (kernel / kernel.sum())[None, None], padding=2)[0, 0]
    torch.testing.assert_close(pointclip._smoothed(cells, SMALL), wanted)


def test_the_first_draws_scattered_depth_on_black(mug):
    pictures = drawn_v1(torch.from_numpy(as_shapenet(mug)), 56)
    drawn = pictures.planes > 0
    assert pictures.planes.shape == (6, 56, 56) and 0.01 < drawn.float().mean() < 0.2
    assert 0.4 <= float(pictures.planes[drawn].min()) and float(pictures.planes.max()) <= 2.4
    assert drawn[torch.arange(6)[:, None], pictures.row, pictures.column][pictures.seen].all()


def test_sums_go_over_the_views_that_see_a_point():
    cosines = torch.zeros(2, 2, 4, 4)
    cosines[0, 0], cosines[1, 1] = 0.3, 0.2
    place = torch.zeros(2, 3, dtype=torch.long)
    seen = torch.tensor([[True, True, False], [True, False, False]])
    found = point_logits(cosines, Pictures(torch.zeros(2, 8, 8), place, place, seen), torch.tensor([0.5, 2.0]))
    np.testing.assert_allclose(found, [[15, 40], [15, 0], [0, 0]], rtol=1e-5)


def test_other_axes_are_turned_to_those_of_shapenet(mug):
    turned = as_shapenet(mug)
    np.testing.assert_allclose(turned[:, 1], mug.cloud.points[:, 2], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(mug.cloud.points, axis=1), rtol=1e-4)


def test_what_the_authors_searched_is_read_and_not_run(tmp_path):
    path = tmp_path / "best_param.py"
    path.write_text("best_prompt = {'mug': ['a', 'b']}\nbest_vweight = {'mug': [0.5] * 1}\n")
    with pytest.raises(PartDistillError, match="best_param.py"):
        Searched.read(path)  # a product is no constant
    path.write_text(f"best_prompt = {{'mug': ['a', 'b']}}\nbest_vweight = {{'mug': {[0.5] * len(V2_VIEWS)}}}\n")
    assert Searched.read(path) == Searched({"mug": ["a", "b"]}, {"mug": [0.5] * 10})


@pytest.mark.parametrize("version", [1, 2])
def test_a_random_clip_labels_every_point(clip_folder, mug, version):
    from partdistill_ros.teachers.clip import ClipTeacher
    from partdistill_ros.teachers.clip_model import load_clip

    teacher = ClipTeacher(load_clip("", str(clip_folder("vit"))))
    method = PointClipMethod(teacher, version, grid=SMALL)
    (labels,) = method.answer([mug])
    assert labels.shape == (400,) and set(np.unique(labels)) <= {0, 1} and method.setting == "zero-shot"
    swapped = Searched({"mug": [f"point cloud depth map of a {part} of a mug." for part in mug.parts[::-1]]})
    (other,) = PointClipMethod(teacher, version, swapped, SMALL).answer([mug])
    assert (other == labels).all() if version == 1 else (other == 1 - labels).all()


def test_another_teacher_is_refused():
    from controlled_teacher import ControlledTeacher

    with pytest.raises(PartDistillError, match="a way to ask CLIP, not the teacher 'controlled pixel'"):
        PointClipMethod(ControlledTeacher("pixel"), 2)
