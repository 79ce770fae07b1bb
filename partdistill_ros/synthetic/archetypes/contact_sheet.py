# SPDX-License-Identifier: Apache-2.0
"""Draws some shapes of every category with their parts: `python -m partdistill_ros.synthetic.archetypes.contact_sheet
--out sheet.png`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.rendering.cameras import bounding_sphere, orbit_views
from partdistill_ros.rendering.rasterize import render_faces
from partdistill_ros.synthetic.archetypes import CATEGORIES
from partdistill_ros.synthetic.drawing.family import Family, draw
from partdistill_ros.visualization.colors import part_colors

ELEVATION, AZIMUTH = 25.0, -60.0  # degrees: most shapes have their front toward -y or their side along x
AMBIENT = 0.4


def category_row(category: Family, seeds: Sequence[int], size: int) -> NDArray[np.uint8]:
    """Shapes of one category side by side, `[size, seeds * size, 3] u1`, under its name and those of its parts."""
    colors = np.array([*part_colors(category.parts), (255, 255, 255)], float)
    tiles = []
    for seed in seeds:
        mesh = draw(category, seed).mesh
        assert mesh is not None and mesh.face_labels is not None
        center, radius = bounding_sphere(mesh.vertices)
        rendering = render_faces(mesh, orbit_views([ELEVATION], [AZIMUTH], center=center, radius=radius), size)
        index = rendering.index[0]
        light = np.ones(index.shape) if rendering.light is None else rendering.light[0] / 255
        labels = np.where(index >= 0, mesh.face_labels[index], -1)
        brightness = np.where(index >= 0, AMBIENT + (1 - AMBIENT) * light, 1)
        tiles.append((colors[labels] * brightness[..., None]).astype(np.uint8))
    row = Image.fromarray(np.concatenate(tiles, axis=1))
    ImageDraw.Draw(row).text((2, 2), f"{category.name}: {', '.join(category.parts)}", fill=(0, 0, 0))
    return np.asarray(row)


def contact_sheet(categories: Sequence[Family], seeds: Sequence[int], size: int = 96, columns: int = 4) -> Image.Image:
    """Rows of `category_row` in so many columns."""
    rows = [category_row(category, seeds, size) for category in categories]
    rows += [np.full_like(rows[0], 255)] * (-len(rows) % columns)
    height = len(rows) // columns
    parts = [np.concatenate(rows[start : start + height]) for start in range(0, len(rows), height)]
    return Image.fromarray(np.concatenate(parts, axis=1))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A picture of every category that the archetypes make.")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--shapes", type=int, default=6, help="of each category")
    parser.add_argument("--size", type=int, default=96, help="pixels of a shape")
    parser.add_argument("--columns", type=int, default=4)
    options = parser.parse_args(arguments)
    sheet = contact_sheet(list(CATEGORIES.values()), range(options.shapes), options.size, options.columns)
    with atomic_path(options.out) as temporary:
        sheet.quantize(96).save(temporary, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
