# SPDX-License-Identifier: Apache-2.0
"""Objects out of a cloud by the table, by a box, or whole."""

from __future__ import annotations

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.crop import CropBox
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.recording.cut import Cut, cut_objects, picture_of


def test_the_mug_on_the_table(view) -> None:
    seen = view(0)
    (found,) = cut_objects(seen.scan, Cut(pick="all"))
    assert 1000 < len(found.index) == len(found.scan.points) and found.scan.finite().all()
    np.testing.assert_array_equal(seen.scan.points[found.index], found.scan.points)
    world_up = found.scan.up @ seen.pose[:3, :3].T
    assert world_up[2] > 0.99


def test_a_box_in_the_object_frame(view) -> None:
    seen = view(0)
    table = cut_objects(seen.scan, Cut())[0]
    cut = Cut("crop", box=CropBox((-0.1, -0.1, 0.006), (0.1, 0.1, 0.2)))
    (found,) = cut_objects(seen.scan, cut, seen.pose)
    shared = np.intersect1d(found.index, table.index)
    assert len(shared) > 0.9 * max(len(found.index), len(table.index))
    np.testing.assert_allclose(found.scan.up, seen.pose[2, :3], atol=1e-6)


def test_a_box_in_the_cloud_s_frame_and_no_cut() -> None:
    rng = np.random.default_rng(0)
    cloud = Scan(rng.uniform(-1, 1, (2000, 3)).astype(np.float32))
    cloud.points[::50] = np.nan
    (half,) = cut_objects(cloud, Cut("crop", box=CropBox((0, -1, -1), (1, 1, 1))))
    assert (half.scan.points[:, 0] >= 0).all() and half.scan.up is None
    (whole,) = cut_objects(cloud, Cut("none"))
    assert len(whole.index) == 1960


def test_the_pick() -> None:
    rng = np.random.default_rng(1)
    table = np.column_stack([rng.uniform(-0.5, 0.5, (20000, 2)), rng.normal(0, 0.001, 20000)])
    near, far = (rng.uniform((x, -0.03, 0), (x + 0.06, 0.03, 0.1), (n, 3)) for x, n in ((0.3, 800), (-0.3, 1600)))
    points = np.concatenate([table, near, far]).astype(np.float32)
    cloud = Scan(points, viewpoint=np.array([1, 0, 1], np.float32), up=np.array([0, 0, 1], np.float32))
    side = {pick: [np.sign(one.scan.points[:, 0].mean()) for one in cut_objects(cloud, Cut(pick=pick))]
            for pick in ("largest", "nearest", "all")}  # fmt: skip
    assert side == {"largest": [-1], "nearest": [1], "all": [-1, 1]}


@pytest.mark.parametrize(("arguments", "words"), [
    ({"kind": "magic"}, "cut 'magic' is not one of tabletop, crop, none"),
    ({"pick": "best"}, "pick 'best' is not one of"),
])  # fmt: skip
def test_what_cannot_be_cut_is_refused(arguments, words) -> None:
    with pytest.raises(PartDistillError, match=words):
        Cut(**arguments)


def test_nothing_there_is_one_sentence(view) -> None:
    seen = view(0)
    with pytest.raises(PartDistillError, match="view_0: fewer than 150 points lie in the crop box"):
        cut_objects(seen.scan, Cut("crop", box=CropBox((5, 5, 5), (6, 6, 6))))
    with pytest.raises(PartDistillError, match="no object of 90000 points stands on the table"):
        cut_objects(seen.scan, Cut(min_points=90000))


def test_the_picture_shows_the_object_s_surroundings(view) -> None:
    seen = view(0)
    (found,) = cut_objects(seen.scan, Cut())
    picture = picture_of(seen.scan, found.index)
    rows, columns = np.divmod(found.index, seen.scan.grid[1])
    assert picture.height > np.ptp(rows) and picture.width > np.ptp(columns)
    assert picture.height < 1.5 * np.ptp(rows) + 20
    assert picture_of(seen.scan.with_(grid=None), found.index) is None
    assert picture_of(seen.scan.with_(colors=None), found.index) is None
