# SPDX-License-Identifier: Apache-2.0
"""The simulated depth camera: exact without noise, and wrong in the ways it claims with it."""

import numpy as np

from partdistill_ros.pointcloud.scan import Mesh
from partdistill_ros.synthetic.depth_camera import DepthCamera, camera_pose, capture, merge
from partdistill_ros.synthetic.drawing.primitives import box
from partdistill_ros.synthetic.drawing.sheets import sheet
from partdistill_ros.synthetic.families import generate

SMALL = DepthCamera(width=160, height=120, fx=130, fy=130, cx=79.5, cy=59.5)
PERFECT = DepthCamera(width=160, height=120, fx=130, fy=130, cx=79.5, cy=59.5, noise=0)


def wall(depth, size=4.0, label=0):
    """A square across the optical axis of a camera at the origin that looks along +z."""
    u, v = np.meshgrid(np.linspace(-0.5, 0.5, 9) * size, np.linspace(-0.5, 0.5, 9) * size, indexing="ij")
    vertices, faces = sheet(np.stack([u, v, np.full_like(u, depth)], -1))
    return Mesh(vertices.astype(np.float32), faces.astype(np.int32), np.full(len(faces), label, np.int16))


def rng():
    return np.random.default_rng(0)


def test_a_wall_is_seen_at_its_depth_in_every_pixel():
    scan = capture(wall(1.5), np.eye(4), rng(), PERFECT)
    assert scan.grid == (120, 160) and len(scan.points) == 120 * 160
    assert np.allclose(scan.points[:, 2], 1.5, atol=1e-4)
    corner = scan.points[0]
    assert np.allclose(corner[:2], [-79.5 / 130 * 1.5, -59.5 / 130 * 1.5], atol=1e-3)
    assert (scan.point_labels == 0).all()


def test_a_slanted_wall_has_the_depth_of_its_plane():
    mesh = wall(2.0)
    vertices = mesh.vertices + np.array([0, 0, 0.3], np.float32) * mesh.vertices[:, :1]
    scan = capture(Mesh(vertices, mesh.faces), np.eye(4), rng(), PERFECT)
    seen = scan.points[scan.finite()]
    assert len(seen) > 10_000
    assert np.allclose(seen[:, 2], 2 + 0.3 * seen[:, 0], atol=1e-3)


def test_the_nearer_surface_hides_the_farther_and_its_label_wins():
    scan = capture([wall(2.0, label=0), wall(1.0, size=0.4, label=1)], np.eye(4), rng(), PERFECT)
    depth, label = scan.points[:, 2].reshape(120, 160), scan.point_labels.reshape(120, 160)
    assert np.isclose(depth[60, 80], 1) and label[60, 80] == 1
    assert np.isclose(depth[5, 5], 2) and label[5, 5] == 0
    assert np.array_equal(label == 1, np.isclose(depth, 1, atol=1e-4))


def test_nothing_gives_nan_and_no_label():
    scan = capture(wall(1.0, size=0.2), np.eye(4), rng(), PERFECT)
    missing = ~scan.finite()
    assert missing.any() and np.isnan(scan.points[missing]).all()
    assert (scan.point_labels[missing] == -1).all()


def test_a_closed_box_shows_only_its_near_side():
    vertices, faces = box((0.5, 0.5, 0.5), (0, 0, 1.5))
    scan = capture(Mesh(vertices.astype(np.float32), faces.astype(np.int32)), np.eye(4), rng(), PERFECT)
    assert np.allclose(scan.points[scan.finite(), 2], 1.25, atol=1e-4)


def test_points_and_up_are_in_the_frame_of_the_camera():
    pose = camera_pose((0.5, -0.6, 0.5), (0, 0, 0))
    mesh = generate("mug", 0).mesh
    scan = capture(mesh, pose, rng(), PERFECT)
    world = scan.points[scan.finite()] @ pose[:3, :3].T + pose[:3, 3]
    assert len(world) > 50
    assert np.allclose(pose[:3, :3] @ scan.up, [0, 0, 1], atol=1e-6) and np.allclose(scan.viewpoint, 0)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert (world >= low - 1e-3).all() and (world <= high + 1e-3).all()


def test_look_at_is_a_rotation_with_the_target_ahead():
    for eye in ((1, 2, 3), (0, 0, 2), (0, 0, -1.5)):
        pose = camera_pose(eye, (0, 0, 0))
        assert np.allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3)) and np.isclose(np.linalg.det(pose[:3, :3]), 1)
        ahead = pose[:3, :3].T @ -np.asarray(eye, float)
        assert np.allclose(ahead[:2], 0, atol=1e-9) and ahead[2] > 0


def test_noise_grows_with_the_square_of_the_range():
    spread = []
    for depth in (0.8, 3.2):
        seen = capture(wall(depth, size=3 * depth), np.eye(4), rng(), SMALL).points
        spread.append(np.nanstd(seen[:, 2]))
    assert 0.0005 < spread[0] < 0.01
    assert 3 < spread[1] / spread[0] < 18


def test_outlines_lose_points_and_the_projector_shadow_falls_to_the_left():
    scan = capture([wall(1.5, size=6), wall(0.9, size=0.3)], np.eye(4), rng(), SMALL)
    lost = ~scan.finite().reshape(120, 160)
    half = int(0.15 / 0.9 * 130)
    rows = slice(60 - half + 3, 60 + half - 3)
    left, right = lost[rows, 79 - half - 5 : 79 - half].mean(), lost[rows, 81 + half + 1 : 81 + half + 6].mean()
    assert left > right + 0.1
    assert 0.001 < lost.mean() < 0.15


def test_points_beyond_the_range_are_missing():
    camera = DepthCamera(width=80, height=60, fx=60, fy=60, cx=39.5, cy=29.5, far=3.0)
    assert not capture(wall(4.0, size=20), np.eye(4), rng(), camera).finite().any()


def test_the_same_generator_gives_the_same_scan():
    pose, mesh = camera_pose((0.4, 0.4, 0.3), (0, 0, 0)), generate("mug", 1).mesh
    first, again = (capture(mesh, pose, rng(), SMALL) for _ in range(2))
    assert np.array_equal(first.points, again.points, equal_nan=True)
    assert np.array_equal(first.colors, again.colors)


def test_colors_come_from_the_faces():
    mesh = wall(1.0)
    red = Mesh(
        mesh.vertices, mesh.faces, mesh.face_labels, np.tile(np.array([200, 0, 0], np.uint8), (len(mesh.faces), 1))
    )
    colors = capture(red, np.eye(4), rng(), PERFECT).colors
    assert (colors[:, 0] > 60).all() and (colors[:, 1:] == 0).all()


def test_merging_keeps_labels_and_offsets_faces():
    both = merge([wall(1.0, label=3), wall(2.0, label=5)])
    assert set(both.face_labels) == {3, 5}
    assert np.allclose(both.triangles()[both.face_labels == 5][..., 2], 2)
