# SPDX-License-Identifier: Apache-2.0
"""A few cones teach that a cone stands on its base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from partdistill_ros.pointcloud.perceptron import perceptron
from partdistill_ros.synthetic.training.everyday_shapes import Shapes, save_shapes
from partdistill_ros.synthetic.training.upright import RIGHT, UprightConfig, choices, main, turned


def cones(count: int) -> Shapes:
    """Cones `[count, 600, 3]` that a camera sees half of."""
    rng = np.random.default_rng(0)
    wide, angle = np.sqrt(rng.random((count, 600))), rng.uniform(0, 2 * np.pi, (count, 600))
    height = np.where(rng.random((count, 600)) < 0.3, 0, 1 - wide) * rng.uniform(1, 2, (count, 1))
    points = np.stack([wide * np.cos(angle), wide * np.sin(angle), height], 2).astype(np.float16)
    seen = np.repeat((points[None, :, :, 0] > 0).swapaxes(0, 1), 8, axis=1)
    return Shapes(points, np.zeros((count, 600), np.int8), seen)


def test_training_finds_the_right_candidate(tmp_path: Path) -> None:
    shapes = cones(8)
    save_shapes(tmp_path / "mug.npz", shapes)
    main(["--shapes", str(tmp_path), "--clouds", "4", "--steps", "60", "--out", str(tmp_path / "upright.npz")])
    with np.load(tmp_path / "upright.npz") as file:
        weights = {name: file[name].astype(np.float32) for name in file.files}
    seen = list(choices(shapes, False, UprightConfig(clouds=2), np.random.default_rng(7)))
    found = [one.chance[perceptron(weights, one.features.astype(np.float32)).argmax()] for one in seen]
    assert np.mean(np.array(found) > 0) > 0.6
    assert all(one.chance.sum() == pytest.approx(1, abs=1e-5) for one in seen)


def test_a_turned_cloud_tells_where_z_went() -> None:
    rng = np.random.default_rng(0)
    rod = np.column_stack([np.zeros((2000, 2)), np.linspace(0, 1, 2000)])
    for _ in range(8):
        points, up = turned(rng, rod)
        assert np.linalg.norm(up) == pytest.approx(1)
        low, high = points[points @ up < 0.2].mean(0), points[points @ up > 0.6].mean(0)
        assert (high - low) @ up / np.linalg.norm(high - low) > RIGHT


def test_without_shapes_it_says_what_to_draw(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--shapes", str(tmp_path)])
    assert "draw them with synthetic.training.everyday_shapes" in capsys.readouterr().err
