# SPDX-License-Identifier: Apache-2.0
"""Depth images become organized clouds; what does not fit is a sentence with its remedy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from partdistill_ros.errors import MalformedCloudError
from partdistill_ros.pointcloud.depth import Pinhole, color_problem, depth_scan, image_colors

F, CX, CY = 100.0, 3.5, 1.5


def image(pixels: np.ndarray, encoding: str, padding: int = 0, frame: str = "optical", big: bool = False):
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))).view(np.uint8)
    rows = np.pad(rows.reshape(height, -1), ((0, 0), (0, padding)))
    header = SimpleNamespace(frame_id=frame)
    return SimpleNamespace(header=header, height=height, width=width, encoding=encoding, step=rows.shape[1],
                           is_bigendian=int(big), data=rows.tobytes())  # fmt: skip


def camera_info(width: int = 8, height: int = 4, frame: str = "optical", **changes):
    matrix = np.array([F, 0, CX, 0, 0, F, CY, 0, 0, 0, 1, 0])
    roi = SimpleNamespace(x_offset=0, y_offset=0, width=0, height=0)
    fields = {"header": SimpleNamespace(frame_id=frame), "width": width, "height": height, "k": np.zeros(9),
              "p": matrix, "binning_x": 0, "binning_y": 0, "roi": roi} | changes  # fmt: skip
    return SimpleNamespace(**fields)


@pytest.fixture
def meters() -> np.ndarray:
    return (0.5 + np.arange(32).reshape(4, 8) / 100).astype(np.float32)


@pytest.mark.parametrize(("encoding", "unit", "padding", "big"), [
    ("16UC1", "m", 0, False), ("16UC1", "mm", 6, True), ("mono16", "m", 2, False), ("32FC1", "m", 4, False),
    ("32FC1", "mm", 0, True),
])  # fmt: skip
def test_each_encoding_and_layout_gives_the_same_points(meters, encoding, unit, padding, big):
    pixels = np.round(meters * 1000).astype("u2") if "16" in encoding else meters * (1000 if unit == "mm" else 1)
    scan = depth_scan(image(pixels, encoding, padding, big=big), camera_info(), "/depth", unit=unit)
    assert scan.grid == (4, 8) and scan.viewpoint is not None and scan.points.dtype == np.float32
    v, u = np.mgrid[:4, :8]
    expected = np.stack([(u - CX) / F * meters, (v - CY) / F * meters, meters], -1).reshape(-1, 3)
    np.testing.assert_allclose(scan.points, expected, atol=1e-6)


@pytest.mark.parametrize(("encoding", "empty"), [("16UC1", [0]), ("32FC1", [0, np.nan, np.inf, -np.inf, -0.5])])
def test_what_has_no_depth_is_nan(meters, encoding, empty):
    pixels = np.full((4, 8), 700 if encoding == "16UC1" else 0.7, "u2" if encoding == "16UC1" else "f4")
    pixels[0, : len(empty)] = empty
    scan = depth_scan(image(pixels, encoding), camera_info(), "/depth")
    assert np.isnan(scan.points[: len(empty)]).all() and np.isfinite(scan.points[len(empty) :]).all()


def test_intrinsics_of_k_where_p_is_empty_and_of_binned_images_and_regions():
    k = np.array([F, 0, CX, 0, F + 1, CY, 0, 0, 1])
    assert Pinhole.of(camera_info(p=np.zeros(12), k=k), "info") == Pinhole(8, 4, F, F + 1, CX, CY)
    ros1 = camera_info()
    ros1.K, ros1.P = ros1.__dict__.pop("k"), ros1.__dict__.pop("p")
    assert Pinhole.of(ros1, "info") == Pinhole(8, 4, F, F, CX, CY)
    roi = SimpleNamespace(x_offset=2, y_offset=0, width=4, height=4)
    binned = Pinhole.of(camera_info(roi=roi, binning_x=2, binning_y=2), "info")
    assert binned == Pinhole(2, 2, F / 2, F / 2, (CX - 2) / 2, CY / 2)


@pytest.mark.parametrize(("info", "encoding", "words"), [
    ({"p": np.zeros(12)}, "16UC1", "focal lengths 0 and 0: calibrate the camera"),
    ({"p": np.full(12, np.nan)}, "16UC1", "focal lengths nan and nan"),
    ({"width": 640, "height": 480}, "16UC1", "8 x 4 pixels, its camera_info 640 x 480: take the camera_info of this"),
    ({"frame": "other"}, "16UC1", "in the frame 'optical', its camera_info in 'other': take"),
    ({}, "rgb8", "encoding 'rgb8'; publish depth as 16UC1 (millimeters) or 32FC1 (meters)"),
    ({}, "16UC1; compressedDepth", "rectified and not compressed"),
    ({}, "32FC1", "holds 64 bytes with step 16, but 8 x 4 pixels of '32FC1' need 128"),
])  # fmt: skip
def test_what_does_not_fit_is_told_with_its_remedy(info, encoding, words):
    with pytest.raises(MalformedCloudError) as told:
        depth_scan(image(np.ones((4, 8), "u2"), encoding), camera_info(**info), "/camera/depth")
    assert "/camera/depth" in str(told.value) and words in str(told.value)


@pytest.mark.parametrize(("encoding", "channels"), [
    ("rgb8", [1, 2, 3]), ("bgr8", [3, 2, 1]), ("rgba8", [1, 2, 3, 9]), ("bgra8", [3, 2, 1, 9]), ("mono8", [2]),
])  # fmt: skip
def test_colors(encoding, channels):
    pixels = np.tile(np.array(channels, np.uint8), (4, 8, 1))
    colors = image_colors(image(pixels, encoding, padding=5), "/color")
    assert colors.shape == (32, 3) and (colors == ([1, 2, 3] if len(channels) > 1 else [2, 2, 2])).all()


@pytest.mark.parametrize(("shape", "frame", "encoding", "words"), [
    ((4, 8, 3), "optical", "rgb8", ""),
    ((8, 16, 3), "optical", "rgb8", "16 x 8 pixels, the depth image 8 x 4: take the color image registered to depth"),
    ((4, 8, 3), "color_optical", "rgb8", "in the frame 'color_optical', the depth image in 'optical'"),
    ((4, 8, 2), "optical", "yuv422", "encoding 'yuv422'; taken are rgb8"),
])  # fmt: skip
def test_a_color_image_of_another_camera_is_told(shape, frame, encoding, words):
    color, depth = image(np.zeros(shape, "u1"), encoding, frame=frame), image(np.ones((4, 8), "u2"), "16UC1")
    problem = color_problem(color, depth, "/color")
    assert problem.startswith("/color ") and words in problem if words else not problem
