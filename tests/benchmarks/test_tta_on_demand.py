# SPDX-License-Identifier: Apache-2.0
"""One epoch on a scene whose mug is simulated: the service answers with labels of that object alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.io.save import save_scan
from partdistill_ros.synthetic.depth_camera import DepthCamera
from partdistill_ros.synthetic.table_scene import make_scene

CAMERA = DepthCamera(320, 240, 262.5, 262.5, 159.5, 119.5)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mug alone on a table, its labels called as in the recorded scan."""
    made = make_scene(4, ("mug",), count=1, camera=CAMERA)
    labels, names = made.scan.point_labels, {"cup": "30", "handle": "31"}
    assert labels is not None
    parts = tuple(names.get(part, part) for part in made.scan.parts)
    path = tmp_path_factory.mktemp("scene") / "mug.pcd"
    # Points without a part are of the table, `0` as in the scan.
    marked = np.where(labels < 0, len(parts), labels).astype(np.int16)
    save_scan(path, made.scan.with_(point_labels=marked, parts=(*parts, "0")))
    return path


def test_the_place_is_the_middle_of_the_mug(load_benchmark, scene: Path) -> None:
    from partdistill_ros.io.load import load_scan

    benchmark, scan = load_benchmark("tta_on_demand"), load_scan(scene)
    mug = np.isin(scan.point_labels, [scan.parts.index(code) for code in ("30", "31")])
    place = benchmark.middle_of_mug(scan)
    assert np.linalg.norm(scan.points[mug] - place, axis=1).min() < 0.1
    assert benchmark.main(["--scan", "/nowhere.pcd"]) == 2


@pytest.mark.timeout(900)
def test_the_whole_benchmark(load_benchmark, scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rclpy", reason="source ROS 2 or run make")
    benchmark = load_benchmark("tta_on_demand")
    code = benchmark.main(["--scan", str(scene), "--epochs", "1", "--threads", "1", "--json"])
    result = json.loads(capsys.readouterr().out)
    assert result["labeled"] > 100 and result["mug"]["mean"] > 0.3
    assert 0 < result["seconds"] and 0 < result["cpu_seconds"]
    assert code == (0 if all(result["reached"].values()) else 1)
