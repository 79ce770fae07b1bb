# SPDX-License-Identifier: Apache-2.0
"""Things that touch come apart, in every frame of the cloud; a vessel and its inside stay one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from solids_on_table import BESIDE, CAMERA, STACKED, on_table

from partdistill_ros.objects.convex import convex_objects
from partdistill_ros.objects.extract import extract_objects
from partdistill_ros.objects.params import TabletopParams
from partdistill_ros.objects.surface import NotAPicture, camera_of
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.synthetic.clutter_scene import make_clutter
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture
from partdistill_ros.synthetic.drawing.primitives import Solid, box, revolve


def seen(solids: list[Solid], elevation: float = 35.0, camera: DepthCamera = CAMERA) -> Scan:
    """A table with solids on it, labeled 1, 2, ... in their order, from 0.9 m."""
    mesh, parts = on_table(solids)
    angle = np.radians(elevation)
    pose = camera_pose((0.9 * np.cos(angle), 0, 0.9 * np.sin(angle)), (0, 0, 0.04))
    return capture(mesh, pose, np.random.default_rng(0), camera, parts=parts)


def overlaps(scan: Scan, method: str) -> list[float]:
    """Best IoU of each solid."""
    objects = extract_objects(scan, TabletopParams(method=method)).objects
    result = []
    for label in range(1, len(scan.parts)):
        truth = scan.point_labels == label
        ious = [truth[index].sum() / (len(index) + truth.sum() - truth[index].sum()) for index in objects]
        result.append(max(ious, default=0.0))
    return result


@pytest.mark.parametrize("solids", [BESIDE, STACKED], ids=["beside", "stacked"])
@pytest.mark.parametrize("method", ["convex", "learned"])
def test_things_that_touch_come_apart(solids: list[Solid], method: str) -> None:
    scan = seen(solids)
    assert min(overlaps(scan, method)) > 0.85
    assert min(overlaps(scan, "clusters")) < 0.5


def test_two_ends_of_what_something_hides_are_one() -> None:
    long, tall = box((0.05, 0.36, 0.07), (-0.05, 0, 0.035)), box((0.05, 0.07, 0.22), (0.06, 0, 0.11))
    scan = seen([long, tall], elevation=25)
    assert min(overlaps(scan, "auto")) > 0.85


@pytest.mark.parametrize("radius", [0.05, 0.09])
def test_the_inside_of_a_bowl_belongs_to_it(radius: float) -> None:
    profile = [(0, 0), (0.6 * radius, 0), (radius, 0.07), (radius - 0.005, 0.07), (0.6 * radius, 0.006), (0, 0.006)]
    (iou,) = overlaps(seen([revolve(profile, 48)]), "auto")
    assert iou > 0.85


def test_any_frame_and_resolution() -> None:
    camera = DepthCamera()
    for scan in (seen(BESIDE, camera=camera), seen(BESIDE)):
        turn = Rotation.from_euler("xyz", [70, -40, 115], degrees=True).as_matrix().astype(np.float32)
        shift = np.array([0.4, -2.0, 1.3], np.float32)
        moved = scan.with_(
            points=scan.points @ turn.T + shift, viewpoint=scan.viewpoint @ turn.T + shift, up=scan.up @ turn.T
        )
        for one, other in zip(overlaps(scan, "auto"), overlaps(moved, "auto"), strict=True):
            assert abs(one - other) < 0.03 and other > 0.85


def test_the_camera_is_read_from_its_rays() -> None:
    scan = seen(BESIDE)
    rotation, lens = camera_of(scan)
    np.testing.assert_allclose(rotation, np.eye(3), atol=1e-5)
    expected = [[1 / CAMERA.fx, 0, -CAMERA.cx / CAMERA.fx], [0, 1 / CAMERA.fy, -CAMERA.cy / CAMERA.fy]]
    np.testing.assert_allclose(lens, expected, atol=1e-5)


def test_rows_and_columns_of_no_camera() -> None:
    scan = seen(BESIDE)
    shuffled = scan.select(np.random.default_rng(0).permutation(len(scan.points)))
    scan = shuffled.with_(grid=scan.grid, viewpoint=scan.viewpoint)
    with pytest.raises(NotAPicture, match="not those of a pinhole camera"):
        camera_of(scan)
    assert min(overlaps(scan, "auto")) > 0.85


@pytest.mark.parametrize("shape", [(481, 640), (480, 641), (360, 1281)])
def test_things_in_pixels_beyond_the_last_whole_block_only_are_none(shape: tuple[int, int]) -> None:
    row, column = np.indices(shape)
    points = np.stack([(column - 320) / 500, (row - 240) / 500, np.ones(shape)], -1).reshape(-1, 3).astype(np.float32)
    scan = Scan(points, grid=shape, viewpoint=np.zeros(3, np.float32))
    usable = np.zeros(shape, bool)
    usable[480:] = usable[:, 640 * (shape[1] // 640) :] = True
    assert not convex_objects(scan, usable.ravel(), np.array([0, 0, -1.0, 1.1])).any()


def test_made_up_clutter_is_cut_better_than_by_gaps() -> None:
    found = {"auto": 0, "clusters": 0}
    for seed in (0, 2, 4):
        scene = make_clutter(seed, camera=CAMERA)
        for method in found:
            objects = extract_objects(scene.scan, TabletopParams(method=method)).objects
            for number in range(len(scene.objects)):
                truth = scene.object_mask(number)
                ious = [truth[i].sum() / (len(i) + truth.sum() - truth[i].sum()) for i in objects]
                found[method] += max(ious, default=0.0) > 0.75
    assert found["auto"] > found["clusters"]
