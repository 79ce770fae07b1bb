# SPDX-License-Identifier: Apache-2.0
"""What the pages of reports share: one style for light and dark, figures, legends. No script, no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from PIL import Image

from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.pictures import label_colors

JPEG_QUALITY = 88  # 8 to 12 kB a picture where PNG takes 40

STYLE = """
:root { color-scheme: light dark; --ground: #fbfaf8; --ink: #23262b; --soft: #646a73; --rule: #dddad4;
  --card: #ffffff; --accent: #2b6cc4; --bar: #2b6cc426; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #e8e6e1; --soft: #9aa0a8;
  --rule: #363a41; --card: #1f2227; --accent: #7db2f5; --bar: #7db2f52e; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.25rem clamp(0.75rem, 3vw, 2rem) 4rem; max-width: 76rem; background: var(--ground);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.5rem 0; } h2 { font-size: 1.25rem; margin: 2.5rem 0 0.5rem; }
h3 { font-size: 1.05rem; margin: 1.75rem 0 0.4rem; } h4 { font-size: 0.95rem; margin: 1.1rem 0 0.4rem; }
h4 b { color: var(--accent); } p { margin: 0.4rem 0; max-width: 46rem; } .soft, figcaption { color: var(--soft); }
a { color: var(--accent); } nav a { margin-right: 1rem; white-space: nowrap; }
.wide { overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; background: var(--card); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: 0.4rem 0.75rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
tr:last-child > * { border-bottom: 0; } thead th { color: var(--soft); font-weight: 500; font-size: 0.85rem; }
th:first-child { text-align: left; font-weight: 500; position: sticky; left: 0; background: var(--card); }
td small { color: var(--soft); } td.best b { color: var(--accent); } td.bar { background: linear-gradient(90deg,
  var(--bar) var(--share), transparent var(--share)); }
.even { table-layout: fixed; } .even thead th { white-space: normal; overflow-wrap: anywhere; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 0.9rem; }
.grid { display: grid; gap: 0.6rem; grid-template-columns: repeat(auto-fill, minmax(var(--cell), 1fr)); }
.views { --cell: max(6.5rem, 17%); } .answers, .boxes { --cell: min(46%, 14rem); }
.answers { margin-top: 0.6rem; }
figure { margin: 0; } figure img { display: block; width: 100%; height: auto; border-radius: 8px;
  border: 1px solid var(--rule); background: #fafaf8; } figcaption { font-size: 0.8rem; padding: 0.15rem 0.1rem; }
figcaption b { color: var(--ink); font-weight: 600; }
.chart { width: 100%; height: auto; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
.chart text { fill: var(--soft); font-size: 11px; } .chart .grid { stroke: var(--rule); }
.chart .line { fill: none; stroke: var(--accent); stroke-width: 2; } .chart .dot { fill: var(--accent); }
.chart .began { stroke: var(--ink); stroke-dasharray: 4 4; opacity: 0.7; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; padding: 0.45rem 0;
  margin: 0.4rem 0; position: sticky; top: 0; background: var(--ground); border-bottom: 1px solid var(--rule); }
.legend i { display: inline-block; width: 0.95rem; height: 0.95rem; border-radius: 4px; margin-right: 0.4rem;
  vertical-align: -0.12rem; }
""".strip()


def page(title: str, body: Iterable[str], images: str = "data:") -> str:
    """A whole page. `title` is plain text, `body` HTML; nothing but `images` may be loaded."""
    policy = f"default-src 'none'; style-src 'unsafe-inline'; img-src {images}"
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>",
            *body,
            "</body>\n</html>\n",
        ]
    )


def embedded(picture: Image.Image, alt: str) -> str:
    """The picture inside the page, as a data URI."""
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    content = base64.b64encode(buffer.getvalue()).decode("ascii")
    return (
        f'<img src="data:image/jpeg;base64,{content}" width="{picture.width}" height="{picture.height}" '
        f'loading="lazy" alt="{escape(alt, quote=True)}">'
    )


def figure(image: str, caption: str) -> str:
    """An image element over its caption (plain text)."""
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def legend(parts: Sequence[str]) -> str:
    """The parts in the colors of the pictures, and how points without a part look there."""
    none = label_colors(Scan(np.zeros((1, 3), np.float32)), np.array([-1]), parts)[0]
    rows = [*zip(parts, part_colors(parts), strict=True), ("no part", none)]
    return f'<ul class="legend">{"".join(_entry(name, color) for name, color in rows)}</ul>'


def _entry(name: str, color: np.ndarray) -> str:
    red, green, blue = (int(value) for value in color)
    return f'<li><i style="background:rgb({red},{green},{blue})"></i>{escape(name)}</li>'
