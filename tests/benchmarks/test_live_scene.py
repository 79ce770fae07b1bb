# SPDX-License-Identifier: Apache-2.0
"""What the live benchmark measures without ROS: quality, steadiness, and the stages at their limits."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from partdistill_ros.inference.segmenter import Segmenter
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.table_scene import make_scene


@pytest.fixture
def benchmark(repository, monkeypatch):
    """Modules of `benchmarks/` by name."""
    monkeypatch.syspath_prepend(str(repository / "benchmarks"))
    return importlib.import_module


@pytest.fixture(scope="module")
def scene() -> Scan:
    """A simulated table with a mug, its parts named as in the real scan."""
    made = make_scene(2, ("mug", "bottle"), count=3).scan
    return made.with_(parts=tuple({"cup": "30", "handle": "31"}.get(part, part) for part in made.parts))


def test_miou_counts_misses_and_spill(benchmark, scene):
    mug_miou, parts = benchmark("live_quality").mug_miou, ("handle", "cup")
    truth = np.full(len(scene.points), -1, np.int16)
    for number, code in enumerate(("31", "30")):
        truth[scene.point_labels == scene.parts.index(code)] = number
    assert mug_miou(scene, truth, parts) == {"cup": 1.0, "handle": 1.0, "mean": 1.0}
    scores = mug_miou(scene, np.ones_like(truth), parts)
    assert scores["handle"] == 0 and scores["cup"] == pytest.approx((truth == 1).mean())
    assert mug_miou(scene, np.ones_like(truth), parts, truth >= 0)["cup"] == pytest.approx(
        (truth == 1).sum() / (truth >= 0).sum()
    )
    assert mug_miou(scene, truth, ("lid", "cup")) is None


def test_noise_grows_with_the_squared_range(benchmark, scene):
    frames = list(benchmark("live_quality").noisy_frames(scene, 2))
    assert len(frames) == 2 and not np.array_equal(frames[0].points, frames[1].points, equal_nan=True)
    finite = scene.finite()
    error = np.linalg.norm(frames[0].points - scene.points, axis=1)[finite]
    range_ = np.linalg.norm(scene.points - scene.viewpoint, axis=1)[finite]
    assert np.sqrt(((error / range_**2) ** 2).mean()) == pytest.approx(1.4e-3, rel=0.02)


def test_memory_asks_less_and_flickers_less(benchmark, scene):
    segmenter = Segmenter("default", "cpu", 1)
    query = segmenter.query("mug: handle, cup")
    found = benchmark("live_quality").steadiness(segmenter, query, scene, 5)
    alone, memory, smoothed = (found[name] for name in ("each cloud alone", "memory (default)", "smoothing 0.8"))
    assert memory["asked"] < alone["asked"] == found["smoothing 0.8, all asked"]["asked"]
    assert memory["changed"] < alone["changed"] and smoothed["changed"] < alone["changed"]
    assert min(alone["miou"], memory["miou"], smoothed["miou"]) > 0.6


def test_every_stage_is_measured_at_its_limit(benchmark, scene, monkeypatch):
    live_limits = benchmark("live_limits")
    monkeypatch.setattr(live_limits, "MOST_POINTS", 2 * len(scene.points))
    segmenter = Segmenter("default", "cpu", 1)
    found = live_limits.limits(segmenter, segmenter.query("mug: handle, cup", reject_unknown=True), scene, repeats=1)
    assert [one.stage for one in found] == ["convert", "extract", "recall", "sample and network", "spread"]
    assert all(one.milliseconds > 0 for one in found)
    assert found[0].limit == f"{2 * len(scene.points):,} points" and found[3].limit == "16 objects, all asked about"


def test_a_denser_scene_keeps_its_picture(benchmark, scene):
    dense = benchmark("live_limits").denser(scene, 3 * len(scene.points))
    assert dense.grid == (scene.grid[0], 3 * scene.grid[1]) and len(dense.points) == 3 * len(scene.points)
    assert np.nanmax(np.abs(dense.points[2::3] - scene.points)) < 1.1e-3
