# SPDX-License-Identifier: Apache-2.0
"""Legends: part names beside their colors, below pictures, alone, or as HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from partdistill_ros.errors import printable

BACKGROUND = (250, 250, 248)
INK = (45, 48, 54)
_FRAME = (222, 221, 217)

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

# Pixels.
_GAP = 16  # between and around panels
_HEAD = 44  # height of the titles
_ROW = 34  # height of a row of the legend


def percent_captions(labels: NDArray[np.integer], parts: Sequence[str]) -> list[str]:
    """Each part's name with its percentage of the labeled points, from `labels [N]` into `parts`."""
    counts = np.bincount(labels[labels >= 0], minlength=len(parts))
    return [f"{part}  {100 * count / max(counts.sum(), 1):.0f} %" for part, count in zip(parts, counts, strict=True)]


def sheet(
    panels: Sequence[Image.Image], titles: Sequence[str], names: Sequence[str], colors: NDArray[np.uint8]
) -> Image.Image:
    """Panels in a row under their titles, above a legend of `names` and their `colors [P, 3] u1`."""
    width = sum(panel.width for panel in panels) + _GAP * (len(panels) + 1)
    rows = _rows(names, _legend_font(), width - 2 * _GAP)
    height = _HEAD + max(panel.height for panel in panels) + _GAP + _ROW * len(rows) + 8
    picture = Image.new("RGB", (width, height), BACKGROUND)
    pen = ImageDraw.Draw(picture)
    left, title_font = _GAP, ImageFont.load_default(20)
    for panel, title in zip(panels, titles, strict=True):
        pen.text((left + 4, 12), title, fill=INK, font=title_font)
        picture.paste(panel, (left, _HEAD))
        pen.rectangle((left, _HEAD, left + panel.width - 1, _HEAD + panel.height - 1), outline=_FRAME)
        left += panel.width + _GAP
    _draw(pen, rows, names, colors, height - _ROW * len(rows) - 4)
    return picture


def legend_picture(names: Sequence[str], colors: NDArray[np.uint8]) -> Image.Image:
    """The legend alone, a name a row, as wide as the longest of `names` needs."""
    font = _legend_font()
    width = max((_room(name, font) for name in names), default=0) + 2 * _GAP
    picture = Image.new("RGB", (width, _ROW * len(names) + _GAP), BACKGROUND)
    _draw(ImageDraw.Draw(picture), [[(index, 0)] for index in range(len(names))], names, colors, _GAP // 2)
    return picture


def legend_html(names: Sequence[str], colors: NDArray[np.uint8]) -> str:
    """The legend as a fragment of HTML that needs no style sheet, and takes one where `.legend` has rules.

    Names come from anybody who may publish a query: their markup and control characters are written out.
    """
    swatch = "display:inline-block;width:1em;height:1em;border-radius:.25em;vertical-align:-.1em;margin-right:.5em"
    rows = [
        f'<div><span style="{swatch};background:rgb({red},{green},{blue})"></span>{html.escape(printable(name))}</div>'
        for name, (red, green, blue) in zip(names, colors.tolist(), strict=True)
    ]
    return f'<div class="legend">{"".join(rows)}</div>'


def _legend_font() -> Font:
    return ImageFont.load_default(18)


def _room(name: str, font: Font) -> int:
    return 30 + int(font.getlength(name)) + 32


def _rows(names: Sequence[str], font: Font, width: int) -> list[list[tuple[int, int]]]:
    """Rows of (index, left edge) that fit `width` pixels."""
    rows: list[list[tuple[int, int]]] = [[]]
    x = 0
    for index, name in enumerate(names):
        room = _room(name, font)
        if x + room > width and rows[-1]:
            rows.append([])
            x = 0
        rows[-1].append((index, x))
        x += room
    return rows


def _draw(
    pen: ImageDraw.ImageDraw,
    rows: Sequence[Sequence[tuple[int, int]]],
    names: Sequence[str],
    colors: NDArray[np.uint8],
    top: int,
) -> None:
    font = _legend_font()
    for row in rows:
        for index, x in row:
            red, green, blue = colors[index].tolist()
            pen.rounded_rectangle((_GAP + x, top + 5, _GAP + x + 22, top + 25), 6, fill=(red, green, blue))
            pen.text((_GAP + x + 30, top + 5), names[index], fill=INK, font=font)
        top += _ROW
