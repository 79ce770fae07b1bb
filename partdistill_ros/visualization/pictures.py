# SPDX-License-Identifier: Apache-2.0
"""Pictures of clouds for people: drawn with numpy and Pillow, so that the live path can make them.

A cloud is drawn as discs with a depth buffer, lit by the slope of the depth picture and darkened
behind its edges ("eye-dome lighting"), which reads well without any normals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, minimum_filter
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.scan import Scan, sample_surface
from partdistill_ros.rendering.cameras import look_at
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import BACKGROUND, INK, percent_captions, sheet

# Disc radius over the distance to the third neighbor: randomly sampled surfaces show what lies behind
# them through holes at 0.8 and no longer at 1.5.
DISC_PER_SPACING = 1.5
EMPTY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Look:
    """Numbers of taste. Lengths in pixels of the finished picture."""

    supersample: int = 2
    margin: float = 0.06  # empty border, fraction of the picture
    background: tuple[int, int, int] = BACKGROUND
    ink: tuple[int, int, int] = INK
    bare: tuple[int, int, int] = (196, 192, 186)  # a cloud that came without colors
    mute: float = 0.62  # how far unlabeled points fade towards gray when parts are shown
    smooth: float = 2.0  # blur of the depth before its slope is lit; hides a Kinect's ripple
    ambient: float = 0.55
    edge: float = 5.0  # strength of the dark rims
    mesh_points: int = 60_000  # samples drawn of a mesh
    largest_disc: float = 7.0


LOOK = Look()

Bounds = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lowest and highest x / z and y / z, `[2]` each, that a picture shows."""


@dataclass(frozen=True)
class Camera:
    """A pinhole at `position [3]`; `rotation [3, 3]` turns scan axes into right, down, forward."""

    position: NDArray[np.float64]
    rotation: NDArray[np.float64]


def camera_for(scan: Scan) -> Camera:
    """The recording viewpoint where there is one, else from front right and above.

    `up` unknown counts as -y for a scan with a viewpoint (optical frame), +z otherwise.
    Raises PartDistillError where no point is finite.
    """
    low, high = central_range(scan)
    center, up = (low + high) / 2, drawn_up(scan)
    if scan.viewpoint is not None:
        return camera_at(np.asarray(scan.viewpoint, np.float64), center, up)
    first = np.eye(3)[np.abs(up).argmin()]
    level = np.cross(up, first)
    outward = 0.75 * level + 0.85 * np.cross(level, up) + 0.62 * up
    return camera_at(center + 1.6 * np.linalg.norm(high - low) * outward / np.linalg.norm(outward), center, up)


def camera_at(position: NDArray[np.float64], target: NDArray[np.float64], up: NDArray[np.float64]) -> Camera:
    """A camera at `position [3]` that looks at `target [3]`, with `up [3]` up in the picture."""
    return Camera(position, look_at(position, target, up)[0].astype(np.float64))


def central_range(scan: Scan) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest coordinates `[3]` without the outermost percent.

    Raises PartDistillError where no point is finite.
    """
    points = scan.points[scan.finite()].astype(np.float64)
    if not len(points):
        raise PartDistillError(f"{scan.name}: no finite points to draw")
    low, high = np.asarray(np.percentile(points, (1, 99), axis=0))
    return low, high


def drawn_up(scan: Scan) -> NDArray[np.float64]:
    """What is up in pictures `[3]`: the scan's own, -y in an optical frame, else z."""
    if scan.up is not None:
        return np.asarray(scan.up, np.float64)
    return np.array([0.0, 0.0, 1.0] if scan.viewpoint is None else [0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Drawing:
    """A cloud laid out in a picture, to be painted in any colors: `index [H, W]` of the point that each
    supersampled pixel shows (-1 none) and the brightness `light [H, W]` there."""

    index: NDArray[np.int64]
    light: NDArray[np.float64]
    size: tuple[int, int]

    def paint(self, colors: NDArray[np.uint8], objects: NDArray[np.integer] | None = None) -> Image.Image:
        """The picture in the points' `colors [N, 3] u1`, with a line around each of the `objects [N]` (0 none)."""
        picture = np.empty((*self.index.shape, 3), np.uint8)
        picture[:] = LOOK.background
        drawn = self.index >= 0
        lit = colors[self.index[drawn]] * self.light[drawn, None]
        picture[drawn] = lit.clip(0, 255).astype(np.uint8)
        if objects is not None:
            picture[_outlines(np.where(drawn, objects[self.index], 0))] = LOOK.ink
        return Image.fromarray(picture).resize(self.size, Image.Resampling.LANCZOS)


def draw_cloud(
    points: ArrayLike,
    camera: Camera,
    size: tuple[int, int] = (640, 480),
    bounds: Bounds | None = None,
) -> Drawing:
    """Lay out `points [N, 3]`, framed to fill `size` (width, height) pixels; `bounds` frame several
    pictures alike."""
    seen, usable = _seen(points, camera)
    width, height = size[0] * LOOK.supersample, size[1] * LOOK.supersample
    if not len(seen):
        return Drawing(np.full((height, width), -1), np.ones((height, width)), size)
    column, row, scale = _frame(seen, bounds or _plane_bounds(seen), width, height, LOOK.margin)
    radius = _disc_radius(seen, scale)
    depth, index = _splat(column, row, seen[:, 2], width, height, radius)
    drawn = index >= 0
    return Drawing(np.where(drawn, usable[index], -1), _light(depth, drawn, scale), size)


def _outlines(numbers: NDArray[np.integer]) -> NDArray[np.bool_]:
    """The pixels `[H, W]` on both sides of where `numbers [H, W]` change."""
    edges = np.zeros(numbers.shape, bool)
    for near, far in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:], np.s_[:-1])):
        changes = numbers[near] != numbers[far]
        edges[near] |= changes
        edges[far] |= changes
    return edges


def common_bounds(points: ArrayLike, cameras: Sequence[Camera]) -> Bounds:
    """What has to be in the picture so that `points [N, 3]` can be seen from each camera.

    Raises PartDistillError where no point is finite and in front of a camera.
    """
    each = [_plane_bounds(seen) for seen, _ in (_seen(points, camera) for camera in cameras) if len(seen)]
    if not each:
        raise PartDistillError("no finite points to draw")
    return np.min([low for low, _ in each], axis=0), np.max([high for _, high in each], axis=0)


def _seen(points: ArrayLike, camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Camera-frame points `[M, 3]` in front of the camera, and their index `[M]`."""
    seen = (np.asarray(points, np.float64) - camera.position) @ camera.rotation.T
    usable = np.flatnonzero(np.isfinite(seen).all(1) & (seen[:, 2] > 1e-6))
    return seen[usable], usable


def _plane_bounds(seen: NDArray[np.float64]) -> Bounds:
    low, high = np.percentile(seen[:, :2] / seen[:, 2:], (0.5, 99.5), axis=0)
    return low, high


def _frame(
    seen: NDArray[np.float64], bounds: Bounds, width: int, height: int, margin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Pixel column and row `[N]` of camera-frame points, and pixels per unit of x / z."""
    plane = seen[:, :2] / seen[:, 2:]
    low, high = bounds
    room = np.array([width, height]) * (1 - 2 * margin)
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    pixel = (plane - (low + high) / 2) * scale + np.array([width, height]) / 2
    return pixel[:, 0], pixel[:, 1], scale


def _disc_radius(seen: NDArray[np.float64], scale: float) -> float:
    """Disc radius in supersampled pixels that closes the gaps between neighboring points."""
    probes = seen[:: max(1, len(seen) // 2000)]
    if len(seen) < 4:
        return LOOK.largest_disc * LOOK.supersample
    # The third neighbor, not the first: random samples have close pairs, and duplicates do too.
    spacing = cKDTree(seen).query(probes, k=4)[0][:, 3]
    pixels = float(np.median(spacing / probes[:, 2])) * scale
    return float(np.clip(DISC_PER_SPACING * pixels, 0.8, LOOK.largest_disc * LOOK.supersample))


def _splat(
    column: NDArray[np.float64],
    row: NDArray[np.float64],
    depth: NDArray[np.float64],
    width: int,
    height: int,
    radius: float,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Nearest depth (inf empty) and point (-1 empty) of each pixel, `[height, width]`."""
    # The smallest key of depth bits and index wins a pixel, whatever the order of the points.
    bits = depth.astype(np.float32).view(np.int32).astype(np.int64)
    key = bits << 32 | np.arange(len(depth))
    nearest = np.full(height * width, EMPTY)
    x, y = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    offsets = np.arange(-int(np.ceil(radius)), int(np.ceil(radius)) + 1)
    for down, right in ((d, r) for d in offsets for r in offsets if d * d + r * r <= radius * radius):
        inside = (x + right >= 0) & (x + right < width) & (y + down >= 0) & (y + down < height)
        np.minimum.at(nearest, ((y + down) * width + x + right)[inside], key[inside])
    index = np.where(nearest < EMPTY, nearest & 0xFFFFFFFF, -1)
    front = np.where(index >= 0, depth[index], np.inf)
    return front.reshape(height, width), index.reshape(height, width)


def _light(depth: NDArray[np.float64], drawn: NDArray[np.bool_], scale: float) -> NDArray[np.float64]:
    """Brightness `[H, W]` around 1 from the slope of the depth and the rims behind edges."""
    filled = np.where(drawn, depth, 0.0)
    sigma = LOOK.smooth * LOOK.supersample
    weight = gaussian_filter(drawn.astype(np.float64), sigma)
    soft = gaussian_filter(filled, sigma) / np.maximum(weight, 1e-6)
    median = float(np.median(depth[drawn]))
    down, right = np.gradient(soft * scale / median)
    normal = np.stack([right, down, -np.ones_like(soft)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.45, -0.65, -0.62])
    diffuse = (normal @ (lamp / np.linalg.norm(lamp))).clip(0)
    slope = LOOK.ambient + (1.12 - LOOK.ambient) * diffuse
    extent = np.subtract(*np.percentile(depth[drawn], (98, 2))) + 1e-9
    near = minimum_filter(np.where(drawn, depth, np.finfo(float).max), size=4 * LOOK.supersample + 1)
    rim = np.maximum(np.where(drawn, depth, -np.inf) - near, 0.0) / extent
    return slope * np.exp(-LOOK.edge * np.minimum(rim, 0.25))


def cloud_colors(scan: Scan) -> NDArray[np.uint8]:
    """The scan's own colors `[N, 3] u1`, a warm gray where it has none."""
    if scan.colors is not None:
        return scan.colors
    return np.broadcast_to(np.array(LOOK.bare, np.uint8), (len(scan.points), 3)).copy()


def label_colors(scan: Scan, labels: NDArray[np.integer], parts: Sequence[str]) -> NDArray[np.uint8]:
    """Colors `[N, 3] u1` of `labels [N]` into `parts`; unlabeled points fade to a light gray."""
    own = cloud_colors(scan).astype(np.float64)
    gray = own.mean(1, keepdims=True) * 0.5 + 105
    faded = (1 - LOOK.mute) * own + LOOK.mute * gray
    painted = np.vstack([part_colors(parts), np.zeros((1, 3), np.uint8)]).astype(np.float64)
    luminance = own.mean(1, keepdims=True) / max(float(own.mean()), 1.0)
    painted_here = painted[labels] * (0.85 + 0.15 * luminance.clip(0, 2))
    return np.where((labels >= 0)[:, None], painted_here, faded).clip(0, 255).astype(np.uint8)


def before_after(
    scan: Scan,
    labels: NDArray[np.integer],
    parts: Sequence[str],
    *,
    objects: NDArray[np.integer] | None = None,
    titles: tuple[str, str] = ("scan", "parts"),
    size: tuple[int, int] = (640, 480),
) -> Image.Image:
    """The scan as it came and colored by `labels [N]` (into `parts`, -1 none), side by side with a
    legend: each part's percentage of the labeled points. A line goes around each of the `objects [N]` (0 none) of a
    cloud. A mesh is drawn as samples of its surface, labeled by the nearest vertex, and without such lines."""
    if len(labels) != len(scan.points):
        raise PartDistillError(f"{scan.name}: {len(labels)} labels for {len(scan.points)} points")
    given = scan
    scan, labels = drawable(scan, labels)
    camera = camera_for(scan)
    drawing = draw_cloud(scan.points, camera, size)
    before = drawing.paint(cloud_colors(scan))
    after = drawing.paint(label_colors(scan, labels, parts), objects if scan is given else None)
    return sheet((before, after), titles, percent_captions(labels, parts), part_colors(parts))


def drawable(scan: Scan, labels: NDArray[np.integer]) -> tuple[Scan, NDArray[np.integer]]:
    """A cloud dense enough to look at, with its labels `[N]`: a mesh as samples of its surface."""
    if scan.mesh is None or not len(scan.mesh.faces):
        return scan, labels
    dense = sample_surface(scan, LOOK.mesh_points)
    usable = np.flatnonzero(scan.finite())
    _, nearest = cKDTree(scan.points[usable]).query(dense.points)
    return dense, labels[usable[nearest]]


def save_picture(path: str | Path, picture: Image.Image) -> None:
    """Write the picture; the suffix chooses the format (`.png`, `.jpg`). Raises PartDistillError for others."""
    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise PartDistillError(f"{path}: a picture cannot be written as '{path.suffix}': use .png or .jpg")
    with atomic_path(path) as temporary:
        picture.save(temporary, format=Image.registered_extensions()[path.suffix.lower()])
