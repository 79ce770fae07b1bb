# SPDX-License-Identifier: Apache-2.0
"""Views written for an outside detector."""

import json

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.errors import PartDistillError
from partdistill_ros.pointcloud.scan import Scan
from partdistill_ros.rendering.cameras import ten_views
from partdistill_ros.rendering.rasterize import render_scan
from partdistill_ros.rendering.save import write_collection, write_views


@pytest.fixture
def rendered():
    points = np.random.default_rng(0).normal(size=(400, 3)).astype(np.float32)
    views = ten_views(radius=4.0)
    return render_scan(Scan(points, name="dots"), views, 48), views


def test_pictures_maps_and_cameras_come_back(tmp_path, rendered):
    rendering, views = rendered
    manifest = json.loads(write_views(tmp_path / "new" / "dots", rendering, views).read_text())
    assert manifest["scan"] == "dots" and manifest["index_of"] == "points" and len(manifest["images"]) == 10
    folder = tmp_path / "new" / "dots"
    for number, image in enumerate(manifest["images"]):
        assert (image["id"], image["width"], image["height"]) == (number, 48, 48)
        np.testing.assert_array_equal(np.asarray(Image.open(folder / image["file_name"])), rendering.picture[number])
        np.testing.assert_allclose(image["position"], views.position[number], rtol=1e-6)
    with np.load(folder / manifest["maps"]) as maps:
        for name in ("index", "depth", "pixel"):
            np.testing.assert_array_equal(maps[name], getattr(rendering, name))
    assert sorted(p.name for p in folder.iterdir() if p.name.startswith(".")) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path, rendered):
    (tmp_path / "file").write_text("")
    with pytest.raises(PartDistillError, match="cannot write"):
        write_views(tmp_path / "file" / "views", *rendered)


def test_a_collection_has_one_manifest(tmp_path, rendered):
    manifests = [write_views(tmp_path / name, *rendered, ("handle", "cup")) for name in ("a", "b")]
    whole = json.loads(write_collection(tmp_path, manifests, ("handle", "cup")).read_text())
    assert [image["id"] for image in whole["images"]] == list(range(20))
    assert whole["images"][13]["file_name"] == "b/view_03.png" and (tmp_path / "b" / "view_03.png").is_file()
    categories = [{"id": 1, "name": "handle"}, {"id": 2, "name": "cup"}]
    assert whole["categories"] == categories == json.loads(manifests[0].read_text())["categories"]
