# SPDX-License-Identifier: Apache-2.0
"""The names of an OBJ file's groups become labels of its faces."""

from __future__ import annotations

import json

import numpy as np

from partdistill_ros.io.load import load_scan

BOX = "f 1 2 4 3\nf 5 7 8 6\nf -8 -4 -3 -7\nf 3 4 8 7\nf 1 3 7 5\nf 2/1/1 6/1/1 8/1/1 4/1/1\n"


def box(low: float, high: float) -> str:
    return "".join(f"v {x} {y} {z}\n" for y in (low, high) for z in (0, 1) for x in (0, 1))


def test_groups_that_fit_a_part_are_labeled(load_benchmark, tmp_path):
    (tmp_path / "things").mkdir()
    lean = BOX.replace("-8 -4 -3 -7", "9 13 14 10")
    text = f"{box(0, 1)}g Sitting_Cube.001\n{BOX}{box(1.1, 2)}g LEAN\n{lean}g bolt_3\nf 1 2 3\n"
    (tmp_path / "things" / "chair.obj").write_text(text)
    table = {"things/chair.obj": ["chair", {"seat": "^sitting$", "back": "lean"}], "other/chair.obj": ["chair", {}]}
    (tmp_path / "table.json").write_text(json.dumps(table))
    named_groups = load_benchmark("named_groups")
    assert named_groups.main([str(tmp_path), str(tmp_path / "out"), str(tmp_path / "table.json")]) == 0
    scan = load_scan(tmp_path / "out" / "chair.npz")
    assert scan.mesh is not None and scan.parts == ("seat", "back") and scan.category == "chair"
    assert np.asarray(scan.mesh.face_labels).tolist() == 12 * [0] + 12 * [1] + [-1]
    assert np.asarray(scan.up).tolist() == [0, 1, 0]
    assert named_groups.main([str(tmp_path / "out"), str(tmp_path / "none")]) == 1, "no such files"
