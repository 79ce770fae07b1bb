# SPDX-License-Identifier: Apache-2.0
"""OBJ, STL and GLB through trimesh; what it trips over ends in a sentence."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.load import load_scan
from partdistill_ros.pointcloud.scan import Scan

SUFFIXES = (".obj", ".stl", ".glb")


def write(path: Path, shape: Scan, *, colored: bool = False) -> Path:
    assert shape.mesh is not None
    colors = np.array([[255, 0, 0, 255], [0, 255, 0, 255], [0, 0, 255, 255], [9, 9, 9, 255]]) if colored else None
    trimesh.Trimesh(shape.points, shape.mesh.faces, vertex_colors=colors, process=False).export(path)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_vertices_and_faces(tmp_path: Path, shape: Scan, suffix: str) -> None:
    scan = load_scan(write(tmp_path / f"shape{suffix}", shape))
    assert scan.mesh is not None and shape.mesh is not None
    assert scan.points.shape == (4, 3) and scan.points.dtype == np.float32
    np.testing.assert_allclose(scan.mesh.triangles(), shape.mesh.triangles(), atol=1e-6)
    assert (scan.up, scan.grid, scan.point_labels, scan.colors) == (None, None, None, None)


@pytest.mark.parametrize("suffix", [".obj", ".glb"])
def test_vertex_colors(tmp_path: Path, shape: Scan, suffix: str) -> None:
    scan = load_scan(write(tmp_path / f"shape{suffix}", shape, colored=True))
    assert scan.colors is not None and scan.mesh is not None and scan.mesh.face_colors is not None
    assert scan.colors.tolist() == [[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]]
    assert scan.mesh.face_colors.shape == (4, 3)


def test_objects_of_a_scene_keep_their_places(tmp_path: Path) -> None:
    scene = trimesh.Scene([trimesh.creation.box((1, 1, 1))])
    scene.add_geometry(trimesh.creation.box((1, 1, 1)), transform=trimesh.transformations.translation_matrix((5, 0, 0)))
    scene.export(tmp_path / "scene.glb")
    scan = load_scan(tmp_path / "scene.glb")
    assert scan.mesh is not None and len(scan.mesh.faces) == 24
    assert (scan.points[:, 0].min(), scan.points[:, 0].max()) == (-0.5, 5.5)


def test_points_of_an_obj_without_faces(tmp_path: Path) -> None:
    (tmp_path / "cloud.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\n")
    scan = load_scan(tmp_path / "cloud.obj")
    assert scan.mesh is None and scan.points.shape == (3, 3)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_the_first_vertex_of_an_obj_counts_whatever_editor_wrote_it(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "a.obj").write_bytes(mark + b"v 0 0 1\nv 1 0 0\nv 0 1 0\nv 0 0 0\nf 1 2 3\nf 1 2 4\n")
    scan = load_scan(tmp_path / "a.obj")
    np.testing.assert_array_equal(scan.points, [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(scan.mesh.faces, [[0, 1, 2], [0, 1, 3]])


def test_obj_whose_material_is_missing(tmp_path: Path) -> None:
    text = "mtllib gone.mtl\nusemtl wood\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    (tmp_path / "shape.obj").write_text(text)
    scan = load_scan(tmp_path / "shape.obj")
    assert scan.mesh is not None and scan.points.shape == (3, 3)


@pytest.mark.parametrize("suffix", [".stl", ".glb"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_truncated(tmp_path: Path, shape: Scan, suffix: str, share: float) -> None:
    path = write(tmp_path / f"shape{suffix}", shape)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PartDistillError, match=rf"shape\{suffix} .*again"):
        load_scan(path)


def test_obj_cut_within_a_vertex(tmp_path: Path, shape: Scan) -> None:
    # an OBJ file does not say how long it is: cut between two lines it is a smaller, lawful one
    path = write(tmp_path / "shape.obj", shape)
    text = path.read_text()
    path.write_text(text[: text.rindex("\nv ") + 7])
    with pytest.raises(PartDistillError, match="shape.obj cannot be read"):
        load_scan(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_random_bytes_and_emptiness(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"shape{suffix}"
    for content in (b"", b"\n", np.random.default_rng(0).bytes(5000), bytes(5000)):
        path.write_bytes(content)
        with pytest.raises(PartDistillError, match=rf"shape\{suffix} .*again"):
            load_scan(path)


def test_obj_with_far_and_nan_corners(tmp_path: Path) -> None:
    path = tmp_path / "shape.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n")
    with pytest.raises(PartDistillError, match="shape.obj"):
        load_scan(path)
    path.write_text("v nan nan nan\nv nan 0 0\nv 0 nan 0\nf 1 2 3\n")
    with pytest.raises(PartDistillError, match="shape.obj holds no finite point"):
        load_scan(path)


def test_stl_that_claims_a_billion_faces(tmp_path: Path) -> None:
    (tmp_path / "shape.stl").write_bytes(bytes(80) + struct.pack("<I", 10**9) + bytes(500))
    with pytest.raises(PartDistillError, match="shape.stl"):
        load_scan(tmp_path / "shape.stl")


def glb(path: Path, text: str) -> Path:
    text += " " * (-len(text) % 4)
    chunk = struct.pack("<I4s", len(text), b"JSON") + text.encode()
    path.write_bytes(struct.pack("<4sII", b"glTF", 2, 12 + len(chunk)) + chunk)
    return path


@pytest.mark.parametrize("text", [
    '{"accessors": [{"count": 1e999}]}',
    '{"accessors": [{"count": NaN}]}',
    '{"accessors": ' + "[" * 100_000,
    "[" * 100_000,
    '{"accessors": 5}',
])  # fmt: skip
def test_glb_with_a_description_that_nobody_can_mean(tmp_path: Path, text: str) -> None:
    with pytest.raises(PartDistillError, match="shape.glb"):
        load_scan(glb(tmp_path / "shape.glb", text))


def test_glb_of_the_first_version(tmp_path: Path) -> None:
    path = glb(tmp_path / "old.glb", "{}")
    path.write_bytes(path.read_bytes().replace(struct.pack("<I", 2), struct.pack("<I", 1), 1))
    with pytest.raises(PartDistillError, match="old.glb cannot be read: it is glTF of version 1, not 2"):
        load_scan(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_obj_whose_materials_are_a_pipe_is_read_without_them(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shape.mtl")
    text = "mtllib shape.mtl\nusemtl red\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    (tmp_path / "shape.obj").write_text(text)
    command = (
        f"from partdistill_ros.io.load import load_scan; print(len(load_scan({str(tmp_path / 'shape.obj')!r}).points))"
    )
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, timeout=60)
    assert done.stdout == "3\n", done.stderr


def test_obj_reads_materials_of_its_own_folder_only(tmp_path: Path) -> None:
    def materials(folder: Path) -> None:
        (folder / "red.mtl").write_text("newmtl red\nmap_Kd red.png\n")
        Image.new("RGB", (4, 4), (255, 0, 0)).save(folder / "red.png")

    folder = tmp_path / "inner"
    folder.mkdir()
    text = "mtllib ../red.mtl\nusemtl red\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    (folder / "shape.obj").write_text(text)
    materials(tmp_path)
    assert load_scan(folder / "shape.obj").colors is None
    materials(folder)
    colors = load_scan(folder / "shape.obj").colors
    assert colors is not None and colors.tolist() == [[255, 0, 0]] * 3


def test_obj_of_many_materials_has_the_vertices_of_the_file_once(tmp_path: Path) -> None:
    (tmp_path / "shape.mtl").write_text("newmtl red\nKd 1 0 0\nnewmtl blue\nKd 0 0 1\n")
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9]], np.float32)
    lines = "".join(f"v {x} {y} {z}\n" for x, y, z in corners)
    faces = "vn 0 0 1\nusemtl red\nf 2//1 3//1 4//1\nusemtl blue\nf 1//1 2//1 3//1\nusemtl gone\nf 1//1 3//1 5//1\n"
    (tmp_path / "shape.obj").write_text(f"mtllib shape.mtl\n{lines}{faces}")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        scan = load_scan(tmp_path / "shape.obj")
    assert scan.mesh is not None and scan.colors is not None and scan.mesh.face_colors is not None
    np.testing.assert_array_equal(scan.points, corners)
    colors = dict(zip(map(tuple, scan.mesh.faces.tolist()), scan.mesh.face_colors.tolist(), strict=True))
    assert colors == {(1, 2, 3): [255, 0, 0], (0, 1, 2): [0, 0, 255], (0, 2, 4): [102, 102, 102]}
    assert scan.colors[3].tolist() == [255, 0, 0]


def test_obj_whose_texture_only_some_vertices_need(tmp_path: Path) -> None:
    picture = Image.new("RGB", (8, 4), (255, 0, 0))
    picture.paste((0, 255, 0), (4, 0, 8, 4))
    picture.save(tmp_path / "halves.png")
    (tmp_path / "shape.mtl").write_text("newmtl plain\nKd 0 0 1\nnewmtl halves\nmap_Kd halves.png\n")
    text = "mtllib shape.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 5 0 0\nv 6 0 0\nv 5 1 0\nvt 0.1 0.5\nvt 0.9 0.5\n"
    (tmp_path / "shape.obj").write_text(f"{text}usemtl plain\nf 1 2 3\nusemtl halves\nf 4/1 5/1 6/1\nf 4/2 6/2 5/2\n")
    scan = load_scan(tmp_path / "shape.obj")
    assert scan.mesh is not None and scan.mesh.face_colors is not None and len(scan.points) == 6
    colors = dict(zip(map(tuple, scan.mesh.faces.tolist()), scan.mesh.face_colors.tolist(), strict=True))
    assert colors == {(0, 1, 2): [0, 0, 255], (3, 4, 5): [255, 0, 0], (3, 5, 4): [0, 255, 0]}


@pytest.mark.parametrize("count", [10**12, "many", None, -5])
def test_glb_that_claims_elements_it_has_no_bytes_for(tmp_path: Path, count: object) -> None:
    # without a bufferView the elements are zeros by definition: any number of them costs the file nothing
    accessor = {"componentType": 5126, "type": "VEC3", "count": count}
    mesh = {"primitives": [{"attributes": {"POSITION": 0}}]}
    text = json.dumps({"asset": {"version": "2.0"}, "accessors": [accessor], "meshes": [mesh]})
    glb(tmp_path / "shape.glb", text)
    with pytest.raises(PartDistillError, match="shape.glb"):
        load_scan(tmp_path / "shape.glb")
