# SPDX-License-Identifier: Apache-2.0
"""PointCloud2 buffers of every valid layout decode to the same cloud, all fields come through, bad ones are named."""

from __future__ import annotations

import numpy as np
import pytest
from python_steps import python_steps

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.layout import (
    LABELED_FIELDS,
    LABELED_STEP,
    OBJECT_FIELD,
    UNLABELED_CODE,
    CloudLayout,
    encode,
    encode_labeled,
    kept_fields,
    pack_colors,
    unpack_colors,
)

XYZ = (("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1))
NUMPY_CODE = {"u1": 2, "u2": 4, "u4": 6, "f4": 7, "f8": 8}


def decode(fields, height, width, point_step, row_step, is_bigendian, data, name="PointCloud2"):
    return CloudLayout(tuple(fields), height, width, point_step, row_step, is_bigendian, name).scan(data)


def cloud(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(count, 3)).astype(np.float32)
    points[1] = np.nan
    return points, rng.integers(0, 256, (count, 3), dtype=np.uint8)


def build(points, colors, layout, height=1, point_pad=0, row_pad=0, order="<"):
    """Bytes of a cloud with the fields of `layout` (name, numpy code) in that order, padded."""
    offset, fields = 0, []
    for name, kind in layout:
        fields.append((name, offset, NUMPY_CODE[kind], 1))
        offset += int(kind[1])
    step, width = offset + point_pad, len(points) // height
    dtype = np.dtype(
        {
            "names": [name for name, _ in layout],
            "formats": [order + kind for _, kind in layout],
            "offsets": [field[1] for field in fields],
            "itemsize": step,
        }
    )
    table = np.zeros(len(points), dtype)
    packed = pack_colors(colors)
    columns = dict(zip("xyz", points.T, strict=True)) | dict(zip("rgb", colors.T, strict=True))
    for name, kind in layout:
        if name in ("rgb", "rgba"):
            values = packed.view(np.float32) if kind == "f4" else packed
            table[name] = values
        else:
            table[name] = columns.get(name, 7)
    rows = table.tobytes()
    size = width * step
    data = b"".join(rows[r * size : (r + 1) * size] + b"\xab" * row_pad for r in range(height))
    return fields, height, width, step, size + row_pad, order == ">", data


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("layout", [
    [("x", "f4"), ("y", "f4"), ("z", "f4"), ("rgb", "f4")],
    [("x", "f4"), ("y", "f4"), ("z", "f4"), ("rgba", "u4")],
    [("rgb", "u4"), ("intensity", "f4"), ("z", "f4"), ("x", "f4"), ("ring", "u2"), ("y", "f4")],
    [("x", "f8"), ("y", "f8"), ("z", "f8"), ("r", "u1"), ("g", "u1"), ("b", "u1")],
])  # fmt: skip
@pytest.mark.parametrize(("height", "point_pad", "row_pad"), [(1, 0, 0), (1, 5, 0), (6, 0, 0), (6, 3, 13)])
def test_every_layout_gives_the_same_cloud(order, layout, height, point_pad, row_pad):
    points, colors = cloud(0, 24)
    scan = decode(*build(points, colors, layout, height, point_pad, row_pad, order))
    np.testing.assert_array_equal(scan.points, points)
    assert scan.colors is not None
    np.testing.assert_array_equal(scan.colors, colors)
    assert scan.grid == ((6, 4) if height == 6 else None)
    assert (scan.viewpoint is not None) == (height == 6)
    assert scan.points.flags.owndata or scan.points.base.flags.owndata


def test_colors_and_normals_are_optional():
    points, colors = cloud(1, 10)
    plain = [("x", "f4"), ("y", "f4"), ("z", "f4")]
    scan = decode(*build(points, colors, plain))
    assert scan.colors is None and scan.normals is None
    with_normals = plain + [("normal_x", "f4"), ("normal_y", "f4"), ("normal_z", "f4")]
    scan = decode(*build(points, colors, with_normals))
    np.testing.assert_array_equal(scan.normals, np.full((10, 3), 7, np.float32))


def test_last_row_without_its_padding_is_accepted():
    points, colors = cloud(2, 24)
    *head, data = build(points, colors, [("x", "f4"), ("y", "f4"), ("z", "f4")], height=6, row_pad=8)
    np.testing.assert_array_equal(decode(*head, data[:-8]).points, points)


def test_empty_cloud_is_an_empty_scan():
    assert decode([], 0, 0, 0, 0, False, b"").points.shape == (0, 3)
    assert decode(XYZ, 1, 0, 12, 0, False, b"").points.shape == (0, 3)


@pytest.mark.parametrize(("change", "words"), [
    ({"point_step": 0}, "point_step is 0"),
    ({"row_step": 100}, "row_step is 100, but 10 points of 12 bytes need 120"),
    ({"width": 11, "row_step": 132}, "data holds 120 bytes"),
    ({"width": 9, "row_step": 108}, "data holds 120 bytes"),
    ({"data": b"\0" * 119}, "data holds 119 bytes"),
    ({"fields": XYZ[:2]}, r"no field 'z' \(fields: x, y\)"),
    ({"fields": ()}, r"no field 'x' \(fields: none\)"),
    ({"fields": (*XYZ[:2], ("z", 10, 7, 1))}, "field 'z' at offset 10 ends beyond point_step 12"),
    ({"fields": (*XYZ[:2], ("z", 8, 99, 1))}, "unknown datatype 99"),
    ({"fields": (*XYZ[:2], ("z", 8, 7, 3))}, "field 'z' holds 3 values"),
    ({"fields": (*XYZ, ("rgb", 0, 4, 1))}, "field 'rgb' has datatype 4"),
])  # fmt: skip
def test_a_broken_cloud_is_refused_by_name(change, words):
    lawful = {"fields": XYZ, "height": 1, "width": 10, "point_step": 12, "row_step": 120, "is_bigendian": False}
    lawful |= {"data": bytes(120), "name": "/cam"}
    assert len(decode(**lawful).points) == 10
    with pytest.raises(PartDistillError, match=f"/cam: .*{words}"):
        decode(**lawful | change)


def test_a_count_of_zero_is_read_as_one():
    fields = [(name, offset, code, 0) for name, offset, code, _ in XYZ]
    assert len(decode(fields, 1, 10, 12, 120, False, bytes(120)).points) == 10


def test_colors_survive_packing():
    colors = cloud(3, 50)[1]
    packed = pack_colors(colors)
    assert packed[0] >> 24 == 255
    np.testing.assert_array_equal(unpack_colors(packed), colors)


@pytest.mark.parametrize("with_colors", [True, False])
def test_encode_then_decode(with_colors):
    points, colors = cloud(4, 12)
    packed = encode(points, pack_colors(colors) if with_colors else None)
    scan = decode(packed.fields, 3, 4, packed.point_step, 4 * packed.point_step, False, packed.data)
    np.testing.assert_array_equal(scan.points, points)
    if with_colors:
        np.testing.assert_array_equal(scan.colors, colors)
    else:
        assert scan.colors is None


def test_labeled_cloud_keeps_every_column():
    points, colors = cloud(5, 12)
    labels = np.arange(-1, 11, dtype=np.int16)
    confidence = np.linspace(0, 1, 12, dtype=np.float32)
    packed = encode_labeled(points, pack_colors(colors), labels, confidence)
    layout = CloudLayout(packed.fields, 1, 12, packed.point_step, 12 * packed.point_step)
    floats = [("x", 0, 7, 1), ("y", 4, 7, 1), ("z", 8, 7, 1), ("rgb", 12, 7, 1)]
    assert list(packed.fields) == [*floats, ("label", 16, 4, 1), ("confidence", 20, 7, 1)]
    assert (packed.point_step, packed.data.typecode) == (24, "B")
    np.testing.assert_array_equal(layout.points(packed.data), points)
    np.testing.assert_array_equal(unpack_colors(layout.packed_colors(packed.data)), colors)
    label_codes = layout.column(packed.data, "label").reshape(-1)
    assert label_codes[0] == UNLABELED_CODE == 65535
    np.testing.assert_array_equal(label_codes[1:], labels[1:])
    np.testing.assert_array_equal(layout.column(packed.data, "confidence").reshape(-1), confidence)


def test_numbers_of_objects_stand_beside_the_labels():
    points, colors = cloud(5, 3)
    labels, confidence = np.array([-1, 0, 7], np.int16), np.zeros(3, np.float32)
    given = (CloudLayout((*XYZ, ("object", 12, 6, 1)), 1, 3, 16, 48), np.full((3, 4), 5, "<u4").tobytes())
    kept = kept_fields(*given, own=("object",))
    objects = np.array([0, 1, 65_535], np.uint16)
    packed = encode_labeled(points, pack_colors(colors), labels, confidence, kept, objects)
    assert packed.fields == (*LABELED_FIELDS, OBJECT_FIELD, ("input_object", 24, 6, 1))
    layout = CloudLayout(packed.fields, 1, 3, packed.point_step, 3 * packed.point_step)
    for name, values in (("label", labels.view(np.uint16)), ("object", objects), ("input_object", [5, 5, 5])):
        np.testing.assert_array_equal(layout.column(packed.data, name)[0], values)


def test_no_point_costs_a_step_of_python():
    count, step = 300_000, 32
    data = np.zeros((count, step), np.uint8)
    layout = CloudLayout((*XYZ, ("rgb", 16, 7, 1)), 480, 625, step, 625 * step)
    labels, confidence = np.zeros(count, np.int16), np.zeros(count, np.float32)

    def there_and_back():
        layout.check(data.nbytes)
        encode_labeled(layout.points(data), layout.packed_colors(data), labels, confidence)

    assert python_steps(there_and_back) < 3000


def test_a_column_of_no_points_is_empty():
    layout = CloudLayout((("x", 0, 7, 1), ("label", 16, 4, 1)), 1, 0, 24, 0)
    layout.check(0)
    assert layout.column(b"", "label").shape == (1, 0)


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


def padded_cloud(big_endian):
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
    layout, data, values = padded_cloud(big_endian)
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
