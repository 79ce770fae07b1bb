# SPDX-License-Identifier: Apache-2.0
"""Each arranged scene shows all its things, and is cut into them."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.synthetic.arranged_scenes import ARRANGEMENTS, FURNITURE, arranged
from partdistill_ros.synthetic.depth_camera import DepthCamera

CAMERA = DepthCamera(width=320, height=240, fx=262.5, fy=262.5, cx=159.5, cy=119.5)


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_every_thing_comes_out_whole(name: str) -> None:
    scan = arranged(name, None if "bowl" in name else CAMERA)
    found = extract_objects(scan)
    assert (found.plane is None) == (not ARRANGEMENTS[name].table)
    for number in range(1, len(scan.parts)):
        truth = scan.point_labels == number
        assert truth.sum() > 100
        best = max(truth[i].sum() / (len(i) + truth.sum() - truth[i].sum()) for i in found.objects)
        assert best > 0.75 or number in FURNITURE.get(name, ())


def test_without_a_table_and_without_up() -> None:
    scan = arranged("no table, side by side", CAMERA)
    assert extract_objects(scan).up is None
    assert len(extract_objects(scan.with_(up=None)).objects) == 3


def test_a_bare_table_near_by_is_no_thing() -> None:
    scan = arranged("tray", CAMERA)
    bare = np.where((scan.point_labels == 0)[:, None], scan.points, np.float32(np.nan))
    assert extract_objects(scan.with_(points=0.45 * bare)).objects == ()  # it reaches the picture's border
