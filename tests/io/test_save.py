# SPDX-License-Identifier: Apache-2.0
"""What is saved comes back; what cannot be saved leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_labeled, save_scan
from partdistill_ros.pointcloud.scan import Mesh, Scan


def organized() -> Scan:
    rng = np.random.default_rng(7)
    points = rng.normal(size=(12, 3)).astype(np.float32)
    points[5] = np.nan
    return Scan(
        points=points,
        colors=rng.integers(0, 256, (12, 3), dtype=np.uint8),
        normals=rng.normal(size=(12, 3)).astype(np.float32),
        point_labels=np.array([0, 1, -1] * 4, np.int16),
        parts=("Henkel ü", "cup"),
        category="mug",
        up=np.array([0, -1, 0], np.float32),
        viewpoint=np.array([0.5, 0, -1], np.float32),
        grid=(3, 4),
        name="cloud",
    )


def tetrahedron() -> Scan:
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    colors = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    mesh = Mesh(vertices, faces, np.array([0, 1, -1, 1], np.int16), colors)
    return Scan(points=vertices, parts=("top", "leg"), category="table", mesh=mesh, name="shape")


def assert_same(first: object, second: object) -> None:
    """Equal dataclasses, arrays by value and type."""
    assert type(first) is type(second)
    for key, value in vars(first).items():
        other = getattr(second, key)
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype, key
            np.testing.assert_array_equal(value, other, err_msg=key)
        elif isinstance(value, Mesh):
            assert_same(value, other)
        else:
            assert value == other, key


@pytest.mark.parametrize("suffix", [".npz", ".ply", ".pcd"])
def test_cloud_comes_back(tmp_path: Path, suffix: str) -> None:
    save_scan(tmp_path / f"cloud{suffix}", organized())
    assert_same(load_scan(tmp_path / f"cloud{suffix}"), organized())


@pytest.mark.parametrize("suffix", [".npz", ".ply"])
def test_mesh_comes_back(tmp_path: Path, suffix: str) -> None:
    save_scan(tmp_path / f"shape{suffix}", tetrahedron())
    assert_same(load_scan(tmp_path / f"shape{suffix}"), tetrahedron())


@pytest.mark.parametrize("suffix", [".npz", ".ply", ".pcd"])
def test_bare_points_come_back_bare(tmp_path: Path, suffix: str) -> None:
    scan = Scan(np.eye(3, dtype=np.float32), name="bare")
    save_scan(tmp_path / f"bare{suffix}", scan)
    assert_same(load_scan(tmp_path / f"bare{suffix}"), scan)


def test_parts_without_labels_stay(tmp_path: Path) -> None:
    scan = replace(organized(), point_labels=None)
    save_scan(tmp_path / "cloud.ply", scan)
    assert load_scan(tmp_path / "cloud.ply").parts == scan.parts


@pytest.mark.parametrize("suffix", [".npz", ".ply"])
def test_labeled_cloud_keeps_points_and_order(tmp_path: Path, suffix: str) -> None:
    scan = organized()
    labels = np.array([1, 0, -1] * 4, np.int16)
    confidence = np.linspace(0, 1, 12, dtype=np.float32)
    colors = np.arange(36, dtype=np.uint8).reshape(12, 3)
    path = tmp_path / f"labeled{suffix}"
    save_labeled(path, scan.points, labels, confidence, ["handle", "cup"], colors)
    back = load_scan(path)
    np.testing.assert_array_equal(back.points, scan.points)
    np.testing.assert_array_equal(back.point_labels, labels)  # type: ignore[arg-type]
    assert back.parts == ("handle", "cup")
    if suffix == ".npz":
        with np.load(path) as arrays:
            assert set(arrays.files) == {"points", "point_labels", "confidence", "parts"}
            np.testing.assert_array_equal(arrays["confidence"], confidence)
    else:
        np.testing.assert_array_equal(back.colors, colors)  # type: ignore[arg-type]
        assert b"property float confidence" in path.read_bytes()


def test_labeled_ply_is_read_by_others(tmp_path: Path) -> None:
    trimesh = pytest.importorskip("trimesh")
    points = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    save_labeled(
        tmp_path / "a.ply", points, np.zeros(9, np.int16), np.ones(9, np.float32), ["cup"], np.zeros((9, 3), np.uint8)
    )
    cloud = trimesh.load(tmp_path / "a.ply")
    np.testing.assert_array_equal(cloud.vertices.astype(np.float32), points)
    raw = cloud.metadata["_ply_raw"]["vertex"]["data"]
    assert raw["label"].tolist() == [0] * 9 and raw["confidence"].tolist() == [1] * 9


@pytest.mark.parametrize(
    ("labels", "confidence", "parts", "message"),
    [
        (np.zeros(3, np.int16), np.zeros(4, np.float32), ["cup"], "do not go together"),
        (np.zeros(4, np.int16), np.zeros((4, 1), np.float32), ["cup"], "do not go together"),
        (np.ones(4, np.int16), np.zeros(4, np.float32), ["cup"], "below 1"),
        (np.full(4, -2, np.int16), np.zeros(4, np.float32), ["cup"], "must be -1"),
    ],
)
def test_arrays_that_do_not_fit_leave_nothing(
    tmp_path: Path, labels: np.ndarray, confidence: np.ndarray, parts: list[str], message: str
) -> None:
    with pytest.raises(PartDistillError, match=f"a.npz is not written.*{message}"):
        save_labeled(
            tmp_path / "a.npz", np.zeros((4, 3), np.float32), labels, confidence, parts, np.zeros((4, 3), np.uint8)
        )
    assert not list(tmp_path.iterdir())


def test_unknown_suffix_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(PartDistillError, match=r"'\.obj' is none of \.npz, \.ply, \.pcd"):
        save_scan(tmp_path / "a.obj", tetrahedron())
    with pytest.raises(PartDistillError, match=r"'\.pcd' is none of \.npz, \.ply"):
        save_labeled(tmp_path / "a.pcd", np.zeros((0, 3)), np.zeros(0, np.int16), np.zeros(0), [], np.zeros((0, 3)))
    assert not list(tmp_path.iterdir())
