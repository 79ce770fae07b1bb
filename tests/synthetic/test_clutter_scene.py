# SPDX-License-Identifier: Apache-2.0
"""Made-up clutter: the same for the same seed, truth for every point, things that stand on one another."""

from __future__ import annotations

import numpy as np

from partdistill_ros.synthetic.clutter_scene import SIMPLE, make_clutter
from partdistill_ros.synthetic.depth_camera import DepthCamera

CAMERA = DepthCamera(width=160, height=120, fx=131, fy=131, cx=79.5, cy=59.5)


def test_the_seed_decides() -> None:
    one, other = (make_clutter(5, camera=CAMERA, count=6) for _ in range(2))
    np.testing.assert_array_equal(one.object_index, other.object_index)
    assert one.objects == other.objects and len(one.objects) == 6
    assert make_clutter(6, camera=CAMERA, count=6).objects != one.objects


def test_what_is_always_there() -> None:
    scene = make_clutter(5, ("mug",), count=4, camera=CAMERA, always=("bottle", "bottle"))
    assert scene.objects.count("bottle") == 2 and len(scene.objects) == 4
    assert "bottle: cap, neck, body" in scene.query() and len(scene.query().split("; ")) <= 2


def test_truth_and_stacks() -> None:
    highest = 0.0
    for seed in range(4):
        scene = make_clutter(seed, ("mug",), count=8, camera=CAMERA)
        assert set(scene.objects) <= {"mug", *SIMPLE}
        assert scene.object_index.max() <= len(scene.objects) and (scene.object_index > 0).sum() > 300
        world = scene.scan.points @ scene.camera_pose[:3, :3].T + scene.camera_pose[:3, 3]
        for number in range(len(scene.objects)):
            mine = scene.object_mask(number)
            if mine.sum() > 50:
                assert np.percentile(world[mine, 2], 2) > -0.02
                highest = max(highest, float(np.percentile(world[mine, 2], 10)))
    assert highest > 0.03  # something stands on something
