# SPDX-License-Identifier: Apache-2.0
"""Every field of a cloud comes through, whatever its type, order, byte order and padding."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.kept_fields import kept_fields
from partdistill_ros.pointcloud.pointcloud2 import LABELED_FIELDS, LABELED_STEP, CloudLayout, encode_labeled

HEIGHT, WIDTH, STEP, ROW_STEP = 3, 4, 40, 176  # 16 bytes of padding a row
FIELDS = (
    ("ring", 1, 4, 1),
    ("z", 8, 7, 1),
    ("x", 12, 7, 1),
    ("y", 16, 7, 1),
    ("label", 20, 2, 0),
    ("time", 24, 8, 1),
    ("normal", 32, 3, 3),
)


def cloud(big_endian):
    """Layout, bytes and values by field; the bytes between the fields are noise."""
    order = ">" if big_endian else "<"
    kinds = {"ring": "u2", "z": "f4", "x": "f4", "y": "f4", "label": "u1", "time": "f8", "normal": "(3,)i2"}
    structure = np.dtype({
        "names": list(kinds),
        "formats": [np.dtype(kind).newbyteorder(order) for kind in kinds.values()],
        "offsets": [offset for _, offset, _, _ in FIELDS],
        "itemsize": STEP,
    })  # fmt: skip
    rng = np.random.default_rng(0)
    data = bytearray(rng.integers(0, 256, HEIGHT * ROW_STEP, np.uint8).tobytes())
    view = np.ndarray((HEIGHT, WIDTH), structure, data, strides=(ROW_STEP, STEP))
    for name in kinds:
        view[name] = rng.integers(1, 100, view[name].shape)
    values = {name: view[name].reshape(HEIGHT * WIDTH, *view[name].shape[2:]).copy() for name in kinds}
    return CloudLayout(FIELDS, HEIGHT, WIDTH, STEP, ROW_STEP, big_endian), data, values


@pytest.mark.parametrize("big_endian", [False, True])
def test_every_field_comes_back_with_its_value(big_endian):
    layout, data, values = cloud(big_endian)
    kept = kept_fields(layout, data)
    count = layout.count
    labels, confidence = np.arange(count, dtype=np.int16), np.linspace(0, 1, count, dtype=np.float32)
    packed = encode_labeled(layout.points(data), np.zeros(count, np.uint32), labels, confidence, kept)
    assert packed.fields[: len(LABELED_FIELDS)] == LABELED_FIELDS
    assert packed.fields[len(LABELED_FIELDS) :] == (
        ("ring", 24, 4, 1), ("input_label", 26, 2, 1), ("time", 27, 8, 1), ("normal", 35, 3, 3)
    )  # fmt: skip
    assert packed.point_step == 44 and len(packed.data) == 44 * count

    back = CloudLayout(packed.fields, 1, count, packed.point_step, packed.point_step * count)
    np.testing.assert_array_equal(back.points(packed.data), layout.points(data))
    np.testing.assert_array_equal(back.column(packed.data, "label")[0], labels)
    np.testing.assert_array_equal(back.column(packed.data, "confidence")[0], confidence)
    for name, sent in (("ring", "ring"), ("input_label", "label"), ("time", "time")):
        np.testing.assert_array_equal(back.column(packed.data, name)[0], values[sent])
    again = kept_fields(back, packed.data)
    np.testing.assert_array_equal(again.values["f6"], values["normal"])


def test_nothing_but_coordinates_keeps_nothing():
    layout = CloudLayout((("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1)), 1, 1, 12, 12)
    assert kept_fields(layout, bytes(12)) is None


def test_names_that_clash_stay_apart():
    fields = (("rgb", 0, 7, 1), ("input_rgb", 4, 7, 1), ("twin", 8, 7, 1), ("twin", 12, 7, 1))
    kept = kept_fields(CloudLayout(fields, 1, 1, 16, 16), np.arange(4, dtype="<f4").tobytes())
    assert len({name for name, *_ in kept.fields}) == 4 and kept.fields[0][0] == "input_rgb"
    out = np.zeros((1, kept.size), np.uint8)
    kept.write(out, 0)
    assert out.view("<f4").tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(("field", "words"), [
    (("odd", 0, 77, 1), "unknown datatype 77"),
    (("odd", 12, 8, 1), "'odd' at offset 12 ends beyond point_step 16"),
    (("odd", 0, 7, 2**31), "'odd' at offset 0 ends beyond"),
])  # fmt: skip
def test_fields_that_cannot_be_are_refused(field, words):
    with pytest.raises(PartDistillError, match=words):
        kept_fields(CloudLayout((field,), 1, 1, 16, 16), bytes(16))


def test_the_labeled_layout_is_as_before_without_them():
    packed = encode_labeled(
        np.zeros((2, 3), np.float32), np.zeros(2, np.uint32), *(np.zeros(2, k) for k in ("i2", "f4"))
    )
    assert (packed.fields, packed.point_step) == (LABELED_FIELDS, LABELED_STEP)
