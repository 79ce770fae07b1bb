# SPDX-License-Identifier: Apache-2.0
"""Many labeled clouds on one picture, a part in the same color everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import percent_captions, sheet
from partdistill_ros.visualization.pictures import LOOK, camera_for, draw_cloud, label_colors

TILE = (240, 200)
COLUMNS = 6


def cloud_sheet(clouds: Sequence[Scan], parts: Sequence[str], title: str) -> Image.Image:
    """Clouds, each with its name and labels into `parts`, above a legend with each part's share of the labeled points.

    Raises PartDistillError for a cloud without finite points.
    """
    columns = min(COLUMNS, len(clouds))
    rows = -(-len(clouds) // columns)
    picture = Image.new("RGB", (columns * TILE[0], rows * TILE[1]), LOOK.background)
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    labels = [np.asarray(cloud.point_labels) for cloud in clouds]
    for number, (cloud, own) in enumerate(zip(clouds, labels, strict=True)):
        left, top = number % columns * TILE[0], number // columns * TILE[1]
        drawing = draw_cloud(cloud.points, camera_for(cloud), TILE)
        picture.paste(drawing.paint(label_colors(cloud, own, parts)), (left, top))
        pen.text((left + 6, top + 4), cloud.name[:30], fill=LOOK.ink, font=font)
    return sheet((picture,), (title,), percent_captions(np.concatenate(labels), parts), part_colors(parts))
