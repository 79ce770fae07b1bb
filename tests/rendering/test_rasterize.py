# SPDX-License-Identifier: Apache-2.0
"""Pictures of one scan: what is seen, what stays unseen and what the index map says."""

import numpy as np
import pytest
import torch

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Mesh, Scan, sample_mesh
from partdistill_ros.rendering.cameras import Views, bounding_sphere, orbit_views, ten_views
from partdistill_ros.rendering.rasterize import (
    Rendering,
    close_gaps,
    locate_points,
    point_spacing,
    render_faces,
    render_points,
    render_scan,
    visible_points,
)
from partdistill_ros.synthetic.drawing.primitives import MeshBuilder, box, ellipsoid


def sphere(count, radius=1.0, seed=0):
    points = np.random.default_rng(seed).normal(size=(count, 3))
    return (radius * points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)


def ball(radius=1.0, labels="a"):
    builder = MeshBuilder(tuple(labels))
    builder.add("a", ellipsoid((radius,) * 3, 48, 25))
    return builder.build()


def facing(points, views):
    """Cosine between outward direction and ray to each camera, [V, N]."""
    ray = views.position[:, None] - points
    return (ray * points).sum(-1) / np.linalg.norm(ray, axis=-1) / np.linalg.norm(points, axis=-1)


@pytest.mark.parametrize("count", [2048, 10000])
@pytest.mark.parametrize("inner", [0.8, 0.9])
def test_an_inner_sphere_stays_unseen(count, inner):
    """Closed shape: nothing inside may be marked visible, through whatever gap between discs."""
    points = np.concatenate([sphere(count), sphere(count, inner, seed=1)])
    views = ten_views()
    seen = visible_points(render_points(points, views), 2 * count)
    assert seen[:, count:].mean() < 0.005
    outer, cosine = seen[:, :count], facing(points[:count], views)
    assert outer[cosine > 0.5].mean() > 0.99
    assert outer[cosine < -0.2].sum() == 0


def test_the_far_side_of_a_box_stays_unseen():
    builder = MeshBuilder(("a",))
    builder.add("a", box((1, 1, 1)))
    points, normals, _ = sample_mesh(builder.build(), 6000)
    views = ten_views(None, *bounding_sphere(points))
    seen = visible_points(render_points(points, views), len(points))
    ray = views.position[:, None] - points
    cosine = (ray * normals).sum(-1) / np.linalg.norm(ray, axis=-1)
    near_edge = (np.abs(points) > 0.44).sum(1) > 1
    assert seen[:, ~near_edge][cosine[:, ~near_edge] < 0].sum() == 0
    assert seen[cosine > 0.3].mean() > 0.95


def test_slanting_surfaces_are_seen():
    plane = np.random.default_rng(0).uniform(-0.7, 0.7, (4000, 3)).astype(np.float32)
    plane[:, 2] = 0
    flat, slanting = visible_points(render_points(plane, orbit_views([40.0, 15.0], [30.0, 30.0])), 4000).mean(1)
    assert flat > 0.8 and slanting > 0.4


def test_the_index_map_shows_the_point_that_lies_there():
    points, views = sphere(5000), ten_views()
    rendering = render_points(points, views, 96)
    view, row, column = np.nonzero(rendering.index >= 0)
    shown = points[rendering.index[view, row, column]]
    camera = np.einsum("nij,nj->ni", views.rotation[view], shown - views.position[view])
    expected = 48 * (1 + views.focal[view, None] * camera[:, :2] / camera[:, 2:])
    assert np.abs(expected - np.stack([column, row], -1) - 0.5).max() < 8
    np.testing.assert_allclose(rendering.depth[view, row, column], camera[:, 2], rtol=1e-4)
    assert np.isinf(rendering.depth[rendering.index < 0]).all()
    assert (rendering.picture[rendering.index < 0] == 255).all()


def test_each_visible_point_has_a_pixel_that_shows_it_or_its_own():
    points, views = sphere(3000), ten_views()
    rendering = render_points(points, views, 96)
    view, point = np.nonzero(rendering.pixel >= 0)
    row, column = np.divmod(rendering.pixel[view, point], 96)
    camera = np.einsum("nij,nj->ni", views.rotation[view], points[point] - views.position[view])
    expected = 48 * (1 + views.focal[view, None] * camera[:, :2] / camera[:, 2:])
    off = np.abs(expected - np.stack([column, row], -1) - 0.5).max(1)
    shown = rendering.index[view, row, column] == point
    assert ((off <= 0.5 + 1e-3) | shown).all() and off.max() < 8
    assert shown.mean() > 0.9, "few points show nowhere"


def test_rendering_is_deterministic_and_does_not_depend_on_order():
    points = sphere(500)  # of more than that the spacing is measured on some
    normals = points.copy()
    order = np.random.default_rng(5).permutation(500)
    first = render_points(points, ten_views(), 96, normals=normals)
    again = render_points(points, ten_views(), 96, normals=normals)
    mixed = render_points(points[order], ten_views(), 96, normals=normals[order])
    np.testing.assert_array_equal(first.picture, again.picture)
    shown = mixed.index >= 0
    np.testing.assert_array_equal(order[mixed.index[shown]], first.index[shown])


def test_missing_points_are_never_seen_and_other_points_keep_their_numbers():
    points = sphere(2000)
    holes = points.copy()
    holes[::3] = np.nan
    seen = visible_points(render_points(holes, ten_views()), 2000)
    assert not seen[:, ::3].any() and seen[:, 1::3].any(0).mean() > 0.9


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_points_can_be_rendered(count):
    rendering = render_points(sphere(count), ten_views(), 64)
    assert visible_points(rendering, count).any(0).all()


def test_a_cloud_without_finite_points_is_refused():
    with pytest.raises(PartDistillError, match="no finite points"):
        render_points(np.full((5, 3), np.nan, np.float32), ten_views())


def test_identical_points_do_not_break_the_spacing():
    points = np.repeat(sphere(20), 50, axis=0)
    assert 0 < point_spacing(points, 1.0) < 1
    assert (render_points(points, ten_views(), 64).index >= 0).any()


def test_spacing_follows_the_density():
    assert point_spacing(sphere(10000), 1.0) == pytest.approx(np.sqrt(4 * np.pi / 10000), rel=0.1)
    assert point_spacing(2 * sphere(1000), 2.0) == pytest.approx(2 * np.sqrt(4 * np.pi / 1000), rel=0.1)


def test_faces_of_a_ball_show_their_near_side_only():
    mesh, views = ball(), ten_views()
    rendering = render_faces(mesh, views, 96)
    center = mesh.triangles().mean(1)
    seen = visible_points(rendering, len(mesh.faces))
    cosine = facing(center, views)
    assert seen[cosine < -0.2].sum() == 0 and seen[cosine > 0.4].mean() > 0.9
    assert rendering.of == "faces" and rendering.pixel is None


def test_depth_of_a_ball_is_its_distance():
    rendering = render_faces(ball(), orbit_views([0], [0]), 97)
    assert rendering.depth[0, 48, 48] == pytest.approx(1.2, abs=0.01)


def test_points_are_located_on_faces():
    builder = MeshBuilder(("a",))
    builder.add("a", ellipsoid((1, 1, 1), 48, 25))
    builder.add("a", ellipsoid((0.85,) * 3, 48, 25))
    mesh, views = builder.build(), ten_views()
    points, _, face = sample_mesh(mesh, 4000)
    seen = visible_points(render_faces(mesh, views, points=points), 4000)
    inside = face >= len(mesh.faces) // 2
    assert seen[:, inside].sum() == 0
    cosine = facing(points, views)
    assert seen[:, ~inside][cosine[:, ~inside] > 0.5].mean() > 0.99


def test_points_and_faces_of_a_shape_agree():
    mesh, views = ball(), ten_views()
    points, normals, _ = sample_mesh(mesh, 20000)
    splatted, drawn = render_points(points, views, 96, normals=normals), render_faces(mesh, views, 96)
    both = (splatted.index >= 0) & (drawn.index >= 0)
    assert both.sum() > 0.95 * (drawn.index >= 0).sum()
    assert np.median(np.abs(splatted.depth[both] - drawn.depth[both])) < 0.02
    assert np.median(np.abs(splatted.picture[both].astype(int) - drawn.picture[both])) < 8


def test_headlight_darkens_towards_the_outline():
    picture = render_points(sphere(20000), orbit_views([0], [0]), 96, normals=sphere(20000)).picture[0, :, :, 0]
    rendered = picture < 255
    middle = picture[44:52, 44:52].mean()
    rim = picture[48][np.flatnonzero(rendered[48])[[1, 2, -3, -2]]].mean()
    assert rim < 0.75 * middle


def test_colors_show():
    colors = np.zeros((3000, 3), np.uint8)
    colors[:, 1] = 180
    picture = render_points(sphere(3000), ten_views(), 64, colors=colors).picture
    assert set(map(tuple, picture.reshape(-1, 3))) == {(255, 255, 255), (0, 180, 0)}


def test_face_colors_show():
    mesh = ball()
    red = Mesh(mesh.vertices, mesh.faces, face_colors=np.tile(np.array([250, 0, 0], np.uint8), (len(mesh.faces), 1)))
    picture = render_faces(red, ten_views(), 64).picture
    assert picture[..., 1][picture[..., 1] < 255].max() == 0


def test_render_scan_takes_meshes_and_clouds_and_keeps_the_name():
    mesh = ball()
    views = ten_views()
    whole = render_scan(Scan(mesh.vertices, mesh=mesh, name="ball"), views, 64)
    assert (whole.of, whole.name, whole.pixel.shape) == ("faces", "ball", (10, len(mesh.vertices)))
    cloud = render_scan(Scan(sphere(500), name="dots"), views, 64)
    assert (cloud.of, cloud.name, cloud.pixel.shape) == ("points", "dots", (10, 500))
    assert len(np.unique(cloud.picture)) > 10


def test_faces_that_name_missing_vertices_are_refused():
    mesh = Mesh(np.zeros((3, 3), np.float32), np.array([[0, 1, 3]], np.int32))
    with pytest.raises(PartDistillError, match="outside 0..2"):
        render_faces(mesh, ten_views())
    with pytest.raises(PartDistillError, match="no faces"):
        render_faces(Mesh(np.zeros((3, 3), np.float32), np.zeros((0, 3), np.int32)), ten_views())


def test_orthographic_views_show_the_same_side():
    views = orbit_views([20.0], [40.0])
    flat = Views(views.rotation, views.position, np.array([0.9], np.float32), orthographic=True)
    points = sphere(8000)
    seen = visible_points(render_points(points, flat), 8000)[0]
    towards = points @ (views.position[0] / np.linalg.norm(views.position[0]))
    assert seen[towards > 0.3].mean() > 0.95 and not seen[towards < -0.1].any()


def test_visibility_without_located_points_follows_the_index_map():
    index = np.array([[[0, 2], [-1, 2]]], np.int32)
    rendering = Rendering(np.zeros((1, 2, 2, 3), np.uint8), np.ones((1, 2, 2), np.float32), index)
    np.testing.assert_array_equal(visible_points(rendering, 4), [[True, False, True, False]])
    with pytest.raises(PartDistillError, match="beyond number 2"):
        visible_points(rendering, 2)


def test_a_wrong_number_of_points_is_refused():
    with pytest.raises(PartDistillError, match="of 50 points, not of 49"):
        visible_points(render_points(sphere(50), ten_views(), 32), 49)


def test_closing_gaps_keeps_planes_and_steps_and_fills_pits():
    ramp = torch.arange(40.0).repeat(40, 1)[None] / 10 + 1
    torch.testing.assert_close(close_gaps(ramp, 3)[:, :, 3:-3], ramp[:, :, 3:-3])
    step = torch.where(torch.arange(40) < 20, 1.0, 5.0).repeat(40, 1)[None]
    torch.testing.assert_close(close_gaps(step, 3), step)
    pit = torch.ones(1, 40, 40)
    pit[0, 10:15, 10:15] = 9
    torch.testing.assert_close(close_gaps(pit, 3), torch.ones(1, 40, 40))


def test_locating_respects_the_tolerance():
    views = orbit_views([0], [0])
    rendering = render_faces(ball(), views, 128)
    depths = np.array([[0.999, 0, 0], [0.95, 0, 0], [-0.999, 0, 0]], np.float32)
    assert (locate_points(rendering, depths, views, tolerance=0.02).pixel[0] >= 0).tolist() == [True, False, False]
    assert (locate_points(rendering, depths, views, tolerance=0.1).pixel[0] >= 0).tolist() == [True, True, False]
