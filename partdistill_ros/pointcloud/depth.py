# SPDX-License-Identifier: Apache-2.0
"""Depth and color images and their camera, as ROS sends them, without ROS: to organized clouds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from partdistill_ros.errors import MalformedCloudError
from partdistill_ros.pointcloud.layout import pack_colors
from partdistill_ros.pointcloud.scan import UNITS, Scan

DEPTH_ENCODINGS = {"16UC1": "u2", "mono16": "u2", "32FC1": "f4"}
"""Integers are millimeters, floats meters (REP 118); RealSense's own recordings say mono16."""
COLOR_CHANNELS = {
    "rgb8": (0, 1, 2), "bgr8": (2, 1, 0), "rgba8": (0, 1, 2), "bgra8": (2, 1, 0), "8UC3": (2, 1, 0),
    "8UC4": (2, 1, 0), "mono8": (0, 0, 0), "8UC1": (0, 0, 0),
}  # fmt: skip
"""Where red, green and blue lie; images of OpenCV without a name are BGR."""


@dataclass(frozen=True)
class Pinhole:
    """A camera without distortion: focal lengths and principal point in pixels of an image `width x height`."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    @classmethod
    def of(cls, info: Any, name: str) -> Pinhole:
        """The camera of a rectified image from its sensor_msgs/CameraInfo: of P, or of K where P is all zero; binning
        and region of interest are taken into account, as image_geometry does.

        Raises MalformedCloudError for an intrinsic that is zero or no number; `name` stands for the message.
        """
        # ROS 1 writes K and P.
        k, p = (np.asarray(getattr(info, letter, getattr(info, letter.upper(), ())), float) for letter in "kp")
        fx, cx, fy, cy = k[[0, 2, 4, 5]] if len(k) == 9 and not np.any(p) else p[[0, 2, 5, 6]]
        if not (np.isfinite([fx, fy, cx, cy]).all() and fx > 0 and fy > 0):
            raise MalformedCloudError(
                f"{name} has the focal lengths {fx:g} and {fy:g}: calibrate the camera, or have its driver fill P or K"
            )
        x, y = max(1, info.binning_x), max(1, info.binning_y)
        roi = info.roi
        width, height = (roi.width or info.width) // x, (roi.height or info.height) // y
        return cls(width, height, fx / x, fy / y, (cx - roi.x_offset) / x, (cy - roi.y_offset) / y)

    def points(self, depth: NDArray[np.float32]) -> NDArray[np.float32]:
        """Points `[H * W, 3]` in the optical frame (x right, y down, z forward) of depths `[H, W]`; NaN stays NaN.

        X = (u - cx) Z / fx, Y = (v - cy) Z / fy.
        """
        height, width = depth.shape
        points = np.empty((height, width, 3), np.float32)
        np.multiply(depth, ((np.arange(width) - self.cx) / self.fx).astype(np.float32), out=points[..., 0])
        np.multiply(depth, ((np.arange(height) - self.cy) / self.fy).astype(np.float32)[:, None], out=points[..., 1])
        points[..., 2] = depth
        return points.reshape(-1, 3)


def depth_scan(depth: Any, info: Any, name: str, *, unit: str = "m") -> Scan:
    """The organized cloud of a depth image (sensor_msgs/Image, `16UC1` or `32FC1`) and its CameraInfo, in meters.

    0, what is not finite and what is negative have no depth: NaN. unit: of `32FC1`; integers are millimeters.
    Raises MalformedCloudError for an encoding that is not taken, and for a frame, a size or intrinsics that do not fit.
    """
    ours, theirs = depth.header.frame_id, info.header.frame_id
    if ours != theirs and theirs:
        raise MalformedCloudError(
            f"{name} is in the frame '{ours}', its camera_info in '{theirs}': take the camera_info of the same camera"
        )
    camera = Pinhole.of(info, f"the camera_info of {name}")
    if (camera.width, camera.height) != (depth.width, depth.height):
        raise MalformedCloudError(
            f"{name} has {depth.width} x {depth.height} pixels, its camera_info {camera.width} x {camera.height}: take "
            "the camera_info of this image, not of the one before scaling or registration"
        )
    meters = depth_meters(depth, name, unit=unit)
    return Scan(camera.points(meters), viewpoint=np.zeros(3, np.float32), grid=(camera.height, camera.width), name=name)


def depth_meters(image: Any, name: str, *, unit: str = "m") -> NDArray[np.float32]:
    """A depth image as meters `[H, W]`, NaN where there is none. Raises as `depth_scan` does."""
    kind = DEPTH_ENCODINGS.get(image.encoding)
    if kind is None:
        raise MalformedCloudError(
            f"{name} has the encoding '{image.encoding}'; publish depth as 16UC1 (millimeters) or 32FC1 (meters), "
            "rectified and not compressed"
        )
    values = _pixels(image, np.dtype(kind), 1, name)[..., 0]
    scale = np.float32(UNITS["mm" if kind == "u2" else unit])
    meters = values.astype(np.float32) if scale == 1 else values * scale
    with np.errstate(invalid="ignore"):
        meters[~((meters > 0) & (meters < np.inf))] = np.nan
    return meters


def color_problem(color: Any, depth: Any, name: str) -> str:
    """Why a color image is not that of a depth image, with the remedy; empty where it is. Looks at no pixel."""
    if (color.width, color.height) != (depth.width, depth.height):
        sizes = f"{color.width} x {color.height} pixels, the depth image {depth.width} x {depth.height}"
        return f"{name} has {sizes}: take the color image registered to depth, or depth registered to color"
    ours, theirs = color.header.frame_id, depth.header.frame_id
    if ours != theirs:
        return f"{name} is in the frame '{ours}', the depth image in '{theirs}': take a color image registered to depth"
    if color.encoding not in COLOR_CHANNELS:
        return f"{name} has the encoding '{color.encoding}'; taken are {', '.join(COLOR_CHANNELS)}"
    return ""


def image_colors(image: Any, name: str) -> NDArray[np.uint8]:
    """RGB `[H * W, 3]` of a color image. Raises MalformedCloudError for an encoding or size that cannot be read."""
    channels = COLOR_CHANNELS.get(image.encoding)
    if channels is None:
        raise MalformedCloudError(color_problem(image, image, name))
    count = {"rgb8": 3, "bgr8": 3, "8UC3": 3, "mono8": 1, "8UC1": 1}.get(image.encoding, 4)
    pixels = _pixels(image, np.dtype("u1"), count, name)
    return np.ascontiguousarray(pixels[..., list(channels)]).reshape(-1, 3)


def packed_image_colors(image: Any, name: str) -> NDArray[np.uint32]:
    """The same as 0xFFRRGGBB `[H * W]`."""
    return pack_colors(image_colors(image, name))


def _pixels(image: Any, kind: np.dtype[Any], channels: int, name: str) -> NDArray[Any]:
    """A view `[H, W, channels]` into an image's buffer, whose rows may be padded."""
    row = image.width * channels * kind.itemsize
    step = image.step or row
    size = len(image.data)
    if image.height < 1 or image.width < 1:
        raise MalformedCloudError(f"{name} has {image.width} x {image.height} pixels; look at its driver")
    if step < row or size < (image.height - 1) * step + row:
        raise MalformedCloudError(
            f"{name} holds {size} bytes with step {image.step}, but {image.width} x {image.height} pixels of "
            f"'{image.encoding}' need {image.height * row}; set width, height, step and encoding to what data holds"
        )
    order = kind.newbyteorder(">" if image.is_bigendian else "<")
    whole = np.frombuffer(image.data, np.uint8)
    strides = (step, channels * kind.itemsize, kind.itemsize)
    return np.ndarray((image.height, image.width, channels), order, whole, 0, strides)
