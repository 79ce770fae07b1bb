# SPDX-License-Identifier: Apache-2.0
"""Messages to arrays and back; the only file that touches message buffers.

Measured with 300,000 points: reading xyz and rgb and writing the labeled cloud take 3 ms together.
"""

from __future__ import annotations

import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import Image, PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from partdistill_ros.inference.parts import Boxes
from partdistill_ros.inference.scene import SceneLabels
from partdistill_ros.msg import PartLegend
from partdistill_ros.nodes.inputs import DepthImage
from partdistill_ros.objects.part_box import Box
from partdistill_ros.pointcloud.depth import depth_scan, packed_image_colors
from partdistill_ros.pointcloud.layout import (
    OBJECT_FIELD,
    OWN,
    CloudLayout,
    KeptFields,
    PackedCloud,
    encode,
    encode_labeled,
    kept_fields,
    pack_colors,
    unpack_colors,
)
from partdistill_ros.pointcloud.scan import UNITS, Scan
from partdistill_ros.visualization.colors import UNLABELED_COLOR, part_colors
from partdistill_ros.visualization.legend import legend_picture

OBJECT_COLOR = np.array([235, 235, 235], np.uint8)
"""Of the outlines of objects: light gray stands out on RViz's and Foxglove's ground."""


@dataclass(frozen=True)
class Cloud:
    """A received cloud: `scan` in meters with every point in its order, `packed_colors [N] u4` as sent (None
    without), the header, which goes out again unchanged, what else is `kept` of it, and the `unit` it came in with
    its `points [N, 3]` in that (None: those of the scan)."""

    scan: Scan
    packed_colors: NDArray[np.uint32] | None
    header: Header
    is_dense: bool
    kept: KeptFields | None = None
    unit: str = "m"
    points: NDArray[np.float32] | None = None


def read_cloud(
    message: PointCloud2 | DepthImage,
    name: str,
    *,
    unit: str = "m",
    keep_fields: bool = False,
    object_field: bool = False,
) -> Cloud:
    """Coordinates, which are in `unit`, and colors of a cloud; `name` stands for it in messages to the user. A depth
    image becomes an organized cloud in meters.

    keep_fields: the other fields too, for a labeled cloud with or without an `object_field`.

    Raises PartDistillError for steps that do not fit the data, missing or invalid fields, and images that do not fit.
    """
    if isinstance(message, DepthImage):
        return _depth_cloud(message, name, unit)
    layout = CloudLayout.of(message, name)
    layout.check(len(message.data))
    if layout.count == 0:
        return Cloud(Scan(np.zeros((0, 3), np.float32), name=name), None, message.header, message.is_dense)
    points = layout.points(message.data)
    scan = Scan(
        points if unit == "m" else points * np.float32(UNITS[unit]),
        viewpoint=np.zeros(3, np.float32) if layout.grid else None,
        grid=layout.grid,
        name=name,
    )
    own = (*OWN, OBJECT_FIELD[0]) if object_field else OWN
    kept = kept_fields(layout, message.data, own) if keep_fields else None
    return Cloud(scan, layout.packed_colors(message.data), message.header, message.is_dense, kept, unit, points)


def _depth_cloud(image: DepthImage, name: str, unit: str) -> Cloud:
    scan = depth_scan(image.depth, image.info, name, unit=unit)
    colors = None if image.color is None else packed_image_colors(image.color, f"the color image of {name}")
    return Cloud(scan, colors, image.depth.header, is_dense=False)


def colors_of(cloud: Cloud, index: NDArray[np.intp] | None = None) -> NDArray[np.uint8] | None:
    """RGB `[N, 3] u1` of a cloud, or of the points `index [N]`; None where it has no colors."""
    if cloud.packed_colors is None:
        return None
    return unpack_colors(cloud.packed_colors if index is None else cloud.packed_colors[index])


def cloud_message(scan: Scan, header: Header) -> PointCloud2:
    """A scan as x y z (rgb), organized where it has a grid."""
    colors = None if scan.colors is None else pack_colors(scan.colors)
    packed = encode(scan.points, colors)
    return _message(packed, header, scan, is_dense=bool(np.isfinite(scan.points).all()))


def labeled_message(cloud: Cloud, answer: SceneLabels, *, object_field: bool = False) -> PointCloud2:
    """The cloud with its labels: same header, same order of points, part colors where there is a
    part and the cloud's own colors (gray without) elsewhere; object_field: and the number of each point's object."""
    table = pack_colors(np.vstack([part_colors(answer.parts), np.array([UNLABELED_COLOR], np.uint8)]))
    if cloud.packed_colors is None:
        colors = np.full(len(answer.labels), table[-1])
    else:
        colors = cloud.packed_colors.copy()
    labeled = np.flatnonzero(answer.labels >= 0)
    colors[labeled] = table[answer.labels.take(labeled)]
    points = cloud.scan.points if cloud.points is None else cloud.points
    objects = answer.object_numbers() if object_field else None
    packed = encode_labeled(points, colors, answer.labels, answer.confidence, cloud.kept, objects)
    return _message(packed, cloud.header, cloud.scan, cloud.is_dense)


def _message(packed: PackedCloud, header: Header, scan: Scan, is_dense: bool) -> PointCloud2:
    height, width = scan.grid or (1, len(scan.points))
    message = PointCloud2(
        header=header,
        height=height,
        width=width,
        fields=[PointField(name=n, offset=o, datatype=d, count=c) for n, o, d, c in packed.fields],
        point_step=packed.point_step,
        row_step=packed.point_step * width,
        is_bigendian=False,
        is_dense=is_dense,
    )
    message.data = packed.data
    return message


def legend_message(
    header: Header, query: str, bundle: str, parts: Sequence[str], labels: NDArray[np.int16] | None = None
) -> PartLegend:
    """What the labels mean, and how many points carry each where there is a result."""
    counts = [] if labels is None else np.bincount(labels[labels >= 0], minlength=len(parts)).tolist()
    colors = [_color(rgb, 1.0) for rgb in part_colors(parts)]
    return PartLegend(header=header, query=query, bundle=bundle, names=list(parts), colors=colors, counts=counts)


def legend_image_message(header: Header, parts: Sequence[str]) -> Image:
    """The legend as a picture, in the colors of the labeled cloud."""
    pixels = np.asarray(legend_picture(parts, part_colors(parts)))
    height, width, channels = pixels.shape
    message = Image(header=header, height=height, width=width, encoding="rgb8", step=channels * width)
    message.data = array.array("B", pixels.tobytes())
    return message


def box_pose(box: Box, scale: float = 1.0) -> Pose:
    """The middle of a box and its axes; `scale` units of the message are a meter."""
    x, y, z, w = box.quaternion()
    return Pose(position=_point(scale * box.center), orientation=Quaternion(x=x, y=y, z=z, w=w))


def box_size(box: Box, scale: float = 1.0) -> Vector3:
    """The lengths of a box along its axes."""
    x, y, z = _floats(scale * box.size)
    return Vector3(x=x, y=y, z=z)


def markers_message(cloud: Cloud, found: Boxes) -> MarkerArray:
    """Box and name of each part, outline and number of each object, after a marker that clears those before."""
    markers = [Marker(header=cloud.header, action=Marker.DELETEALL)]
    colors = part_colors(found.answer.parts)
    scale = 1 / UNITS[cloud.unit]
    for number, (part, box) in enumerate(found.parts):
        if part.label is not None:
            markers += _part_markers(cloud.header, number, part.name, box, colors[part.label], scale)
    for whole, box in found.objects:
        name = f"{whole.object.category or ''} {whole.object.number}".strip()
        markers += _object_markers(cloud.header, whole.object.number, name, box, scale)
    return MarkerArray(markers=markers)


def _part_markers(
    header: Header, number: int, name: str, box: Box, rgb: NDArray[np.uint8], scale: float
) -> list[Marker]:
    """Box and name of a part; `scale` units of the cloud are a meter."""
    shape = Marker(
        header=header,
        ns="boxes",
        id=number,
        type=Marker.CUBE,
        pose=box_pose(box, scale),
        scale=box_size(box, scale),
        color=_color(rgb, 0.25),
    )
    return [shape, _text(header, "names", number, name, _above(box, 0.02), rgb, scale)]


def _object_markers(header: Header, number: int, name: str, box: Box, scale: float) -> list[Marker]:
    """Outline and name of an object."""
    # Two corners are joined where they differ along one axis.
    corners = np.array([[i & 4, i & 2, i & 1] for i in range(8)], bool) - 0.5
    ends = [corners[[i, i | bit]] for bit in (4, 2, 1) for i in range(8) if not i & bit]
    outline = Marker(
        header=header,
        ns="objects",
        id=number,
        type=Marker.LINE_LIST,
        pose=box_pose(box, scale),
        scale=Vector3(x=0.002 * scale),
        color=_color(OBJECT_COLOR, 1.0),
        points=[_point(scale * end) for end in np.concatenate(ends) * box.size],
    )
    return [outline, _text(header, "numbers", number, name, _above(box, 0.05), OBJECT_COLOR, scale)]


def _above(box: Box, height: float) -> NDArray[np.float64]:
    return box.center + box.rotation[:, 2] * (box.size[2] / 2 + height)


def _text(
    header: Header, ns: str, number: int, text: str, at: NDArray[np.float64], rgb: NDArray[np.uint8], scale: float
) -> Marker:
    return Marker(
        header=header,
        ns=ns,
        id=number,
        type=Marker.TEXT_VIEW_FACING,
        text=text,
        pose=Pose(position=_point(scale * at)),
        scale=Vector3(z=0.03 * scale),
        color=_color(rgb, 1.0),
    )


def diagnostics_message(
    stamp: Time, name: str, level: bytes, summary: str, values: Mapping[str, object]
) -> DiagnosticArray:
    """One status of `/diagnostics`; numbers are written with 4 significant digits."""
    shown = {key: f"{value:.4g}" if isinstance(value, float) else str(value) for key, value in values.items()}
    status = DiagnosticStatus(
        level=level,
        name=name,
        message=summary,
        values=[KeyValue(key=key, value=value) for key, value in shown.items()],
    )
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def _color(rgb: NDArray[np.uint8], alpha: float) -> ColorRGBA:
    red, green, blue = (float(channel) / 255 for channel in rgb)
    return ColorRGBA(r=red, g=green, b=blue, a=alpha)


def _point(vector: NDArray[np.float64]) -> Point:
    x, y, z = _floats(vector)
    return Point(x=x, y=y, z=z)


def _floats(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
