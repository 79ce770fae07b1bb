# SPDX-License-Identifier: Apache-2.0
"""Report pages, filled by Jinja2: one style for light and dark, figures, tables, legends. No script, no network.

Autoescape is on, and a value that a template names and nobody gives is an error.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from partdistill_ros.io.atomic import atomic_path
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import legend_html
from partdistill_ros.visualization.pictures import label_colors

TEMPLATES = Path(__file__).with_name("templates")
JPEG_QUALITY = 88  # 8 to 12 kB a picture where PNG takes 40


@dataclass(frozen=True)
class Panel:
    """A picture with its caption."""

    caption: str
    picture: Image.Image


def write_page(path: Path, template: Path, title: str, images: str = "data:", **content: object) -> None:
    """Fill `template` with `content` and write the page whole.

    template: a file that extends `base.html`.  images: the only thing that a browser may load, see `img-src`.
    Raises PartDistillError where it cannot be written.
    """
    text = render_page(template, title, images, **content)
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render_page(template: Path, title: str, images: str = "data:", **content: object) -> str:
    """The page as text, see `write_page`."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(data_uri=data_uri, part_legend=part_legend)
    return environment.get_template(template.name).render(title=title, images=images, **content)


def data_uri(picture: Image.Image) -> str:
    """The picture as an address that holds it."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def part_legend(parts: Sequence[str]) -> Markup:
    """The parts in the colors of the pictures, and how points without a part look there."""
    none = label_colors(Scan(np.zeros((1, 3), np.float32)), np.array([-1]), parts)
    return Markup(legend_html((*parts, "no part"), np.concatenate([part_colors(parts), none])))
