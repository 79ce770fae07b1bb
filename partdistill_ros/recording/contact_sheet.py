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


def contact_sheet(members: Sequence[RecordedScan]) -> Image.Image:
    """Each scan with its name and, below, what the camera saw; a scan without pictures has an empty tile.

    Raises PartDistillError without members.
    """
    if not members:
        raise PartDistillError("there is no sound scan to draw")
    columns = min(COLUMNS, len(members))
    width, height = TILE[0], TITLE + TILE[1] + STRIP
    rows = -(-len(members) // columns)
    sheet = Image.new("RGB", (columns * width, rows * height), LOOK.background)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, member in enumerate(members):
        left, top = number % columns * width, number // columns * height
        views = len(member.manifest.captures)
        title = f"{member.name}, {views} view{'s' * (views != 1)}" if views else member.name
        pen.text((left + 8, top + 6), title, fill=LOOK.ink, font=font)
        _paste(sheet, member, PICTURE, (left, top + TITLE), TILE)
        for place, capture in enumerate(member.manifest.captures[: width // STRIP]):
            name = capture.picture or f"{VIEWS}/none"
            _paste(sheet, member, name, (left + place * STRIP, top + TITLE + TILE[1]), (STRIP, STRIP))
    return sheet


def _paste(sheet: Image.Image, member: RecordedScan, name: str, corner: tuple[int, int], room: tuple[int, int]) -> None:
    """A picture of the member into its place, in the middle of it; nothing where it is missing or damaged."""
    try:
        with Image.open(member.folder / name) as picture:
            small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return
    small.thumbnail((room[0] - 4, room[1] - 4))
    if small.width < room[0] // 2 and small.height < room[1] // 2:
        factor = min(room[0] / small.width, room[1] / small.height) * 0.9
        small = small.resize((int(small.width * factor), int(small.height * factor)))
    sheet.paste(small, (corner[0] + (room[0] - small.width) // 2, corner[1] + (room[1] - small.height) // 2))
