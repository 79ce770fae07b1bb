# SPDX-License-Identifier: Apache-2.0
"""A labeled scan from all sides: an animation or a row of pictures, drawn without a display."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import percent_captions, sheet
from partdistill_ros.visualization.pictures import (
    Camera,
    camera_at,
    camera_for,
    central_range,
    common_bounds,
    draw_cloud,
    drawable,
    drawn_up,
    label_colors,
    save_picture,
)

ANIMATIONS = (".gif", ".webp")
STILLS = (".png", ".jpg", ".jpeg")

SWING = 0.6
"""Radians to either side of the recording viewpoint: a scan seen from one side is hollow from behind."""
POINTS = 120_000
"""Drawn at most: more do not show in a picture of this size, and each takes its time in every frame."""
SURROUNDINGS = 0.6
"""What is drawn around the labeled points, as a fraction of the diagonal of their box."""
COLORS = 255
"""A GIF has one palette of 256."""


def turntable_cameras(scan: Scan, frames: int, loop: bool = True) -> list[Camera]:
    """`frames` cameras around the scan at the height and distance of `camera_for`: a full turn, or a
    swing to both sides for a scan that was seen from one, and back again with `loop`.

    Raises PartDistillError without a finite point.
    """
    low, high = central_range(scan)
    first, center, up = camera_for(scan), (low + high) / 2, drawn_up(scan)
    angles = 2 * np.pi * np.arange(frames) / frames
    if scan.viewpoint is not None:
        angles = SWING * np.sin(angles) if loop else np.linspace(-SWING, SWING, frames)
    return [camera_at(center + _rotated(first.position - center, up, angle), center, up) for angle in angles]


def _rotated(vector: NDArray[np.float64], axis: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    """Rodrigues' rotation of `vector [3]` about the unit vector `axis [3]` by `angle` radians."""
    along = axis * (axis @ vector)
    return np.asarray(along + np.cos(angle) * (vector - along) + np.sin(angle) * np.cross(axis, vector))


def turntable(
    scan: Scan,
    labels: NDArray[np.integer],
    parts: Sequence[str],
    frames: int,
    size: tuple[int, int] = (480, 400),
    loop: bool = True,
) -> Iterator[Image.Image]:
    """The scan colored by `labels [N]` (into `parts`, -1 none), as each camera sees it, all to one scale.

    `size` is the width and height of a picture in pixels. Of a scene that is labeled in part, what lies
    around the labeled points is drawn. Raises PartDistillError without a finite point.
    """
    scan, labels = _subsampled(*_surroundings(*drawable(scan, labels)))
    cameras = turntable_cameras(scan, frames, loop)
    bounds = common_bounds(scan.points, cameras)
    colors = label_colors(scan, labels, parts)
    for camera in cameras:
        yield draw_cloud(scan.points, camera, size, bounds=bounds).paint(colors)


def _surroundings(scan: Scan, labels: NDArray[np.integer]) -> tuple[Scan, NDArray[np.integer]]:
    """Everything near labeled points: a mug in front of a far wall would be a speck."""
    labeled = scan.select(labels >= 0)
    if not labeled.finite().any():
        return scan, labels
    low, high = central_range(labeled)
    margin = SURROUNDINGS * np.linalg.norm(high - low)
    with np.errstate(invalid="ignore"):
        near = ((scan.points >= low - margin) & (scan.points <= high + margin)).all(axis=1)
    return scan.select(near), labels[near]


def _subsampled(scan: Scan, labels: NDArray[np.integer]) -> tuple[Scan, NDArray[np.integer]]:
    kept = np.flatnonzero(scan.finite())
    if len(kept) > POINTS:
        kept = np.random.default_rng(0).choice(kept, POINTS, replace=False)
    return scan.select(kept), labels[kept]


def save_turntable(
    path: str | Path,
    views: Sequence[Image.Image],
    title: str,
    labels: NDArray[np.integer],
    parts: Sequence[str],
    seconds: float = 6.0,
) -> None:
    """Write `views` above a legend: as an animation of `seconds` (`.gif`, `.webp`), or side by side
    (`.png`, `.jpg`). Raises PartDistillError for another suffix or a place that cannot be written.
    """
    path, names, colors = Path(path), percent_captions(labels, parts), part_colors(parts)
    suffix = path.suffix.lower()
    if suffix in STILLS:
        titles = [title, *[""] * (len(views) - 1)]
        save_picture(path, sheet(views, titles, names, colors))
        return
    if suffix not in ANIMATIONS:
        raise PartDistillError(f"cannot write {path}: a turntable ends in {', '.join((*ANIMATIONS, *STILLS))}")
    frames = [sheet([view], [title], names, colors) for view in views]
    if suffix == ".gif":
        frames = _one_palette(frames)
    with atomic_path(path) as temporary:
        milliseconds = max(20, round(1000 * seconds / len(frames)))
        # disposal=1: only what has changed is written anew.
        frames[0].save(
            temporary, suffix[1:], save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, disposal=1
        )


def _one_palette(frames: Sequence[Image.Image]) -> list[Image.Image]:
    """The frames in one palette, without dithering: otherwise colors flicker from frame to frame."""
    few = frames[:: max(1, len(frames) // 6)]
    together = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for number, frame in enumerate(few):
        together.paste(frame, (0, number * frame.height))
    palette = together.quantize(COLORS, Image.Quantize.MEDIANCUT)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
