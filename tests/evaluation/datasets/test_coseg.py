# SPDX-License-Identifier: Apache-2.0
"""COSEG in both layouts, as the archives unpack."""

from __future__ import annotations

import json

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets import categories_of, data_set, read_dataset
from partdistill_ros.evaluation.datasets.coseg import CATEGORIES, is_coseg, read_coseg

VERTICES = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
FACES = [(0, 1, 2), (0, 2, 3), (1, 0, 3)]


def write_off(path):
    lines = ["OFF", "4 3 0", *(" ".join(map(str, one)) for one in VERTICES), *(f"3 {a} {b} {c}" for a, b, c in FACES)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def write_numbers(path, numbers):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{number}\n" for number in numbers))


@pytest.fixture
def original(tmp_path):
    for name, labels in (("1", [1, 2, 3]), ("10", [2, 2, 3])):
        write_off(tmp_path / "Large-Chairs" / "shapes" / f"{name}.off")
        write_numbers(tmp_path / "Large-Chairs" / "gt" / f"{name}.seg", labels)
    write_off(tmp_path / "Tele-aliens" / "4.off")  # unpacked into one folder
    write_numbers(tmp_path / "Tele-aliens" / "4.seg", [0, 3, 3])
    return tmp_path


def test_the_original_layout(original):
    assert is_coseg(original) and not is_coseg(original / "Large-Chairs") and data_set(original).name == "COSEG"
    assert set(categories_of(original)) == {"chair", "alien"}
    alien, *chairs = read_dataset(original, "test")
    assert (alien.name, alien.parts) == ("alien_4", tuple(CATEGORIES["alien"]["parts"]))
    assert alien.mesh.face_labels.tolist() == [0, 3, 3] and alien.up is None
    assert [scan.mesh.face_labels.tolist() for scan in chairs] == [[0, 1, 2], [1, 1, 2]]
    with pytest.raises(PartDistillError, match="no shapes of the split 'train'.*download shapes.zip"):
        read_coseg(original, "train")
    with pytest.raises(PartDistillError, match="no category 'vase': it has chair, alien"):
        read_coseg(original, "test", ["vase"])


def test_the_layout_of_meshcnn(tmp_path):
    home = tmp_path / "coseg_vases"
    obj = "".join(f"v {x} {y} {z}\n" for x, y, z in VERTICES)
    obj += "".join(f"f {a + 1} {b + 1} {c + 1}\n" for a, b, c in FACES)
    for split, name in (("train", "5"), ("test", "6")):
        (home / split).mkdir(parents=True)
        (home / split / f"{name}.obj").write_text(obj)
        write_numbers(home / "seg" / f"{name}.eseg", [2, 2, 3, 3, 4, 4])
    write_numbers(home / "classes.txt", [1, 2, 3, 4])
    for split, name in (("train", "vase_5"), ("test", "vase_6")):
        (scan,) = read_dataset(tmp_path, split)
        assert scan.name == name and scan.mesh.face_labels.tolist() == [1, 2, 3]


def test_own_part_names_and_their_mistakes(original):
    (original / "parts.json").write_text(json.dumps({"chair": ["seat", "back", "leg"]}))
    assert read_coseg(original, "test", ["chair"])[0].parts == ("seat", "back", "leg")
    (original / "parts.json").write_text(json.dumps({"chair": ["seat", "back"]}))
    with pytest.raises(PartDistillError, match="2 parts of chair: compare the part names"):
        read_coseg(original, "test", ["chair"])
    (original / "parts.json").write_text("[]")
    with pytest.raises(PartDistillError, match="must hold part names by category"):
        categories_of(original)


def test_missing_labels_say_what_to_download(original):
    (original / "Large-Chairs" / "gt" / "10.seg").unlink()
    with pytest.raises(PartDistillError, match=r"10\.off has no labels beside it: download shapes.zip and gt.zip"):
        read_coseg(original)


def test_each_set_belongs_to_one_category():
    folders = [name for info in CATEGORIES.values() for name in info["folders"]]
    assert len(folders) == len(set(folders))
    assert all(len(set(info["parts"])) == len(info["parts"]) for info in CATEGORIES.values())
    assert np.isin(["vases", "aliens", "chairs"], folders).all(), "the sets of MeshCNN"
