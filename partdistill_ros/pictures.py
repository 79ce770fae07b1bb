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
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, minimum_filter
from scipy.spatial import cKDTree

from partdistill_ros.errors import PartDistillError
from partdistill_ros.files import atomic_path
from partdistill_ros.palette import part_colors
from partdistill_ros.rendering.cameras import look_at
from partdistill_ros.scans.scan import Scan, sample_surface

# Disc radius over the distance to the third neighbour: randomly sampled surfaces show what lies behind
# them through holes at 0.8 and no longer at 1.5.
DISC_PER_SPACING = 1.5
EMPTY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Look:
    """Numbers of taste. Lengths in pixels of the finished picture."""

    supersample: int = 2
    margin: float = 0.06  # empty border, share of the picture
    background: tuple[int, int, int] = (250, 250, 248)
    ink: tuple[int, int, int] = (45, 48, 54)
    bare: tuple[int, int, int] = (196, 192, 186)  # a cloud that came without colours
    mute: float = 0.62  # how far unlabelled points fade towards grey when parts are shown
    smooth: float = 2.0  # blur of the depth before its slope is lit; hides a Kinect's ripple
    ambient: float = 0.55
    edge: float = 5.0  # strength of the dark rims
    mesh_points: int = 60_000  # samples drawn of a mesh
    largest_disc: float = 7.0


LOOK = Look()


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
    points = scan.points[scan.finite()].astype(np.float64)
    if not len(points):
        raise PartDistillError(f"{scan.name}: no finite points to draw")
    low, high = np.asarray(np.percentile(points, (1, 99), axis=0))
    center = (low + high) / 2
    if scan.viewpoint is not None:
        position = np.asarray(scan.viewpoint, np.float64)
        up = np.array([0.0, -1.0, 0.0]) if scan.up is None else np.asarray(scan.up, np.float64)
        return Camera(position, look_at(position, center, up)[0].astype(np.float64))
    up = np.array([0.0, 0.0, 1.0]) if scan.up is None else np.asarray(scan.up, np.float64)
    first = np.eye(3)[np.abs(up).argmin()]
    level = np.cross(up, first)
    outward = 0.75 * level + 0.85 * np.cross(level, up) + 0.62 * up
    position = center + 1.6 * np.linalg.norm(high - low) * outward / np.linalg.norm(outward)
    return Camera(position, look_at(position, center, up)[0].astype(np.float64))


@dataclass(frozen=True)
class Drawing:
    """A cloud laid out in a picture, to be painted in any colours: `index [H, W]` of the point that each
    supersampled pixel shows (-1 none) and the brightness `light [H, W]` there."""

    index: NDArray[np.int64]
    light: NDArray[np.float64]
    size: tuple[int, int]
    look: Look

    def paint(self, colors: NDArray[np.uint8]) -> Image.Image:
        """The picture in the points' `colors [N, 3] u1`."""
        picture = np.empty((*self.index.shape, 3), np.uint8)
        picture[:] = self.look.background
        drawn = self.index >= 0
        lit = colors[self.index[drawn]] * self.light[drawn, None]
        picture[drawn] = lit.clip(0, 255).astype(np.uint8)
        return Image.fromarray(picture).resize(self.size, Image.Resampling.LANCZOS)


def draw_cloud(points: ArrayLike, camera: Camera, size: tuple[int, int] = (640, 480), look: Look = LOOK) -> Drawing:
    """Lay out `points [N, 3]`, framed to fill `size` (width, height) pixels."""
    seen = (np.asarray(points, np.float64) - camera.position) @ camera.rotation.T
    usable = np.flatnonzero(np.isfinite(seen).all(1) & (seen[:, 2] > 1e-6))
    seen = seen[usable]
    width, height = size[0] * look.supersample, size[1] * look.supersample
    if not len(seen):
        return Drawing(np.full((height, width), -1), np.ones((height, width)), size, look)
    column, row, scale = _frame(seen, width, height, look.margin)
    radius = _disc_radius(seen, scale, look)
    depth, index = _splat(column, row, seen[:, 2], width, height, radius)
    drawn = index >= 0
    return Drawing(np.where(drawn, usable[index], -1), _light(depth, drawn, scale, look), size, look)


def _frame(
    seen: NDArray[np.float64], width: int, height: int, margin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Pixel column and row `[N]` of camera-frame points, and pixels per unit of x / z."""
    plane = seen[:, :2] / seen[:, 2:]
    low, high = np.percentile(plane, (0.5, 99.5), axis=0)
    room = np.array([width, height]) * (1 - 2 * margin)
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    pixel = (plane - (low + high) / 2) * scale + np.array([width, height]) / 2
    return pixel[:, 0], pixel[:, 1], scale


def _disc_radius(seen: NDArray[np.float64], scale: float, look: Look) -> float:
    """Disc radius in supersampled pixels that closes the gaps between neighbouring points."""
    probes = seen[:: max(1, len(seen) // 2000)]
    if len(seen) < 4:
        return look.largest_disc * look.supersample
    # The third neighbour, not the first: random samples have close pairs, and duplicates do too.
    spacing = cKDTree(seen).query(probes, k=4)[0][:, 3]
    pixels = float(np.median(spacing / probes[:, 2])) * scale
    return float(np.clip(DISC_PER_SPACING * pixels, 0.8, look.largest_disc * look.supersample))


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
    reach = np.arange(-int(np.ceil(radius)), int(np.ceil(radius)) + 1)
    for down, right in ((d, r) for d in reach for r in reach if d * d + r * r <= radius * radius):
        inside = (x + right >= 0) & (x + right < width) & (y + down >= 0) & (y + down < height)
        np.minimum.at(nearest, ((y + down) * width + x + right)[inside], key[inside])
    index = np.where(nearest < EMPTY, nearest & 0xFFFFFFFF, -1)
    front = np.where(index >= 0, depth[index], np.inf)
    return front.reshape(height, width), index.reshape(height, width)


def _light(depth: NDArray[np.float64], drawn: NDArray[np.bool_], scale: float, look: Look) -> NDArray[np.float64]:
    """Brightness `[H, W]` around 1 from the slope of the depth and the rims behind edges."""
    filled = np.where(drawn, depth, 0.0)
    sigma = look.smooth * look.supersample
    weight = gaussian_filter(drawn.astype(np.float64), sigma)
    soft = gaussian_filter(filled, sigma) / np.maximum(weight, 1e-6)
    middle = float(np.median(depth[drawn]))
    down, right = np.gradient(soft * scale / middle)
    normal = np.stack([right, down, -np.ones_like(soft)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.45, -0.65, -0.62])
    diffuse = (normal @ (lamp / np.linalg.norm(lamp))).clip(0)
    slope = look.ambient + (1.12 - look.ambient) * diffuse
    extent = np.subtract(*np.percentile(depth[drawn], (98, 2))) + 1e-9
    near = minimum_filter(np.where(drawn, depth, np.finfo(float).max), size=4 * look.supersample + 1)
    rim = np.maximum(np.where(drawn, depth, -np.inf) - near, 0.0) / extent
    return slope * np.exp(-look.edge * np.minimum(rim, 0.25))


def cloud_colors(scan: Scan, look: Look = LOOK) -> NDArray[np.uint8]:
    """The scan's own colours `[N, 3] u1`, a warm grey where it has none."""
    if scan.colors is not None:
        return scan.colors
    return np.broadcast_to(np.array(look.bare, np.uint8), (len(scan.points), 3)).copy()


def label_colors(scan: Scan, labels: NDArray[np.integer], parts: Sequence[str], look: Look = LOOK) -> NDArray[np.uint8]:
    """Colours `[N, 3] u1` of `labels [N]` into `parts`; unlabelled points fade to a light grey."""
    own = cloud_colors(scan, look).astype(np.float64)
    grey = own.mean(1, keepdims=True) * 0.5 + 105
    faded = (1 - look.mute) * own + look.mute * grey
    painted = np.vstack([part_colors(parts), np.zeros((1, 3), np.uint8)]).astype(np.float64)
    luminance = own.mean(1, keepdims=True) / max(float(own.mean()), 1.0)
    painted_here = painted[labels] * (0.85 + 0.15 * luminance.clip(0, 2))
    return np.where((labels >= 0)[:, None], painted_here, faded).clip(0, 255).astype(np.uint8)


def before_after(
    scan: Scan,
    labels: NDArray[np.integer],
    parts: Sequence[str],
    *,
    titles: tuple[str, str] = ("scan", "parts"),
    size: tuple[int, int] = (640, 480),
    look: Look = LOOK,
) -> Image.Image:
    """The scan as it came and coloured by `labels [N]` (into `parts`, -1 none), side by side with a
    legend: each part's share of the labelled points. A mesh is drawn as samples of its surface,
    labelled by the nearest vertex."""
    if len(labels) != len(scan.points):
        raise PartDistillError(f"{scan.name}: {len(labels)} labels for {len(scan.points)} points")
    scan, labels = _drawable(scan, labels, look)
    camera = camera_for(scan)
    drawing = draw_cloud(scan.points, camera, size, look)
    before, after = (
        drawing.paint(colors) for colors in (cloud_colors(scan, look), label_colors(scan, labels, parts, look))
    )
    counts = np.bincount(labels[labels >= 0], minlength=len(parts))
    share = [f"{part}  {100 * count / max(counts.sum(), 1):.0f} %" for part, count in zip(parts, counts, strict=True)]
    return _sheet((before, after), titles, share, part_colors(parts), look)


def _drawable(scan: Scan, labels: NDArray[np.integer], look: Look) -> tuple[Scan, NDArray[np.integer]]:
    """A cloud dense enough to look at, with its labels."""
    if scan.mesh is None or not len(scan.mesh.faces):
        return scan, labels
    dense = sample_surface(scan, look.mesh_points)
    usable = np.flatnonzero(scan.finite())
    _, nearest = cKDTree(scan.points[usable]).query(dense.points)
    return dense, labels[usable[nearest]]


def _sheet(
    panels: Sequence[Image.Image],
    titles: Sequence[str],
    names: Sequence[str],
    swatches: NDArray[np.uint8],
    look: Look,
) -> Image.Image:
    """Panels in a row under their titles, above a legend."""
    gap, head = 16, 44
    width = sum(panel.width for panel in panels) + gap * (len(panels) + 1)
    title_font, legend_font = ImageFont.load_default(20), ImageFont.load_default(18)
    rows = _legend_rows(names, legend_font, width - 2 * gap)
    height = head + max(panel.height for panel in panels) + gap + 34 * len(rows) + 8
    sheet = Image.new("RGB", (width, height), look.background)
    pen = ImageDraw.Draw(sheet)
    left = gap
    for panel, title in zip(panels, titles, strict=True):
        pen.text((left + 4, 12), title, fill=look.ink, font=title_font)
        sheet.paste(panel, (left, head))
        pen.rectangle((left, head, left + panel.width - 1, head + panel.height - 1), outline=(222, 221, 217))
        left += panel.width + gap
    top = height - 34 * len(rows) - 4
    for row in rows:
        for index, x in row:
            color = tuple(int(value) for value in swatches[index])
            pen.rounded_rectangle((gap + x, top + 5, gap + x + 22, top + 25), 6, fill=color)
            pen.text((gap + x + 30, top + 5), names[index], fill=look.ink, font=legend_font)
        top += 34
    return sheet


def _legend_rows(
    names: Sequence[str], font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int
) -> list[list[tuple[int, int]]]:
    """Rows of (index, left edge) that fit `width` pixels."""
    rows: list[list[tuple[int, int]]] = [[]]
    x = 0
    for index, name in enumerate(names):
        room = 30 + int(font.getlength(name)) + 32
        if x + room > width and rows[-1]:
            rows.append([])
            x = 0
        rows[-1].append((index, x))
        x += room
    return rows


def save_picture(path: str | Path, picture: Image.Image) -> None:
    """Write the picture; the suffix chooses the format (`.png`, `.jpg`). Raises PartDistillError for others."""
    path = Path(path)
    if path.suffix.lower() not in Image.registered_extensions():
        raise PartDistillError(f"{path}: a picture cannot be written as '{path.suffix}': use .png or .jpg")
    with atomic_path(path) as temporary:
        picture.save(temporary, format=Image.registered_extensions()[path.suffix.lower()])
