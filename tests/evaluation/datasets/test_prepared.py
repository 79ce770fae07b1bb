# SPDX-License-Identifier: Apache-2.0
"""The authors' prepared shapes: points and truth for scoring, boxes for learning, each without the other."""

from __future__ import annotations

import json

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="HDF5 files need h5py: the extra 'train'")
pytest.importorskip("torch", reason="units need torch: the extra 'train'")

from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.evaluation.datasets import data_set, read_dataset  # noqa: E402
from partdistill_ros.evaluation.datasets.prepared import prepared_units, read_prepared  # noqa: E402
from partdistill_ros.evaluation.datasets.shapenetpart import CATEGORIES  # noqa: E402


def write_shape(folder, category, name, file="preprocess.h5", boxes=2, points=30):
    """Boxes of the prompted parts in turns, each around ten points."""
    info, prompted = CATEGORIES[category], len(CATEGORIES[category]["prompts"])
    home = folder / info["synset"] / name / "extracted"
    home.mkdir(parents=True)
    part = np.arange(boxes) % prompted
    conf = np.zeros((points, boxes, prompted))
    for box in range(boxes):
        conf[10 * box : 10 * box + 10, box, part[box]] = 0.6
    with h5py.File(home / file, "w") as content:
        content["xyz"] = np.random.default_rng(0).normal(size=(points, 3))
        content["cls_bbox"], content["conf_bbox"] = part[None], conf
        content["cls_view"] = np.zeros((3, points, boxes), int)
        content["conf_view"] = np.zeros((3, points, boxes, prompted))
        content["gt_semantic_seg"] = info["first_label"] + np.arange(points) % len(info["parts"])


@pytest.fixture
def folder(tmp_path):
    write_shape(tmp_path, "mug", "a1")
    write_shape(tmp_path, "lamp", "b2", "aggregated_v2.h5")
    write_shape(tmp_path, "mug", "c3", boxes=0)
    lists = {"test": [("mug", "a1"), ("lamp", "b2"), ("mug", "c3"), ("mug", "missing")], "train": []}
    (tmp_path / "train_test_split").mkdir()
    for split, shapes in lists.items():
        entries = [f"shape_data/{CATEGORIES[category]['synset']}/{name}" for category, name in shapes]
        (tmp_path / "train_test_split" / f"shuffled_{split}_file_list.json").write_text(json.dumps(entries))
    return tmp_path


def test_shapes_with_their_truth(folder):
    assert data_set(folder).name == "PartDistill's prepared data"
    scans = {scan.name: scan for scan in read_dataset(folder, "test")}
    assert set(scans) == {"mug_a1", "lamp_b2", "mug_c3"}, "a shape that was not prepared is left out"
    assert scans["lamp_b2"].point_labels.tolist() == [point % 4 for point in range(30)]
    assert scans["mug_a1"].parts == ("handle", "cup") and scans["mug_a1"].up.tolist() == [0, 1, 0]


def test_boxes_without_the_truth(folder):
    units = prepared_units(folder, "mug_a1")
    assert units.part.tolist() == [0, 1] and units.points_of(1).tolist() == list(range(10, 20))
    lamp = prepared_units(folder, "lamp_b2")
    assert lamp.parts == tuple(CATEGORIES["lamp"]["parts"]) and lamp.part.tolist() == [0, 1], "two prompts, four labels"
    assert prepared_units(folder, "mug_c3") is None
    with pytest.raises(PartDistillError, match="no prepared shape mug_x"):
        prepared_units(folder, "mug_x")


def test_missing_and_damaged_data_say_what_to_download(folder):
    with pytest.raises(PartDistillError, match="no prepared shape of the list .* for 'train'"):
        read_prepared(folder, "train")
    (path,) = folder.glob("*/a1/extracted/preprocess.h5")
    path.write_bytes(b"half")
    with pytest.raises(PartDistillError, match=r"preprocess\.h5.*download the prepared data"):
        read_prepared(folder, "test", ["mug"])
