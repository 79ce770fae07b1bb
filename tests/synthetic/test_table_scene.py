# SPDX-License-Identifier: Apache-2.0
"""Table scenes: a table, separate objects in view, a mug with its handle."""

import numpy as np
import pytest

from partdistill_ros.errors import PartDistillError
from partdistill_ros.synthetic.depth_camera import DepthCamera
from partdistill_ros.synthetic.table_scene import TABLE, make_scene

SEEDS = range(6)


@pytest.fixture(scope="module")
def scenes():
    return [make_scene(seed) for seed in SEEDS]


def in_world(scene):
    return scene.scan.points @ scene.camera_pose[:3, :3].T + scene.camera_pose[:3, 3]


def test_a_scene_is_an_organized_kinect_sized_scan(scenes):
    for scene in scenes:
        assert scene.scan.grid == (480, 640)
        assert scene.scan.points.shape == (307_200, 3) and scene.scan.colors.shape == (307_200, 3)
        assert 0.3 < scene.scan.finite().mean() < 1.0
        assert np.allclose(scene.scan.viewpoint, 0)


def test_the_mug_shows_its_handle_and_cup(scenes):
    for scene in scenes:
        assert scene.objects[0] == "mug"
        mine = scene.object_mask(0)
        parts = scene.scan.parts
        handle = (mine & (scene.scan.point_labels == parts.index("handle"))).sum()
        cup = (mine & (scene.scan.point_labels == parts.index("cup"))).sum()
        assert handle >= 60 and cup >= 400


def test_objects_stand_on_the_table_plane(scenes):
    for scene in scenes:
        world = in_world(scene)
        table = world[(scene.object_index == TABLE) & scene.scan.finite()]
        assert len(table) > 5_000
        assert abs(np.median(table[:, 2])) < 0.005
        for number in range(len(scene.objects)):
            mine = world[scene.object_mask(number)]
            assert len(mine) == 0 or np.percentile(mine[:, 2], 2) > -0.02


def test_the_camera_stands_where_it_should(scenes):
    for scene in scenes:
        eye, ahead = scene.camera_pose[:3, 3], scene.camera_pose[:3, 2]
        assert 25 - 1e-6 <= np.degrees(np.arcsin(-ahead[2])) <= 60 + 1e-6
        assert 0.5 < np.linalg.norm(eye) < 1.3


def test_labels_belong_to_the_object_that_carries_them(scenes):
    from partdistill_ros.synthetic.families import FAMILIES

    for scene in scenes:
        assert (scene.scan.point_labels[scene.object_index <= TABLE] == -1).all()
        for number, family in enumerate(scene.objects):
            labels = np.unique(scene.scan.point_labels[scene.object_mask(number)])
            assert {scene.scan.parts[k] for k in labels} <= set(FAMILIES[family].parts)


def test_objects_do_not_touch(scenes):
    from scipy.spatial import cKDTree

    for scene in scenes:
        world = in_world(scene)
        clouds = [world[scene.object_mask(number)] for number in range(len(scene.objects))]
        for i, one in enumerate(clouds):
            for other in clouds[i + 1 :]:
                if len(one) and len(other):
                    assert cKDTree(one).query(other)[0].min() > 0.008


def test_scenes_are_deterministic_and_take_a_count_and_a_camera():
    camera = DepthCamera(width=160, height=120, fx=131, fy=131, cx=79.5, cy=59.5)
    first, again = (make_scene(5, ("mug", "bottle"), count=2, camera=camera) for _ in range(2))
    assert np.array_equal(first.scan.points, again.scan.points, equal_nan=True)
    assert first.scan.grid == (120, 160) and len(first.objects) == 2


def test_unknown_and_no_families_are_refused():
    with pytest.raises(PartDistillError, match="no shape family 'spoon'"):
        make_scene(0, ("mug", "spoon"))
    with pytest.raises(PartDistillError, match="no families"):
        make_scene(0, ())


def test_the_query_names_the_parts_of_every_kind_of_object_once():
    scene = make_scene(3)
    query = scene.query()
    kinds = [group.split(":")[0] for group in query.split("; ")]
    assert sorted(kinds) == sorted(set(scene.objects)) and "mug: handle, cup" in query
