# SPDX-License-Identifier: Apache-2.0
"""The authors' preparation: real small HDF5 files in their layout, right and wrong ones."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="units need torch: the extra 'train'")
pytest.importorskip("h5py", reason="HDF5 files need h5py: the extra 'train'")

import h5py

from partdistill_ros.distillation.import_h5 import read_preprocess, shape_name
from partdistill_ros.distillation.units import class_weights, soft_labels
from partdistill_ros.errors import PartDistillError

PARTS = ("handle", "cup")
# view, part, confidence, samples
BOXES = (
    (0, 1, 0.9, range(0, 6)),
    (0, 0, 0.4, range(4, 8)),
    (2, 1, 0.7, range(2, 9)),
    (2, 1, 0.3, range(2, 9)),
    (1, 0, 0.5, ()),
)


def layout(boxes=BOXES, points=10, views=3, parts=2):
    """The arrays of one file, places of a view's listing filled in the order of its boxes."""
    conf = np.zeros((points, len(boxes), parts))
    places = max((sum(box[0] == view and len(box[3]) > 0 for box in boxes) for view in range(views)), default=0)
    part_view, conf_view = np.zeros((views, points, places)), np.zeros((views, points, places, parts))
    used = [0] * views
    for number, (view, part, score, samples) in enumerate(boxes):
        conf[list(samples), number, part] = score
        if len(samples):
            part_view[view, list(samples), used[view]] = part
            conf_view[view, list(samples), used[view], part] = score
            used[view] += 1
    return {
        "xyz": np.random.default_rng(0).random((points, 3)),
        "cls_bbox": np.array([[box[1] for box in boxes]], np.int64).reshape(1, -1),
        "conf_bbox": conf,
        "cls_view": part_view.astype(np.int64),
        "conf_view": conf_view,
        "gt_semantic_seg": np.full(points, 37),
    }


def write(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "03797390" / "a1b2" / "extracted" / "preprocess.h5"


def test_boxes_become_units(path):
    arrays = layout()
    found = read_preprocess(write(path, arrays), PARTS, "mug", np.array([0, 1, 0], np.float32))
    units = found.units
    assert units.part.tolist() == [1, 0, 1, 1], "the box without a point is gone"
    assert units.score == pytest.approx([0.9, 0.4, 0.7, 0.3])
    assert units.view.tolist() == [0, 0, 2, 2]
    assert [units.points_of(unit).tolist() for unit in range(4)] == [list(box[3]) for box in BOXES[:4]]
    assert units.parts == PARTS and units.n_points == 10 and found.contrary == 0
    assert (found.scan.name, found.scan.category, found.scan.point_labels) == ("a1b2", "mug", None)
    np.testing.assert_allclose(found.scan.points, arrays["xyz"], atol=1e-6)


def test_the_forward_loss_is_that_of_the_authors(path):
    """Their loss at a point: the sum over boxes of w * conf * CE, over the boxes with a confidence there."""
    arrays = layout()
    units = read_preprocess(write(path, arrays), PARTS).units
    weight = class_weights(units, 2)
    conf = arrays["conf_bbox"].max(-1)
    part = arrays["cls_bbox"][0]
    expected = np.stack([(conf * weight[part] * (part == c)).sum(1) for c in range(2)], 1)
    expected /= np.maximum((conf > 0).sum(1), 1)[:, None]
    np.testing.assert_allclose(soft_labels(units, weight), expected, atol=1e-6)


def test_the_truth_is_not_needed_and_not_read(path):
    arrays = layout()
    del arrays["gt_semantic_seg"]
    without = read_preprocess(write(path, arrays), PARTS).units
    np.testing.assert_array_equal(without.indices, read_preprocess(write(path, layout()), PARTS).units.indices)


def test_a_view_that_is_not_clear_is_unknown(path):
    arrays = layout()
    arrays["cls_view"][1], arrays["conf_view"][1] = arrays["cls_view"][0], arrays["conf_view"][0]
    assert read_preprocess(write(path, arrays), PARTS).units.view.tolist() == [-1, -1, 2, 2], "views 0 and 1 list it"
    arrays = layout()
    arrays["conf_view"] *= 0.5
    assert read_preprocess(write(path, arrays), PARTS).units.view.tolist() == [-1] * 4


def test_confidences_under_another_part_are_counted(path):
    arrays = layout()
    arrays["cls_bbox"] = 1 - arrays["cls_bbox"]
    found = read_preprocess(write(path, arrays), PARTS)
    assert found.contrary == 4 and found.units.part.tolist() == [0, 1, 0, 0], "cls_bbox decides, as in their loss"


@pytest.mark.parametrize(
    "field, change, words",
    [
        ("xyz", None, "is missing"),
        ("cls_bbox", None, "is missing"),
        ("conf_bbox", None, "is missing"),
        ("conf_view", None, "is missing"),
        ("xyz", lambda a: a[:, :2], r"\[N, 3\]"),
        ("xyz", lambda a: a * np.nan, "not finite"),
        ("cls_bbox", lambda a: a[0], r"\[1, 5\]"),
        ("cls_bbox", lambda a: a + 1, r"0\.\.1, it holds 1\.\.2"),
        ("cls_bbox", lambda a: a + 0.5, "must hold parts"),
        ("conf_bbox", lambda a: a[:-1], r"\[10, K, P\]"),
        ("conf_bbox", lambda a: a * 100, r"in 0\.\.1"),
        ("conf_bbox", lambda a: a * 0, "0 everywhere"),
        ("conf_bbox", lambda a: a[:, :0], "cls_bbox"),
        ("conf_view", lambda a: a[:2], r"\[3, 10, 2, P\]"),
        ("cls_view", lambda a: a[0], r"\[V, 10, B\]"),
        ("conf_bbox", lambda a: np.concatenate([a, a[..., :1]], -1), "about 3 parts, but 2 were named"),
        ("conf_bbox", lambda a: np.full(a.shape, b"word"), "must be numbers"),
    ],
)
def test_wrong_fields_are_named_with_the_file(path, field, change, words):
    arrays = layout()
    if change is None:
        del arrays[field]
    else:
        arrays[field] = change(arrays[field])
    with pytest.raises(PartDistillError, match=words) as error:
        read_preprocess(write(path, arrays), PARTS)
    assert str(path) in str(error.value) and (field in str(error.value) or "cls_bbox" in str(error.value))


def test_a_shape_without_boxes_says_so(path):
    with pytest.raises(PartDistillError, match="holds no boxes"):
        read_preprocess(write(path, layout(boxes=())), PARTS)


@pytest.mark.parametrize("damage", ["truncate", "text", "gone", "group", "chunk"])
def test_damaged_files_are_named(path, damage):
    write(path, layout())
    if damage == "truncate":
        path.write_bytes(path.read_bytes()[:2000])
    elif damage == "text":
        path.write_text("xyz")
    elif damage == "gone":
        path.unlink()
    elif damage == "group":
        with h5py.File(path, "a") as file:
            del file["xyz"]
            file.create_group("xyz")
    else:
        with h5py.File(path, "a") as file:
            del file["conf_bbox"]
            data = file.create_dataset("conf_bbox", data=layout()["conf_bbox"], chunks=(10, 5, 2), compression="gzip")
            place = data.id.get_chunk_info(0)
        content = bytearray(path.read_bytes())
        content[place.byte_offset : place.byte_offset + place.size] = b"\xff" * place.size
        path.write_bytes(content)
    with pytest.raises(PartDistillError) as error:
        read_preprocess(path, PARTS)
    assert str(path) in str(error.value)
    if damage == "chunk":
        assert "'conf_bbox' cannot be read" in str(error.value)


def test_links_that_lead_round_are_a_sentence(path):
    with h5py.File(write(path, layout()), "r+") as file:
        del file["xyz"]
        file["xyz"] = h5py.SoftLink("/more")
        file["more"] = h5py.SoftLink("/xyz")
    with pytest.raises(PartDistillError, match="preprocess.h5"):
        read_preprocess(path, PARTS)


def test_a_claim_without_bytes_takes_no_memory(path):
    with h5py.File(write(path, layout()), "r+") as file:
        del file["xyz"]
        file.create_dataset("xyz", (10_000_000, 3), "f4", fillvalue=1.0)
    with pytest.raises(PartDistillError, match="'xyz' claims 30,000,000 numbers, but the file holds 0 bytes"):
        read_preprocess(path, PARTS)


def test_shapes_are_named_by_their_folder():
    assert shape_name(Path("03797390/a1b2/extracted/preprocess.h5")) == "a1b2"
    assert shape_name(Path("a1b2/preprocess.h5")) == "a1b2"
    assert shape_name(Path("x/mug_7.h5")) == "mug_7"
