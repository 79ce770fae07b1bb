# SPDX-License-Identifier: Apache-2.0
"""PartNetE as it is downloaded: names of its own file, few-shot and test shapes, and no code from label files."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.evaluation.datasets import categories_of, is_dataset, read_dataset
from partdistill_ros.evaluation.datasets.partnete import is_partnete, read_partnete
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan

META = {"FoldingChair": ["seat"], "Kettle": ["lid", "handle", "spout"]}


def write_shape(folder, labels, seed=0):
    rng = np.random.default_rng(seed)
    colors = rng.integers(0, 256, (len(labels), 3)).astype(np.uint8)
    folder.mkdir(parents=True)
    save_scan(folder / "pc.ply", Scan(rng.normal(size=(len(labels), 3)).astype(np.float32), colors=colors))
    instances = np.where(np.array(labels) < 0, -1, 0)
    np.save(folder / "label.npy", {"semantic_seg": np.array(labels), "instance_seg": instances})


@pytest.fixture(params=["data", "."])
def folder(request, tmp_path):
    (tmp_path / "PartNetE_meta.json").write_text(json.dumps(META))
    home = tmp_path / request.param
    write_shape(home / "test" / "Kettle" / "101", [0, 1, 2, -1, 1])
    write_shape(home / "test" / "FoldingChair" / "7", [0, 0, -1])
    write_shape(home / "few_shot" / "Kettle" / "55", [2, 2, -1, 0])
    return tmp_path


def test_test_and_few_shot_shapes_with_the_names_of_the_file(folder):
    assert is_partnete(folder) and is_dataset(folder) and not is_partnete(folder / "test")
    assert categories_of(folder) == ("folding chair", "kettle")
    chair, kettle = read_dataset(folder, "test")
    assert (chair.category, chair.parts, chair.name) == ("folding chair", ("seat",), "folding_chair_7")
    assert kettle.point_labels.tolist() == [0, 1, 2, -1, 1] and kettle.parts == tuple(META["Kettle"])
    assert kettle.up.tolist() == [0, 1, 0] and kettle.colors.shape == (5, 3)
    assert [scan.name for scan in read_dataset(folder, "train")] == ["kettle_55"]
    for name in ("folding chair", "FoldingChair"):
        assert [scan.name for scan in read_partnete(folder, "test", [name])] == ["folding_chair_7"]


def test_missing_and_damaged_data_say_what_to_download(folder):
    with pytest.raises(PartDistillError, match="no split 'val'"):
        read_partnete(folder, "val")
    with pytest.raises(PartDistillError, match="no category 'boat': choose among folding chair, kettle"):
        read_partnete(folder, "test", ["boat"])
    with pytest.raises(PartDistillError, match="holds no shape of FoldingChair"):
        read_partnete(folder, "train", ["folding chair"])
    (label,) = folder.glob("**/test/Kettle/101/label.npy")
    np.save(label, {"semantic_seg": np.array([0, 1, 2, 3, 1])})
    with pytest.raises(PartDistillError, match="up to 3 for 5 points and 3 parts of kettle"):
        read_partnete(folder, "test")
    label.write_bytes(label.read_bytes()[:-9])
    with pytest.raises(PartDistillError, match="holds no labels .*huggingface.co"):
        read_partnete(folder, "test")
    label.unlink()
    with pytest.raises(PartDistillError, match="has no label.npy"):
        read_partnete(folder, "test")
    (folder / "PartNetE_meta.json").write_text("[1]")
    with pytest.raises(PartDistillError, match="PartNetE_meta.json cannot be read"):
        read_partnete(folder, "test")


def test_half_a_download_is_noticed_by_the_lists(folder):
    (folder / "split").mkdir()
    (folder / "split" / "test.txt").write_text("test/Kettle/101\nFoldingChair/7\n")
    assert len(read_partnete(folder, "test")) == 2
    (folder / "split" / "few-shot.txt").write_text("55\n56\n")
    with pytest.raises(PartDistillError, match="lacks 1 of the 2 shapes of .*few-shot.txt, such as 56"):
        read_partnete(folder, "train")


def test_a_split_that_was_not_downloaded_is_named(tmp_path):
    (tmp_path / "PartNetE_meta.json").write_text(json.dumps(META))
    with pytest.raises(PartDistillError, match="no data/few_shot/: download few_shot"):
        read_partnete(tmp_path, "train")


class Attack:
    def __reduce__(self):
        return os.mkdir, (os.environ["ATTACK"],)


def test_a_label_file_runs_no_code(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("ATTACK", str(tmp_path / "hacked"))
    (label,) = folder.glob("**/test/Kettle/101/label.npy")
    np.save(label, {"semantic_seg": Attack()})
    with pytest.raises(PartDistillError, match=r"it names (posix|nt|os)\.mkdir"):
        read_partnete(folder, "test")
    assert not (tmp_path / "hacked").exists()
