# SPDX-License-Identifier: Apache-2.0
"""The picture of all categories."""

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="torch: the extra 'train'")
from partdistill_ros.synthetic.archetypes import CATEGORIES  # noqa: E402
from partdistill_ros.synthetic.archetypes.contact_sheet import category_row, main  # noqa: E402
from partdistill_ros.visualization.colors import part_colors  # noqa: E402


def test_a_row_shows_every_part_in_its_color():
    row = category_row(CATEGORIES["elephant"], [0, 1], 120)
    assert row.shape == (120, 240, 3)
    pixels = row[20:].reshape(-1, 3).astype(float)
    pixels = pixels[pixels.min(1) < 240]
    hues = pixels / np.linalg.norm(pixels, axis=1, keepdims=True)
    for color in part_colors(("head", "body", "leg", "nose")):
        assert (hues @ (color / np.linalg.norm(color)) > 0.995).mean() > 0.01


def test_the_sheet_has_a_row_for_each_category(tmp_path):
    main(["--out", str(tmp_path / "sheet.png"), "--shapes", "1", "--size", "32", "--columns", "2"])
    assert Image.open(tmp_path / "sheet.png").size == (2 * 32, 32 * -(-len(CATEGORIES) // 2))
