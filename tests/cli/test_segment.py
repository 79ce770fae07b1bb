# SPDX-License-Identifier: Apache-2.0
"""The labeled file keeps the input's points and order, whatever the input is."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import partdistill_ros
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import Scan, sample_surface

QUERY = "top, bottom"
ROOT = Path(partdistill_ros.__file__).parents[1]


def test_a_cloud_keeps_its_points_and_order(partdistill, toy_bundle, cloud_file, tmp_path):
    out = tmp_path / "labeled.npz"
    done = partdistill("segment", cloud_file, "--bundle", toy_bundle, "--query", QUERY, "--out", out, "--json")
    record = done.json()
    assert done.code == 0
    written, original = np.load(out), load_scan(cloud_file)
    assert np.array_equal(written["points"], original.points, equal_nan=True)
    assert written["parts"].tolist() == ["top", "bottom"]
    finite = original.finite()
    labels = written["point_labels"]
    assert (labels[~finite] == -1).all() and (written["confidence"][~finite] == 0).all()
    assert (labels == original.point_labels)[finite].mean() > 0.98
    assert record["points"] == 3000 and record["labeled"] == finite.sum()
    assert record["parts"] == {"top": int((labels == 0).sum()), "bottom": int((labels == 1).sum())}
    assert record["problem"] is None and set(record["milliseconds"]) >= {"network"}


def test_millimeters_are_read_as_such_and_suspected(partdistill, toy_bundle, post, tmp_path, caplog):
    cloud = sample_surface(post, 3000)
    for name, factor in (("m", 1.0), ("mm", 1000.0)):
        save_scan(tmp_path / f"{name}.npz", cloud.scaled(factor))
        ask = ("--bundle", toy_bundle, "--query", QUERY, "--out", tmp_path / f"{name}_labeled.npz", "--unit", name)
        assert partdistill("segment", tmp_path / f"{name}.npz", *ask).code == 0
    meters, millimeters = np.load(tmp_path / "m_labeled.npz"), np.load(tmp_path / "mm_labeled.npz")
    assert millimeters["points"] == pytest.approx(meters["points"], rel=1e-5)
    assert (millimeters["point_labels"] == meters["point_labels"]).mean() > 0.999
    done = partdistill("segment", tmp_path / "mm.npz", *ask[:-2])
    assert done.code == 0 and "look like millimeters" in caplog.text and "give the unit mm" in caplog.text


def test_a_mesh_keeps_its_vertices_and_a_picture_is_drawn(partdistill, toy_bundle, mesh_file, tmp_path):
    out, picture = tmp_path / "labeled.ply", tmp_path / "picture.png"
    done = partdistill(
        "segment", mesh_file, "--bundle", toy_bundle, "--query", QUERY, "--out", out, "--picture", picture
    )
    assert done.code == 0 and "8  50.0 %" in done.out and str(out) in done.out
    written, mesh = load_scan(out), load_scan(mesh_file)
    assert np.array_equal(written.points, mesh.points)
    outer = np.isin(mesh.points[:, 2], (0, 2))
    assert (written.point_labels[outer] == (mesh.points[outer, 2] < 1)).all()
    assert Image.open(picture).width > 1000


def test_two_posts_on_a_table(partdistill, toy_bundle, tmp_path):
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.uniform(-0.6, 0.6, (20000, 2)), rng.normal(0, 0.001, 20000)])
    posts = []
    for x in (-0.3, 0.3):
        angle = rng.uniform(0, 2 * np.pi, 3000)
        post = np.column_stack([x + 0.04 * np.cos(angle), 0.04 * np.sin(angle), rng.uniform(0, 0.25, 3000)])
        posts.append(post)
    points = np.concatenate([table, *posts]).astype(np.float32)
    save_scan(tmp_path / "scene.pcd", Scan(points, up=np.array([0, 0, 1], np.float32)))
    done = partdistill(
        "segment", tmp_path / "scene.pcd", "--bundle", toy_bundle, "--query", f"post: {QUERY}", "--scene", "tabletop",
        "--out", tmp_path / "labeled.npz", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert [found["category"] for found in done.json()["objects"]] == ["post", "post"]
    labels, height = np.load(tmp_path / "labeled.npz")["point_labels"], points[:, 2]
    on_posts = (np.arange(len(points)) >= 20000) & (height > 0.03)
    assert (labels[on_posts] >= 0).mean() > 0.95
    assert (labels[on_posts & (height > 0.16)] == 0).mean() > 0.95
    assert (labels[:20000] == -1).mean() > 0.95


@pytest.mark.parametrize(
    "change, words",
    [
        ({"--out": "x.txt"}, "ends in .npz or .ply"),
        ({"--picture": "x.tiff2"}, "ends in .png"),
        ({"--query": "wing, bottom"}, "wing"),
        ({"--query": " ; "}, "query is empty"),
        ({"--query": "top," * 2500}, "10,000 characters"),
        ({"--bundle": "nowhere"}, "no bundle.json"),
        ({"--min-confidence": "2"}, "between 0 and 1"),
        ({"--scene": "tabletop", "--up": "z"}, "does not go with --scene tabletop"),
    ],
)
def test_wrong_input_is_code_2_and_writes_nothing(partdistill, toy_bundle, cloud_file, tmp_path, change, words):
    options = {"--bundle": toy_bundle, "--query": QUERY, "--out": tmp_path / "out" / "labeled.npz", **change}
    done = partdistill("segment", cloud_file, *(word for pair in options.items() for word in pair))
    assert done.code == 2 and words in done.err
    assert not (tmp_path / "out").exists()


def test_the_input_is_never_replaced(partdistill, toy_bundle, cloud_file):
    done = partdistill("segment", cloud_file, "--bundle", toy_bundle, "--query", QUERY, "--out", cloud_file)
    assert done.code == 2 and "the input itself" in done.err


def test_clouds_that_cannot_be_labeled_say_why(partdistill, toy_bundle, tmp_path):
    few = np.random.default_rng(0).random((20, 3)).astype(np.float32)
    save_scan(tmp_path / "few.ply", Scan(few))
    save_scan(tmp_path / "nan.ply", Scan(np.full((50, 3), np.nan, np.float32)))
    (tmp_path / "cut.pcd").write_bytes(b"# .PCD v0.7\nFIELDS x y z\n")
    for name, words in (
        ("few.ply", "20 of 20 points"),
        ("nan.ply", "NaN"),
        ("cut.pcd", "cut.pcd"),
        ("none.ply", "none.ply"),
    ):
        done = partdistill(
            "segment", tmp_path / name, "--bundle", toy_bundle, "--query", QUERY, "--out", tmp_path / "out.npz"
        )
        assert done.code == 2 and words in done.err, (name, done.err)
    assert not (tmp_path / "out.npz").exists()


def test_it_works_with_neither_torch_nor_ros(toy_bundle, cloud_file, tmp_path):
    code = """
import sys
for heavy in ("torch", "rclpy", "onnx", "matplotlib", "tqdm"):
    sys.modules[heavy] = None
from partdistill_ros.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "segment", cloud_file, "--bundle", toy_bundle, "--query", QUERY,
         "--out", tmp_path / "out.npz", "--picture", tmp_path / "out.png", "--json"],
        capture_output=True, text=True, cwd=ROOT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").is_file()
