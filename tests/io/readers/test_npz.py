# SPDX-License-Identifier: Apache-2.0
"""The labeled shape file: what it may hold, and a sentence for what it may not."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.readers import common

POINTS = np.arange(12, dtype=np.float32).reshape(4, 3)
FACES = np.array([[0, 1, 2], [0, 2, 3]])


def write(folder: Path, **arrays: Any) -> Path:
    path = folder / "shape.npz"
    np.savez(path, **arrays)
    return path


def test_mesh_with_labels(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        vertices=POINTS.astype(np.float64),
        faces=FACES,
        face_labels=np.array([1, -1]),
        parts=np.array(["top", "leg"]),
        category=np.array("table"),
        up=np.array([0, 2.0, 0]),
    )
    scan = load_scan(path)
    assert scan.mesh is not None and scan.mesh.face_labels is not None
    assert scan.points is scan.mesh.vertices and scan.points.dtype == np.float32
    assert scan.mesh.faces.dtype == np.int32 and scan.mesh.face_labels.tolist() == [1, -1]
    assert (scan.parts, scan.category, scan.name) == (("top", "leg"), "table", "shape")
    assert scan.up is not None and scan.up.tolist() == [0, 1, 0]


def test_cloud_with_everything(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        points=POINTS,
        normals=POINTS,
        colors=np.full((4, 3), 7, np.uint8),
        point_labels=np.array([0, 0, -1, 0]),
        confidence=np.ones(4),
        parts=np.array(["cup"]),
        up=np.full(3, np.nan),
        viewpoint=np.array([1.0, 2, 3]),
        grid=np.array([2, 2]),
    )
    scan = load_scan(path)
    assert scan.point_labels is not None and scan.point_labels.tolist() == [0, 0, -1, 0]
    assert scan.colors is not None and scan.colors[0].tolist() == [7, 7, 7]
    assert scan.up is None and scan.grid == (2, 2) and scan.category is None
    assert scan.viewpoint is not None and scan.viewpoint.tolist() == [1, 2, 3]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no points": ({"xyz": POINTS}, "needs the keys 'points'.*it holds xyz"),
    "vertices without faces": ({"vertices": POINTS}, "needs the keys"),
    "flat points": ({"points": POINTS.reshape(-1)}, r"'points' must be numbers \[N, 3\]"),
    "two columns": ({"points": POINTS[:, :2]}, r"'points' must be numbers \[N, 3\]"),
    "text": ({"points": np.array([["a", "b", "c"]])}, "'points' must be numbers"),
    "complex": ({"points": POINTS + 1j}, "'points' must be numbers"),
    "pickled": ({"points": np.array([[None] * 3])}, "not a whole .npz file"),
    "quads": ({"vertices": POINTS, "faces": np.zeros((1, 4), int)}, r"'faces' must be whole numbers \[F, 3\]"),
    "float faces": ({"vertices": POINTS, "faces": FACES + 0.5}, "'faces' must be whole numbers"),
    "far face": ({"vertices": POINTS, "faces": FACES + 2}, "outside 0..3"),
    "negative face": ({"vertices": POINTS, "faces": FACES - 1}, "outside 0..3"),
    "wrapping face": ({"vertices": POINTS, "faces": FACES + 2**32}, "outside 0..3"),
    "few labels": ({"points": POINTS, "point_labels": np.zeros(3, int), "parts": ["a"]}, "point_labels must be 4"),
    "float labels": ({"points": POINTS, "point_labels": np.zeros(4), "parts": ["a"]}, "whole numbers, not float"),
    "label without part": ({"points": POINTS, "point_labels": np.ones(4, int), "parts": ["a"]}, "holds 1..1.*1 parts"),
    "label -2": ({"points": POINTS, "point_labels": np.full(4, -2), "parts": ["a"]}, "holds -2"),
    "labels without parts": ({"points": POINTS, "point_labels": np.zeros(4, int)}, "0 parts"),
    "double part": ({"points": POINTS, "parts": ["a", "a"]}, "must be different"),
    "few normals": ({"points": POINTS, "normals": POINTS[:2]}, "'normals' has 2 rows for 4 points"),
    "few colors": ({"points": POINTS, "colors": np.zeros((3, 3), np.uint8)}, r"'colors' must be colors \[4, 3\]"),
    "no up": ({"points": POINTS, "up": np.zeros(3)}, "'up' in .* must be three numbers"),
    "text up": ({"points": POINTS, "up": np.array("z")}, "'up' in .* must be three numbers"),
    "viewpoint": ({"points": POINTS, "viewpoint": np.zeros(4)}, "'viewpoint' must be three"),
    "viewpoint inf": ({"points": POINTS, "viewpoint": np.array([0, np.inf, 0])}, "'viewpoint' must be three finite"),
    "grid": ({"points": POINTS, "grid": np.array([3, 2])}, "'grid' must be height and width"),
    "negative grid": ({"points": POINTS, "grid": np.array([-2, -2])}, "'grid' must be height and width"),
    "empty": ({"points": POINTS[:0]}, "holds no points"),
    "all NaN": ({"points": POINTS * np.nan}, "no finite point"),
    "infinite in f4": ({"points": np.full((4, 3), 1e300)}, "no finite point"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_content_is_named(tmp_path: Path, case: str) -> None:
    arrays, message = WRONG[case]
    with pytest.raises(PartDistillError, match=message) as caught:
        load_scan(write(tmp_path, **arrays))
    assert "shape.npz" in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_truncated(tmp_path: Path, share: float) -> None:
    path = write(tmp_path, points=np.ones((1000, 3)))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PartDistillError, match=r"shape.npz cannot be read.*export it again"):
        load_scan(path)


def test_damaged_inside(tmp_path: Path) -> None:
    path = tmp_path / "shape.npz"
    np.savez_compressed(path, points=np.random.default_rng(0).normal(size=(1000, 3)))
    content = bytearray(path.read_bytes())
    content[500:600] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(PartDistillError, match="shape.npz cannot be read"):
        load_scan(path)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_compression_is_a_sentence(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "shape.npz"
    np.savez_compressed(path, points=np.zeros((5000, 3)))
    content = bytearray(path.read_bytes())
    content[60 + seed : 64 + seed] = np.random.default_rng(seed).bytes(4)  # zlib.error, most of the time
    path.write_bytes(content)
    with pytest.raises(PartDistillError, match="shape.npz cannot be read"):
        load_scan(path)


def test_an_encrypted_archive_is_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path, points=POINTS)
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(PartDistillError, match="shape.npz cannot be read.*encrypted"):
        load_scan(path)


def test_an_array_under_two_names_does_not_pass_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "MAX_POINTS", 1000)
    path = write(tmp_path, points=POINTS)
    small = zipfile.ZipFile(path).read("points.npy")
    large = io.BytesIO()
    np.lib.format.write_array(large, np.ones((5000, 3)))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("points", large.getvalue())
        archive.writestr("points.npy", small)
    with pytest.raises(PartDistillError, match="it holds an array twice"):
        load_scan(path)


def test_names_of_any_size_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "shape.npz"
    np.savez_compressed(path, points=POINTS, parts=np.array(["x" * 5_000_000]))
    with pytest.raises(PartDistillError, match="'parts' takes 20,000,128 bytes, 16,777,216 at most"):
        load_scan(path)


def test_numbers_too_large_for_32_bits_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    points = POINTS.astype(np.float64)
    points[1] = 1e308
    with caplog.at_level("WARNING"):
        scan = load_scan(write(tmp_path, points=points))
    assert scan.finite().tolist() == [True, False, True, True]
    assert "3 numbers in points are beyond 3.4e38 and taken for missing ones" in caplog.text


def test_header_that_claims_a_trillion_points(tmp_path: Path) -> None:
    header = io.BytesIO()
    shape = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)}
    np.lib.format.write_array_header_1_0(header, shape)
    path = tmp_path / "shape.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("points.npy", header.getvalue() + bytes(120))
    with pytest.raises(PartDistillError, match="shape.npz"):
        load_scan(path)


def test_archive_is_not_unpacked_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "MAX_POINTS", 1000)
    path = write(tmp_path, points=np.ones((1001, 3)))
    with pytest.raises(PartDistillError, match="'points' takes 24,152 bytes, 24,000 at most"):
        load_scan(path)
