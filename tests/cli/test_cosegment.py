# SPDX-License-Identifier: Apache-2.0
"""A folder of scans comes back with common parts, which take names the second time."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from partdistill_ros.distillation.labels import labeled_samples
from partdistill_ros.io.load import load_scan
from partdistill_ros.io.save import save_scan
from partdistill_ros.pointcloud.scan import sample_surface


@pytest.fixture
def posts(post, tmp_path):
    """Two posts of the same name, one without a usable point, and a damaged file."""
    folder = tmp_path / "posts"
    for number in range(2):
        bare = sample_surface(post, 3000, number).with_(point_labels=None, parts=(), category=None)
        save_scan(folder / str(number) / "post.npz", bare)
    save_scan(folder / "few.npz", bare.select(np.arange(10)))
    (folder / "broken.ply").write_text("no cloud")
    return folder


def test_common_parts_are_found_then_named(partdistill, toy_bundle, posts, tmp_path):
    command = ("cosegment", posts, "--out", tmp_path / "common", "--bundle", toy_bundle, "--parts", "2")
    done = partdistill(*command, "--json")
    assert done.code == 0 and done.err.count("left out") == 2
    record = done.json()
    assert record["parts"] == ["part 1", "part 2"] and record["scans"] == ["post.npz", "post_2.npz"]
    assert Image.open(record["picture"]).width > 400
    above = {}
    for file in record["scans"]:
        cloud = load_scan(tmp_path / "common" / file)
        middle = [cloud.points[cloud.point_labels == part, 2].mean() for part in (0, 1)]
        assert abs(middle[0] - middle[1]) > 0.5, "the toy student tells what is above from what is below"
        above[file] = int(np.argmax(middle))
    assert len(set(above.values())) == 1, "the same part is above in both"
    names = ["top", "bottom"] if above["post.npz"] == 0 else ["bottom", "top"]
    assert partdistill(*command, "--names", ", ".join(names)).code == 0
    cloud = load_scan(tmp_path / "common" / "post.npz")
    assert sorted(cloud.parts) == ["bottom", "top"]
    assert cloud.points[cloud.point_labels == cloud.parts.index("top"), 2].mean() > 1
    (sample, _) = labeled_samples([str(tmp_path / "common")], ("top", "bottom"), "post", 2048, pytest.fail)
    assert sample.labeled and sample.units.part.tolist() == [0, 1]


def test_what_an_earlier_run_wrote_goes_and_other_files_stay(partdistill, toy_bundle, posts, tmp_path):
    out = tmp_path / "common"
    command = ("cosegment", "--out", out, "--bundle", toy_bundle, "--parts", "2")
    assert partdistill(*command, posts).code == 0
    (out / "mine.npz").write_text("of somebody else")
    assert partdistill(*command, posts / "1").code == 0
    assert sorted(path.name for path in out.glob("*.npz")) == ["mine.npz", "post.npz"]
    (out / "written.json").write_text("[")
    done = partdistill(*command, posts / "1")
    assert done.code == 2 and "written.json" in done.err and "delete it" in done.err


def test_one_name_for_two_parts_and_none_for_another(partdistill, toy_bundle, posts, tmp_path):
    out = tmp_path / "common"
    command = ("cosegment", posts, "--out", out, "--bundle", toy_bundle, "--parts", "3")
    assert partdistill(*command, "--names", "side, -, side").code == 0
    cloud = load_scan(out / "post.npz")
    assert cloud.parts == ("side",) and set(cloud.point_labels.tolist()) == {-1, 0}
    done = partdistill(*command, "--names", "side")
    assert done.code == 2 and "1 --names for 3 parts: give one for each, - for what is no part" in done.err


@pytest.mark.parametrize(("option", "words"), [
    (("--parts", "1"), "number of parts, 2 to 16 or auto"), (("--names", "a,,b"), "list of names"),
    (("--names", "-"), "list of names"),
    (("--parts", "3", "--names", "a", "--bundle", "nowhere"), "1 --names for 3 parts"),
])  # fmt: skip
def test_options_that_mean_nothing_are_refused(partdistill, posts, tmp_path, option, words):
    done = partdistill("cosegment", posts, "--out", tmp_path / "out", *option)
    assert done.code == 2 and words in done.err


def test_a_folder_inside_the_collection_is_refused(partdistill, posts):
    done = partdistill("cosegment", posts, "--out", posts / "common")
    assert done.code == 2 and "whose files are read: name a folder elsewhere" in done.err
