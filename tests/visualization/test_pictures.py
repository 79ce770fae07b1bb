# SPDX-License-Identifier: Apache-2.0
"""Pictures show what is in front, in the right colors, and never change the data."""

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan
from partdistill_ros.visualization.colors import part_color, part_colors
from partdistill_ros.visualization.pictures import (
    Camera,
    before_after,
    camera_for,
    draw_cloud,
    label_colors,
    save_picture,
)

AHEAD = Camera(np.zeros(3), np.eye(3))


def sheet(depth, half=0.5, count=40):
    """A square of points facing the camera at `depth`, its size in the picture always the same."""
    line = np.linspace(-half, half, count) * depth
    x, y = np.meshgrid(line, line)
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, depth)], -1).astype(np.float32)


def middle(picture):
    return np.asarray(picture)[picture.height // 2, picture.width // 2].astype(int)


def painted(points, color):
    return np.tile(np.array(color, np.uint8), (len(points), 1))


@pytest.mark.parametrize("near_first", [True, False])
def test_the_nearer_surface_hides_the_farther_whatever_the_order(near_first):
    near, far = sheet(1.0, half=0.3), sheet(2.0)
    clouds = [(near, (220, 20, 20)), (far, (20, 20, 220))]
    clouds = clouds if near_first else clouds[::-1]
    points = np.concatenate([cloud for cloud, _ in clouds])
    colors = np.concatenate([painted(cloud, color) for cloud, color in clouds])
    red, _, blue = middle(draw_cloud(points, AHEAD, (80, 60)).paint(colors))
    assert red > 3 * blue


def test_the_cloud_fills_the_frame_without_holes_and_the_background_stays():
    points = sheet(3.0)
    picture = np.asarray(draw_cloud(points, AHEAD, (100, 100)).paint(painted(points, (200, 30, 30))))
    drawn = picture[..., 0].astype(int) - picture[..., 1] > 60
    assert drawn[12:88, 12:88].all()
    assert not drawn[:2].any() and not drawn[:, :2].any()


def test_a_line_goes_around_each_object_and_nowhere_else():
    points = sheet(2.0)
    objects = np.where(points[:, 0] > 0, 7, 0)
    drawing = draw_cloud(points, AHEAD, (100, 100))
    white = painted(points, (230, 230, 230))
    bare, lined = (np.asarray(drawing.paint(white, one)).astype(int) for one in (None, objects))
    changed = np.abs(bare - lined).max(axis=2) > 60
    assert changed[20:80, 48:52].any(axis=1).all(), "the line between"
    assert not changed[:, :45].any() and not changed[20:80, 55:85].any()


def test_points_behind_the_camera_and_nan_are_left_out():
    points = np.concatenate([sheet(1.0), -sheet(1.0), np.full((10, 3), np.nan, np.float32)])
    colors = np.concatenate([painted(sheet(1.0), (20, 200, 20)), painted(points[1600:], (200, 20, 20))])
    red, green, _ = middle(draw_cloud(points, AHEAD, (60, 60)).paint(colors))
    assert green > 3 * red
    empty = draw_cloud(np.full((5, 3), np.nan), AHEAD, (30, 20)).paint(painted(points[:5], (0, 0, 0)))
    assert empty.size == (30, 20)


def test_one_point_and_a_flat_line_can_be_drawn():
    dot = draw_cloud(np.array([[0, 0, 1.0]]), AHEAD, (30, 20)).paint(painted([0], (9, 9, 9)))
    line = np.array([[x, 0, 1.0] for x in np.linspace(-1, 1, 50)])
    drawn = draw_cloud(line, AHEAD, (30, 20)).paint(painted(line, (9, 9, 9)))
    assert middle(dot).max() < 60 and middle(drawn).max() < 60


def test_camera_looks_from_the_recording_viewpoint_or_from_above():
    points = sheet(2.0)
    camera = camera_for(Scan(points, viewpoint=np.zeros(3, np.float32)))
    assert camera.position == pytest.approx(np.zeros(3))
    assert camera.rotation[2] == pytest.approx([0, 0, 1], abs=1e-6)
    assert camera.rotation[1] == pytest.approx([0, 1, 0], abs=1e-6)

    up = np.array([0, 1, 0], np.float32)
    camera = camera_for(Scan(points, up=up))
    assert camera.position @ up > points[:, 1].max()
    assert camera.rotation[1] @ up < 0
    assert np.linalg.det(camera.rotation) == pytest.approx(1.0)
    with pytest.raises(PartDistillError, match="no finite points"):
        camera_for(Scan(np.full((3, 3), np.nan, np.float32)))


def test_labels_take_the_colors_of_the_palette_and_the_rest_fades():
    scan = Scan(sheet(1.0)[:3], colors=np.array([[200, 0, 0]] * 3, np.uint8))
    colors = label_colors(scan, np.array([0, 1, -1]), ("handle", "cup")).astype(int)
    expected = part_colors(("handle", "cup")).astype(int)
    assert np.abs(colors[:2] - expected).max() <= 2
    assert np.ptp(colors[2]) < 100  # was 200: fades towards gray
    assert (label_colors(scan, np.full(3, -1), ()) == colors[2]).all()


def test_before_after_shows_both_and_a_legend_of_every_part():
    scan = Scan(sheet(2.0), viewpoint=np.zeros(3, np.float32))
    labels = np.where(scan.points[:, 0] < 0, 0, 1)
    many = ("handle", "cup", *(f"a part with a long name {index}" for index in range(8)))
    picture = before_after(scan, labels, many, size=(200, 150))
    pixels = np.asarray(picture).reshape(-1, 3)
    assert picture.width == 2 * 200 + 3 * 16
    for color in part_colors(many):
        assert (np.abs(pixels.astype(int) - color).max(1) <= 2).sum() > 200, "a legend swatch is missing"
    left = np.asarray(picture)[44:194, 16:216].astype(int)
    assert np.ptp(left, axis=-1).max() < 40, "the cloud came without colors: its first picture is gray"


def test_a_mesh_of_few_vertices_is_drawn_as_a_surface():
    vertices = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]], np.float32)
    mesh = Mesh(vertices, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    scan = Scan(vertices, mesh=mesh, viewpoint=np.array([0, -3, 0], np.float32), up=np.array([0, 0, 1], np.float32))
    picture = np.asarray(before_after(scan, np.zeros(4, int), ("table top",), size=(120, 90))).astype(int)
    hue = np.array(part_color("table top"), float)
    panel = picture[44:134, 152:272].astype(float)
    cosine = panel @ hue / np.linalg.norm(panel, axis=-1) / np.linalg.norm(hue)
    assert (cosine > 0.99).mean() > 0.4


def test_errors_name_the_remedy(tmp_path):
    with pytest.raises(PartDistillError, match="2 labels for 4 points"):
        before_after(Scan(np.zeros((4, 3), np.float32)), np.zeros(2, int), ("cup",))
    with pytest.raises(PartDistillError, match="use .png or .jpg"):
        save_picture(tmp_path / "cloud.docx", Image.new("RGB", (4, 4)))
    save_picture(tmp_path / "cloud.png", Image.new("RGB", (4, 4)))
    assert Image.open(tmp_path / "cloud.png").size == (4, 4)
