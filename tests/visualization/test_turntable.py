# SPDX-License-Identifier: Apache-2.0
"""A turntable goes all round, keeps its scale, and is written in every format that it names."""

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.visualization import turntable as module
from partdistill_ros.visualization.colors import part_color
from partdistill_ros.visualization.turntable import save_turntable, turntable, turntable_cameras

UP = np.array([0, 0, 1], np.float32)
PARTS = ("left", "right")


@pytest.fixture(scope="module")
def ball():
    """A ball of radius 1 whose half at negative x is `left`."""
    directions = np.random.default_rng(0).normal(size=(4000, 3))
    points = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    labels = np.where(points[:, 0] < 0, 0, 1).astype(np.int16)
    return Scan(points, point_labels=labels, parts=PARTS, up=UP, name="ball")


def drawn(picture):
    """Mask of pixels that are not background."""
    return np.asarray(picture).astype(int).min(2) < 200


def hue_share(picture, name):
    pixels = np.asarray(picture)[drawn(picture)].astype(float)
    hue = np.array(part_color(name), float)
    cosine = pixels @ hue / np.linalg.norm(pixels, axis=1) / np.linalg.norm(hue)
    return float((cosine > 0.98).mean())


def test_the_cameras_go_all_round_at_one_height_and_look_at_the_middle(ball):
    cameras = turntable_cameras(ball, 8)
    positions = np.stack([camera.position for camera in cameras])
    assert np.ptp(positions[:, 2]) < 1e-9 and positions[0, 2] > 1
    assert np.linalg.norm(positions.mean(0)[:2]) < 0.1, "not all round"
    for camera in cameras:
        assert camera.rotation[2] @ -camera.position == pytest.approx(np.linalg.norm(camera.position), rel=0.01)
        assert camera.rotation[1] @ UP < 0


@pytest.mark.parametrize("loop", [True, False])
def test_a_scan_from_one_side_is_not_looked_at_from_behind(ball, loop):
    scan = ball.with_(points=ball.points + np.array([0, 0, 4], np.float32), up=None, viewpoint=np.zeros(3, np.float32))
    cameras = turntable_cameras(scan, 12, loop)
    sideways = np.array([camera.position[0] for camera in cameras])
    assert all(camera.position[2] < 2 for camera in cameras)
    assert sideways.min() < -1 and sideways.max() > 1
    assert (np.diff(sideways) > 0).all() != loop, "stills go from side to side, an animation there and back"


def test_one_scale_for_all_pictures(ball):
    flat = ball.with_(points=ball.points * np.array([1, 0.05, 1], np.float32))
    widths = [drawn(picture).any(0).sum() for picture in turntable(flat, flat.point_labels, PARTS, 8, (160, 120))]
    assert min(widths) < 0.6 * max(widths), "a disc seen from its edge is narrow"
    sphere = [drawn(picture).sum() for picture in turntable(ball, ball.point_labels, PARTS, 8, (160, 120))]
    assert max(sphere) < 1.1 * min(sphere), "a ball is as large from everywhere"


def test_each_side_comes_into_view(ball):
    left = [hue_share(picture, "left") for picture in turntable(ball, ball.point_labels, PARTS, 8, (160, 120))]
    assert max(left) > 0.8 and min(left) < 0.2


def test_a_far_wall_does_not_make_a_speck_of_what_is_labeled(ball):
    wall = np.random.default_rng(1).uniform(-20, 20, (4000, 3)).astype(np.float32)
    wall[:, 0] = 20
    points = np.concatenate([ball.points, wall, np.full((5, 3), np.nan, np.float32)])
    labels = np.concatenate([ball.point_labels, np.full(4005, -1, np.int16)])
    scene = Scan(points, up=UP)
    (alone,) = turntable(ball, ball.point_labels, PARTS, 1, (160, 120))
    (in_scene,) = turntable(scene, labels, PARTS, 1, (160, 120))
    assert hue_share(in_scene, "left") + hue_share(in_scene, "right") > 0.8
    assert drawn(in_scene).sum() > 0.8 * drawn(alone).sum()
    (unlabeled,) = turntable(scene, np.full(len(points), -1), PARTS, 1, (160, 120))
    assert np.ptp(np.flatnonzero(drawn(unlabeled).any(0))) > 60, "without labels all of it is drawn"
    assert drawn(unlabeled).sum() < 0.2 * drawn(alone).sum()


def test_large_clouds_are_thinned_and_meshes_sampled(ball, monkeypatch):
    monkeypatch.setattr(module, "POINTS", 500)
    points = np.concatenate([ball.points, np.full((50, 3), np.nan, np.float32)])
    labels = np.concatenate([ball.point_labels, np.full(50, -1, np.int16)])
    (picture,) = turntable(Scan(points, up=UP), labels, PARTS, 1, (160, 120))
    assert drawn(picture).sum() > 2000
    vertices = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    square = Scan(vertices, mesh=Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32)), up=UP)
    (picture,) = turntable(square, np.zeros(4, int), PARTS, 1, (160, 120))
    assert hue_share(picture, "left") > 0.8
    with pytest.raises(PartDistillError, match="no finite points"):
        list(turntable(Scan(np.full((3, 3), np.nan, np.float32)), np.zeros(3, int), PARTS, 2))


@pytest.mark.parametrize("suffix, frames", [(".gif", 6), (".webp", 6), (".png", 1), (".jpg", 1)])
def test_every_format(ball, tmp_path, suffix, frames):
    views = list(turntable(ball, ball.point_labels, PARTS, 6, (120, 90)))
    path = tmp_path / f"ball{suffix}"
    save_turntable(path, views, "ball", ball.point_labels, PARTS, seconds=3)
    with Image.open(path) as picture:
        assert getattr(picture, "n_frames", 1) == frames
        assert picture.width > (6 * 120 if frames == 1 else 120)
        if frames > 1:
            picture.seek(3)
            picture.load()
            assert picture.info["duration"] == 500
            assert hue_share(picture.convert("RGB"), "left") + hue_share(picture.convert("RGB"), "right") > 0.5


def test_other_formats_are_refused(ball, tmp_path):
    with pytest.raises(PartDistillError, match=r"\.gif, \.webp, \.png"):
        save_turntable(tmp_path / "ball.mp4", [Image.new("RGB", (9, 9))], "ball", ball.point_labels, PARTS)
