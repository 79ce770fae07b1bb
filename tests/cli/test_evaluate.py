# SPDX-License-Identifier: Apache-2.0
"""The contracted record for each method, and options that do not go together."""

import shutil

import numpy as np
import pytest

KEYS = {"protocol", "method", "setting", "overall", "instance", "present", "categories", "shapes"}


def test_a_bundle(partdistill, toy_bundle, cloud_file, mesh_file):
    done = partdistill("evaluate", cloud_file, mesh_file, "--bundle", toy_bundle, "--json")
    record = done.json()
    assert done.code == 0 and set(record) >= KEYS
    assert record["method"] == "toy" and record["shapes"] == 2 and record["left_out"] == []
    assert record["overall"] > 97 and record["categories"] == {"post": record["overall"]}
    assert "overall" in partdistill("evaluate", cloud_file, "--bundle", toy_bundle).out


def test_the_constant_answer(partdistill, mesh_file):
    record = partdistill("evaluate", mesh_file, "--method", "constant", "--json").json()
    assert record["method"] == "constant" and record["setting"] == "reference"
    assert 24 < record["overall"] < 27, "half of the points right, one of two parts missed"


@pytest.mark.parametrize("method", ["vote", "mesh-scores"])
def test_a_teacher_without_torch_names_the_extra(partdistill, mesh_file, monkeypatch, method):
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    done = partdistill("evaluate", mesh_file, "--method", method)
    assert done.code == 2 and "partdistill_ros[train]" in done.err


@pytest.mark.parametrize("method", ["vote", "mesh-scores"])
def test_a_method_on_detections_from_a_file(partdistill, mesh_file, tmp_path, method):
    pytest.importorskip("torch", reason="rendering needs torch: the extra 'train'")
    boxes = [
        {"image_id": view, "category": name, "bbox": [0, top, 200, 100], "score": 0.9}
        for view in range(4)
        for name, top in (("top", 0), ("bottom", 100))
    ]
    images = [{"id": view, "width": 200, "height": 200, "file_name": f"view_{view:02d}.png"} for view in range(10)]
    import json

    (tmp_path / "boxes.json").write_text(
        json.dumps(
            {
                "images": images,
                "categories": [{"id": 0, "name": "top"}, {"id": 1, "name": "bottom"}],
                "annotations": [{**box, "category_id": int(box["category"] == "bottom")} for box in boxes],
            }
        )
    )
    done = partdistill(
        "evaluate", mesh_file, "--method", method, "--teacher", f"boxes:{tmp_path / 'boxes.json'}", "--json"
    )
    assert done.code == 0 and done.json()["overall"] > 85
    assert done.json()["method"] == f"{method} (boxes)"


def test_folders_leave_out_what_cannot_be_read(partdistill, toy_bundle, cloud_file, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(cloud_file, folder / "good.npz")
    (folder / "bad.npz").write_bytes(b"zip?")
    done = partdistill("evaluate", folder, "--bundle", toy_bundle, "--json")
    assert done.code == 0 and done.json()["shapes"] == 1 and "bad.npz" in done.json()["left_out"][0]
    assert "bad.npz" in done.err
    assert partdistill("evaluate", folder / "bad.npz", "--bundle", toy_bundle).code == 2


@pytest.mark.parametrize(
    "options, words",
    [
        (("--method", "constant", "--split", "val"), "--split and --categories choose from a data set"),
        (("--bundle", "default", "--categories", "cap"), "--split and --categories choose from a data set"),
        (("--method", "constant", "--votes", "3"), "--votes does not go with --method constant"),
        (("--method", "vote", "--threads", "1"), "--threads does not go with --method vote"),
        (("--method", "mesh-scores", "--votes", "3"), "--votes does not go with --method mesh-scores"),
        (("--method", "constant", "--teacher", "mini"), "--teacher does not go with --method constant"),
        (("--bundle", "default", "--teacher", "mini"), "--teacher does not go with --bundle"),
        (("--method", "guess"), "constant, vote"),
        (("--method", "vote,vote"), "named twice"),
        (("--method", "vote", "--seed", "3"), "--seed does not go with --method vote"),
        (("--method", "supervised", "--teacher", "mini"), "--teacher does not go with --method supervised"),
        (("--method", "vote", "--generated-share", "2"), "--generated-share does not go with --method vote"),
        (("--method", "vote,features", "--generated", "procedural:2"), "learns from no generated shapes"),
        (("--method", "features", "--generated-share", "0.5"), "learns from no generated shapes"),
        (("--method", "forward", "--generated-share", "0"), "must be over 0"),
        (("--method", "forward", "--generated-share", "2"), "add --generated"),
        (("--method", "forward", "--backward", "published"), "was not asked for"),
        (("--method", "backward", "--each", "--train", "procedural:3"), "leave --train out"),
        (("--method", "backward", "--train", "nowhere"), "nowhere does not exist"),
        (("--method", "backward", "--train", "procedural_mugs"), "procedural_mugs does not exist"),
        (("--method", "backward", "--student", "point_m2ae", "--start", "default"), "cannot start from it"),
        (("--method", "backward", "--each", "--per-category"), "leave one out"),
        (("--method", "vote", "--augment", "aligned"), "--augment does not go with --method vote"),
        (("--method", "vote", "--pointclip-params", "x.py"), "those of the method `pointclip2`"),
        (("--method", "forward", "--freeze-encoder"), "point_m2ae"),
        (("--bundle", "b", "--method", "vote"), "not allowed with"),
        ((), "required"),
    ],
)
def test_options_that_do_not_go_together(partdistill, mesh_file, options, words):
    done = partdistill("evaluate", mesh_file, *options)
    assert done.code == 2 and words in done.err and not done.out


def test_shapes_without_labels_are_refused(partdistill, toy_bundle, tmp_path):
    np.savez(tmp_path / "bare.npz", points=np.random.default_rng(0).random((500, 3)).astype(np.float32))
    done = partdistill("evaluate", tmp_path / "bare.npz", "--bundle", toy_bundle)
    assert done.code == 2 and "no part labels" in done.err
    assert partdistill("evaluate", tmp_path / "missing.npz", "--bundle", toy_bundle).code == 2
