# SPDX-License-Identifier: Apache-2.0
"""ShapeNetPart in each layout that is downloaded: the same shapes, its splits, a sentence for what is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES, is_shapenetpart, read_shapenetpart

SHAPES = {"train": [("cap", "a1"), ("mug", "b2")], "val": [("cap", "c3")], "test": [("lamp", "e5"), ("cap", "d4")]}


def cloud(category, name, count=40):
    """Points, normals and labels within the category, different for every shape."""
    rng = np.random.default_rng([ord(letter) for letter in category + name])
    labels = np.arange(count) % len(CATEGORIES[category]["parts"])
    return rng.normal(size=(count, 3)), rng.normal(size=(count, 3)), labels


def write_lists(folder):
    (folder / "train_test_split").mkdir(parents=True)
    for split, shapes in SHAPES.items():
        entries = [f"shape_data/{CATEGORIES[category]['synset']}/{name}" for category, name in shapes]
        (folder / "train_test_split" / f"shuffled_{split}_file_list.json").write_text(json.dumps(entries))


def write_normal(folder):
    write_lists(folder)
    for category, name in sum(SHAPES.values(), []):
        points, normals, labels = cloud(category, name)
        home = folder / CATEGORIES[category]["synset"]
        home.mkdir(exist_ok=True)
        table = np.column_stack([points, normals, labels + CATEGORIES[category]["first_label"]])
        np.savetxt(home / f"{name}.txt", table, fmt="%.6f")


def write_points(folder, answers="points_label"):
    write_lists(folder)
    for category, name in sum(SHAPES.values(), []):
        points, _, labels = cloud(category, name)
        home = folder / CATEGORIES[category]["synset"]
        for place in ("points", answers):
            (home / place).mkdir(parents=True, exist_ok=True)
        np.savetxt(home / "points" / f"{name}.pts", points, fmt="%.6f")
        np.savetxt(home / answers / f"{name}.seg", labels + 1, fmt="%d")


def write_expert(folder):
    write_points(folder / "PartAnnotation", "expert_verified/points_label")


def write_hdf5(folder):
    h5py = pytest.importorskip("h5py")
    home = folder / "hdf5_data"
    home.mkdir(parents=True)
    names = list(CATEGORIES)
    (home / "all_object_categories.txt").write_text(
        "".join(f"{name.capitalize()}\t{CATEGORIES[name]['synset']}\n" for name in names)
    )
    for split, shapes in SHAPES.items():
        (home / f"{split}_hdf5_file_list.txt").write_text(f"ply_data_{split}0.h5\n")
        clouds = [cloud(category, name) for category, name in shapes]
        first = [CATEGORIES[category]["first_label"] for category, _ in shapes]
        with h5py.File(home / f"ply_data_{split}0.h5", "w") as file:
            file["data"] = np.stack([points for points, _, _ in clouds]).astype(np.float32)
            file["label"] = np.array([[names.index(category)] for category, _ in shapes], np.uint8)
            file["pid"] = np.stack([labels + one for (_, _, labels), one in zip(clouds, first, strict=True)])


@pytest.mark.parametrize("write", [write_normal, write_points, write_expert, write_hdf5])
def test_every_layout_gives_the_shapes_of_its_splits(tmp_path, write):
    assert not is_shapenetpart(tmp_path)
    write(tmp_path)
    assert is_shapenetpart(tmp_path)
    for split, shapes in SHAPES.items():
        scans = {scan.category: scan for scan in read_shapenetpart(tmp_path, split)}
        assert set(scans) == {category for category, _ in shapes}
        for category, name in shapes:
            points, normals, labels = cloud(category, name)
            scan = scans[category]
            assert scan.points == pytest.approx(points, abs=1e-5) and scan.point_labels.tolist() == labels.tolist()
            assert scan.parts == tuple(CATEGORIES[category]["parts"]) and scan.up.tolist() == [0, 1, 0]
            assert scan.normals is None or scan.normals == pytest.approx(normals, abs=1e-5)
    assert [scan.category for scan in read_shapenetpart(tmp_path, "test", ["lamp"])] == ["lamp"]


def test_the_fifty_labels_are_all_named_once():
    labels = [info["first_label"] + part for info in CATEGORIES.values() for part in range(len(info["parts"]))]
    assert labels == list(range(50)) and len(CATEGORIES) == 16
    assert len({info["synset"] for info in CATEGORIES.values()}) == 16
    assert len(CATEGORIES["lamp"]["parts"]) == 4
    assert all(len(set(info["parts"])) == len(info["parts"]) for info in CATEGORIES.values())


def test_missing_and_damaged_data_say_what_to_download(tmp_path):
    write_normal(tmp_path)
    with pytest.raises(PartDistillError, match="no category 'boat': choose among airplane"):
        read_shapenetpart(tmp_path, categories=["boat"])
    with pytest.raises(PartDistillError, match="'val' holds no shape of mug"):
        read_shapenetpart(tmp_path, "val", ["mug"])
    cap = tmp_path / CATEGORIES["cap"]["synset"] / "d4.txt"
    for damage, words in (
        ("", "7 columns"),
        ("1 2 x", "cannot be read"),
        ("0 0 0 0 0 1 40\n", "to 34 .* of cap"),
    ):
        cap.write_text(damage)
        with pytest.raises(PartDistillError, match=words):
            read_shapenetpart(tmp_path)
    cap.unlink()
    with pytest.raises(PartDistillError, match="d4 is in the split .*v0_normal.zip"):
        read_shapenetpart(tmp_path)
    (tmp_path / "train_test_split" / "shuffled_test_file_list.json").write_text("{")
    with pytest.raises(PartDistillError, match="no list of shapes"):
        read_shapenetpart(tmp_path)
    (tmp_path / "train_test_split" / "shuffled_test_file_list.json").unlink()
    with pytest.raises(PartDistillError, match="official splits come with .*v0_normal.zip"):
        read_shapenetpart(tmp_path)


def test_a_damaged_hdf5_file_is_named(tmp_path):
    write_hdf5(tmp_path)
    (tmp_path / "hdf5_data" / "ply_data_val0.h5").write_bytes(b"half")
    with pytest.raises(PartDistillError, match=r"ply_data_val0.h5.*hdf5_data.zip"):
        read_shapenetpart(tmp_path, "val")
    (tmp_path / "hdf5_data" / "val_hdf5_file_list.txt").unlink()
    with pytest.raises(PartDistillError, match="val_hdf5_file_list.txt is missing"):
        read_shapenetpart(tmp_path, "val")
