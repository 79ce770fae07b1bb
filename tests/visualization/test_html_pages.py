# SPDX-License-Identifier: Apache-2.0
"""Pages load nothing, run nothing, and show names as they are."""

import base64
import io
import re

import pytest
from jinja2 import UndefinedError
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.html_pages import Panel, data_uri, part_legend, render_page, write_page

RED = Image.new("RGB", (20, 10), (250, 0, 0))


@pytest.fixture
def template(tmp_path):
    """A page of a table, a grid of pictures and a legend."""
    path = tmp_path / "page.html"
    path.write_text(
        '{% extends "base.html" %}{% from "macros.html" import grid, table %}'
        '{% block body %}{{ table(("a & b", ""), rows) }}{{ grid("views", panels, name) }}{{ part_legend([name]) }}'
        "{% endblock %}"
    )
    return path


def test_a_page_forbids_scripts_and_the_network(template):
    text = render_page(template, "a <b>", rows=[], panels=[], name="x")
    assert "default-src &#39;none&#39;" in text or "default-src 'none'" in text
    assert "img-src data:" in text and "<title>a &lt;b&gt;</title>" in text and "<h1>a &lt;b&gt;</h1>" in text
    assert "prefers-color-scheme: dark" in text and "width=device-width" in text


def test_hostile_names_are_escaped_wherever_they_stand(template):
    hostile = '<script>"&'
    text = render_page(template, "x", rows=[(hostile, hostile)], panels=[Panel(hostile, RED)], name=hostile)
    assert "<script" not in text and text.count("&lt;script&gt;") == 2 + 3 + 1, "cells; alt twice and caption; legend"
    assert "a &amp; b" in text


def test_a_picture_is_in_the_page():
    content = base64.b64decode(re.fullmatch(r"data:image/jpeg;base64,(.+)", data_uri(RED))[1])
    again = Image.open(io.BytesIO(content))
    assert again.size == (20, 10) and again.getpixel((5, 5))[0] > 240


def test_a_value_that_is_missing_leaves_the_former_page(template, tmp_path):
    out = tmp_path / "out" / "page.html"
    write_page(out, template, "first", rows=[], panels=[], name="x")
    with pytest.raises(UndefinedError, match="panels"):
        write_page(out, template, "second", rows=[], name="x")
    assert "first" in out.read_text() and [file.name for file in out.parent.iterdir()] == ["page.html"]
    with pytest.raises(PartDistillError, match="cannot write"):
        write_page(template / "page.html", template, "x", rows=[], panels=[], name="x")


def test_the_legend_has_the_colors_of_the_pictures():
    parts = ("handle", "<cup>")
    text = part_legend(parts)
    for color in part_colors(parts):
        assert f"rgb({color[0]},{color[1]},{color[2]})" in text
    assert "&lt;cup&gt;" in text and "no part" in text and "<cup>" not in text
