# SPDX-License-Identifier: Apache-2.0
"""Views for an outside detector: the cameras and the scale are those of distillation."""

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")

from partdistill_ros.cli.render import as_distilled
from partdistill_ros.distillation.config import DistillConfig
from partdistill_ros.distillation.samples import upright_cloud
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Mesh, Scan, sample_surface
from partdistill_ros.rendering.cameras import views_for
from partdistill_ros.synthetic.drawing.primitives import rotation


def test_views_maps_and_manifest(partdistill, mesh_file, tmp_path):
    done = partdistill("render", mesh_file, "--out", tmp_path / "views", "--size", 64, "--json")
    assert done.code == 0 and done.json()["scans"][0]["of"] == "faces"
    manifest = json.loads((tmp_path / "views" / "manifest.json").read_text())
    assert len(manifest["images"]) == 10
    for image in manifest["images"]:
        assert Image.open(tmp_path / "views" / image["file_name"]).size == (64, 64)
    maps = np.load(tmp_path / "views" / "maps.npz")
    assert maps["index"].shape == (10, 64, 64) and maps["index"].max() < len(load_scan(mesh_file).mesh.faces)


def test_several_shapes_get_folders_of_their_names(partdistill, mesh_file, cloud_file, tmp_path):
    done = partdistill("render", mesh_file, cloud_file, "--out", tmp_path / "views", "--size", 32)
    assert done.code == 0
    assert (tmp_path / "views" / "post_mesh" / "manifest.json").is_file()
    assert (tmp_path / "views" / "post" / "view_09.png").is_file()
    whole = json.loads((tmp_path / "views" / "manifest.json").read_text())
    assert len(whole["images"]) == 20 and "categories" not in whole
    assert partdistill("render", mesh_file, mesh_file, "--out", tmp_path / "again").code == 2


def test_a_collection_has_the_folders_that_distill_looks_for_and_damaged_scans_are_left_out(
    partdistill, mesh_file, cloud_file, tmp_path
):
    partdistill("collection", "add", cloud_file, mesh_file, "--to", tmp_path / "posts")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "cut.ply").write_bytes(b"ply\n")
    few = Scan(np.eye(3, dtype=np.float32), name="few")
    save_scan(tmp_path / "loose" / "few.npz", few)
    done = partdistill(
        "render", tmp_path / "posts", tmp_path / "loose", "--out", tmp_path / "views", "--size", 32, "--json"
    )
    assert [one["scan"] for one in done.json()["scans"]] == ["post", "post_mesh"]
    assert {path.name for path in (tmp_path / "views").iterdir()} == {"post", "post_mesh", "manifest.json"}
    assert len(done.json()["left_out"]) == 2 and "cut.ply" in done.err and "few: 3 finite points" in done.err
    alone = partdistill("render", tmp_path / "loose" / "few.npz", "--out", tmp_path / "alone")
    assert alone.code == 2 and "no scan could be rendered: few: 3 finite points" in alone.err


def test_recorded_scans_whose_names_have_dots(partdistill, post, tmp_path):
    for name in ("mug.v1", "mug.v2"):
        save_scan(tmp_path / f"{name}.npz", post)
    partdistill("collection", "add", tmp_path / "mug.v1.npz", tmp_path / "mug.v2.npz", "--to", tmp_path / "mugs")
    assert partdistill("render", tmp_path / "mugs", "--out", tmp_path / "views", "--size", 32).code == 0
    assert (tmp_path / "views" / "mug.v1").is_dir() and (tmp_path / "views" / "mug.v2").is_dir()


def test_part_names_are_the_categories(partdistill, mesh_file, tmp_path):
    partdistill("render", mesh_file, "--out", tmp_path, "--size", 32, "--parts", "Top, bottom")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["categories"] == [{"id": 1, "name": "top"}, {"id": 2, "name": "bottom"}]


@pytest.mark.parametrize("kind", ["mesh", "cloud", "one-sided"])
def test_the_cameras_are_those_of_distillation(post, kind):
    turn = rotation((1, 2, 3), 1.1)
    mesh = Mesh(
        (3 * post.mesh.vertices @ turn.T + [5, 1, 0]).astype(np.float32), post.mesh.faces, post.mesh.face_labels
    )
    scan = post.with_(points=mesh.vertices, mesh=mesh, up=(turn @ [0, 0, 1]).astype(np.float32))
    if kind != "mesh":
        scan = sample_surface(scan, 20_000)
    if kind == "one-sided":
        scan = scan.with_(viewpoint=np.array([0, 9, 0], np.float32))
    moved, views = as_distilled(scan)
    cloud = upright_cloud(scan, DistillConfig.cloud_points)
    taught = views_for(cloud)
    assert np.allclose(views.position, taught.position, atol=1e-5)
    assert np.allclose(views.rotation, taught.rotation, atol=1e-5)
    if kind == "mesh":
        again = sample_surface(moved, DistillConfig.cloud_points)
        assert np.allclose(again.points, cloud.points, atol=1e-4), "the mesh lies where its samples do"
    else:
        assert len(moved.points) == 20_000
        assert np.abs(moved.points).max() < 1.1


def test_a_scan_that_does_not_know_up_stays_as_it_is(post, monkeypatch):
    """`distill --teacher boxes:FILE` takes +z for its up (`distillation.posing`), whatever would be guessed."""
    monkeypatch.setattr("partdistill_ros.distillation.posing.likely_ups", lambda points: (np.eye(3), np.ones(3) / 3))
    scan = post.with_(up=None)
    moved, views = as_distilled(scan)
    cloud = upright_cloud(scan.with_(up=np.array([0, 0, 1], np.float32)), DistillConfig.cloud_points)
    taught = views_for(cloud)
    assert np.allclose(sample_surface(moved, DistillConfig.cloud_points).points, cloud.points, atol=1e-4)
    assert np.allclose(views.position, taught.position, atol=1e-5)
    assert np.allclose(views.rotation, taught.rotation, atol=1e-5)
    guessed = upright_cloud(scan, DistillConfig.cloud_points)
    assert not np.allclose(guessed.points, cloud.points, atol=0.1)


def test_wrong_input(partdistill, mesh_file, cloud_file, tmp_path):
    for arguments, words in (
        ((mesh_file, "--out", cloud_file), "is a file"),
        ((mesh_file, "--out", tmp_path / "v", "--size", "5"), "16 to 4096"),
        ((mesh_file, "--out", tmp_path / "v", "--renderer", "magic"), "invalid choice"),
        ((tmp_path / "gone.ply", "--out", tmp_path / "v"), "gone.ply"),
    ):
        done = partdistill("render", *arguments)
        assert done.code == 2 and words in done.err
