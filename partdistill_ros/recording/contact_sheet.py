# SPDX-License-Identifier: Apache-2.0
"""All scans of a collection on one picture."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.recorded_scan import PICTURE, VIEWS
from partdistill_ros.recording.collection import RecordedScan
from partdistill_ros.visualization.pictures import LOOK

TILE = (320, 240)
STRIP = 64  # pixels, the height of the camera's own pictures below a scan
TITLE = 26
COLUMNS = 4


def contact_sheet(scans: Sequence[RecordedScan]) -> Image.Image:
    """Each scan with its name and, below, what the camera saw; a scan without pictures has an empty tile.

    Raises PartDistillError without scans.
    """
    if not scans:
        raise PartDistillError("there is no valid scan to draw")
    columns = min(COLUMNS, len(scans))
    width, height = TILE[0], TITLE + TILE[1] + STRIP
    rows = -(-len(scans) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), LOOK.background)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, recorded in enumerate(scans):
        left, top = number % columns * width, number // columns * height
        views = len(recorded.manifest.captures)
        title = f"{recorded.name}, {views} view{'s' * (views != 1)}" if views else recorded.name
        pen.text((left + 8, top + 6), title, fill=LOOK.ink, font=font)
        _paste(sheet, recorded, PICTURE, (left, top + TITLE), TILE)
        for place, capture in enumerate(recorded.manifest.captures[: width // STRIP]):
            name = capture.picture or f"{VIEWS}/none"
            _paste(sheet, recorded, name, (left + place * STRIP, top + TITLE + TILE[1]), (STRIP, STRIP))
    return sheet


def _paste(sheet: Image.Image, scan: RecordedScan, name: str, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """A picture of the scan into its place, centered; nothing where it is missing or damaged."""
    path = scan.folder / name
    if not path.is_file() or not path.resolve().is_relative_to(scan.folder.resolve()):
        return
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return
    small.thumbnail((size[0] - 4, size[1] - 4))
    if small.width < size[0] // 2 and small.height < size[1] // 2:
        factor = min(size[0] / small.width, size[1] / small.height) * 0.9
        small = small.resize((int(small.width * factor), int(small.height * factor)))
    sheet.paste(small, (corner[0] + (size[0] - small.width) // 2, corner[1] + (size[1] - small.height) // 2))
