# SPDX-License-Identifier: Apache-2.0
"""What a teacher is shown of a rendering: its colors, its shading alone, or its depth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from partdistill_ros.errors import PartDistillError
from partdistill_ros.rendering.rasterize import Rendering
from partdistill_ros.teachers.spec import PICTURES

LOOK = "pictures-2"  # part of the teachers' keys: changes with what a kind of picture looks like
GRAY = 200.0  # of the surface in shaded pictures, as the renderer paints what has no color
# Brightness in depth pictures on a white background, as PointCLIP V2 has it: 1 - (closeness + 0.3) / 1.3, with a
# closeness of 1 for the nearest and 0 for the farthest point (zeroshot_seg/realistic_projection.py of its authors).
NEAREST, FARTHEST = 0.0, 1 - 0.3 / 1.3
BLUR = 0.7  # pixels at 224: smooths the steps between the discs of points


def shown_pictures(
    rendering: Rendering, kind: str = "auto", views: Sequence[int] | slice = slice(None)
) -> NDArray[np.uint8]:
    """Pictures `[V, H, W, 3] u1` of one kind, of all views or of `views`; no others are made.

    color: as rendered, colors and light on white.  shaded: gray and light on white.  depth: near is
    dark on white, as PointCLIP V2 (Zhu et al. 2023) shows clouds to CLIP.  auto: as `chosen_kind` has it.
    Raises PartDistillError for another kind.
    """
    kind = chosen_kind(rendering, kind)
    if kind == "depth":
        return depth_pictures(rendering.depth[views])
    if kind == "color":
        return rendering.picture[views]
    return shaded_pictures(rendering.index[views], None if rendering.light is None else rendering.light[views])


def chosen_kind(rendering: Rendering, kind: str = "auto", uncolored_cloud: str = "depth") -> str:
    """The kind, or what `auto` means for this rendering: `color` where the scan has colors, `shaded` for an uncolored
    mesh, `uncolored_cloud` for an uncolored cloud. Raises PartDistillError for another kind."""
    if kind not in PICTURES:
        raise PartDistillError(f"picture '{kind}' is not one of {', '.join(PICTURES)}")
    if kind != "auto":
        return kind
    if any(np.ptp(one, axis=-1).any() for one in rendering.picture):  # a view at a time: there may be hundreds
        return "color"
    return "shaded" if rendering.of == "faces" else uncolored_cloud


def shaded_pictures(index: NDArray[np.int32], light: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    """Gray surfaces in the renderer's light `[V, H, W]` as pictures `[V, H, W, 3] u1`, flat without light; index:
    -1 where there is nothing."""
    light = np.full(index.shape, 255, np.uint8) if light is None else light
    gray = np.where(index >= 0, np.rint(light * (GRAY / 255)), 255).astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def depth_pictures(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Depth `[V, H, W]` (inf: empty) as gray pictures `[V, H, W, 3] u1`: the nearest point of a view is
    black, its farthest light gray, the background white."""
    pictures = np.full((*depth.shape, 3), 255, np.uint8)
    for view, one in enumerate(depth):
        seen = np.isfinite(one)
        if not seen.any():
            continue
        near, far = one[seen].min(), one[seen].max()
        closeness = np.where(seen, 1 - (one - near) / max(far - near, 1e-9), 0)
        gray = np.where(seen, FARTHEST + (NEAREST - FARTHEST) * closeness, 0)
        sigma = BLUR * one.shape[0] / 224
        # weighted by what is seen, so that the outline keeps its brightness and stays where it is
        blurred = ndimage.gaussian_filter(gray, sigma) / np.maximum(ndimage.gaussian_filter(seen * 1.0, sigma), 1e-6)
        pictures[view] = np.where(seen, np.rint(255 * blurred), 255).astype(np.uint8)[..., None]
    return pictures
