# SPDX-License-Identifier: Apache-2.0
"""Legends name every part in its color, whatever the names are."""

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.visualization.colors import part_colors
from partdistill_ros.visualization.legend import legend_html, legend_picture, percent_captions, sheet

MANY = ("handle", "cup", *(f"a part with a long name {index}" for index in range(8)))


def shown(picture, color):
    pixels = np.asarray(picture).reshape(-1, 3).astype(int)
    return int((np.abs(pixels - color).max(1) <= 2).sum())


def test_shares_are_of_the_labeled_points():
    assert percent_captions(np.array([0, 0, 0, 1, -1, -1]), ("handle", "cup", "lid")) == [
        "handle  75 %",
        "cup  25 %",
        "lid  0 %",
    ]
    assert percent_captions(np.array([-1, -1]), ("handle",)) == ["handle  0 %"]


@pytest.mark.parametrize("panels", [1, 3])
def test_a_sheet_holds_its_panels_and_every_color(panels):
    red = Image.new("RGB", (200, 100), (255, 0, 0))
    picture = sheet([red] * panels, ["one"] * panels, MANY, part_colors(MANY))
    assert shown(picture, (255, 0, 0)) > 0.9 * 200 * 100 * panels
    for color in part_colors(MANY):
        assert shown(picture, color) > 200


def test_the_legend_alone_is_as_wide_as_its_longest_name():
    picture = legend_picture(MANY, part_colors(MANY))
    assert all(shown(picture, color) > 200 for color in part_colors(MANY))
    right = np.asarray(picture)[:, -16:].astype(int)
    assert np.ptp(right) < 10, "a name is cut off"
    assert legend_picture(("cup",), part_colors(("cup",))).width < picture.width
    assert legend_picture((), part_colors(())).width > 0


def test_names_cannot_smuggle_html_into_the_page():
    names = ("<script>alert(1)</script>", "a & b")
    text = legend_html(names, part_colors(names))
    assert "<script" not in text and "&lt;script&gt;" in text and "a &amp; b" in text
    red, green, blue = part_colors(names)[0]
    assert f"rgb({red},{green},{blue})" in text


def test_what_turns_the_direction_of_writing_is_shown_as_that():
    shown = legend_html(["\u202etxt.exe \x1b[2J", "caf\xe9"], np.zeros((2, 3), np.uint8))
    assert "\\u202etxt.exe \\x1b[2J" in shown and "caf\xe9" in shown
