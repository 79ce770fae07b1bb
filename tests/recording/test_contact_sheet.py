# SPDX-License-Identifier: Apache-2.0
"""The contact sheet shows every scan, and bears missing and damaged pictures."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.io.recorded_scan import PICTURE, Capture
from partdistill_ros.recording.collection import Collection
from partdistill_ros.recording.contact_sheet import STRIP, TILE, TITLE, contact_sheet
from partdistill_ros.visualization.pictures import LOOK


def test_every_scan_has_its_tile(tmp_path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    red = Image.new("RGB", (40, 30), (255, 0, 0))
    for number in range(5):
        collection.add(make_scan(f"mug_{number}", number), captures=[(Capture(0, "camera"), red)])
    (collection.folder / "mug_1" / PICTURE).unlink()
    (collection.folder / "mug_2" / PICTURE).write_bytes(b"no picture")
    sheet = np.asarray(contact_sheet(collection.scans()))
    height = TITLE + TILE[1] + STRIP
    assert sheet.shape == (2 * height, 4 * TILE[0], 3)
    tiles = [sheet[row * height :, column * TILE[0] :][:height, : TILE[0]] for row in (0, 1) for column in range(4)]
    drawn = [bool((tile[TITLE : TITLE + TILE[1]] != LOOK.background).any()) for tile in tiles]
    assert drawn == [True, False, False, True, True, False, False, False]
    assert all((tile[-STRIP:] == (255, 0, 0)).all(-1).any() for tile in tiles[:5])


def test_nothing_to_draw(tmp_path) -> None:
    with pytest.raises(PartDistillError, match="no valid scan to draw"):
        contact_sheet(Collection.create(tmp_path / "c").scans())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes in folders")
def test_pictures_that_a_manifest_names_elsewhere_are_not_drawn(tmp_path, make_scan) -> None:
    collection = Collection.create(tmp_path / "c")
    Image.new("RGB", (40, 30), (255, 0, 0)).save(tmp_path / "red.png")
    for name in ("../../red.png", str(tmp_path / "red.png"), "pipe"):
        scan = collection.add(make_scan("mug"), captures=[(Capture(0, "camera", picture=name), None)])
        os.mkfifo(scan.folder / "pipe")
    sheet = np.asarray(contact_sheet(collection.scans()))
    assert not (sheet == (255, 0, 0)).all(-1).any()
