# SPDX-License-Identifier: Apache-2.0
"""PLY files of all encodings, clouds and meshes; damage and absurd headers end in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.pointcloud.scan import Scan

ENCODINGS = ("ascii", "binary_little_endian", "binary_big_endian")
HEADER = """ply
format {encoding} 1.0
comment made by hand
element vertex 5
property uchar red
property double x
property float y
property float z
property uchar green
property uchar blue
property int label
element face {faces}
property uchar material
property list uchar int vertex_indices
property short label
element edge 1
property int vertex1
property int vertex2
end_header
"""
VERTICES = [
    (1, 0.0, 0.0, 0.0, 2, 3, 7),
    (4, 1.0, 0.0, 0.5, 5, 6, -1),
    (0, 1.0, 1.0, 0.0, 0, 0, 9),
    (0, 0.0, 1.0, 0.0, 0, 0, 7),
    (0, 0.25, 0.5, 1.0, 0, 0, 7),
]
TRIANGLES = [(0, (0, 1, 2), 3), (0, (0, 2, 3), 4)]
MIXED = [(0, (0, 1, 2, 3), 3), (0, (0, 1, 4), 4), (0, (1, 2, 4), 5)]


def label_ids(scan: Scan) -> np.ndarray:
    """The ids that the file held as `label`; -1 unlabeled."""
    return np.array([*map(int, scan.parts), -1])[scan.point_labels]


def write(path: Path, encoding: str, faces: list[tuple[int, tuple[int, ...], int]]) -> None:
    order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[encoding]
    content = HEADER.format(encoding=encoding, faces=len(faces)).encode()
    if not order:
        lines = [" ".join(map(str, vertex)) for vertex in VERTICES]
        lines += [
            f"{material} {len(corners)} {' '.join(map(str, corners))} {label}" for material, corners, label in faces
        ]
        path.write_bytes(content + "\n".join([*lines, "0 1", ""]).encode())
        return
    kinds = [("u1",), ("f8",), ("f4",), ("f4",), ("u1",), ("u1",), ("i4",)]
    row = np.dtype([(f"f{i}", kind[0] if kind[0] == "u1" else order + kind[0]) for i, kind in enumerate(kinds)])
    content += np.array(VERTICES, row).tobytes()
    for material, corners, label in faces:
        content += bytes([material, len(corners)])
        content += np.array(corners, order + "i4").tobytes() + np.array(label, order + "i2").tobytes()
    path.write_bytes(content + np.array([0, 1], order + "i4").tobytes())


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_mesh(tmp_path: Path, encoding: str) -> None:
    write(tmp_path / "shape.ply", encoding, TRIANGLES)
    scan = load_scan(tmp_path / "shape.ply")
    np.testing.assert_array_equal(scan.points, np.array([vertex[1:4] for vertex in VERTICES], np.float32))
    assert scan.colors is not None and scan.colors[:2].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert label_ids(scan).tolist() == [7, -1, 9, 7, 7]
    assert scan.mesh is not None and scan.mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert scan.mesh.face_colors is not None and scan.mesh.face_colors[0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_polygons_of_different_sizes(tmp_path: Path, encoding: str) -> None:
    write(tmp_path / "shape.ply", encoding, MIXED)
    mesh = load_scan(tmp_path / "shape.ply").mesh
    assert mesh is not None and mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [0, 1, 4], [1, 2, 4]]


def test_face_labels_where_points_have_none(tmp_path: Path) -> None:
    path = tmp_path / "shape.ply"
    write(path, "ascii", MIXED)
    path.write_bytes(path.read_bytes().replace(b"property int label", b"property int quality"))
    scan = load_scan(path)
    assert scan.point_labels is None and scan.mesh is not None and scan.mesh.face_labels is not None
    assert [scan.parts[label] for label in scan.mesh.face_labels] == ["3", "3", "4", "5"]


def test_cloud_without_faces(tmp_path: Path) -> None:
    text = "ply\nformat ascii 1.0\nelement vertex 2\n"
    text += "".join(f"property float {name}\n" for name in ("x", "y", "z", "nx", "ny", "nz")) + "end_header\n"
    (tmp_path / "cloud.ply").write_text(text + "0 0 0 0 0 1\nnan 1 1 0 1 0\n")
    scan = load_scan(tmp_path / "cloud.ply")
    assert scan.mesh is None and scan.finite().tolist() == [True, False]
    assert scan.normals is not None and scan.normals.tolist() == [[0, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("faces", [TRIANGLES, MIXED])
def test_truncated_anywhere(tmp_path: Path, encoding: str, faces: list[tuple[int, tuple[int, ...], int]]) -> None:
    path = tmp_path / "shape.ply"
    write(path, encoding, faces)
    content = path.read_bytes()
    # the last bytes of an ascii file are a blank and digits of an edge: nothing that is missed
    for length in range(0, len(content) - (4 if encoding == "ascii" else 0), 7):
        path.write_bytes(content[:length])
        with pytest.raises(PartDistillError, match="shape.ply (ends too early|cannot be read).*again"):
            load_scan(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("element", ["vertex", "face"])
@pytest.mark.parametrize("count", [10**12, 50_000_000, -1])
def test_absurd_counts_take_no_memory(tmp_path: Path, encoding: str, element: str, count: int) -> None:
    path = tmp_path / "shape.ply"
    write(path, encoding, MIXED)
    old = {"vertex": b"element vertex 5", "face": b"element face 3"}[element]
    path.write_bytes(path.read_bytes().replace(old, f"element {element} {count}".encode()))
    with pytest.raises(PartDistillError, match="shape.ply (claims|ends too early)"):
        load_scan(path)


REPLACED: dict[str, tuple[str, str, str]] = {
    "no ply": ("ply\n", "plx\n", "lacks the 'ply'"),
    "no end": ("end_header", "end_of_header", "'end_header' line"),
    "no format": ("format ascii 1.0\n", "", "lacks the format"),
    "unknown format": ("format ascii", "format zipped", "'format zipped 1.0'"),
    "unknown type": ("property double x", "property quad x", "'property quad x'"),
    "unknown line": ("comment made", "remark made", "'remark made by hand'"),
    "text count": ("element vertex 5", "element vertex five", "'element vertex five'"),
    "property first": ("comment made by hand", "property float w", "'property float w'"),
    "no z": ("property float z", "property float w", "lack x, y or z"),
    "no vertices": ("element vertex", "element corner", "element 'vertex'"),
    "far corner": ("0 4 0 1 2 3 3", "0 4 0 1 2 5 3", "outside 0..4"),
    "negative corner": ("0 4 0 1 2 3 3", "0 4 0 1 2 -3 3", "outside 0..4"),
    "endless list": ("0 4 0 1 2 3 3", "0 1e300 0 1 2 3 3", "ends too early"),
    "negative list": ("0 4 0 1 2 3 3", "0 -4 0 1 2 3 3", "ends too early"),
    "no number": ("0 4 0 1", "0 4 zero 1", "not a number"),
    "label without part": ("comment made by hand", 'comment partdistill {"parts": ["a"]}', "label holds -1..9"),
    "damaged comment": ("comment made by hand", "comment partdistill {", "comment"),
    "property twice": ("property float y", "property float x", "element 'vertex' has the property 'x' twice"),
    "text parts": ("comment made by hand", 'comment partdistill {"parts": "aa"}', "must be a list"),
}


@pytest.mark.parametrize("case", REPLACED)
def test_wrong_content_is_named(tmp_path: Path, case: str) -> None:
    old, new, message = REPLACED[case]
    path = tmp_path / "shape.ply"
    write(path, "ascii", MIXED)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(PartDistillError, match=message) as caught:
        load_scan(path)
    assert "shape.ply" in str(caught.value)


COMMENTS = {
    "deep": "[" * 60_000, "deep parts": '{"parts": ' + "[" * 60_000, "number for parts": '{"parts": 3}',
    "infinite grid": '{"grid": [1e999, 5]}', "number for grid": '{"grid": 5}', "negative grid": '{"grid": [-1, -5]}',
    "fraction for grid": '{"grid": [2.5, 2]}', "infinite viewpoint": '{"viewpoint": [1e999, 0, 0]}',
    "number for viewpoint": '{"viewpoint": 4}', "words for viewpoint": '{"viewpoint": ["a", 1, 2]}',
    "infinite up": '{"up": [1e999, 0, 0]}', "huge viewpoint": '{"viewpoint": [1e300, 0, 0]}',
}  # fmt: skip


@pytest.mark.parametrize("case", COMMENTS)
def test_damaged_comments_are_a_sentence(tmp_path: Path, case: str) -> None:
    path = tmp_path / "shape.ply"
    write(path, "ascii", MIXED)
    path.write_text(path.read_text().replace("comment made by hand", f"comment partdistill {COMMENTS[case]}", 1))
    with pytest.raises(PartDistillError, match="shape.ply cannot be read"):
        load_scan(path)


@pytest.mark.parametrize(("old", "new", "row"), [
    ("list uchar int", "list float int", "<f4,<i4,<i4,<i4"),
    ("list uchar int", "list double int", "<f8,<i4,<i4,<i4"),
    ("list uchar int", "list uchar float", "u1,<f4,<f4,<f4"),
])  # fmt: skip
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_in_lists_are_a_sentence(
    tmp_path: Path, old: str, new: str, row: str, value: float
) -> None:
    header = "ply\nformat binary_little_endian 1.0\nelement vertex 3\n"
    header += "".join(f"property float {axis}\n" for axis in "xyz")
    header += f"element face 1\nproperty {old} vertex_indices\nend_header\n".replace(old, new)
    face = np.zeros(1, row)
    face["f0"] = value if row[1] == "f" else 3
    if row[1] != "f":
        face["f2"] = value
    (tmp_path / "shape.ply").write_bytes(header.encode() + np.eye(3, dtype="<f4").tobytes() + face.tobytes())
    with pytest.raises(PartDistillError, match="shape.ply cannot be read"):
        load_scan(tmp_path / "shape.ply")


def test_empty_and_all_nan(tmp_path: Path) -> None:
    text = (
        "ply\nformat ascii 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    )
    path = tmp_path / "cloud.ply"
    path.write_text(text.format(0))
    with pytest.raises(PartDistillError, match="cloud.ply holds no points"):
        load_scan(path)
    path.write_text(text.format(2) + "nan nan nan\n0 nan 0\n")
    with pytest.raises(PartDistillError, match="cloud.ply holds no finite point"):
        load_scan(path)
