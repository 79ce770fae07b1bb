# SPDX-License-Identifier: Apache-2.0
"""Color, shading and depth of a rendering as pictures."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.errors import PartDistillError  # noqa: E402
from partdistill_ros.pointcloud.scan import sample_surface  # noqa: E402
from partdistill_ros.rendering.cameras import ten_views  # noqa: E402
from partdistill_ros.rendering.rasterize import render_scan  # noqa: E402
from partdistill_ros.synthetic.families import generate  # noqa: E402
from partdistill_ros.teachers.pictures import chosen_kind, depth_pictures, shown_pictures  # noqa: E402

MUG = generate("mug", 900_000)
CLOUD = sample_surface(MUG, 3000)
RED = np.tile(np.array([200, 0, 0], np.uint8), (3000, 1))


def rendered(scan):
    return render_scan(scan, ten_views(), 64)


def test_auto_follows_the_scan():
    assert chosen_kind(rendered(CLOUD.with_(colors=RED))) == "color"
    assert chosen_kind(rendered(CLOUD)) == "depth"
    assert chosen_kind(rendered(CLOUD), uncolored_cloud="shaded") == "shaded"
    assert chosen_kind(rendered(CLOUD.with_(colors=RED)), uncolored_cloud="shaded") == "color"
    assert chosen_kind(rendered(MUG)) == "shaded"


def test_shading_is_the_same_whatever_the_color():
    plain, red = rendered(CLOUD), rendered(CLOUD.with_(colors=RED))
    np.testing.assert_array_equal(shown_pictures(red, "shaded"), shown_pictures(plain, "shaded"))
    np.testing.assert_allclose(shown_pictures(plain, "shaded").astype(int), plain.picture, atol=1)
    assert (shown_pictures(red, "color") == red.picture).all()


def test_depth_is_dark_where_near_on_white():
    """As PointCLIP V2 has it; 0.3 / 1.3 of black is left for the farthest point."""
    rendering = rendered(CLOUD)
    gray = shown_pictures(rendering, "depth")[..., 0].astype(float)
    for view in range(10):
        seen = rendering.index[view] >= 0
        assert (gray[view][~seen] == 255).all() and gray[view][seen].max() <= 197 and gray[view][seen].min() < 30
        near, far = rendering.depth[view][seen].min(), rendering.depth[view][seen].max()
        expected = 255 * (1 - 0.3 / 1.3) * (rendering.depth[view][seen] - near) / (far - near)
        assert np.corrcoef(gray[view][seen], expected)[0, 1] > 0.98


@pytest.mark.parametrize("kind", ["auto", "color", "shaded", "depth"])
def test_some_views_are_shown_as_among_all(kind):
    rendering = rendered(CLOUD.with_(colors=RED))
    some = shown_pictures(rendering, kind, range(3, 6))
    np.testing.assert_array_equal(some, shown_pictures(rendering, kind)[3:6])
    assert (some[0] != some[1]).any()


def test_one_colored_view_is_enough():
    rendering = rendered(CLOUD)
    rendering.picture[7, 30, 30] = (200, 0, 0)
    assert chosen_kind(rendering) == "color" and chosen_kind(rendering, "shaded") == "shaded"


def test_an_empty_view_stays_white():
    assert (depth_pictures(np.full((1, 8, 8), np.inf, np.float32)) == 255).all()


def test_other_kinds_are_told():
    with pytest.raises(PartDistillError, match="not one of auto, color"):
        shown_pictures(rendered(CLOUD), "x-ray")
