# SPDX-License-Identifier: Apache-2.0
"""What is known about a bundle, and a damaged one refused."""

import shutil


def test_everything_about_a_bundle(partdistill, toy_bundle):
    done = partdistill("info", toy_bundle, "--json")
    record = done.json()
    assert done.code == 0
    assert record["name"] == "toy" and record["points"] == 2048
    assert record["text"] == {"space": "toy-4", "dim": 4, "encoder": False}
    assert record["categories"]["post"] == ["top", "bottom"]
    assert len(record["sha256"]["student.onnx"]) == 64

    shown = partdistill("info", toy_bundle).out
    for words in ("toy", "2048 points in 128 patches", "top, bottom", "6 known names"):
        assert words in shown


def test_a_damaged_bundle_is_code_2_and_named(partdistill, toy_bundle, tmp_path):
    damaged = tmp_path / "damaged"
    shutil.copytree(toy_bundle, damaged)
    with open(damaged / "student.onnx", "ab") as file:
        file.write(b"x")
    done = partdistill("info", damaged)
    assert done.code == 2 and "student.onnx does not have the sha256" in done.err
    assert partdistill("info", tmp_path / "nowhere").code == 2
