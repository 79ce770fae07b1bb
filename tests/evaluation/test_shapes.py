# SPDX-License-Identifier: Apache-2.0
"""Shapes are sampled with a fixed seed and no label reaches a method."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES
from partdistill_ros.evaluation.shapes import Selection, load_shapes, load_training_shapes, prepare
from partdistill_ros.io.save import save_scan


def test_questions_carry_no_labels_and_samples_repeat(make_post):
    for scan in (make_post(), make_post(points=5000)):
        first, second = prepare([scan])[0], prepare([scan])[0]
        assert len(first.question.cloud.points) == len(first.truth) == 2048
        assert (first.question.cloud.points == second.question.cloud.points).all()
        asked = first.question
        assert asked.cloud.point_labels is None and asked.scan.point_labels is None
        assert asked.scan.mesh is None or asked.scan.mesh.face_labels is None
        assert (scan.mesh is None) == (asked.scan.mesh is None)
        height = asked.cloud.points[:, 2]
        assert ((height > 1) == (first.truth == 0)).all()


def test_every_point_is_a_face_center_or_a_finite_point(make_post):
    mesh = make_post()
    shape = prepare([mesh])[0]
    assert len(shape.every_point) == len(mesh.mesh.faces)
    assert (shape.every_truth == mesh.mesh.face_labels).all()

    cloud = make_post(points=300)
    cloud.points[:10] = np.nan
    shape = prepare([cloud])[0]
    assert len(shape.every_point) == 290
    assert len(shape.truth) == 2048


def test_parts_of_a_category_are_those_of_all_its_shapes(make_post):
    shapes = prepare([make_post("b", parts=("top", "bottom")), make_post("a", parts=("foot", "top"))])
    assert [shape.question.name for shape in shapes] == ["a", "b"]
    assert {shape.question.parts for shape in shapes} == {("top", "bottom", "foot")}
    assert set(shapes[0].truth) == {0, 2}, "labels of shape a: foot is the third part of the category, top the first"


def test_files_and_folders(make_post, tmp_path):
    save_scan(tmp_path / "folder" / "good.npz", make_post())
    (tmp_path / "folder" / "bad.npz").write_bytes(b"not a shape")
    skipped = []
    shapes = load_shapes([tmp_path / "folder"], lambda path, error: skipped.append(path.name))
    assert [shape.question.name for shape in shapes] == ["good"] and skipped == ["bad.npz"]
    with pytest.raises(PartDistillError, match="bad.npz"):
        load_shapes([tmp_path / "folder" / "bad.npz"])


def test_the_up_of_a_selection_is_for_shapes_that_do_not_tell(make_post, tmp_path):
    save_scan(tmp_path / "told.npz", make_post("told"))
    save_scan(tmp_path / "silent.npz", make_post("silent", up=None))
    shapes = load_shapes([tmp_path], selection=Selection(up="y"))
    ups = {shape.question.name: shape.question.cloud.up.tolist() for shape in shapes}
    assert ups == {"told": [0, 0, 1], "silent": [0, 1, 0]}


def test_a_data_set_gives_its_split_and_the_training_split_to_learn_from(tmp_path):
    home = tmp_path / CATEGORIES["cap"]["synset"]
    (tmp_path / "train_test_split").mkdir()
    home.mkdir()
    for split in ("train", "val", "test"):
        (tmp_path / "train_test_split" / f"shuffled_{split}_file_list.json").write_text(
            f'["shape_data/{home.name}/{split}"]'
        )
        table = np.random.default_rng(0).normal(size=(50, 7))
        table[:, 6] = CATEGORIES["cap"]["first_label"] + (table[:, 1] > 0)
        np.savetxt(home / f"{split}.txt", table)
    assert [shape.question.name for shape in load_shapes([tmp_path])] == ["cap_test"]
    assert [shape.question.name for shape in load_shapes([tmp_path], selection=Selection(split="val"))] == ["cap_val"]
    (learned,) = load_training_shapes([tmp_path], {"cap": ("visor", "crown"), "post": ("top",)})
    assert learned.question.name == "cap_train" and learned.question.cloud.up.tolist() == [0, 1, 0]
    with pytest.raises(PartDistillError, match="no category 'boat'"):
        load_shapes([tmp_path], selection=Selection(categories=("cap", "boat")))


def test_unusable_shapes_are_named(make_post):
    post = make_post(points=100)
    with pytest.raises(PartDistillError, match="post_0: the shape carries no part labels"):
        prepare([post.with_(point_labels=None)])
    with pytest.raises(PartDistillError, match="post_0: the shape carries no part labels"):
        prepare([post.with_(point_labels=np.full(100, -1, np.int16))])
    with pytest.raises(PartDistillError, match="category"):
        prepare([post.with_(category=None)])
    with pytest.raises(PartDistillError, match="label 5 has no name"):
        prepare([post.with_(point_labels=np.full(100, 5, np.int16))])
    with pytest.raises(PartDistillError, match="no shapes to evaluate"):
        prepare([])
