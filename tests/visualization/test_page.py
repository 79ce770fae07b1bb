# SPDX-License-Identifier: Apache-2.0
"""Pages load nothing, run nothing, and show names as they are."""

import base64
import io
import re

from PIL import Image

from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.page import embedded, figure, legend, page


def test_a_page_forbids_scripts_and_the_network():
    text = page("a <b>", ["<p>x</p>"])
    assert "default-src 'none'" in text and "img-src data:" in text and "<title>a &lt;b&gt;</title>" in text
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text


def test_a_picture_is_in_the_page():
    image = embedded(Image.new("RGB", (20, 10), (250, 0, 0)), 'a "name">')
    content = base64.b64decode(re.search(r"base64,([^\"]+)", image)[1])
    again = Image.open(io.BytesIO(content))
    assert again.size == (20, 10) and again.getpixel((5, 5))[0] > 240
    assert 'alt="a &quot;name&quot;&gt;"' in image


def test_the_legend_has_the_colors_of_the_pictures():
    parts = ("handle", "<cup>")
    text = legend(parts)
    for color in part_colors(parts):
        assert f"rgb({color[0]},{color[1]},{color[2]})" in text
    assert "&lt;cup&gt;" in text and "no part" in text and "<cup>" not in text
    assert "&amp;" in figure("", "a & b")
